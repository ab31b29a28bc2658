"""Monitors as views: how they stand, what a new one can see, the table of a trial."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from provenote.monitor import judging, verdicts, watching
from provenote.monitor.alerts import Alert, Standing
from provenote.monitor.deciding import Made, change
from provenote.monitor.definition import FILE, spelled
from provenote.monitor.record import Record
from provenote.monitor.trial import Trial, length_words
from provenote.statistics import limits
from provenote.statistics.reference import Reference
from provenote.view import Cell, Column, Line, Mark, Part, Role, Table, View

WORDS = {"healthy": "Healthy", "look": "Look", "act": "Act", "not judged": "Not judged"}
MARKS: dict[str, Mark] = {"healthy": "ok", "look": "warn", "act": "failed", "not judged": "queued"}
ROLES: dict[str, Role] = {"healthy": "ok", "look": "warn", "act": "error", "not judged": "muted"}
SHOWN = 12
"""Windows in a table: the newest."""


def counted(number: int, word: str) -> str:
    """Return ``1 alert`` or ``2 alerts``."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def headline(one: Standing) -> str:
    """Return the first line of a report: whether a person is needed, and what for."""
    monitor = one.monitor
    open_ = one.open
    acts = sum(alert.level == "act" for alert in open_) + bool(one.silent)
    looks = sum(alert.level == "look" for alert in open_)
    unjudged = sum(record.level == "not judged" for record in one.data)
    told = []
    if acts:
        told.append(counted(acts, "alert"))
    if looks:
        told.append(f"{looks} yellow")
    if unjudged:
        told.append(f"{counted(unjudged, 'window')} not judged")
    if not told and one.data:
        taken = {each.window for each in monitor.accepted}
        inside = [record for record in one.data if record.window not in taken]
        if inside:
            told.append(f"{counted(len(inside), 'window')} inside the band of own windows")
        if len(inside) < len(one.data):
            told.append(f"{counted(len(one.data) - len(inside), 'window')} accepted")
    if not one.data:
        told.append("no window judged yet")
    last = f". Last window {one.data[-1].window}" if one.data else ""
    return f"{WORDS[one.level]}: {monitor.name}, {', '.join(told)}{last}"


def list_view(standings: Sequence[Standing]) -> View:
    """Show all monitors of a project, one a line."""
    columns = [Column("monitor", keep=True), Column("state", keep=True), Column("windows", "right")]
    columns += [Column("last window"), Column("looked"), Column("alerts")]
    rows = []
    for one in standings:
        titles = [one.silent] if one.silent else []
        titles += [alert.cause.title for alert in one.open]
        last = one.data[-1].window if one.data else ""
        cells = [
            Cell(one.monitor.name, "strong"),
            Cell(WORDS[one.level].lower(), ROLES[one.level]),
            Cell(f"{len(one.data):,}"),
            Cell(last),
            Cell(_when(one.last), "muted"),
            Cell("; ".join(titles)[:160]),
        ]
        rows.append(cells)
    marks = [MARKS[one.level] for one in standings]
    empty = "No monitor yet: `provenote monitor add MODEL --data GLOB`"
    status = max((one.status for one in standings), key=lambda status: (status == 1, status), default=0)
    return View(
        [Table(columns, rows, marks, empty=empty)], [watching.plain(one) for one in standings], status
    )


def _when(moment: float | None) -> str:
    return "never" if moment is None else datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M")


