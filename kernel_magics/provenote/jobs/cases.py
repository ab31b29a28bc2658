"""The cases of a test notebook: which cells are one, how each ended, and the verdict of all of them. Pure.

A cell tagged ``test``, or one that begins with ``%%test``, is a case; a notebook without any is one case as
a whole. What a cell with ``%%test`` found is told by its kernel; of the others the engine knows whether they
ran to their end. A case that did not run is skipped, never passed.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from provenote.checks.verdict import Finding, Outcome, Verdict, worst
from provenote.checks.verdict import read as read_verdict
from provenote.jobs.notebook import INJECTED, is_case, tags, text
from provenote.jobs.recorder import asserted

NAME = "model-tests"
_COMMENT = re.compile(r"\s*#+\s*(\S.*)")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


@dataclass(frozen=True, slots=True)
class Case:
    """One case and how it ended.

    Parameters
    ----------
    id : str
        Of its cell.
    name : str
        Of the cell's metadata, else its first comment, else its id.
    number : int
        Which code cell it is, from 1 on; 0 for a whole notebook.
    outcome : Outcome
    why : str
    seconds : float
    findings : tuple of Finding
        What its questions found.
    """

    id: str
    name: str
    number: int
    outcome: Outcome
    why: str = ""
    seconds: float = 0.0
    findings: tuple[Finding, ...] = ()

    def told(self) -> Iterable[Finding]:
        """Return it as findings of the notebook's verdict."""
        for one in self.findings:
            evidence = {**one.evidence, "case": self.name, "cell": self.id}
            yield dataclasses.replace(one, name=f"{self.name}: {one.name}", evidence=evidence)
        if not self.findings or self.outcome not in {one.outcome for one in self.findings}:
            evidence = {"case": self.name, "cell": self.id, "seconds": self.seconds}
            yield Finding(self.name, self.outcome, self.why, evidence=evidence)


def cases(
    notebook: Mapping[str, Any], ran: Sequence[Mapping[str, Any]], told: Mapping[str, Any], path: str
) -> tuple[Case, ...]:
    """Return the cases of an executed notebook.

    Parameters
    ----------
    notebook : mapping
        Its JSON, with outputs.
    ran : sequence of mapping
        ``id``, ``status`` and ``seconds`` of each cell that began, as the engine saw them.
    told : mapping of str to mapping
        By cell id what its ``%%test`` told: ``outcome``, ``why``, ``findings``.
    path : str
        Of the notebook, for the name of a whole one.
    """
    status = {str(one["id"]): one for one in ran}
    number, found, broken, first = 0, [], "", 0
    whole = True
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code" or INJECTED in tags(cell):
            continue
        number += 1
        identity = str(cell.get("id") or "")
        own = _id(cell)
        end = status.get(own) or status.get(identity)
        if is_case(cell):
            whole = False
            found.append(_case(cell, own, number, end, told.get(own), first))
        elif end is not None and end.get("status") == "failed":
            why = _error(cell)[1] or "it did not come to its end"  # the kernel died, or was stopped
            broken, first = f"cell {number}: {why}", number
            found.append(Case(own, f"cell {number}", number, "error", why, _seconds(end)))
    if not whole:
        return tuple(_unique(found))
    seconds = sum(_seconds(one) for one in ran)
    name = PurePosixPath(path).stem
    if broken:
        kinds = [kind for cell in notebook["cells"] if (kind := _error(cell)[0])]
        outcome: Outcome = "failed" if kinds[-1:] == ["AssertionError"] else "error"
        return (Case("", name, 0, outcome, broken, seconds),)
    if len(ran) < number:
        return (Case("", name, 0, "skipped", "it did not run to its end", seconds),)
    return (Case("", name, 0, "passed", f"{number} cells ran to their end", seconds),)


def verdict(found: Sequence[Case], subject: Mapping[str, str]) -> Verdict:
    """Return the verdict of all cases."""
    return Verdict(NAME, subject, tuple(finding for case in found for finding in case.told()))


