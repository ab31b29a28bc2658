"""Check one input before it is used (`contracts.door` tells which inputs code has).

Cheap first: what is left out, then Parquet footers, then whole files, those of known content by a look.
The contract's ``on_fail`` decides: ``refuse`` stops here, ``quarantine`` leaves a file of a folder out and
goes on, ``alert`` is told and recorded.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from provenote.contracts import checking, contract_file, footers, quarantine, told
from provenote.contracts.checking import Checked
from provenote.contracts.faults import Fault, FileReport
from provenote.data import tables, travel
from provenote.errors import Refused, UsageError
from provenote.events import Tell, silent
from provenote.stores import agreements
from provenote.stores.disk import shown
from provenote.workspace import Workspace


def passed(workspace: Workspace, path: str, tell: Tell = silent) -> dict[str, Any]:
    """Check one guarded path; leave out what its contract says, and return what a run records of it.

    Raises
    ------
    Refused
        If the contract refuses it, or the agreement about it has ended.
    """
    agreements.require(workspace, path, lambda: travel.measure(workspace, path, tell).md5)
    try:
        return _passed(workspace, path, tell)
    except (FileNotFoundError, UsageError):  # another job of a sweep left a file out meanwhile
        return _passed(workspace, path, tell)


def _passed(workspace: Workspace, path: str, tell: Tell) -> dict[str, Any]:
    entries = quarantine.listed(workspace, path)
    _still_out(workspace, path, entries)
    facts: dict[str, Any] = {"path": path, "left_out": [asdict(one) for one in entries]}
    contract = contract_file.read(contract_file.file_of(workspace.dvc_root / path))
    if not os.path.lexists(workspace.dvc_root / path):
        return facts
    if contract is None:
        return facts | {"md5": travel.measure(workspace, path, tell).md5}
    checked = checking.check(workspace, path, tell=tell)
    bad = [(report, fault) for report in checked.reports for fault in report.faults]
    _refuse(checked, bad)
    out = [report.file for report, fault in bad if fault.action == "quarantine"]
    if out:
        _leave_out(workspace, checked, bad)
        entries = quarantine.listed(workspace, path)
        checked = checking.check(workspace, path, tell=tell)
        bad = [(report, fault) for report in checked.reports for fault in report.faults]
        _refuse(checked, bad)
    alerts = [told.line(checked, report, fault) for report, fault in bad if fault.action == "alert"]
    return facts | {
        "md5": checked.md5,
        "contract": checked.contract.sha256,
        "outcome": told.verdict(checked).outcome,
        "alerts": alerts[:20],
        "left_out": [asdict(one) for one in entries],
    }


def quick(workspace: Workspace, path: str) -> None:
    """Refuse what Parquet footers show already."""
    data = workspace.dvc_root / path
    contract = contract_file.read(contract_file.file_of(data))
    if contract is None:
        return
    if not os.path.lexists(data):
        return
    for name, file in checking.unknown(workspace, path, contract):
        if tables.kind(name or path) != "parquet":
            continue
        faults = [fault for fault in footers.look(file, contract) if fault.action == "refuse"]
        if faults:
            who = checking.owner(workspace, path)
            report = FileReport(name, "", faults=faults)
            _refuse(
                Checked(path, data.is_dir(), "", contract, (report,), owner=who),
                [(report, f) for f in faults],
            )


def _refuse(checked: Checked, bad: Sequence[tuple[FileReport, Fault]]) -> None:
    """Raise where the contract refuses something, or something could not be judged."""
    name = shown(checked.path)
    hard = [(report, fault) for report, fault in bad if fault.action == "refuse" or _whole(checked, fault)]
    if hard:
        report, fault = hard[0]
        more = f" ({len(hard) - 1} more: `provenote data check {name}`)" if len(hard) > 1 else ""
        who = f" (owner: {shown(checked.owner)})" if checked.owner else ""
        raise Refused(f"{told.line(checked, report, fault)}{more}{who}", told.mend(checked, report, fault))
    doubts = [f"{report.file} {why}".strip() for report in checked.reports for why in report.not_judged]
    if doubts:
        mend = f"Mend the contract: {name}{contract_file.ENDING}"
        raise Refused(f"{name} could not be judged: {doubts[0]}", mend)
    if checked.folder and not any(report.file for report in checked.reports):
        raise Refused(f"{name} holds no table any more", "See what is left out: `provenote data quarantine`")


def _whole(checked: Checked, fault: Fault) -> bool:
    """Whether leaving out is no way: a single file, or a fault of all files together."""
    return fault.action == "quarantine" and not checked.folder


def _leave_out(workspace: Workspace, checked: Checked, bad: Sequence[tuple[FileReport, Fault]]) -> None:
    reasons: dict[str, str] = {}
    for report, fault in bad:
        if fault.action == "quarantine":
            file = report.file or (fault.places[0].value.rpartition(" and ")[2] if fault.places else "")
            reasons.setdefault(file, told.line(checked, report, fault))
    left = [report.file for report in checked.reports if report.file and report.file not in reasons]
    if not left:
        report, fault = bad[0]
        raise Refused(
            f"no file of {shown(checked.path)} is as its contract says: {told.line(checked, report, fault)}",
            f"See all: `provenote data check {shown(checked.path)}`",
        )
    for file, why in reasons.items():
        quarantine.put(workspace.dvc_root / checked.path / file, why, by="gate")


def is_out(workspace: Workspace, path: str) -> bool:
    """Whether a path itself is left out: code that names it must not be told that it is missing."""
    return any(not one.file for one in quarantine.listed(workspace, path))


def _still_out(workspace: Workspace, path: str, entries: Sequence[quarantine.LeftOut]) -> None:
    """Refuse data that is left out, or that came back without being taken in."""
    for one in entries:
        inside = f"{path}/{one.file}" if one.file else path
        there = os.path.lexists(workspace.dvc_root / inside)
        if not one.file and not there:
            who = f" by {shown(one.who)}" if one.who else ""
            mend = f"Take it back in: `provenote data quarantine {shown(inside)} --lift`"
            raise Refused(f"{shown(inside)} is left out{who}: {shown(one.why)}", mend)
        if there and travel.measure(workspace, inside).md5 == one.md5:
            mend = f"Remove it: `rm {shown(inside)}`; or take it in: `rm` it, then `--lift`"
            raise Refused(f"{shown(inside)} is left out ({shown(one.why)}), and it is there again", mend)