def standing_view(one: Standing, parts: Iterable[Part] = (), moved: dict[str, float] | None = None) -> View:
    """Show how one monitor stands: alerts, windows, what it can see."""
    shown: list[Part] = [Line(headline(one), MARKS[one.level], "strong")]
    if one.silent:
        shown.append(
            Line(
                f"{one.silent}. `provenote monitor run {one.monitor.name}`, or a timer: `provenote tick`",
                "failed",
            )
        )
    shown += list(parts)
    shown += alert_parts(one.alerts)
    if one.data:
        shown.append(_windows(one))
    shown += _sees(one)
    if moved:
        far = sorted(moved.items(), key=lambda item: -item[1])[:3]
        told = ", ".join(f"{name} {value:.2f}" for name, value in far)
        shown.append(
            Line(
                f"Accepted windows lie this far from the first reference: {told} (0 none, 1 all)", "", "muted"
            )
        )
    live = {"verdicts": verdicts.named(one), "above": shown}
    return View(shown, {**watching.plain(one), "moved": moved or {}}, one.status, live)


def alert_parts(alerts: Sequence[Alert]) -> list[Part]:
    """Show each alert with its cause and what to do; those that are over in a table of their own."""
    parts: list[Part] = []
    for one in alerts:
        if one.state == "over":
            continue
        mark: Mark = "failed" if one.level == "act" else "warn"
        until = f", snoozed until {one.snoozed_until}" if one.state == "snoozed" else ""
        told = f"{counted(len(one.windows), 'window')} since {one.windows[0]}{until}"
        parts.append(Line(one.cause.title, "" if until else mark, "muted" if until else "strong", told))
        parts.append(Line(one.cause.why, "", "muted"))
        if not until:
            next_ = f"Next: {one.cause.mend}" if one.cause.mend else "Nothing is needed"
            parts.append(Line(next_, "", aside=f"id {one.id}"))
    if parts:
        parts.append(Line("Let one rest: `provenote monitor snooze ID --until DATE --why ...`", "", "muted"))
    over = [one for one in alerts if one.state == "over"]
    if over:
        rows = [
            [
                Cell(one.cause.title, "muted"),
                Cell(f"{len(one.windows)}"),
                Cell(one.windows[-1]),
                Cell(one.id, "code"),
            ]
            for one in over
        ]
        columns = [Column("over", keep=True), Column("windows", "right"), Column("last in"), Column("id")]
        parts.append(Table(columns, rows, caption="Alerts that are over"))
    return parts


def _windows(one: Standing) -> Table:
    later = {each.begin: each for each in one.performance}
    accepted = {each.window for each in one.monitor.accepted}
    columns = [
        Column("window", keep=True),
        Column("data", keep=True),
        Column("what"),
        Column("rows", "right"),
    ]
    columns += [Column("error", "right"), Column("bias", "right"), Column("run")]
    rows, marks = [], []
    for each in one.data[-SHOWN:]:
        with_labels = later.get(each.begin)
        titles = "; ".join(cause.title for cause in each.causes)
        taken = each.window in accepted
        rows.append(
            [
                Cell(each.window),
                Cell("accepted" if taken else each.level, "muted" if taken else ROLES[each.level]),
                Cell(titles or _why_not(each), "plain", titles),
                Cell(f"{each.rows:,}"),
                _share(with_labels, "error"),
                _share(with_labels, "bias"),
                Cell(each.run, "code"),
            ]
        )
        marks.append("" if taken else MARKS[each.level])
    left = len(one.data) - len(rows)
    return Table(columns, rows, marks, "Windows", [f"{left:,} older ones"] if left > 0 else [])


def _why_not(one: Record) -> str:
    if one.level != "not judged":
        return ""
    return next((str(each["why"]) for each in one.verdict["findings"] if each["outcome"] == "not judged"), "")


def _share(one: Record | None, name: str) -> Cell:
    value = one.values.get(name) if one is not None else None
    if not value or value[0] is None:
        return Cell("–", "muted")
    return Cell(f"{value[0]:.1%}", "error" if value[2] else "plain")


