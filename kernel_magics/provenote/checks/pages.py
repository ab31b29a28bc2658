"""What verdicts look like: one table of findings for every face, and the comparison with a stage's holder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from provenote.checks.verdict import EXIT, Finding, Outcome, Verdict
from provenote.compare.numbers import counted, text
from provenote.view import Cell, Column, Facts, Line, Mark, Part, Role, Table, View

if TYPE_CHECKING:
    from provenote.checks.champion import Part as Compared
    from provenote.checks.contest import Contest
    from provenote.checks.running import Ran

MARKS: Mapping[Outcome, Mark] = {
    "passed": "ok",
    "failed": "failed",
    "not judged": "warn",
    "error": "failed",
    "skipped": "",
}
ROLES: Mapping[Outcome, Role] = {
    "passed": "ok",
    "failed": "error",
    "not judged": "warn",
    "error": "error",
    "skipped": "muted",
}
_WORD_ROLES: Mapping[str, Role] = {"better": "better", "worse": "worse", "not judged": "warn"}


def view(verdict: Verdict, *, what: str = "", more: Sequence[Part] = ()) -> View:
    """Lay out a verdict: its head line, a row for each finding, and what helps.

    Parameters
    ----------
    verdict : Verdict
    what : str
        What was tested, for the head line; default: the subject's reference.
    more : sequence of Part
        Parts that stand below the table.
    """
    parts: list[Part] = [head(verdict, what), *([findings(verdict.findings)] if verdict.findings else [])]
    plain = verdict.plain()
    title = what or verdict.subject.get("reference") or verdict.name
    live = {"verdicts": [(title, plain)], "below": list(more)}
    return View([*parts, *mends(verdict.findings), *more], plain, EXIT[verdict.outcome], live)


def ran(found: Ran, what: str) -> View:
    """Lay out a test that was run as a job: its verdict, and where its run and notebook are."""
    from provenote.jobs import ended

    result = found.result
    if found.verdict is None:  # it ended before a cell could run, and says why
        told = ended.ended(result)
        return View(told.parts, told.data, result.exit_status or EXIT["error"])
    facts = [("run", Cell(result.state.name or "", "code"))]
    if result.state.output:
        facts.append(("executed notebook", Cell(result.state.output, "code")))
    made = view(found.verdict, what=what, more=[Facts(facts)])
    data = {**found.verdict.plain(), "run": result.state.name, "commit": result.state.commit}
    return View(made.parts, data, made.status, made.more)


def head(verdict: Verdict, what: str = "") -> Line:
    """Return the line that tells the outcome, with how many findings there are of each kind."""
    name = what or verdict.subject.get("reference") or verdict.name
    counts = {outcome: 0 for outcome in MARKS}
    for one in verdict.findings:
        counts[one.outcome] += 1
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
    return Line(f"{name}: {verdict.outcome}", MARKS[verdict.outcome], aside=told or "no test ran")


def findings(found: Sequence[Finding]) -> Table:
    """Return the findings as a table."""
    rows = [
        [
            Cell(one.name),
            Cell(one.outcome, ROLES[one.outcome]),
            Cell(number(one.value), "strong"),
            Cell(interval(one.interval), "muted"),
            Cell(number(one.limit)),
            Cell(one.why, "muted"),
        ]
        for one in found
    ]
    columns = [
        Column("test"),
        Column("outcome", keep=True),
        Column("value", "right"),
        Column("interval", "right"),
        Column("limit", "right"),
        Column("why", keep=True),
    ]
    return Table(columns, rows, [MARKS[one.outcome] for one in found])


def mends(found: Sequence[Finding]) -> list[Part]:
    """Return what helps, once each, for what did not pass."""
    wanted = dict.fromkeys(one.mend for one in found if one.mend and one.outcome not in ("passed", "skipped"))
    return [Line(mend, role="muted") for mend in list(wanted)[:4]]


def contest(found: Contest, *, pictures: bool = False) -> View:
    """Lay out a challenger beside the holder of a stage."""
    verdict = found.verdict
    names = f"{found.challenger.reference} against {found.holder.reference}"
    if not found.holder.reference.endswith(f"@{found.stage}"):
        names += f" ({found.stage})"
    data: dict[str, Any] = {
        "verdict": found.word,
        "check": verdict.plain(),
    }
    if found.found is None:
        finding = verdict.findings[0]
        line = Line(f"{names}: not judged. {finding.why}", "warn")
        return View([line, Line(finding.mend, role="muted")], data, EXIT[verdict.outcome])
    paired = found.found
    word = found.word
    mark: Mark = "ok" if word in ("better", "not worse") else "failed" if word == "worse" else "warn"
    many = f"{found.rows.frame.shape[0]:,}"
    rows = (
        f"{many} rows, {paired.whole.gain.blocks:,} {paired.block}"
        if found.gains
        else f"{many} {paired.block}"
    )
    parts: list[Part] = [Line(f"{names}: {word}", mark, aside=rows), _compared(found)]
    parts += [Line(f"{one.name}: {one.outcome}. {one.why}", MARKS[one.outcome])
              for one in verdict.findings if one.name.startswith("rows")]  # fmt: skip
    parts += [Line(told) for told in found.rows.told]
    if found.rows.times is None:
        parts.append(
            Line("No time is known, so rows are taken as independent: `--time COLUMN` draws weeks", "warn")
        )
    if pictures:
        parts += _pictures(found)
    parts += mends(verdict.findings)
    return View(parts, data, EXIT[verdict.outcome])


def _compared(found: Contest) -> Table:
    from provenote.checks.champion import signed

    assert found.found is not None
    paired = found.found
    rows = []
    for part in (paired.whole, *paired.slices):
        gain = part.gain
        around = f"[{signed(gain.low)}, {signed(gain.high)}]" if gain.known else ""
        role = _WORD_ROLES.get(part.word, "plain")
        rows.append(
            [
                Cell(part.name or "all rows"),
                Cell(number(part.holder)),
                Cell(number(part.challenger)),
                Cell(signed(gain.value) if math.isfinite(gain.value) else "–", role),
                Cell(around, "muted"),
                Cell(part.word, role),
                Cell(number(gain.detectable), "muted"),
                Cell(f"{gain.rows:,}", "muted"),
            ]
        )
    columns = [
        Column(paired.metric),
        Column("holder", "right"),
        Column("challenger", "right"),
        Column("gain", "right", keep=True),
        Column("interval", "right"),
        Column("verdict", keep=True),
        Column("smallest seen", "right"),
        Column("rows", "right"),
    ]
    level = paired.whole.gain.level
    foot = [
        f"a gain above zero is better; intervals of {level:.0%} over {paired.block}; "
        f"margin {text(paired.margin)}"
    ]
    if paired.slices:
        strict = paired.slices[0].gain.level
        foot.append(f"slices are judged at {strict:.2%}, since there are {len(paired.slices)} of them")
    return Table(columns, rows, foot=foot)


def _pictures(found: Contest) -> list[Part]:
    from provenote.render import intervals

    assert found.found is not None
    paired = found.found

    def reach(part: Compared) -> intervals.Reach:
        color = {"better": "better", "worse": "worse"}.get(part.word, "text2")
        gain = part.gain
        return intervals.Reach(part.name or "all rows", gain.value, gain.low, gain.high, part.word, color)

    every = [reach(part) for part in (paired.whole, *paired.slices)]
    made = intervals.draw(every, title=f"gain in {paired.metric}, above zero is better",
                          limits=(0.0, -paired.margin))  # fmt: skip
    blocks = [
        intervals.Reach(day, gain, color="better" if gain > 0 else "worse" if gain < 0 else "text2")
        for day, gain in found.gains[-intervals.MOST :]
    ]
    weeks = None
    if len(blocks) > 1:
        title = f"gain in {paired.metric} by {paired.block.rstrip('s')}, each from its first day"
        weeks = intervals.draw(blocks, title=title)
    return [picture for picture in (made, weeks) if picture is not None]


def number(value: float | None) -> str:
    """Write a figure with four digits; a dash where there is none."""
    return "–" if value is None or not math.isfinite(value) else text(float(f"{value:.4g}"))


def interval(given: tuple[float, float] | None) -> str:
    """Write an interval."""
    return "" if given is None else f"[{number(given[0])}, {number(given[1])}]"


def passed(found: Sequence[Finding]) -> str:
    """Say in words how many of the findings passed."""
    good = sum(one.outcome == "passed" for one in found)
    return f"{good} of {counted(len(found), 'test')} passed"
