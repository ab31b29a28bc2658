"""Verbs of what was agreed about data."""

from __future__ import annotations

import datetime
import os
from typing import TYPE_CHECKING

from provenote.commands.tree import Context, verb
from provenote.view import Cell, Column, Facts, Line, Mark, Part, Table, View

if TYPE_CHECKING:
    from provenote.agreements.affected import Affected
    from provenote.agreements.journey import Change, Standing

_MARKS: dict[str, Mark] = {"in force": "ok", "ends soon": "warn", "ended": "failed", "on hold": "silent"}
_FEW = 12


@verb("data agreement")
def agreement(
    context: Context,
    path: str,
    *,
    owner: str | None = None,
    licence: str | None = None,
    terms: str | None = None,
    source: str | None = None,
    ends: str | None = None,
    this_version: bool = False,
    hold: str | None = None,
    lift: bool = False,
) -> View:
    """Say what was agreed about data, and whom its end concerns; with an option, write it.

    The file stands beside the pointer and is committed with it. After its last day, jobs and tracked reads
    of the data are refused, and `gc --ended` deletes them with a certificate. A legal hold wins over that.
    Exit status: 0 it may be used, 1 it has ended.

    Parameters
    ----------
    path : str
        Versioned data, a file or folder.
    owner : str
        Whose they are, with whom it was agreed.
    licence : str
        Such as CC-BY-4.0.
    terms : str
        What they may be used for.
    source : str
        Where they came from.
    ends : str
        The last day of use, 2027-01-31; `never` takes it away.
    this_version : bool
        It is about the present version, and others so named, alone; default: all versions of the path.
    hold : str
        Why nothing of it may be deleted: a legal hold.
    lift : bool
        Lift the hold.
    """
    from provenote.agreements import journey

    given = (owner, licence, terms, source, ends, hold)
    written = any(value is not None for value in given) or this_version or lift
    if written:
        journey.change(
            path, owner=owner, licence=licence, terms=terms, source=source, ends=ends,
            this_version=this_version, hold=hold, lift=lift,
        )  # fmt: skip
    stands, concerns, changes = journey.show(path)
    parts: list[Part] = [_head(stands), *_facts(stands), *_concerns(concerns), *_changes(changes)]
    if written:
        name = os.path.relpath(os.path.abspath(path)) + ".agreement.yaml"
        parts.append(Line(f"Next: git add {name}, and commit it", role="muted"))
    if stands.state == "ended":
        parts.append(Line("Delete them, with a certificate: provenote gc --ended", role="muted"))
    ended = stands.agreement.ended(datetime.date.today())
    return View(parts, _plain(stands, concerns, changes), status=int(ended))


@verb("data agreements")
def listed(context: Context) -> View:
    """List what was agreed about data: what has ended, what ends within 30 days, what is on hold.

    Exit status: 0 all may be used, 1 one has ended or cannot be read.
    """
    from provenote.agreements import journey

    found, broken = journey.everything(context.workspace)
    rows = [
        [
            Cell(one.path), Cell(one.state), Cell(str(one.agreement.ends or "never")),
            Cell(one.agreement.owner), Cell(one.agreement.licence),
            Cell(one.agreement.hold.why if one.agreement.hold else "", "muted"),
        ]
        for one in found
    ]  # fmt: skip
    heads = [Column(name) for name in ("data", "", "last day", "owner", "licence", "hold")]
    empty = 'No agreement yet. Write one: `provenote data agreement PATH --owner "..." --ends 2027-01-31`'
    parts: list[Part] = [Table(heads, rows, [_MARKS[one.state] for one in found], empty=empty)]
    parts += [Line(words, "failed") for words in broken]
    today = datetime.date.today()
    bad = bool(broken) or any(one.agreement.ended(today) for one in found)
    data = [_plain_one(one) for one in found]
    return View(parts, {"schema": 1, "agreements": data, "broken": broken}, status=int(bad))


def _head(stands: Standing) -> Line:
    ends = stands.agreement.ends
    when = {"in force": "", "ends soon": f" on {ends}", "ended": f" on {ends}", "on hold": ""}[stands.state]
    hold = stands.agreement.hold
    more = f" since {hold.since}: {hold.why}" if hold else ""
    return Line(f"{stands.path}: {stands.state}{when}{more}", _MARKS[stands.state], "strong")


def _facts(stands: Standing) -> list[Part]:
    one = stands.agreement
    pairs = [(key, getattr(one, key)) for key in ("owner", "licence", "terms", "source")]
    pairs += [("last day", str(one.ends or "never")), ("versions", ", ".join(one.versions) or "all")]
    return [Facts([(name, Cell(value)) for name, value in pairs if value])]


def _concerns(concerns: Affected) -> list[Part]:
    names = ", ".join(row.name for row in concerns.runs[:_FEW])
    more = f" and {len(concerns.runs) - _FEW} more" if len(concerns.runs) > _FEW else ""
    pairs = [
        ("runs", f"{names}{more}" if names else "none"),
        ("models", ", ".join(f"{model}@{version}" for model, version, _ in concerns.models) or "none"),
        ("stages", ", ".join(f"{model} {stage}" for model, stage, _ in concerns.stages) or "none"),
        (
            "consumers",
            ", ".join(f"{name} ({', '.join(own)})" for name, own in concerns.consumers.items()) or "none",
        ),
    ]
    parts: list[Part] = [
        Facts([(name, Cell(value)) for name, value in pairs], caption="Made with these data")
    ]
    if concerns.unknown:
        parts.append(Line(f"Stages and consumers are not known: {concerns.unknown}", "warn"))
    return parts


def _changes(changes: list[Change]) -> list[Part]:
    if len(changes) < 2:
        return []
    rows = [
        [Cell(one.day), Cell(one.author), Cell(key), Cell(before or "–"), Cell(after or "–")]
        for one in changes[:-1]
        for key, before, after in one.what
    ]
    heads = [Column(name) for name in ("day", "who", "what", "before", "after")]
    return [Table(heads, rows[:_FEW], caption="Changed since it was written")]


def _plain_one(stands: Standing) -> dict[str, object]:
    one = stands.agreement
    return {
        "path": stands.path, "state": stands.state, "owner": one.owner, "licence": one.licence,
        "terms": one.terms, "source": one.source, "ends": str(one.ends) if one.ends else None,
        "versions": list(one.versions),
        "hold": {"why": one.hold.why, "by": one.hold.by, "since": str(one.hold.since)} if one.hold else None,
    }  # fmt: skip


def _plain(stands: Standing, concerns: Affected, changes: list[Change]) -> dict[str, object]:
    return {
        "schema": 1,
        **_plain_one(stands),
        "data_versions": list(concerns.versions),
        "runs": [row.name for row in concerns.runs],
        "models": [{"model": m, "version": v, "run": r} for m, v, r in concerns.models],
        "stages": [{"model": m, "stage": s, "version": v} for m, s, v in concerns.stages],
        "consumers": {name: list(own) for name, own in concerns.consumers.items()},
        "changes": [
            {"commit": one.commit, "author": one.author, "day": one.day, "what": [list(w) for w in one.what]}
            for one in changes
        ],
    }