def _sees(one: Standing) -> list[Part]:
    measured = one.monitor.measured
    parts: list[Part] = []
    rows = []
    for kind, name in judging.NAMES.items():
        told = measured.get(f"false_alarms_of_{name}")
        if told:
            rows.append([Cell(judging.CHECKS[kind]), Cell(str(told))])
    if rows:
        columns = [Column("check", keep=True), Column("false alarms, on the reference", keep=True)]
        parts.append(Table(columns, rows, caption="What this monitor can and cannot see"))
    if not one.monitor.contract:
        parts.append(
            Line(
                "No contract: types, order and rules of rows are not held. `provenote data contract PATH`", ""
            )
        )
    if not one.monitor.label:
        parts.append(Line("No label is named, so performance is not judged", ""))
    elif not one.performance:
        parts.append(Line("The performance of no window is judged yet", ""))
    else:
        for finding in one.performance[-1].verdict["findings"]:
            if finding["outcome"] == "skipped":
                parts.append(Line(f"{finding['name']}: {finding['why']}", ""))
    return parts


def run_view(look: watching.Look) -> View:
    """Show what a look found."""
    parts: list[Part] = []
    for each in look.unread:
        parts.append(Line(f"{each.path} cannot be read: {each.problem}", "warn"))
    judged = [one for one in look.new if one.part == "data"]
    if not look.new:
        parts.append(Line("No new window since the last look", ""))
    else:
        late = len(look.new) - len(judged)
        told = f"{counted(len(judged), 'window')} judged"
        parts.append(Line(told + (f", performance of {late}" if late else ""), "ok"))
    if look.unscored:
        parts.append(Line(f"Performance is not judged: {look.unscored}", "", "muted"))
    made = standing_view(look.standing, parts)
    data = {
        **made.data,
        "judged": [{"window": one.window, "part": one.part, "level": one.level} for one in look.new],
        "unread": [{"path": one.path, "why": one.problem} for one in look.unread],
    }
    return View(made.parts, data, made.status, made.more)


def made_view(made: Made) -> View:
    """Show a new monitor: each check with its false alarms, and the smallest change that is seen."""
    monitor, measured, reference = made.monitor, made.measured, made.taught.reference
    length = length_words(monitor.window)
    verb = "is made anew" if made.replaced else "is written"
    parts: list[Part] = [Line(f"{monitor.name} {verb} in {FILE}", "ok")]
    if not reference.learned:
        parts.append(
            Line(
                f"learning: {measured.windows} of {limits.LEAST} windows; nothing is judged before",
                "warn",
                "warn",
            )
        )
    time = " + ".join(monitor.time)
    until = f" until {monitor.until}" if monitor.until else ""
    parts.append(
        Line(
            f"Reference: {monitor.reference}{until}, {counted(measured.windows, 'window')} of {length}, "
            f"{len(made.taught.whole):,} rows, time {time}",
            "",
            aside=f"md5 {monitor.md5[:7]}",
        )
    )
    if not made.files:
        parts.append(Line("No file matches the data yet", "warn"))
    rows = []
    for kind, name in judging.NAMES.items():
        count = measured.false_alarms[kind]
        there = kind != "clock" or bool(reference.clock.columns)
        there = there and (kind != "relation" or bool(reference.relations.found))
        about = {
            "relation": ", ".join(one.column for one in reference.relations.found),
            "clock": ", ".join(reference.clock.columns),
            "marginal": "yellow only",
        }.get(kind, "")
        rate = f"{count} of {measured.windows}" if there else "not watched"
        rows.append([Cell(name), Cell(judging.CHECKS[kind]), Cell(about, "muted"), Cell(rate)])
    total = measured.false_alarms["any"]
    columns = [Column("check", keep=True), Column("what"), Column("columns")]
    columns.append(Column(f"false alarms on {measured.windows} clean windows", "right", keep=True))
    share = total / max(measured.windows, 1)
    foot = [f"Together {total} of {measured.windows}: {share:.0%} of clean windows call a person"]
    parts.append(Table(columns, rows, caption="What it can see", foot=foot))
    parts.append(_smallest(made))
    if reference.unwatched:
        told = ", ".join(f"{name} ({why})" for name, why in reference.unwatched.items())
        parts.append(Line(f"Not watched: {told}", "", "muted"))
    if not monitor.contract:
        parts.append(
            Line(
                f"{monitor.reference} has no contract, so types, order and rules of rows are not held: "
                f"`provenote data contract {monitor.reference}`, then `--force`",
                "",
                "muted",
            )
        )
    if not monitor.label:
        parts.append(Line("Performance is not judged: name the label with `--label COLUMN`", "", "muted"))
    run = f"`provenote monitor run {monitor.name}`"
    parts.append(Line(f"Next: `git add {FILE}`, commit, and {run}; `provenote tick` looks when it is due"))
    data = {
        "schema": 1,
        "monitor": monitor.name,
        "path": FILE,
        "reference": {"path": monitor.reference, "md5": monitor.md5, "windows": measured.windows},
        "time": list(monitor.time),
        "files": list(made.files),
        "unwatched": reference.unwatched,
        "learned": reference.learned,
        **measured.plain(),
    }
    return View(parts, data)


