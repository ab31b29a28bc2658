"""Look at every rule once, and start what is due.

A tick holds no state and may be called by anybody at any time: from cron, CI, a user's timer, by hand. A
rule that is seen for the first time is *armed*: how things stand is remembered, nothing fires. From then on
it fires once for each change. A job of a rule that is still going on is waited for: the next one comes after.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from provenote.errors import ProvenoteError
from provenote.events import Tell, silent
from provenote.sharing import transport
from provenote.triggers import rules, standing
from provenote.triggers.claims import Book, Claim
from provenote.triggers.rules import Requested, Rule
from provenote.triggers.standing import Standing

if TYPE_CHECKING:
    from provenote.jobs.executor import Executor
    from provenote.jobs.spec import JobSpec
    from provenote.workspace import Workspace

UNSTARTED = 30.0, 86_400.0
"""Seconds after which, and within which, a claim whose job was never made is taken up again."""

SEEN = 200
"""Claims of a rule that are looked through for a request."""

State = Literal["armed", "fired", "due", "waiting", "missed", "idle", "wrong", "claimed"]


@dataclass(frozen=True, slots=True)
class Looked:
    """What a tick found and did about one rule.

    Parameters
    ----------
    rule : str
    state : State
        ``fired``: its job was started now; ``due``: it would be (dry run); ``waiting``: due, but its last job
        is going on; ``claimed``: another timer was faster; ``wrong``: see ``why``.
    stands : str
        How things stand.
    next : str
        When it will be due, if that is known.
    job : str or None
        Id of its last job.
    result : str or None
        How that job ended, when the tick waited for it.
    error : ProvenoteError or None
        Why it is wrong.
    """

    rule: str
    state: State
    stands: str = ""
    next: str = ""
    job: str | None = None
    result: str | None = None
    error: ProvenoteError | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        return {**plain, "error": self.error.line if self.error else None}


def tick(
    workspace: Workspace,
    *,
    dry_run: bool = False,
    wait: bool = False,
    now: datetime | None = None,
    tell: Tell = silent,
) -> list[Looked]:
    """Look at every rule, and start what is due.

    Parameters
    ----------
    workspace : Workspace
    dry_run : bool
        Only say what would start.
    wait : bool
        Wait for the jobs that were started: where nothing outlives the command, as in CI.
    now : datetime, optional
        With a time zone; the present by default.
    tell : Tell
        Where the progress of jobs that are waited for goes.

    Raises
    ------
    UsageError
        If the rules cannot be read. What is wrong with one rule stops no other: it is told with it.
    WorldError
        If the remote that decides does not answer.
    """
    found = rules.read(workspace.dvc_root)
    remote = transport.choose(workspace.top, found.remote) if found.remote else None
    book = Book(workspace.common_dir, remote)
    book.refresh()
    moment = now or present()
    looked = [_one(workspace, book, rule, moment, dry_run) for rule in found.rules]
    if not wait:
        return looked
    return list(_waited(workspace, found.rules, looked, tell))


def present() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)


def _one(workspace: Workspace, book: Book, rule: Rule, now: datetime, dry_run: bool) -> Looked:
    try:
        return _looked(workspace, book, rule, now, dry_run)
    except ProvenoteError as error:
        return Looked(rule.name, "wrong", error=error)


def _looked(workspace: Workspace, book: Book, rule: Rule, now: datetime, dry_run: bool) -> Looked:
    stands = standing.of(workspace, rule.when, now)
    commit, last = book.last(rule.name)
    about = Looked(rule.name, "idle", stands.says, stands.next, last.job if last else None)
    claim = Claim(rule.name, rule.sign, "armed", stands.key, now.timestamp(), clone=book.clone)
    if last is None or last.sign != rule.sign:
        # A mistake in what shall run is told now, not at night.
        _Start(workspace, rule, claim, stands).check()
        return _claimed(book, replace(claim, job=about.job), commit, replace(about, state="armed"), dry_run)
    if _unstarted(workspace, book, last, now):
        # A job that is told what it is for is made for what there is now; any other for what was claimed.
        told = stands.key is not None and stands.filled(rule.action.params) != rule.action.params
        claim = replace(claim, what="fired", key=stands.key if told else last.key)
        return _fire(workspace, book, rule, claim, commit, about, dry_run, stands)
    if stands.key is None or stands.key == last.key or _again(book, rule, stands.key):
        return about
    if stands.missed:
        missed = replace(about, state="missed", stands=stands.missed)
        return _claimed(book, replace(claim, what="missed", job=last.job), commit, missed, dry_run)
    if last.job and _going_on(workspace, last.job, rule.action.on):
        return replace(about, state="waiting")
    return _fire(workspace, book, rule, replace(claim, what="fired"), commit, about, dry_run, stands)


def _again(book: Book, rule: Rule, key: str) -> bool:
    """Whether a request was seen before: it is the newest again, since a later one was decided."""
    return isinstance(rule.when, Requested) and any(one.key == key for one in book.history(rule.name, SEEN))


def _fire(
    workspace: Workspace,
    book: Book,
    rule: Rule,
    claim: Claim,
    commit: str | None,
    about: Looked,
    dry_run: bool,
    stands: Standing,
) -> Looked:
    start = _Start(workspace, rule, claim, stands)
    spec = start.check()
    done = replace(about, state="fired", job=spec.id)
    answer = _claimed(book, replace(claim, job=spec.id), commit, done, dry_run)
    if answer is done and not dry_run:
        start.executor.submit(spec)
    return replace(answer, state="due", job=about.job) if dry_run and answer is done else answer


def _claimed(book: Book, claim: Claim, commit: str | None, won: Looked, dry_run: bool) -> Looked:
    """Make a claim; return ``won``, or that another timer was faster."""
    if dry_run or book.make(claim, commit):
        return won
    return replace(won, state="claimed", job=None)


def _unstarted(workspace: Workspace, book: Book, last: Claim, now: datetime) -> bool:
    """Whether the last claim is this clone's and fresh, but its job was never made."""
    mine = last.what == "fired" and last.clone == book.clone
    if not mine or last.job is None or not UNSTARTED[0] < now.timestamp() - last.at < UNSTARTED[1]:
        return False
    return not (workspace.home / "jobs" / last.job).exists()


