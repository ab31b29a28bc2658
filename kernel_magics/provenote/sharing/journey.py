"""Exchange with one remote: look, take, unite, give, and again whenever somebody else was quicker.

Killed between any two steps, the next exchange goes on from what the refs, the annotations and `memory` say:

1. What the user removed or renamed since the last exchange is said in an annotation (`plan.departures`).
2. The remote is asked for its refs once; what is lacking here comes in one fetch.
3. Annotations and ledgers unite by their own rules; refs that others removed are dropped here.
4. What the remote lacks is sent, then what is gone is deleted there while it still points where it did.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from provenote.errors import Refused, WorldError
from provenote.events import Progress, Tell, silent
from provenote.git import command, trees
from provenote.sharing import account as accounts
from provenote.sharing import cargo, clearing, memory, plan, refs, transport, versions
from provenote.sharing.account import Account
from provenote.sharing.memory import Memory
from provenote.sharing.offers import Answers, Offer
from provenote.sharing.offers import offer as give
from provenote.sharing.refs import Here
from provenote.sharing.transport import Raced, Remote, Unreachable
from provenote.stores import annotating, index, ledger, notes, runs
from provenote.stores.ledger import Ledger
from provenote.stores.marks import Annotations
from provenote.workspace import Workspace

TRIES = 40
MANY = 50
"""So many runs that vanished at once may have been lost rather than removed: a person is asked."""


def sync(
    workspace: Workspace,
    remote: str | None = None,
    *,
    data: bool = False,
    removals: bool = False,
    ask: bool = False,
    tell: Tell = silent,
) -> Account:
    """Exchange runs, annotations, governance and reviews with a Git remote until both sides hold the same.

    Parameters
    ----------
    workspace : Workspace
    remote : str, optional
        Name or address; by default the branch's upstream, else ``origin``, else the only remote.
    data : bool
        Also the bytes of data and artifacts, with the DVC remote.
    removals : bool
        Many runs that are gone from here were removed on purpose.
    ask : bool
        Whether a person may be asked for a password at the terminal.
    tell : Tell
        Where progress goes.

    Returns
    -------
    Account
        What was exchanged, and what the remote refused.

    Raises
    ------
    UsageError
        If there is no such remote.
    Refused
        If many runs vanished from here.
    WorldError
        If the remote does not answer; what waits is safe here.
    """
    if data:
        cargo.check(workspace)
    whom = transport.choose(workspace.top, remote, ask=ask)
    label = f"sync with {whom.name}"
    journey = _Journey(workspace, whom, Account(whom.name, whom.url), tell, label)
    tell(Progress(label, detail="look"))
    try:
        with memory.alone(workspace):
            runs.close_dead(workspace.common_dir, workspace.home)
            journey.tell_departures(removals)
            journey.exchange_until_equal()
        if data:
            cargo.carry(workspace, journey.account, tell)
    except BaseException:
        tell(Progress(label, state="failed"))
        raise
    tell(Progress(label, done=1, total=1, state="done"))
    return journey.account


@dataclass(slots=True)
class _Journey:
    """One exchange: where, whom with, and what came of it so far."""

    workspace: Workspace
    remote: Remote
    account: Account
    tell: Tell
    label: str

    # ------------------------------------------------------------------ before the network

    def tell_departures(self, removals: bool) -> None:
        """Say in annotations what was removed, renamed or brought back here."""
        here, known = refs.read(self.workspace.top), memory.load(self.workspace)
        gone = index.annotated(self.workspace).gone
        told = {ref: commit for ref, commit in known.refs.items() if ref.startswith(f"{runs.REFS}/")}
        left = [
            each
            for each in plan.departures(told, here.runs, here.kept(gone))
            if (each.ref, each.commit) not in gone
        ]
        removed = sum(each.to is None for each in left)
        if removed > MANY and removed * 2 > len(told) and not removals:
            fetch = f"`git fetch {self.remote.name} 'refs/exps/*:refs/exps/*'`"
            raise Refused(
                f"{removed:,} of the {len(told):,} runs of the last sync are gone here; nothing was sent",
                f"If you removed them: `provenote sync --removals`. If not, {fetch} brings them back",
            )
        moves = [
            (
                "removed" if each.to is None else "renamed",
                self._ids(each.commit),
                {"ref": each.ref, "commit": each.commit, "to": each.to},
            )
            for each in left
        ]
        back = plan.revivals(here.runs, gone, known.obeyed)
        moves += [("revived", self._ids(commit), {"ref": ref, "commit": commit}) for ref, commit in back]
        annotating.depart(self.workspace, moves)
        self.account.told.update({each.ref: each.to for each in left})
        self.account.told.update({ref: ref for ref, _ in back})

    def _ids(self, commit: str) -> list[str]:
        run = runs.run_id(trees.repository(self.workspace.common_dir), commit)
        return [run] if run else []

    # ------------------------------------------------------------------ with it

    def exchange_until_equal(self) -> None:
        """Exchange, again and again while somebody else is quicker."""
        for attempt in range(TRIES):
            try:
                if self._exchange():
                    return
            except Raced:
                pass
            except Unreachable as error:
                raise self._waiting(error) from error
            time.sleep(random.uniform(0, 0.02 * 2 ** min(attempt, 6)))
        raise WorldError(f"others write to {self.remote.name} all the time", "Try again: nothing is lost")

    def _exchange(self) -> bool:
        """Make both sides equal once; False when somebody else moved something meanwhile."""
        here, said = self._settle()
        there = transport.listing(self.remote)
        self._remember(there)
        wanted = self._plan(here, there, said)
        # Where one name stands for two runs, the annotations may know that one is gone: they come first.
        self._fetch([ref for ref in wanted.receive if ref not in wanted.aside], here, there)
        united = self._unite_notes(there)
        here, said = self._settle()
        wanted = self._plan(here, there, said)
        if wanted.receive:
            self._step_aside(wanted, here)
            self._receive(wanted.receive, there)
            here, said = self._settle()
            if self._plan(here, there, said).receive:
                return False
        return self._send(here, there, said, united)

    def _settle(self) -> tuple[Here, Annotations]:
        """Drop here what is gone, and remember what this clone has."""
        here, known = refs.read(self.workspace.top), memory.load(self.workspace)
        said = index.annotated(self.workspace)
        dropped = plan.drops(here.runs, said.gone, known.obeyed)
        kept = here.kept(said.gone)
        away = {ref: commit for ref, commit in here.runs.items() if commit in kept}
        made = plan.successors(dropped, here.runs, said.gone)
        made = {ref: commit for ref, commit in made.items() if commit not in kept}
        self.account.followed |= set(dropped) - set(away) - set(self.account.told)
        self.account.archived |= set(away)
        dropped.update(away)
        refs.move(self.workspace.top, made, dropped.items())
        left = {ref: commit for ref, commit in here.runs.items() if ref not in dropped} | made
        obeyed = frozenset(pair for pair in said.gone if left.get(pair[0]) != pair[1] or pair in known.obeyed)
        now = Memory(left, obeyed)
        if now != known:
            memory.save(self.workspace, now)
        return Here(left, here.archived, here.others), said

    def _plan(self, here: Here, there: Mapping[str, str], said: Annotations) -> plan.Plan:
        return plan.plan(here.runs, transport.runs_of(there), said.gone, here.kept(said.gone))

    def _step_aside(self, wanted: plan.Plan, here: Here) -> None:
        made = {to: here.runs[ref] for ref, to in wanted.aside.items() if to not in here.runs}
        refs.move(self.workspace.top, made, [(ref, here.runs[ref]) for ref in wanted.aside])
        self.account.aside.update(wanted.aside)

    def _receive(self, lacking: Sequence[str], there: Mapping[str, str], more: Sequence[str] = ()) -> None:
        """Fetch runs by the commits that were listed: Git would look through all refs for each name."""
        specs = [*(f"{there[ref]}:{ref}" for ref in lacking), *more]
        if specs:
            self.tell(Progress(self.label, detail=f"receive {len(specs):,} refs"))
            transport.fetch(self.remote, specs)
        if len(lacking) > runs.LOOSE_LIMIT:
            command.run(self.workspace.top, "pack-refs", "--all")
        self.account.received |= set(lacking)

    def _fetch(self, lacking: Sequence[str], here: Here, there: Mapping[str, str]) -> None:
        """Take all that is lacking here in one call, then the tags that the ledger asks for."""
        beside = [notes.REF, *(f"refs/heads/{branch}" for branch in transport.BRANCHES)]
        self._receive(
            lacking,
            there,
            [f"+{ref}:{self.remote.beside(ref)}" for ref in beside if self._news(ref, here, there)],
        )
        for branch in transport.BRANCHES:
            self._unite_branch(branch, here, there)
        asked = self._asked()
        tags = versions.to_receive(asked, here.others, there)
        transport.fetch(self.remote, [f"{ref}:{ref}" for ref in tags])
        self.account.tags |= {ref.removeprefix(versions.PREFIX) for ref in tags}
        for name in versions.differing(asked, here.others, there):
            self._problem(
                f"the tag {name} here and on {self.remote.name} differ; both stay. See: `provenote verify`"
            )

    def _news(self, ref: str, here: Here, there: Mapping[str, str]) -> bool:
        """Whether the remote's branch (or annotations) holds something that ours does not."""
        its, ours = there.get(ref), here.others.get(ref)
        if its is None or its == ours:
            return False
        return ours is None or not _holds(self.workspace, its, ours)

    def _unite_branch(self, branch: str, here: Here, there: Mapping[str, str]) -> None:
        ref = f"refs/heads/{branch}"
        if not self._news(ref, here, there):
            return
        its = command.resolve(self.workspace.top, self.remote.beside(ref))
        if its is None:
            self._problem(f"{branch} on {self.remote.name} is no branch of commits, so it was left alone")
            return
        try:
            if branch == ledger.GOVERNANCE:
                from provenote.registry import rivals  # read only where two ledgers meet

                rivals.check(self.workspace.top, its)
            Ledger(self.workspace.top, branch).unite(its)
        except Refused as error:
            self._problem(f"{branch} was not exchanged: {error.line}")
            return
        self._branch(branch, "received")

    def _unite_notes(self, there: Mapping[str, str]) -> bool:
        """Take in the remote's annotations; False when they cannot be read, so that ours wait."""
        its = there.get(notes.REF)
        ours = notes.tip(self.workspace.top)
        if its is None or its == ours:
            return True
        beside = self.remote.beside(notes.REF)
        commit = (
            its if ours and _holds(self.workspace, its, ours) else command.resolve(self.workspace.top, beside)
        )
        if commit is None:
            self._problem(f"the annotations on {self.remote.name} cannot be read, so those here wait")
            return False
        self.account.heard += notes.unite(self.workspace.common_dir, commit).received
        return True

    # ------------------------------------------------------------------ giving

    def _send(self, here: Here, there: Mapping[str, str], said: Annotations, united: bool) -> bool:
        wanted = self._plan(here, there, said)
        now = dict(there)
        offers = [Offer(ref, commit) for ref, commit in wanted.send.items()]
        kept = here.kept(said.gone)
        offers += [Offer(ref, new, old) for ref, (new, old) in wanted.replace.items() if old not in kept]
        told = here.others.get(notes.REF)
        if told is not None and united and told != there.get(notes.REF):
            offers.append(Offer(notes.REF, told))
        if offers:
            self.tell(Progress(self.label, detail=f"send {len(offers):,} refs"))
        new = self._new_annotations(told, there.get(notes.REF)) if offers and told else 0
        answers = self._offer(offers, now)
        self.account.sent |= {ref for ref in answers.taken if ref != notes.REF}
        self.account.said += new if notes.REF in answers.taken else 0
        # A removal is deleted there once it is told there: else another clone would bring it back.
        telling = united and notes.REF not in answers.refused
        # What went into an archive is deleted there once the archive is there: else it would be nowhere.
        safe = here.kept(said.gone, within=[ref for ref, oid in now.items() if here.runs.get(ref) == oid])
        left = [
            Offer(ref, None, old)
            for ref, old in wanted.delete.items()
            if telling and (old not in kept or old in safe)
        ]
        left += [Offer(ref, new, old) for ref, (new, old) in wanted.replace.items() if old in safe]
        answers.add(self._clear([each for each in left if each.new is None], now))
        raced = set(answers.raced)
        rest = [each for each in left if now.get(each.ref) == each.old and each.ref not in raced]
        answers.add(self._offer(rest, now))
        self.account.cleared |= set(wanted.delete) & set(answers.taken)
        self.account.sent |= set(wanted.replace) & set(answers.taken)
        for branch in transport.BRANCHES:
            answers.add(self._send_branch(branch, here, there, now))
        if now != there:
            self._remember(now)
        self.account.waiting = answers.refused
        return not answers.raced

    def _send_branch(self, branch: str, here: Here, there: Mapping[str, str], now: dict[str, str]) -> Answers:
        """Give one append-only branch, and with governance the tags that it asks for: all or none."""
        ref = f"refs/heads/{branch}"
        tip = here.others.get(ref)
        its = there.get(ref)
        offers = []
        if tip is not None and tip != its and (its is None or _holds(self.workspace, its, tip)):
            offers.append(Offer(ref, tip))
        if branch == ledger.GOVERNANCE and tip is not None and (offers or tip == its):
            tags = versions.to_send(self._asked(), here.others, there)
            offers = [*(Offer(tag, oid) for tag, oid in sorted(tags.items())), *offers]
        answers = self._offer(offers, now, together=True)
        if ref in answers.refused and len(offers) > 1:  # where only a bot may tag, the ledger still goes
            alone = self._offer([each for each in offers if each.ref == ref], now)
            if ref in alone.taken:
                del answers.refused[ref]
            answers.add(alone)
        if ref in answers.taken:
            self._branch(branch, "sent")
        self.account.tags |= {
            tag.removeprefix(versions.PREFIX) for tag in answers.taken if tag.startswith(versions.PREFIX)
        }
        return answers

    def _clear(self, deletes: list[Offer], now: dict[str, str]) -> Answers:
        """Delete very many refs in one push; where the remote takes none such, they are left for `_offer`."""
        if len(deletes) <= clearing.MANY or not self.remote.named:
            return Answers()
        self.tell(Progress(self.label, detail=f"delete {len(deletes):,} refs"))
        wanted = [each.ref for each in deletes]
        if not clearing.clear(self.remote, now, wanted):
            moved = transport.runs_of(transport.listing(self.remote)) != transport.runs_of(now)
            return Answers(raced=wanted if moved else [])
        for each in deletes:
            now.pop(each.ref, None)
        return Answers(taken=wanted)

    def _offer(self, offers: list[Offer], now: dict[str, str], *, together: bool = False) -> Answers:
        answers = give(self.remote, offers, together=together)
        by_ref = {each.ref: each.new for each in offers}
        for ref in answers.taken:
            new = by_ref[ref]
            if new is None:
                now.pop(ref, None)
            else:
                now[ref] = new
        return answers

    # ------------------------------------------------------------------ small things

    def _asked(self) -> versions.Asked:
        own = Ledger(self.workspace.top)
        tip = own.tip()
        return versions.asked(own, tip) if tip else versions.Asked()

    def _branch(self, branch: str, how: str) -> None:
        before = self.account.branches.get(branch)
        self.account.branches[branch] = how if before in (None, how) else "sent and received"

    def _problem(self, text: str) -> None:
        if text not in self.account.problems:
            self.account.problems.append(text)

    def _new_annotations(self, told: str, its: str | None) -> int:
        known = its if its and _holds(self.workspace, its, told) else None
        return len(notes.ids(self.workspace.top, told).keys() - notes.ids(self.workspace.top, known).keys())

    def _remember(self, there: Mapping[str, str]) -> None:
        kept = {ref: oid for ref, oid in there.items() if not ref.startswith(versions.PREFIX)}
        memory.remember(self.workspace, self.remote.slug, self.remote.name, self.remote.url, kept)

    def _waiting(self, error: Unreachable) -> WorldError:
        """Say what waits here, and that it is safe."""
        seen = memory.seen(self.workspace, self.remote.slug)
        there = seen.refs if seen else {}
        here = refs.read(self.workspace.top)
        wait = [ref for ref, oid in here.runs.items() if there.get(ref) != oid]
        branches = [f"refs/heads/{branch}" for branch in transport.BRANCHES]
        wait += [ref for ref in branches if ref in here.others and here.others[ref] != there.get(ref)]
        told = here.others.get(notes.REF)
        count = self._new_annotations(told, there.get(notes.REF)) if told else 0
        what = accounts.waiting(wait, count)
        if what == "nothing":
            return Unreachable(f"{error.what}; nothing of this clone waits", "Try again: `provenote sync`")
        one = len(wait) + count == 1
        safe = f"{what} {'waits' if one else 'wait'} here, nothing is lost"
        return Unreachable(
            f"{error.what}; {safe}", f"{'It goes' if one else 'They go'} with the next `provenote sync`"
        )


def _holds(workspace: Workspace, commit: str, of: str) -> bool:
    """Whether ``commit`` is known here and in the history of ``of``."""
    return command.run(workspace.top, "merge-base", "--is-ancestor", commit, of).returncode == 0
