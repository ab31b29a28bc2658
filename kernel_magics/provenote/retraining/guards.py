"""What must hold before anything is trained. Each guard that does not says so in one line, with its mend."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provenote.checks import leak, subject
from provenote.compare.numbers import counted
from provenote.errors import ProvenoteError
from provenote.retraining.definition import Retrain, spelled
from provenote.retraining.present import Champion, Data
from provenote.retraining.record import History

if TYPE_CHECKING:
    from provenote.model import Row
    from provenote.triggers.claims import Claim
    from provenote.workspace import Workspace

WEEK = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Guard:
    """One guard.

    Parameters
    ----------
    name : str
    green : bool
    says : str
        One line, green or not.
    mend : str
        What helps; empty where only time does.
    """

    name: str
    green: bool
    says: str
    mend: str = ""

    @property
    def line(self) -> str:
        """The guard in one line, with its mend."""
        return f"{self.name}: {self.says}" + (f". {self.mend}" if self.mend else "")


def look(
    workspace: Workspace,
    rule: Retrain,
    champion: Champion,
    data: Data,
    history: History,
    claims: Iterable[Claim],
    now: float,
    *,
    everything: bool = False,
) -> list[Guard]:
    """Return the guards of a rule, the cheapest first.

    Parameters
    ----------
    workspace : Workspace
    rule : Retrain
    champion : Champion
    data : Data
    history : History
    claims : iterable of Claim
        Of the rule, the newest first: what was started is in them before anything came of it.
    now : float
        Seconds since 1970.
    everything : bool
        Whether rows are looked at too where another guard holds already: that reads the data and the model,
        which a timer that calls each minute must not.
    """
    fired = [one for one in claims if one.what == "fired"]
    jobs = {one.job for one in fired if one.job and now - one.at < WEEK}
    jobs |= {one.id for one in history.tries if now - one.at < WEEK}
    last = max([*(one.at for one in fired[:1]), *(one.at for one in history.tries[:1])], default=None)
    found = [
        _going_on(rule, history),
        _tries(rule, history, now),
        cool_down(rule.guards.cool_down, last, now),
        _budget(workspace, rule, {str(job) for job in jobs}, history, now),
        *_alerts(workspace, rule, now),
        _version(rule, data),
        _contract(workspace, rule),
    ]
    needed = [one for one in found if not everything or one.name in ("version", "contract")]
    if all(one.green for one in needed):
        found += _rows(workspace, rule, champion, data, history)
    return found


def cool_down(wanted: float, last: float | None, now: float) -> Guard:
    """Return the guard of the time between two tries. Pure."""
    if last is None or now - last >= wanted:
        return Guard("cool-down", True, f"no try in the last {spelled(wanted)}")
    ago = max(0.0, now - last)  # another machine's clock may be ahead
    says = f"the last try was {spelled(ago)} ago; the next may be in {spelled(wanted - ago)}"
    return Guard("cool-down", False, says)


def _going_on(rule: Retrain, history: History) -> Guard:
    why = history.stopped()
    if not why:
        return Guard("going on", True, "not stopped")
    return Guard(
        "stopped", False, why, f'Look at them, then: `provenote retrain resume {rule.name} --why "..."`'
    )


def _tries(rule: Retrain, history: History, now: float) -> Guard:
    spent, plan = history.year(now), rule.judge.tries
    says = (
        f"{spent} of {plan} tries in 365 days; each may take {rule.judge.each:.2%} of {rule.judge.alpha:.0%}"
    )
    mend = "" if spent < plan else "More would find a fluke: wait, or promote by hand what you trust"
    return Guard("tries", spent < plan, says, mend)


def _budget(workspace: Workspace, rule: Retrain, jobs: set[str], history: History, now: float) -> Guard:
    """Hold what the rule's runs used in seven days, and what a try used last time, against the budget."""
    from provenote.stores import index

    rows, _ = index.rows(workspace, everything=True)
    tests = {name for one in history.tries if now - one.at < WEEK for name in one.tests}
    mine = [one for one in rows if one.parent in jobs or one.name in tests]
    used = sum(cpu(workspace, one) for one in mine) / 3600
    before = history.tries[0] if history.tries else None
    ago = [one for one in rows if before and (one.parent == before.id or one.name in before.tests)]
    expected = sum(cpu(workspace, one) for one in ago) / 3600
    limit = rule.guards.cpu_hours
    says = f"{used:.3g} of {limit:g} CPU hours in 7 days"
    if used + expected <= limit and used < limit:
        return Guard("budget", True, says)
    if expected:
        says += f"; the last try took {expected:.3g}"
    return Guard("budget", False, says, "Wait, or raise `cpu_hours`")


