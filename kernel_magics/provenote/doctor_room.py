"""What the doctor says of things that run out with time: room on the disk, the snapshot of advisories."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from provenote import config
from provenote.errors import ProvenoteError
from provenote.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Parameters
    ----------
    what : str
        What was looked at, and how it is.
    state : {'ok', 'warn', 'failed'}
        ``failed``: something does not work until it is mended.
    mend : str
        The command or sentence that mends it.
    """

    what: str
    state: Literal["ok", "warn", "failed"] = "ok"
    mend: str = ""


def disk(place: Workspace) -> Iterator[Finding]:
    """Tell how much room there is, and when it is used up if runs go on as they did here."""
    from provenote.compare import history, remarks
    from provenote.compare.numbers import size

    try:
        settings = config.load(place.dvc_root)
        limits = settings.limits
        free = float(shutil.disk_usage(place.common_dir).free)
        found = history.forecast(place, free)
    except (ProvenoteError, OSError) as error:
        yield Finding(f"the room on the disk is not known: {error}", "warn")
        return
    mend = "Free some space: `provenote gc`"
    low = remarks.disk(free, limits)
    if low:
        yield Finding(low, "warn", mend)
    else:
        yield Finding(f"{size(free)} free on the disk of the repository")
    if settings.prices.gb_month:
        yield _stored(place, settings.prices)
    if found.state == "not judged":
        yield Finding(f"when the disk is full is not judged: {found.why} on this machine")
    elif found.state == "steady":
        yield Finding(f"the disk does not fill up, by {found.why}")
    elif found.days is not None and found.sooner is not None:
        text = f"disk full in {_days(found.days)} by {found.why}, {size(found.rate)} a day"
        if _days(found.sooner) != _days(found.days):
            text += f"; in {_days(found.sooner)} if it goes as in the faster quarter"
        soon = found.days < limits.disk_full_days
        yield Finding(text, "warn" if soon else "ok", mend if soon else "")


def _stored(place: Workspace, prices: config.Prices) -> Finding:
    """Tell what it costs to keep what runs made and read, each object once."""
    from provenote.compare.numbers import size
    from provenote.stores import index
    from provenote.tracking import costs

    database = index.of(place)
    database.refresh()
    total = float(sum({one.md5: one.size or 0 for one in database.stored()}.values()))
    amount = costs.text(costs.storage(total, prices) or 0.0, prices.currency)
    return Finding(f"runs made and read {size(total)}, to keep it costs {amount} a month")


def _days(days: float) -> str:
    return f"{days:.0f} days" if days >= 1.5 else "1 day" if days >= 0.5 else "hours"


def advisories(place: Workspace) -> Iterator[Finding]:
    """Tell how old the snapshot of known weaknesses is, where one was brought."""
    from provenote.environments import snapshot

    found = snapshot.standing(place)
    if found.state == "there":
        old = found.days is None or found.days > snapshot.OLD
        mend = "Bring a newer one: `provenote env advisories all.zip`" if old else ""
        yield Finding(f"advisories {found.age}", "warn" if old else "ok", mend)
    elif found.state == "away":
        mend = f"`provenote data pull {snapshot.FILE}`"
        yield Finding(f"the bytes of {snapshot.FILE} are not here: nothing is checked", "warn", mend)
    elif found.state == "damaged":
        mend = "Bring it anew: `provenote env advisories all.zip`"
        yield Finding(f"{snapshot.FILE} is damaged: nothing is checked", "warn", mend)
