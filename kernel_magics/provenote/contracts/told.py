"""A check's answer: one verdict for people, policies and machines, each fault in one line with its mend."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from provenote.checks.verdict import Finding, Outcome, Verdict
from provenote.contracts.checking import Checked
from provenote.contracts.contract import ACTIONS, Action
from provenote.contracts.faults import Fault, FileReport
from provenote.stores.disk import shown

NAME = "data-contract"
_ROWS = ("type", "range", "set", "row", "key", "order", "ragged")


def verdict(checked: Checked) -> Verdict:
    """Return the verdict on one tracked path.

    What the contract only notes passes, and is told; what could not be judged is never passed.
    """
    subject = {"path": checked.path, "md5": checked.md5, "contract": checked.contract.sha256}
    return Verdict(NAME, subject, tuple(_findings(checked)))


def hardest(checked: Checked) -> Action | None:
    """Return the hardest of what is to be done about a path, or None where nothing is."""
    actions = {fault.action for report in checked.reports for fault in report.faults}
    return next((action for action in ACTIONS if action in actions), None)


def line(checked: Checked, report: FileReport, fault: Fault) -> str:
    """Say a fault in one line: file, line, row, column, value, limit, how many, and why perhaps."""
    name = shown(f"{checked.path}/{report.file}" if report.file else checked.path)
    words = [name]
    first = fault.places[0] if fault.places else None
    if first is not None and first.line is not None:
        words.append(f" line {first.line:,}" + (f" (row {first.row:,})" if first.row else ""))
    elif first is not None and first.row:
        words.append(f" row {first.row:,}")
    if fault.column:
        words.append(f", {'rule' if fault.kind == 'row' else 'column'} {shown(fault.column)}")
    value = f"{first.value} " if first is not None and first.value else ""
    text = f"{''.join(words)}: {value}{fault.limit}"
    if fault.count > 1 and fault.places and fault.kind in _ROWS:
        text += f"; {fault.count:,} rows like it"
    return f"{text}; {fault.cause}" if fault.cause else text


def mend(checked: Checked, report: FileReport, fault: Fault) -> str:
    """Return the commands that help: leave the file out, or let the contract allow it."""
    path = shlex.quote(shown(checked.path))
    file = shlex.quote(shown(f"{checked.path}/{report.file}")) if report.file else path
    out = f'leave it out: `provenote data quarantine {file} --why "..."`'
    if fault.kind in ("range", "set", "null") and fault.column:
        column = shlex.quote(shown(fault.column))
        return f"Mend it, or {out}; if it is right: `provenote data contract {path} --widen {column}`"
    return f"Mend it, or {out}"


def _findings(checked: Checked) -> Iterator[Finding]:
    names: dict[str, int] = {}

    def unique(name: str) -> str:
        names[name] = names.get(name, 0) + 1
        return name if names[name] == 1 else f"{name} ({names[name]})"

    judged: dict[str, int] = {}
    for report in checked.reports:
        faulty = {fault.kind for fault in report.faults}
        for kind in report.judged:
            judged[kind] = judged.get(kind, 0) + (kind not in faulty)
        for fault in report.faults:
            outcome: Outcome = "passed" if fault.action == "note" else "failed"
            where = f"{report.file}: " if report.file else ""
            yield Finding(
                name=unique(f"{where}{fault.kind}" + (f" {fault.column}" if fault.column else "")),
                outcome=outcome,
                why=line(checked, report, fault),
                value=float(fault.count),
                mend=mend(checked, report, fault) if outcome == "failed" else "",
                evidence={
                    "file": report.file,
                    "kind": fault.kind,
                    "column": fault.column,
                    "action": fault.action,
                    "count": fault.count,
                    "rows": [{"row": one.row, "line": one.line, "value": one.value} for one in fault.places],
                    "cause": fault.cause,
                    "owner": checked.owner,
                },
            )
        for why in report.not_judged:
            where = f"{report.file}: " if report.file else ""
            yield Finding(unique(f"{where}rule"), "not judged", f"{where}{why}")
    for kind, files in judged.items():
        if files:
            rows = sum(report.rows for report in checked.reports)
            words = f"{kind}: nothing found" + (
                f" in {files:,} files" if checked.folder else f" in {rows:,} rows"
            )
            yield Finding(unique(kind), "passed", words)
    if not checked.reports:
        if checked.left_out:
            yield Finding("left out", "skipped", f"{shown(checked.path)} is left out")
        elif checked.unchanged:
            yield Finding("since", "passed", "nothing changed since then")
        else:
            yield Finding("files", "not judged", "there is no table in it")
