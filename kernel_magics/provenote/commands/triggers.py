"""Verbs of rules: look whether something is due, and let a timer do so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provenote.commands.tree import Context, verb
from provenote.view import Cell, Column, Line, Mark, Role, Table, Text, View, said

if TYPE_CHECKING:
    from provenote.triggers.ticking import Looked
    from provenote.workspace import Workspace

_MARKS: dict[str, Mark] = {
    "fired": "ok",
    "wrong": "failed",
    "missed": "warn",
    "waiting": "running",
    "claimed": "",
    "due": "queued",
}
_ROLES: dict[str, Role] = {"wrong": "error", "fired": "ok", "missed": "warn"}
_SAYS = {
    "armed": "seen for the first time: fires from the next change on",
    "fired": "its job is started",
    "due": "would start its job",
    "waiting": "due, and waits for its last job to end",
    "claimed": "another timer was faster",
    "idle": "",
}


@verb("tick")
def tick(context: Context, *, wait: bool = False, dry_run: bool = False) -> View:
    """Start the jobs that the rules in provenote.rules.yaml ask for now; any timer may call this at any time.

    However many timers call it, on however many machines, each rule fires once for each change. A rule that
    is seen for the first time fires from its next change on. Monitors that are due look, here. Rules of
    continuous training start a sweep or judge one, and sign nothing. Exit status: 0 all is well, 1 a job that
    was waited for failed or a monitor calls for a person, 2 a rule is wrong, 3 the remote does not answer.

    Parameters
    ----------
    wait : bool
        Wait for the jobs that were started, as in CI where nothing outlives the command.
    dry_run : bool
        Only say what would start.
    """
    from provenote.monitor import turns
    from provenote.retraining import desk as retrain
    from provenote.retraining import show as retraining
    from provenote.triggers import rules, ticking

    workspace = context.workspace
    looked: list[Looked] = []
    watched = turns.take(workspace, dry_run=dry_run, tell=context.tell) if turns.there(workspace) else []
    if not watched or (workspace.dvc_root / rules.FILE).exists():
        looked = ticking.tick(workspace, dry_run=dry_run, wait=wait, tell=context.tell)
    trained = retrain.tick(workspace, dry_run=dry_run, wait=wait, tell=context.tell)
    columns = [Column("rule", keep=True), Column("state", keep=True), Column("stands"), Column("next")]
    rows = [
        [
            Cell(one.rule, "strong"),
            Cell(_state(one), _ROLES.get(one.state, "plain")),
            Cell(one.stands, "muted"),
            Cell(one.next, "muted"),
        ]
        for one in looked
    ]
    marks = [_MARKS.get(one.state, "") for one in looked]
    for turn in watched:
        role: Role = "error" if turn.status else "plain"
        state = turn.state + (f", {turn.level}" if turn.level else "")
        rows.append(
            [
                Cell(f"monitor {turn.monitor}", "strong"),
                Cell(state, role),
                Cell(turn.says, "muted"),
                Cell(turn.next, "muted"),
            ]
        )
        marks.append("failed" if turn.status else "ok" if turn.state == "looked" else "")
    table = Table(columns, rows, marks, empty="The file holds no rule.")
    notes = [Line(f"{one.rule}: {one.error.line}", "failed", "error") for one in looked if one.error]
    notes += [Line(f"{one.rule}: {_SAYS[one.state]}", "") for one in looked if _SAYS.get(one.state)]
    notes += [Line(f"{one.monitor}: {one.error.line}", "failed", "error") for one in watched if one.error]
    notes += [Line(told, "warn", "warn") for told in _environments(workspace)]
    data = [*(one.to_json() for one in looked), *(one.plain() for one in watched)]
    data += [one.to_json() for one in trained]
    status = _status(looked) or max((one.status for one in watched), default=0)
    parts = [*([table] if rows or not trained else []), *notes, *retraining.turns(trained)]
    return View(parts, data, status=status or retraining.status(trained))


def _environments(workspace: Workspace) -> list[str]:
    """Say which models that hold a stage were trained in another environment than this."""
    from provenote.environments import watch
    from provenote.registry import recorded

    lines = (
        watch.in_passing(workspace, one.reference, one.commit, one.document)
        for one in recorded.holders(workspace)
    )
    return [line for line in lines if line]


def _state(one: Looked) -> str:
    job = f" {one.job[:8]}" if one.job and one.state in ("fired", "waiting") else ""
    return f"{one.state}{job}" + (f", {one.result}" if one.result else "")


def _status(looked: list[Looked]) -> int:
    wrong = max((one.error.exit_status for one in looked if one.error), default=0)
    failed = any(one.result not in (None, "succeeded") for one in looked)
    return wrong or int(failed)


@verb("tick install")
def tick_install(context: Context, timer: str, *, every: int = 5) -> View:
    """Let a timer call `provenote tick`: `cron` (your crontab) or `github` (a workflow of GitHub Actions).

    Parameters
    ----------
    timer : str
        cron or github.
    every : int
        Minutes between two calls; whole hours beyond 59.
    """
    from provenote.errors import UsageError
    from provenote.triggers import timers

    if timer == "cron":
        entry = timers.install_cron(context.workspace, every)
        return View([Line("Your crontab calls it now", "ok"), Text(entry)], {"timer": "cron", "line": entry})
    if timer == "github":
        path = timers.install_github(context.workspace, every)
        shown = path.relative_to(context.workspace.top).as_posix()
        text = f"{shown} is written; it works once it is committed and pushed to the default branch"
        return said(text, timer="github", path=shown)
    raise UsageError(
        f"no timer {timer!r} is known here",
        "Take cron or github; any other calls the line of `provenote tick line`",
    )


@verb("tick remove")
def tick_remove(context: Context) -> View:
    """Take the line of this project out of your crontab."""
    from provenote.triggers import timers

    gone = timers.remove_cron(context.workspace)
    return said(
        "Your crontab does not call it any more" if gone else "Your crontab did not call it", removed=gone
    )


@verb("tick line")
def tick_line(context: Context) -> View:
    """Show the shell line that any timer may call: a systemd user timer, launchd, Task Scheduler in WSL."""
    from provenote.triggers import timers

    line = timers.line(context.workspace)
    return View([Text(line)], {"line": line})
