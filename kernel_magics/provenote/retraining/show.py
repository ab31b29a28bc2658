"""Continuous training as views: how the rules stand, what each try came to, one try as a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from provenote.compare.numbers import counted
from provenote.retraining.definition import Retrain
from provenote.retraining.prepared import Prepared
from provenote.retraining.record import History, Try
from provenote.retraining.turn import Turn
from provenote.view import Cell, Column, Facts, Line, Mark, Part, Role, Table, View

_MARKS: dict[str, Mark] = {
    "started": "ok",
    "training": "running",
    "elsewhere": "running",
    "held": "warn",
    "due": "queued",
    "wrong": "failed",
    "prepared": "ok",
    "rejected": "failed",
    "failed": "failed",
    "passed": "ok",
    "not judged": "silent",
    "error": "failed",
    "skipped": "",
}
_ROLES: dict[str, Role] = {"wrong": "error", "held": "warn", "prepared": "ok", "started": "ok"}
NOTHING_SIGNED = "Nothing was signed. A person asks for it, or nobody does"


def turns(found: Sequence[Turn]) -> list[Part]:
    """Return what a look did, a line for each rule and each guard that holds it."""
    parts: list[Part] = []
    for one in found:
        state = one.made.outcome if one.made else one.state
        says = one.error.line if one.error else one.says
        if one.made is not None:
            says = one.made.why
        parts.append(
            Line(f"retrain {one.rule}: {state}. {says}", _MARKS.get(state, ""), _ROLES.get(state, "plain"))
        )
        parts += [Line(f"retrain {one.rule} is held by {guard.line}", "warn") for guard in one.holding]
        if one.made is not None and one.made.outcome == "prepared":
            command = f"`provenote promote {one.made.model} --prepared {one.made.short}`"
            parts.append(Line(f"{NOTHING_SIGNED}: {command}"))
    return parts


def status(found: Sequence[Turn]) -> int:
    """Return the exit status of a look: wrong rules count, guards and rejected challengers do not."""
    return max((one.error.exit_status for one in found if one.error), default=0)


def standing(found: Sequence[tuple[Retrain, Turn, History, Sequence[Prepared]]]) -> View:
    """Show how rules stand: what would make each due, its guards, its last tries, what is prepared."""
    parts: list[Part] = []
    for rule, turn, history, prepared in found:
        head = f"{rule.name}: {rule.model} in {rule.stage}"
        parts.append(
            Line(head, _MARKS.get(turn.state, ""), "strong", turn.error.line if turn.error else turn.says)
        )
        rows = [
            [Cell(one.name, "strong"), Cell(one.says), Cell(one.next, "muted")] for one in turn.conditions
        ]
        if rows:
            parts.append(Table([Column("due by"), Column("stands"), Column("next")], rows))
        if turn.guards:
            marks: list[Mark] = ["ok" if one.green else "warn" for one in turn.guards]
            cells = [[Cell(one.name, "strong"), Cell(one.says), Cell(one.mend)] for one in turn.guards]
            parts.append(Table([Column("guard"), Column("stands"), Column("mend")], cells, marks))
        if history.tries:
            parts.append(_tries(history.tries[:5]))
        parts += [
            Line(f"prepared {one.made.short} {one.state}", "ok", aside=f"`{one.command}`")
            for one in prepared
            if one.state == "waits"
        ]
    data = [
        {
            **turn.to_json(),
            "model": rule.model,
            "stage": rule.stage,
            "tries": [one.plain() for one in history.tries[:5]],
            "prepared": [{"id": one.made.id, "state": one.state} for one in prepared],
        }
        for rule, turn, history, prepared in found
    ]
    return View(parts, {"rules": data}, status([turn for _, turn, _, _ in found]))


def log(rule: Retrain, history: History, now: float) -> View:
    """Show all tries of a rule, and who let it go on."""
    spent = history.year(now)
    words = f"{counted(spent, 'try', 'tries')} of {rule.judge.tries} in 365 days; each takes "
    words += f"{rule.judge.each:.2%} of {rule.judge.alpha:.0%}, the chance of a fluke in a year"
    parts: list[Part] = [_tries(history.tries), Line(words, role="muted")]
    parts += [Line(f"{_day(one.at)} {one.by} let it go on: {one.why}") for one in history.resumed]
    data = {
        "rule": rule.name,
        "tries": [one.plain() for one in history.tries],
        "resumed": [{"at": one.at, "by": one.by, "why": one.why} for one in history.resumed],
        "spent": spent * rule.judge.each,
    }
    return View(parts, data)


def report(one: Try, state: str = "") -> View:
    """Show one try: what was trained, against whom it was held, and every answer."""
    facts = [
        ("model", Cell(f"{one.model} for {one.asks}", "strong")),
        ("due by", Cell(one.due)),
        ("champion", Cell(f"{one.champion}, in {one.stage}", "code")),
        ("challenger", Cell(one.run or "none", "code")),
        ("bytes", Cell(one.sha256, "code")),
        ("data", Cell(f"{one.data} {one.md5}", "code")),
        ("held out", Cell(f"from {one.since} on")),
        ("sweep", Cell(f"{one.id[:8]}, {counted(one.jobs, 'job')} succeeded")),
        ("spent", Cell(f"{one.spent:.2%} of the year's chance of a fluke")),
        ("tests", Cell(", ".join(name for name in one.tests if name))),
    ]
    head = f"{one.outcome}: {one.why}"
    parts: list[Part] = [
        Line(head, _MARKS.get(one.outcome, ""), "strong"),
        Facts([pair for pair in facts if pair[1].text]),
    ]
    if one.findings:
        marks: list[Mark] = [_MARKS.get(str(item.get("outcome")), "") for item in one.findings]
        cells = [
            [Cell(_text(item, "name"), "strong"), Cell(_text(item, "outcome")), Cell(_text(item, "why"))]
            for item in one.findings
        ]
        parts.append(Table([Column("question"), Column(""), Column("answer")], cells, marks))
    slices = [part for item in one.findings for part in _slices(item)]
    if slices:
        heads = ("slice", "champion", "challenger", "gain", "verdict", "rows")
        parts.append(Table([Column(heading) for heading in heads], slices))
    if one.outcome == "prepared" and state in ("", "waits"):
        parts.append(Line(f"{NOTHING_SIGNED}: `provenote promote {one.model} --prepared {one.short}`"))
    elif state:
        parts.append(Line(f"This request is {state}"))
    return View(parts, {**one.plain(), "state": state})


def inbox(found: Sequence[Prepared]) -> list[Part]:
    """Return the prepared requests as parts of the inbox."""
    parts: list[Part] = []
    for one in found:
        made = one.made
        parts.append(
            Line(
                f"{made.model} for {made.asks}: prepared by retraining {made.rule}, unsigned",
                "queued",
                "strong",
            )
        )
        parts.append(
            Facts(
                [
                    ("challenger", Cell(made.run, "code", made.commit)),
                    ("against", Cell(made.champion, "code")),
                    ("found", Cell(made.why)),
                    ("report", Cell(f"provenote retrain show {made.short}", "code")),
                    ("sign", Cell(one.command, "code")),
                ]
            )
        )
    return parts


def _slices(finding: Mapping[str, Any]) -> list[list[Cell]]:
    evidence = finding.get("evidence")
    listed = evidence.get("slices") if isinstance(evidence, Mapping) else None
    return [
        [
            Cell(str(one.get("slice")), "strong"),
            *(Cell(_number(one.get(name))) for name in ("holder", "challenger", "gain")),
            Cell(str(one.get("verdict"))),
            Cell(str(one.get("rows"))),
        ]
        for one in (listed if isinstance(listed, list) else [])
        if isinstance(one, Mapping)
    ]


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _text(finding: Mapping[str, Any], name: str) -> str:
    return str(finding.get(name) or "")


def _tries(tries: Sequence[Try]) -> Table:
    rows = [
        [
            Cell(one.short, "code", one.id),
            Cell(_day(one.at)),
            Cell(one.outcome, "strong"),
            Cell(one.run, "code"),
            Cell(one.champion, "code"),
            Cell(one.why),
        ]
        for one in tries
    ]
    heads = ("try", "on", "outcome", "challenger", "against", "why")
    marks: list[Mark] = [_MARKS.get(one.outcome, "") for one in tries]
    return Table([Column(heading) for heading in heads], rows, marks, empty="No try yet.")


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