def cpu(workspace: Workspace, row: Row) -> float:
    """Return the seconds of processors that a run recorded, its wall time where it recorded none."""
    from provenote.stores import index

    figures = (index.document(workspace, row.commit).get("resources") or {}) if row.commit else {}
    used = figures.get("cpu_s") if isinstance(figures, dict) else None
    if isinstance(used, int | float) and used >= 0:
        return float(used)
    return max(0.0, (row.ended or row.started) - row.started)


def _alerts(workspace: Workspace, rule: Retrain, now: float) -> list[Guard]:
    from provenote.monitor import definition, watching

    mine = [
        one
        for one in definition.read(workspace.dvc_root).values()
        if one.model == rule.model or rule.data in (one.reference, one.contract)
    ]
    if not mine:
        return [Guard("alerts", True, f"no monitor watches {rule.model}")]
    found = []
    for monitor in mine:
        stands = watching.standing(workspace, monitor, now)
        performance = {cause.id for record in stands.performance for cause in record.causes}
        data = [one for one in stands.open if one.id not in performance]
        see = f"`provenote monitor {monitor.name}`"
        if stands.silent:
            found.append(
                Guard("alerts", False, f"the monitor {monitor.name} is silent: {stands.silent}", see)
            )
        elif data:
            mend = f"Mend the data, or accept the window as real: {see}"
            more = f" and {len(data) - 1} more" if len(data) > 1 else ""
            found.append(Guard("alerts", False, f"{monitor.name}: {data[0].cause.title}{more}", mend))
        else:
            found.append(Guard("alerts", True, f"{monitor.name} has no open alert about data"))
    return found


def _version(rule: Retrain, data: Data) -> Guard:
    if not data.changed():
        return Guard("version", True, f"{rule.data} is its version {data.md5[:12]}")
    says = f"{rule.data} here is not the version that its pointer names"
    return Guard(
        "version", False, says, f"`provenote data add {rule.data}`, or `provenote data get {rule.data}`"
    )


def _contract(workspace: Workspace, rule: Retrain) -> Guard:
    from provenote.contracts import checking, told

    see = f"`provenote data check {rule.data}`"
    try:
        verdict = told.verdict(checking.check(workspace, rule.data))
    except ProvenoteError as error:
        return Guard("contract", False, error.what, error.mend or "")
    bad = [one for one in verdict.findings if one.outcome not in ("passed", "skipped")]
    if verdict.outcome == "passed":
        return Guard("contract", True, f"{rule.data} is as its contract says")
    more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
    return Guard("contract", False, f"{bad[0].why if bad else verdict.outcome}{more}", f"See: {see}")


def _rows(
    workspace: Workspace, rule: Retrain, champion: Champion, data: Data, history: History
) -> list[Guard]:
    """Whether enough rows are new, and whether the newest are newer than what the champion learned from."""
    before = [one.md5 for one in history.tries[:1] if one.md5 and one.data == rule.data]
    try:
        count = data.new(champion.read(rule.data), *before)
        if count is None:
            says = (
                f"not known: the version of {rule.data} that the champion's run read is not told, or not here"
            )
            return [Guard("new rows", False, says, "Fetch it: `provenote data pull`")]
        wanted = rule.guards.new_rows
        found = [Guard("new rows", count >= wanted, f"{count:,} new labelled rows of {wanted:,}")]
        if count < wanted:
            return found
        asked = data.held_out(data.since)
        holder = subject.of_stage(workspace, rule.model, rule.stage)
        seen = leak.unseen(workspace, holder, asked)
    except ProvenoteError as error:
        return [Guard("new rows", False, error.what, error.mend or "")]
    words = f"{counted(len(asked.frame), 'row')} from {data.since} on"
    if seen.outcome == "passed":
        return [*found, Guard("hold-out", True, f"{words}, newer than what the champion learned from")]
    return [
        *found,
        Guard("hold-out", False, f"{words}: {seen.why}", "Wait for newer rows, or hold out fewer"),
    ]
