"""Where the verdict of a check comes from: a job's run, a report, a reproduction, the figures of two runs.

Each answers with ``pass`` or ``fail`` and the evidence that is signed with it. What was not judged, broke or
was skipped never passes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provenote.checks.verdict import WORST_FIRST, Outcome, worst
from provenote.errors import Refused, UsageError
from provenote.registry import evidence, figures
from provenote.registry.names import visible
from provenote.registry.policy import REPRODUCED, Rule
from provenote.registry.subject import Subject
from provenote.workspace import Workspace

LARGEST = 64 * 1024 * 1024
"""Bytes of a report."""
Found = tuple[str, dict[str, Any]]
"""``pass`` or ``fail``, and the evidence."""


def of_run(workspace: Workspace, name: str, subject: Subject) -> Found:
    """Return the verdict of a test job's run: the one that it kept, else finished is pass, failed is fail.

    Parameters
    ----------
    workspace : Workspace
    name : str
        The run.
    subject : Subject
        What is asked for: the tests of another model say nothing about this one.

    Raises
    ------
    UsageError
        If the run has no verdict yet, or tested another model.
    """
    from provenote.jobs import cases
    from provenote.stores import index

    row = index.find(workspace, name)
    verdicts: Mapping[str, str] = {"finished": "pass", "failed": "fail"}
    if row.commit is None or row.status not in verdicts:
        raise UsageError(
            f"run {row.name} is {row.status}, which is no verdict", "Wait for its end, or run it again"
        )
    kept = cases.of_document(index.document(workspace, row.commit))
    if kept is None:
        return verdicts[row.status], {"run": row.commit}
    tested = kept.subject.get("sha256")
    if tested and tested != subject.sha256:
        what = kept.subject.get("version") or kept.subject.get("run") or tested[:12]
        raise UsageError(
            f"run {row.name} tested {visible(str(kept.subject.get('model', 'another model')))} "
            f"{visible(str(what))}, not what {subject.reference} is",
            f"Test it: `provenote test {subject.model}@{subject.version}`",
        )
    passed = kept.outcome == "passed" and row.status == "finished"
    return "pass" if passed else "fail", {"run": row.commit, "outcome": kept.outcome}


def of_report(path: str, name: str, subject: Subject) -> tuple[str | None, dict[str, Any]]:
    """Return the verdict that a report holds, None if it is no verdict of ours; and the report's digest.

    Parameters
    ----------
    path : str
    name : str
        Name of the check.
    subject : Subject
        What is asked for: a verdict on another version is none on this one.

    Raises
    ------
    UsageError
        If it cannot be read, is the verdict of another check or version, or contradicts itself.
    """
    from provenote.stores.digest import sha256_bytes

    try:
        with open(path, "rb") as stream:
            content = stream.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > LARGEST:
        raise UsageError(f"{path} is larger than {LARGEST // 2**20} MiB, too large for a report")
    found: dict[str, Any] = {"report": sha256_bytes(content)}
    outcome = _outcome(content, Path(path).name, name, subject)
    if outcome is None:
        return None, found
    return "pass" if outcome == "passed" else "fail", {**found, "outcome": outcome}


def _outcome(content: bytes, file: str, name: str, subject: Subject) -> Outcome | None:
    """Return what the verdict in a report says, or the worst of several; None if there is none."""
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        return None
    several = said.get("verdicts") if isinstance(said, dict) else None
    found = several if isinstance(several, list) and several else [said]
    if not all(isinstance(one, dict) and {"schema", "outcome", "findings"} <= set(one) for one in found):
        return None
    return worst([_of_verdict(one, file, name, subject) for one in found])


def _of_verdict(said: Mapping[str, Any], file: str, name: str, subject: Subject) -> Outcome:
    outcome, findings = said["outcome"], said["findings"]
    rows = findings if isinstance(findings, list) else [None]
    words: list[Any] = [one.get("outcome") if isinstance(one, dict) else None for one in rows]
    if said["schema"] != 1 or any(word not in WORST_FIRST for word in (outcome, *words)):
        raise UsageError(f"{file} is a verdict that this version of Provenote does not know")
    told = set(words) - {"skipped"} if len(set(words)) > 1 else set(words)
    if worst(told) != outcome:
        raise UsageError(f"{file} says {outcome!r}, and its findings say {worst(told)!r}")
    its = visible(str(said.get("name")))[:100]
    if its != name:
        mend = f"Sign it as that where the rule asks for it: `provenote check {subject.model} {its}`"
        raise UsageError(f"{file} is the verdict of the check {its!r}, not of {visible(name)!r}", mend)
    about = said.get("subject")
    named = about if isinstance(about, dict) else {}
    wanted = {"commit": subject.commit, "version": subject.version, "model": subject.model}
    for key, mine in wanted.items():
        if key in named and named[key] != mine:
            raise UsageError(
                f"{file} is about {key} {visible(str(named[key]))[:60]}, and asked for is {mine}"
            )
    return worst([outcome])


def of_reproduction(workspace: Workspace, subject: Subject, run: str | None) -> Found:
    """Return the last verdict of `provenote reproduce` on the run that is asked for.

    Annotations can be written by anybody, so one counts only with its report, which is never exchanged:
    the reproduction must have been made where the check is signed.

    Raises
    ------
    UsageError
        If ``run`` names another run than the one asked for.
    Refused
        If there is no verdict that was made here.
    """
    from provenote.reproducing import journey
    from provenote.stores import index

    row = next(
        (one for one in index.rows(workspace, everything=True)[0] if one.commit == subject.commit), None
    )
    if run is not None and index.find(workspace, run).commit != subject.commit:
        raise UsageError(
            f"{visible(run)} is not the run of {subject.reference} ({subject.commit[:12]})", "Leave --run out"
        )
    if row is None:
        raise Refused(f"the run of {subject.reference} is not in this clone", "Fetch it: `provenote sync`")
    said = journey.reports(workspace, row.id)[1]
    mine = [one for one in said if _made_here(one, subject)]
    if not mine:
        raise Refused(
            f"the run of {subject.reference} was not reproduced here, so there is nothing to sign",
            f"Do it, then sign: `provenote reproduce {row.name}`",
        )
    # By the reports' own times: who writes annotations could name an old report anew.
    last = max(
        mine,
        key=lambda one: (workspace.home / journey.REPORTS / f"{one['evidence']}.json").stat().st_mtime_ns,
    )
    found = {"run": subject.commit, "verdict": last["verdict"], "report": last["evidence"]}
    if last["tolerance"]:
        found["tolerance"] = {str(key): str(value) for key, value in last["tolerance"].items()}
    return "pass" if last["verdict"] in evidence.GOOD else "fail", found


def _made_here(said: Mapping[str, Any], subject: Subject) -> bool:
    """Whether the report of a verdict lies in this clone, is about this run, and says the same."""
    report = said.get("report")
    if not isinstance(report, dict):
        return False
    return report.get("verdict") == said["verdict"] and report.get("commit") == subject.commit


def of_metrics(workspace: Workspace, rule: Rule, subject: Subject, holder: Subject | None) -> Found:
    """Compare the figures of the version that is asked for with the rule and with the holder of the stage."""
    before = figures.logged(workspace, holder.commit, holder.path) if holder is not None else {}
    true = figures.logged(workspace, subject.commit, subject.path)
    found = evidence.figures(rule.metrics, subject, true, holder, before)
    return "fail" if evidence.wrong("metrics", found, rule, subject, holder) else "pass", found


def never_by_hand(name: str, status: str | None) -> None:
    """Refuse a pass that somebody states, of a check whose verdict is computed."""
    if status == "pass":
        comes = "from `provenote reproduce RUN`" if name == REPRODUCED else "from the figures of the two runs"
        raise UsageError(
            f"the verdict of the check {name} comes {comes}, not by --status", "Leave --status out"
        )
