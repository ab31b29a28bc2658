"""Verbs of data contracts: make one, check data against it, leave a bad file out."""

from __future__ import annotations

import dataclasses
import os
import shlex
from typing import TYPE_CHECKING, Any

from provenote.commands.tree import Context, verb
from provenote.errors import UsageError
from provenote.stores.disk import shown
from provenote.view import Cell, Column, Line, Mark, Part, Table, View

if TYPE_CHECKING:
    from provenote.contracts.checking import Checked
    from provenote.contracts.difference import Change
    from provenote.contracts.making import Made


@verb("data contract")
def contract(
    context: Context,
    path: str,
    *,
    from_: str | None = None,
    time: str | None = None,
    key: str | None = None,
    label: str | None = None,
    windows: str | None = None,
    accept_rules: bool = False,
    widen: list[str] = [],  # noqa: B006
    force: bool = False,
    pandera: str | None = None,
    from_pandera: str | None = None,
) -> View:
    """Infer what data may hold, and write it beside the pointer as a file that people read and edit.

    Parameters
    ----------
    path : str
        A table, or a folder of tables.
    from_ : str
        The version to infer from: a Git revision, a run, digits of a hash; default: the file as it is.
    time : str
        Column that says when a row was, or a date and an hour: dteday+hr; found if not given.
    key : str
        Columns that name a row, with + between; found if not given.
    label : str
        The column that a model predicts.
    windows : str
        Length of a monitor's window: 7d, 24h, or a number of rows.
    accept_rules : bool
        Check the rules that are found across columns, instead of offering them.
    widen : str
        Only widen this column's rule so that the data fits; may be repeated.
    force : bool
        Overwrite a contract that was edited by hand.
    pandera : str
        Also write it as a pandera schema in Python, to this file.
    from_pandera : str
        Take the contract from this pandera schema (YAML) instead of the data.
    """
    from provenote.contracts import making

    def names(text: str | None) -> list[str]:
        return [name.strip() for name in (text or "").split("+") if name.strip()]

    if from_pandera is not None:
        from provenote.contracts import pandera_form

        made = pandera_form.take(path, from_pandera, force=force)
    elif widen:
        made = making.widen(path, widen, tell=context.tell)
    else:
        made = making.make(
            path,
            rev=from_,
            time=names(time),
            key=names(key),
            label=label or "",
            windows=windows or "",
            accept_rules=accept_rules,
            force=force,
            tell=context.tell,
        )
    parts = _made(made, widen)
    if pandera is not None:
        from provenote.contracts import pandera_form

        pandera_form.give(made.contract, pandera)
        parts.append(Line(f"{pandera}: the same as a pandera schema", "ok"))
    data = {
        "path": made.path,
        "file": os.path.relpath(made.file),
        "written": made.written,
        "columns": len(made.contract.columns),
        "offered": list(made.contract.offered),
        "changes": [dataclasses.asdict(one) for one in made.changes],
        "skipped": list(made.skipped),
    }
    more = {"contract": made} if made.written else {}
    return View(parts, data, status=0 if made.written else 1, more=more)


