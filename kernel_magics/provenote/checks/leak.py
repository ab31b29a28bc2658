"""Whether a model is asked about rows that it learned from: then every figure of it is too good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provenote.checks import golden, rows
from provenote.checks.verdict import Finding, Outcome
from provenote.errors import ProvenoteError

if TYPE_CHECKING:
    from typing import Any

    from provenote.checks.rows import Labelled
    from provenote.checks.subject import Examined
    from provenote.workspace import Workspace

NAME = "rows it has not seen"
SHARE = 0.01
"""Share of rows that may be equal to learned ones by chance: columns with few values repeat themselves."""
_MEND = (
    "Test it on later rows: `--since DATE`; to know for sure, log it with them: `log_model(..., X=X, y=y)`"
)


def unseen(workspace: Workspace, tested: Examined, asked: Labelled, name: str = NAME) -> Finding:
    """Tell whether the rows of a test are among those that the model learned from.

    Known for sure where the model was logged with its rows. Else the versions of data that its run read are
    looked at: rows that none of them holds were not learned; of the others nobody can tell, and where no
    later rows were chosen either (``since``), that is not judged.
    """
    kept = golden.of(workspace, tested)
    if kept is not None and kept.learned:
        share = golden.share_known(kept, asked.frame, asked.truth)
        if share is not None:
            return _told(name, share, f"learned from {kept.learned:,}", sure=True, since=asked.since)
    reads = [one for one in tested.document.get("reads") or () if one.get("md5")]
    if not asked.md5 or not reads:
        why = "not known: neither the rows that it learned from nor the data that its run read were recorded"
        return Finding(name, "skipped", why, mend=_MEND)
    if any(one["md5"] == asked.md5 for one in reads):
        return _told(name, 1.0, f"read this very version of {asked.path}", sure=False, since=asked.since)
    shares = [found for one in reads if (found := _share(workspace, one, asked)) is not None]
    if not shares:
        why = "not known: the data that its run read are not here, or are no table like this one"
        return Finding(name, "skipped", why, mend="Fetch them: `provenote data pull`")
    return _told(name, max(shares), "read another version", sure=False, since=asked.since)


def _told(name: str, share: float, words: str, *, sure: bool, since: str) -> Finding:
    """Return the finding for a share of known rows. Pure."""
    evidence = {"share": round(share, 6), "sure": sure}
    if share <= SHARE:
        why = f"{share:.1%} of the rows are among those that it learned from" if share else "none of them"
        why = why if sure or share else "none of them was in the data that its run read"
        return Finding(name, "passed", why, share, SHARE, evidence=evidence)
    if sure:
        why = f"{share:.1%} of the rows are among those that it learned from ({words})"
        return Finding(name, "failed", why, share, SHARE, mend="Test it on other rows", evidence=evidence)
    outcome: Outcome = "skipped" if since else "not judged"
    part = "all rows were" if share == 1 else f"{share:.1%} of the rows were"
    why = f"{part} in the data that its run read; which it learned from was not recorded (it {words})"
    if since:
        why += f"; you chose those from {since} on"
    return Finding(name, outcome, why, share, SHARE, mend=_MEND, evidence=evidence)


def _share(workspace: Workspace, read: dict[str, Any], asked: Labelled) -> float | None:
    """Return the share of asked rows in a version that the model's run read; None where it cannot be told."""
    import numpy as np

    from provenote.stores import cache
    from provenote.tracking.learned import hashes

    path, md5 = str(read.get("path") or ""), str(read["md5"])
    place = None if md5.endswith(".dir") else cache.locate(workspace.cache_dir, md5)
    if place is None:
        return None
    try:
        known = rows.table(place, path)
    except ProvenoteError:
        return None
    shared = [column for column in asked.frame.columns if column in known.columns]
    if not shared:
        return None
    return float(np.isin(hashes(asked.frame[shared]), hashes(known[shared])).mean())
