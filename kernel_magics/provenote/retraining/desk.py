"""One look at each rule of continuous training: judge what ended, else start what is due and guarded.

Any timer may call it. A start is claimed by moving a ref of Git, as all rules do, so of many timers one
starts the sweep; one that was killed before it did is made good by the next look of that clone. What ended is
judged by the clone that started it, one judge at a time. Nothing here reads a key.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from provenote.errors import ProvenoteError, WorldError
from provenote.events import Tell, silent
from provenote.retraining import conditions, definition, guards, judging, present, record, rule_file, space
from provenote.retraining.definition import Retrain
from provenote.retraining.guards import Guard
from provenote.retraining.present import Champion, Data
from provenote.retraining.record import History
from provenote.retraining.turn import Turn
from provenote.sharing import transport
from provenote.triggers import rules, ticking
from provenote.triggers.claims import Book, Claim

if TYPE_CHECKING:
    from provenote.jobs.spec import JobSpec
    from provenote.workspace import Workspace

KNOWN = 500
"""Claims of a rule that are looked through."""
LOST = 7 * definition.DAY
"""Seconds after which a sweep that another clone started is not waited for any more."""


def tick(
    workspace: Workspace,
    *,
    dry_run: bool = False,
    wait: bool = False,
    now: datetime | None = None,
    tell: Tell = silent,
) -> list[Turn]:
    """Look at every rule of continuous training.

    Parameters
    ----------
    workspace : Workspace
    dry_run : bool
        Only say what would be done.
    wait : bool
        Wait for sweeps that were started, and judge them.
    now : datetime, optional
        With a time zone; the present by default.
    tell : Tell

    Raises
    ------
    UsageError
        If the rules cannot be read. What is wrong with one stops no other.
    WorldError
        If the remote that decides does not answer.
    """
    found = rule_file.read(workspace.dvc_root)
    if not found:
        return []
    desk = Desk(workspace, now or ticking.present(), dry_run=dry_run, wait=wait, tell=tell)
    return [desk.turn(rule) for rule in found]


def run(
    workspace: Workspace,
    rule: Retrain,
    *,
    wait: bool = True,
    now: datetime | None = None,
    tell: Tell = silent,
) -> Turn:
    """Start a rule's training now, whether or not a condition is due; the guards hold as always.

    Parameters are those of `tick`.
    """
    desk = Desk(workspace, now or ticking.present(), wait=wait, tell=tell)
    return desk.turn(rule, asked=True)


def look(workspace: Workspace, rule: Retrain, now: datetime | None = None) -> Turn:
    """Return how a rule stands, all guards included; nothing is started, judged or fetched."""
    return Desk(workspace, now or ticking.present(), dry_run=True, everything=True).turn(rule)


@dataclass(frozen=True, slots=True)
class _Known:
    """What a look at a rule goes by."""

    rule: Retrain
    champion: Champion
    data: Data
    history: History
    commit: str | None
    claims: list[Claim]


class Desk:
    """Where one look at the rules is made.

    Parameters
    ----------
    workspace : Workspace
    now : datetime
    dry_run, wait : bool
    everything : bool
        Whether the guards are looked at where nothing is due.
    tell : Tell
    """

    def __init__(
        self,
        workspace: Workspace,
        now: datetime,
        *,
        dry_run: bool = False,
        wait: bool = False,
        everything: bool = False,
        tell: Tell = silent,
    ) -> None:
        self._workspace = workspace
        self._now = now
        self._dry_run = dry_run
        self._wait = wait
        self._everything = everything
        self._tell = tell
        name = rules.read(workspace.dvc_root).remote
        remote = transport.choose(workspace.top, name) if name else None
        self._book = Book(workspace.common_dir, remote)
        if not dry_run:
            self._book.refresh()

    def turn(self, rule: Retrain, *, asked: bool = False) -> Turn:
        """Look at one rule; what is wrong with it is told with it."""
        try:
            return self._turn(rule, asked)
        except ProvenoteError as error:
            return Turn(rule.name, "wrong", error=error)

    def _turn(self, rule: Retrain, asked: bool) -> Turn:
        champion = present.champion(self._workspace, rule)
        history = record.history(self._workspace, rule)
        commit, _ = self._book.last(rule.claims)
        claims = self._book.history(rule.claims, KNOWN) if commit else []
        fired = next((one for one in claims if one.what == "fired"), None)
        if fired is not None and fired.job and fired.job not in {one.id for one in history.tries}:
            going = self._going(rule, champion, fired)
            if going is not None:
                return going
        data = Data(self._workspace, rule, champion)
        known = _Known(rule, champion, data, history, commit, claims)
        return self._start(known, asked)

    # What goes on, or has ended and is not judged.

    def _going(self, rule: Retrain, champion: Champion, claim: Claim) -> Turn | None:
        from provenote.jobs import executor, launch
        from provenote.jobs.folder import JobFolder
        from provenote.jobs.launch import JobResult

        job = str(claim.job)
        folder = JobFolder(self._workspace.home / "jobs" / job)
        age = self._now.timestamp() - claim.at
        if not folder.path.exists():
            if claim.clone == self._book.clone:
                return self._again(rule, champion, claim) if age < definition.DAY else None
            if age > LOST:
                return None
            says = f"{claim.host} trains for {definition.spelled(max(age, 60))}"
            return Turn(rule.name, "elsewhere", says, job=job)
        place = executor.get(self._workspace, rule.sweep.on)
        state = place.status(job)
        if not state.over and self._wait:
            state = launch.follow(place, job, f"retrain {rule.name}", self._tell, "jobs")
        if not state.over:
            return Turn(rule.name, "training", f"its sweep {job[:8]} goes on", job=job)
        if self._dry_run:
            return Turn(rule.name, "training", f"its sweep {job[:8]} is over, and would be judged", job=job)
        with self._alone(rule) as first:
            if not first:
                return Turn(rule.name, "training", f"its sweep {job[:8]} is being judged", job=job)
            again = record.history(self._workspace, rule)
            made = next((one for one in again.tries if one.id == job), None)
            if made is None:
                told = _told(claim)
                asked = judging.Asked(
                    JobResult(job, state, folder.spec), told["md5"], told["since"], told["due"]
                )
                made = judging.judge(self._workspace, rule, champion, asked, self._tell)
                record.keep(self._workspace, made, champion.run_id)
            return Turn(rule.name, "judged", f"{made.outcome}: {made.why}", job=job, made=made)

    def _again(self, rule: Retrain, champion: Champion, claim: Claim) -> Turn | None:
        """Start what was claimed and never made; None where the data is another version by now."""
        from provenote.jobs import executor

        data = Data(self._workspace, rule, champion)
        told = _told(claim)
        commit, last = self._book.last(rule.claims)
        if data.md5 != told["md5"] or last != claim:
            return None
        spec, where = self._spec(rule, champion, told["since"], str(claim.key))
        turn = Turn(rule.name, "started", f"{told['due']}; {len(spec.jobs)} jobs, {where}", job=spec.id)
        if self._dry_run:
            return replace(turn, state="due")
        if spec.id != claim.job and not self._book.make(replace(claim, job=spec.id), commit):
            return _late(turn)
        executor.get(self._workspace, rule.sweep.on).submit(spec)
        return turn

    @contextlib.contextmanager
    def _alone(self, rule: Retrain) -> Iterator[bool]:
        """Be the only judge of a rule in this clone; the lock goes with the process that holds it."""
        place = self._workspace.home / "retraining" / f"{rule.name}.lock"
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise WorldError(f"{place} cannot be written: {error.strerror}", "Check its folder") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            yield False
            return
        try:
            yield True
        finally:
            os.close(handle)

    # What is due.

    def _start(self, known: _Known, asked: bool) -> Turn:
        rule = known.rule
        seen = _seen(known.claims)
        tried = known.history.tries[0].md5 if known.history.tries else ""
        stands = conditions.look(self._workspace, rule, known.champion, known.data, tried, self._now)
        keys = {one.name: one.key for one in stands if one.key}
        next_ = next((one.next for one in stands if one.next), "")
        if (not known.claims or known.claims[0].sign != rule.sign) and not asked:
            # A mistake in what shall be trained is told now, not at night.
            self._spec(rule, known.champion, known.data.since, "")
            claim = self._claim(known, "armed", keys)
            says = "seen for the first time: due from the next change on"
            turn = Turn(rule.name, "armed", says, tuple(stands), self._guards(known, False))
            return turn if self._dry_run or self._book.make(claim, known.commit) else _late(turn)
        due = [one for one in stands if one.key and one.key != seen.get(one.name) and not one.late]
        words = "; ".join(f"{one.name}: {one.says}" for one in due) or ("asked for by hand" if asked else "")
        found = self._guards(known, bool(due) or asked)
        if not due and not asked:
            says = f"next: {next_}" if next_ else "nothing is due"
            return Turn(rule.name, "idle", says, tuple(stands), found)
        turn = Turn(rule.name, "held", words, tuple(stands), found)
        if turn.holding:
            return turn
        about = {
            "keys": {**seen, **keys},
            "md5": known.data.md5,
            "since": known.data.since,
            "due": words[:300],
            "after": known.commit,
        }
        claim = replace(self._claim(known, "fired", {}), key=json.dumps(about, sort_keys=True))
        spec, where = self._spec(rule, known.champion, known.data.since, str(claim.key))
        turn = replace(turn, state="due", says=f"{words}; {len(spec.jobs)} jobs, {where}")
        if self._dry_run:
            return turn
        claim = replace(claim, job=spec.id)
        if not self._book.make(claim, known.commit):
            return _late(turn)
        from provenote.jobs import executor

        executor.get(self._workspace, rule.sweep.on).submit(spec)
        turn = replace(turn, state="started", job=spec.id)
        if not self._wait:
            return turn
        ended = self._going(rule, known.champion, claim)
        return replace(ended, conditions=turn.conditions, guards=turn.guards) if ended else turn

    def _guards(self, known: _Known, due: bool) -> tuple[Guard, ...]:
        """Return the guards, looked at only where something is due or everything is asked."""
        if not due and not self._everything:
            return ()
        moment = self._now.timestamp()
        about = (known.champion, known.data, known.history, known.claims)
        return tuple(guards.look(self._workspace, known.rule, *about, moment, everything=self._everything))

    def _claim(self, known: _Known, what: Literal["armed", "fired"], keys: dict[str, str]) -> Claim:
        key = json.dumps({"keys": keys}, sort_keys=True)
        moment, rule = self._now.timestamp(), known.rule
        return Claim(rule.claims, rule.sign, what, key, moment, clone=self._book.clone)

    def _spec(self, rule: Retrain, champion: Champion, since: str, key: str) -> tuple[JobSpec, str]:
        """Return the sweep for a claim's key: the same claim asks for the same sweep."""
        nonce = hashlib.sha256(f"{rule.claims} {rule.sign} {key}".encode()).hexdigest()[:16]
        return space.prepare(self._workspace, rule, champion.document, since, nonce)


def _late(turn: Turn) -> Turn:
    return replace(turn, state="claimed", says="another timer was faster", job="")


def _told(claim: Claim) -> dict[str, str]:
    """Return what a claim says that its sweep was started for. Pure."""
    try:
        found = json.loads(claim.key or "{}")
    except ValueError:
        found = {}
    values = found if isinstance(found, dict) else {}
    return {name: str(values.get(name) or "") for name in ("md5", "since", "due")}


def _seen(claims: list[Claim]) -> dict[str, str]:
    """Return which key of each condition was acted on last. Pure."""
    try:
        found = json.loads(claims[0].key or "{}") if claims else {}
    except ValueError:
        return {}
    keys = found.get("keys") if isinstance(found, dict) else None
    return {str(name): str(key) for name, key in keys.items()} if isinstance(keys, dict) else {}
