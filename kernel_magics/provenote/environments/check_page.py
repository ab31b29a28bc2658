"""What a check of an environment looks like: what counts first, then what is only told."""

from __future__ import annotations

from collections.abc import Sequence

from provenote.checks.verdict import EXIT, Finding, Verdict
from provenote.compare.numbers import counted
from provenote.view import Cell, Column, Line, Mark, Part, Table, View

_MARKS: dict[str, Mark] = {"failed": "failed", "not judged": "warn", "error": "killed", "skipped": "silent"}


def view(verdict: Verdict, what: str, *, everything: bool = False) -> View:
    """Lay out the verdict over an environment.

    Parameters
    ----------
    verdict : Verdict
    what : str
        Whose environment it was.
    everything : bool
        Also the packages that are the same.
    """
    packages = [one for one in verdict.findings if "change" in one.evidence]
    same = [one for one in packages if one.evidence["change"] == "same" and one.outcome == "passed"]
    shown = packages if everything else [one for one in packages if one not in same]
    rest = [one for one in verdict.findings if one not in packages]
    parts: list[Part] = [_head(verdict, what, len(packages), len(same))]
    if shown:
        parts.append(_table(shown))
    if same and not everything:
        text = f"{counted(len(same), 'thing')} that counts is the same: `--all`" if len(same) == 1 else (
            f"{len(same)} that count are the same: `--all`"
        )  # fmt: skip
        parts.append(Line(text, "ok", "muted"))
    parts += [Line(one.why, _MARKS.get(one.outcome, ""), "plain" if one.outcome != "passed" else "muted")
              for one in rest]  # fmt: skip
    wanted = dict.fromkeys(one.mend for one in verdict.findings if one.mend and one.outcome == "failed")
    parts += [Line(f"Mend: {mend}", role="muted") for mend in list(wanted)[:3]]
    return View(parts, verdict.plain(), EXIT[verdict.outcome])


def _head(verdict: Verdict, what: str, all_of: int, same: int) -> Line:
    failed = sum(one.outcome == "failed" for one in verdict.findings)
    words = {
        "failed": f"{failed} that count {'differs' if failed == 1 else 'differ'} from the training of {what}",
        "passed": f"nothing that counts differs from the training of {what}",
        "not judged": f"it cannot be told whether the training of {what} was in this environment",
    }
    mark: Mark = {"failed": "failed", "passed": "ok"}.get(verdict.outcome, "warn")  # type: ignore[assignment]
    text = words.get(verdict.outcome, verdict.outcome)
    return Line(text[0].upper() + text[1:], mark, aside=f"{same} of {all_of} the same" if all_of else "")


def _table(found: Sequence[Finding]) -> Table:
    rows = [
        [
            Cell(one.name.removeprefix("package/"), "code"),
            Cell(str(one.evidence.get("then") or "")),
            Cell(str(one.evidence.get("now") or "none"), "strong"),
            Cell(str(one.evidence["change"]), "error" if one.outcome == "failed" else "muted"),
            Cell(_more(one), "muted"),
        ]
        for one in sorted(found, key=lambda one: one.outcome != "failed")
    ]
    heads = [Column(""), Column("then"), Column("here", keep=True), Column("", keep=True), Column("")]
    marks: list[Mark] = ["failed" if row[3].role == "error" else "" for row in rows]
    return Table(heads, rows, marks, caption="Python and the packages that the training imported")


def _more(one: Finding) -> str:
    if "files" in one.evidence:
        files = one.evidence["files"]
        return f"{files[0]}" + (f" and {counted(len(files) - 1, 'file')} more" if len(files) > 1 else "")
    return one.why.partition(", ")[2] if one.evidence["change"] in ("same", "edited") else ""