def of_document(document: Mapping[str, Any]) -> Verdict | None:
    """Return the verdict that a test job's run kept in its record; None when it kept none.

    Parameters
    ----------
    document : mapping
        The run's ``run.json``.
    """
    kept = (document.get("extra") or {}).get("verdict")
    if not isinstance(kept, Mapping) or "outcome" not in kept:
        return None
    try:
        return read_verdict(kept)
    except (KeyError, TypeError, ValueError, IndexError):
        return None


def ended(
    notebook: Mapping[str, Any],
    ran: Sequence[Mapping[str, Any]],
    kernel: Mapping[str, Any],
    path: str,
    reason: str = "",
) -> Verdict:
    """Return the verdict of a test job that has ended.

    Parameters
    ----------
    notebook, ran, path
        As for `cases`.
    kernel : mapping
        What the kernel told of its ``%%test`` cells: ``subject`` and ``cases``.
    reason : str
        Why the job did not succeed, if it did not: told where no case tells it.
    """
    found = list(cases(notebook, ran, kernel.get("cases") or {}, path))
    if reason and not {"failed", "error", "not judged"} & {one.outcome for one in found}:
        found.append(Case("", "the job", 0, "error", reason))
    subject = {str(key): str(value) for key, value in (kernel.get("subject") or {}).items()}
    return verdict(found, {"notebook": path, **subject})


def _case(
    cell: Mapping[str, Any],
    own: str,
    number: int,
    end: Mapping[str, Any] | None,
    told: Mapping[str, Any] | None,
    broken: int,
) -> Case:
    name = _name(cell, own)
    if end is None:
        why = f"it did not run, since cell {broken} broke" if broken else "it did not run"
        return Case(own, name, number, "skipped", why)
    seconds = _seconds(end)
    if told is not None:
        plain = {"schema": 1, "findings": list(told.get("findings") or ())}
        findings = read_verdict(plain).findings
        outcome: Outcome = told.get("outcome") or worst(one.outcome for one in findings)
        if end.get("status") != "completed" and outcome == "passed":
            outcome = "error"
        return Case(own, name, number, outcome, str(told.get("why") or ""), seconds, findings)
    if end.get("status") == "completed":
        return Case(own, name, number, "passed", "it ran to its end", seconds)
    kind, words = _error(cell)
    return Case(own, name, number, "failed" if kind == "AssertionError" else "error", words, seconds)


def _id(cell: Mapping[str, Any]) -> str:
    """Return the id that the cell had in the notebook: a run keeps it in the cell's metadata."""
    kept = (cell.get("metadata") or {}).get("provenote")
    return str(kept["cell"]) if isinstance(kept, dict) and kept.get("cell") else str(cell.get("id") or "")


def _name(cell: Mapping[str, Any], own: str) -> str:
    named = (cell.get("metadata") or {}).get("name")
    if isinstance(named, str) and named.strip():
        return " ".join(named.split())[:80]
    for line in text(cell).splitlines():
        if line.startswith("%%") or not line.strip():
            continue
        comment = _COMMENT.fullmatch(line)
        return " ".join(comment[1].split())[:80] if comment else own
    return own


def _error(cell: Mapping[str, Any]) -> tuple[str, str]:
    """Return the kind and the words of a cell's error; empty when it has none."""
    for output in reversed(cell.get("outputs") or ()):
        if output.get("output_type") == "error":
            kind = str(output.get("ename") or "")
            words = _ANSI.sub("", str(output.get("evalue") or "")) or asserted(output)
            return kind, f"{kind}: {' '.join(words.split())}"[:300] if words else kind
    return "", ""


def _seconds(end: Mapping[str, Any]) -> float:
    value = end.get("seconds")
    return float(value) if isinstance(value, (int, float)) else 0.0


def _unique(found: Sequence[Case]) -> Iterable[Case]:
    """Give cases of one name names of their own, the same from run to run."""
    taken: set[str] = set()
    for one in found:
        name, number = one.name, 2
        while name in taken:
            name, number = f"{one.name} ({number})", number + 1
        taken.add(name)
        yield dataclasses.replace(one, name=name)