def _smallest(made: Made) -> Table:
    rows = []
    for one in made.measured.smallest:
        told = f"{one.amount:.4g}" if one.amount is not None else "not by its level"
        size = f"{one.amount / one.deviation:.0%}" if one.amount is not None else ""
        rows.append(
            [
                Cell(one.column, "code"),
                Cell(told, "plain" if one.amount is not None else "warn", change(one)),
                Cell(size, "muted"),
                Cell(f"{one.share:.0%}", "muted"),
            ]
        )
    columns = [Column("column", keep=True), Column("smallest move that alarms", "right", keep=True)]
    columns += [Column("of its deviation", "right"), Column("seen in windows", "right")]
    return Table(columns, rows, caption="The smallest change that one window shows")


def trial_view(reference: Reference, tried: Sequence[Trial], name: str) -> View:
    """Show a trial: how often each check alarms, clean and with each fault."""
    columns = [
        Column("window", keep=True),
        Column("windows", "right"),
        Column("alarms %", "right", keep=True),
    ]
    columns += [Column(word, "right") for word in judging.NAMES.values()]
    columns.append(Column("usual tests", "right"))
    rows: list[list[Cell]] = []
    marks: list[Mark] = []
    for one in tried:
        share = _percent(one.seen["any"], one.windows)
        clean = one.name.startswith("clean")
        good = one.seen["any"] <= 0.08 * one.windows if clean else one.seen["any"] == one.windows
        role: Role = "plain"
        if clean or one.gross:
            role = "ok" if good else "warn"
        rows.append(
            [
                Cell(one.name, "strong" if clean else "plain"),
                Cell(f"{one.windows:,}", "muted"),
                Cell(share, role),
                *(Cell(_percent(one.seen[kind], one.windows), "muted") for kind in judging.NAMES),
                Cell(_percent(one.naive, one.windows), "muted"),
            ]
        )
        marks.append("" if not (clean or one.gross) else "ok" if good else "warn")
    foot = [
        f"{len(reference.own)} windows of {length_words(reference.length)}; each judged by the others",
        "usual tests: Kolmogorov-Smirnov or chi-squared of each column at 5 %, by Bonferroni",
    ]
    clean_rows = [one for one in tried if one.name.startswith("clean")]
    gross = [one for one in tried if one.gross]
    data: dict[str, Any] = {
        "schema": 1,
        "windows": len(reference.own),
        "window": spelled(reference.length),
        "rows": [one.plain() for one in tried],
        "unwatched": reference.unwatched,
        "clean": max((one.seen["any"] / max(one.windows, 1) for one in clean_rows), default=None),
        "gross_seen": sum(one.seen["any"] for one in gross) / max(sum(one.windows for one in gross), 1),
    }
    return View([Table(columns, rows, marks, f"Trial of a monitor on {name}", foot)], data)


def _percent(count: int | None, windows: int) -> str:
    return f"{100 * count / windows:.0f}" if windows and count is not None else "–"