def _going_on(workspace: Workspace, job: str, on: str) -> bool:
    from provenote.jobs import executor

    if not (workspace.home / "jobs" / job).exists():
        return False  # another machine's, or its folder was swept: nobody here can tell
    return not executor.get(workspace, on).status(job).over


class _Start:
    """The job of a rule, made the same way by whoever makes it: its id tells what it fires for."""

    def __init__(self, workspace: Workspace, rule: Rule, claim: Claim, stands: Standing) -> None:
        from provenote.jobs import executor

        self._workspace = workspace
        self._rule = rule
        self._params = stands.filled(rule.action.params)
        self._nonce = hashlib.sha256(f"{rule.name} {claim.sign} {claim.key}".encode()).hexdigest()[:16]
        self.executor: Executor = executor.get(workspace, rule.action.on)

    def check(self) -> JobSpec:
        """Return the job, having checked notebook, parameters and kernel.

        Raises
        ------
        UsageError
            If it could not run.
        """
        from provenote.jobs import launch, sweeps

        action = self._rule.action
        path = self._workspace.dvc_root / action.notebook
        options: dict[str, Any] = {
            "label": action.label,
            "cell_timeout": action.timeout,
            "nonce": self._nonce,
        }
        if action.grid:
            return sweeps.prepare(path, action.grid, self._params, **options)[1]
        return launch.prepare(path, self._params, **options)[1]


def _waited(
    workspace: Workspace, found: tuple[Rule, ...], looked: list[Looked], tell: Tell
) -> Iterator[Looked]:
    from provenote.jobs import executor, launch

    for rule, one in zip(found, looked, strict=True):
        if one.state != "fired" or one.job is None:
            yield one
            continue
        place = executor.get(workspace, rule.action.on)
        state = launch.follow(place, one.job, rule.name, tell, "jobs" if rule.action.grid else "cells")
        yield replace(one, result=state.state)