@verb("data check")
def check(
    context: Context, *paths: str, all_: bool = False, rows: int = 20, since: str | None = None
) -> View:
    """Check data against its contract; name every fault by file, line, row, column, value, and what mends it.

    Exit status: 0 as the contract says, 1 a fault, 3 something could not be judged.

    Parameters
    ----------
    paths : str
        Data that has a contract.
    all_ : bool
        All data that has one.
    rows : int
        Faulty rows of each kind to show; all are counted.
    since : str
        Leave out the files that are as they were at this revision.
    """
    from provenote.checks.verdict import EXIT, worst
    from provenote.contracts import checking, told
    from provenote.data import tracked

    if rows < 1:
        raise UsageError(f"{rows} rows cannot be shown", "Give a number from 1 on: `--rows 20`")
    if bool(paths) == all_:
        raise UsageError("name the data to check, or all of it", "`provenote data check --all`")
    if all_:
        workspace = context.workspace
        wanted = [(workspace, inside) for inside in checking.contracted(workspace)]
    else:
        wanted = [tracked.locate(path) for path in paths]
    found = [
        checking.check(workspace, inside.removesuffix(".dvc"), keep=rows, since=since, tell=context.tell)
        for workspace, inside in wanted
    ]
    verdicts = [told.verdict(one) for one in found]
    parts: list[Part] = []
    heads: list[Part] = []
    for one, verdict in zip(found, verdicts, strict=True):
        checked = checked_parts(one, verdict.outcome, rows)
        parts += checked
        heads.append(checked[0])
    if not found:
        parts.append(Line("No data has a contract yet. Make one: `provenote data contract PATH`"))
    outcomes = {verdict.outcome for verdict in verdicts}
    status = EXIT[worst(outcomes - {"skipped"} if len(outcomes) > 1 else outcomes)] if found else 0
    plain = [verdict.plain() for verdict in verdicts]
    named = [(shown(one.path), each) for one, each in zip(found, plain, strict=True)]
    return View(parts, {"verdicts": plain}, status, {"verdicts": named, "above": heads})


@verb("data quarantine")
def quarantine(
    context: Context, path: str | None = None, *, why: str | None = None, lift: bool = False
) -> View:
    """Leave a bad file out: its bytes are kept, jobs no longer see it, and their runs say so.

    Without a path: show what is left out.

    Parameters
    ----------
    path : str
        A tracked file, or a file in a tracked folder.
    why : str
        The reason; it stays in Git.
    lift : bool
        Take the file back in.
    """
    from provenote.contracts import quarantine as room

    if path is None:
        return _left_out(room.everything(context.workspace))
    if lift:
        owner, entry = room.lift(path)
        file = os.path.relpath(room.file_of(context.workspace.dvc_root / owner))
        parts: list[Part] = [Line(f"{shown(path)} is back in, as it was", "ok", aside=f"md5 {entry.md5[:7]}")]
    else:
        if why is None:
            mend = f'Say why: `provenote data quarantine {shlex.quote(path)} --why "temp in percent"`'
            raise UsageError("nobody could tell later why it was left out", mend)
        owner, entry = room.put(path, why)
        file = os.path.relpath(room.file_of(context.workspace.dvc_root / owner))
        parts = [Line(f"{shown(path)} is left out; its bytes are kept", "ok", aside=f"md5 {entry.md5[:7]}")]
        if entry.touches_test:
            parts.append(Line("It belongs to the test split: runs without it cannot be promoted", "warn"))
        parts.append(Line(f"Take it back in: `provenote data quarantine {shlex.quote(path)} --lift`"))
    change = shlex.quote(file)
    parts.append(Line(f"Next: `git add --all -- {change}` and `git commit`, so that others know"))
    if entry.file:
        parts.append(Line(f"A version of the folder as it is now: `provenote data add {shlex.quote(owner)}`"))
    return View(parts, {"path": owner, "lifted": lift, **dataclasses.asdict(entry)})


def _left_out(found: dict[str, Any]) -> View:
    rows = [
        [
            Cell(shown(f"{path}/{one.file}" if one.file else path), "code"),
            Cell(one.why),
            Cell(one.who, "muted"),
            Cell(one.when[:16].replace("T", " "), "muted"),
            Cell({True: "yes", False: "no", None: "not known"}[one.touches_test]),
        ]
        for path, entries in found.items()
        for one in entries
    ]
    columns = [Column("left out"), Column("why"), Column("who"), Column("when"), Column("test split")]
    table = Table(columns, rows, empty="Nothing is left out.")
    data = {path: [dataclasses.asdict(one) for one in entries] for path, entries in found.items()}
    return View([table], {"left_out": data})


def _made(made: Made, widened: list[str]) -> list[Part]:
    name, path = os.path.relpath(made.file), shlex.quote(made.path)
    parts: list[Part] = []
    if not made.written:
        parts.append(Line(f"{name} was edited by hand, so it stays as it is", "warn"))
        parts += change_parts(made.changes, "What would change")
        parts.append(
            Line(f"Widen one rule: `--widen COLUMN`. Overwrite it: `provenote data contract {path} --force`")
        )
        return parts
    count = len(made.contract.columns)
    words = (
        "widened" if widened else "written" if made.new else "written anew" if made.changes else "unchanged"
    )
    parts.append(Line(f"{name}: {words}, {count:,} columns", "ok"))
    if not made.new:
        parts += change_parts(made.changes, "What changed")
    parts += [
        Line(f"{rule}: holds in every row; accept it in the file", aside="offered")
        for rule in made.contract.offered
    ]
    parts += [Line(f"Not part of the reference: {one}", "warn") for one in made.skipped[:10]]
    parts.append(
        Line(f"Read it, then `git add {shlex.quote(name)}`. Check data: `provenote data check {path}`")
    )
    return parts


def change_parts(changes: tuple[Change, ...] | list[Change], caption: str) -> list[Part]:
    """Show how two contracts differ."""
    if not changes:
        return []
    marks: list[Mark] = ["warn" if one.softer else "" for one in changes]
    rows = [
        [
            Cell(shown(one.place), "code"),
            Cell(one.what),
            Cell(_cut(one.old), title=one.old),
            Cell(_cut(one.new), title=one.new),
            Cell({True: "lets more through", False: "stricter", None: ""}[one.softer], "muted"),
        ]
        for one in changes
    ]
    columns = [Column("column"), Column("rule"), Column("old"), Column("new"), Column("")]
    return [Table(columns, rows, marks, caption=caption)]


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def checked_parts(checked: Checked, outcome: str, rows: int) -> list[Part]:
    """Show what a check of one path found: a line for each fault, and its first rows."""
    from provenote.contracts import told

    total = sum(report.rows for report in checked.reports)
    files = sum(1 for report in checked.reports if report.file or not checked.folder)
    words = [f"{total:,} rows"] + ([f"{files:,} files"] if checked.folder else [])
    words += [f"{checked.unchanged:,} unchanged"] if checked.unchanged else []
    words += [f"{checked.left_out:,} left out"] if checked.left_out else []
    if checked.known == len(checked.reports) and checked.known:
        words.append("checked before")
    name, said = shown(checked.path), ", ".join(words)
    if outcome == "passed":
        parts: list[Part] = [Line(f"{name}: as its contract says", "ok", aside=said)]
    elif outcome == "failed":
        parts = [Line(f"{name}: not as its contract says", "failed", aside=said)]
    elif checked.left_out and not checked.reports:
        parts = [Line(f"{name}: is left out, so it was not judged", "warn")]
    else:
        parts = [Line(f"{name}: could not be judged", "warn", aside=said)]
    table: list[list[Cell]] = []
    for report in checked.reports:
        for fault in report.faults:
            mark: Mark = "failed" if fault.action in ("refuse", "quarantine") else "warn"
            mark = "" if fault.action == "note" else mark
            parts.append(Line(told.line(checked, report, fault), mark, aside=fault.action))
            if fault.action != "note":
                parts.append(Line(told.mend(checked, report, fault), role="muted"))
            table += [
                [
                    Cell(shown(report.file or checked.path), "code"),
                    Cell("" if one.line is None else f"{one.line:,}"),
                    Cell(f"{one.row:,}" if one.row else ""),
                    Cell(shown(fault.column), "code"),
                    Cell(one.value),
                    Cell(fault.limit, "muted"),
                ]
                for one in fault.places[:rows]
                if fault.count > 1
            ]
        parts += [
            Line(f"{shown(report.file)} {why}".strip(), "warn", aside="not judged")
            for why in report.not_judged
        ]
    if table:
        columns = [Column("file"), Column("line", "right"), Column("row", "right")]
        columns += [Column("column"), Column("value"), Column("fault")]
        parts.append(Table(columns, table, caption="The first rows of each"))
    if checked.owner:
        parts.append(Line(f"{name} was committed by {shown(checked.owner)}", role="muted"))
    return parts
