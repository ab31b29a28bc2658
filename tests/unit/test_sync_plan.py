"""What an exchange decides, without Git: two clones and a remote as dictionaries, driven by random steps."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenote.sharing import plan
from provenote.sharing.account import Account, waiting
from provenote.sharing.plan import Departure, Plan
from provenote.stores import annotation, notes
from provenote.stores.marks import fold

A, B, C = "a" * 40, "b" * 40, "c" * 40
BASE = f"refs/exps/00/{'0' * 38}/"


def ref(name):
    return BASE + name


# ---------------------------------------------------------------------- single decisions


def test_what_one_side_lacks_goes_there():
    found = plan.plan({ref("x"): A, ref("s"): C}, {ref("y"): B, ref("s"): C}, ())
    assert found == Plan(receive=(ref("y"),), send={ref("x"): A})


def test_what_is_gone_is_deleted_while_it_points_there():
    assert plan.plan({}, {ref("x"): A}, {(ref("x"), A)}) == Plan(delete={ref("x"): A})
    assert plan.plan({}, {ref("x"): B}, {(ref("x"), A)}) == Plan(receive=(ref("x"),))
    assert plan.plan({ref("x"): B}, {ref("x"): A}, {(ref("x"), A)}) == Plan(replace={ref("x"): (B, A)})


def test_the_run_here_steps_aside():
    found = plan.plan({ref("x"): A}, {ref("x"): B}, ())
    assert found == Plan(receive=(ref("x"),), aside={ref("x"): ref(f"x-{A[:7]}")})
    taken = {ref("x"): A, ref(f"x-{A[:7]}"): C}
    assert plan.plan(taken, {ref("x"): B}, ()).aside == {ref("x"): ref(f"x-{A[:8]}")}


def test_archived_runs_leave_without_being_removed():
    assert plan.departures({ref("x"): A}, {}, {A}) == []
    assert plan.plan({}, {ref("x"): A}, (), {A}) == Plan(delete={ref("x"): A})


def test_a_new_name_on_the_same_commit_is_a_renaming():
    known = {ref("x"): A, ref("y"): B, ref("z"): C}
    assert plan.departures(known, {ref("n"): A, ref("z"): C}) == [
        Departure(ref("x"), A, ref("n")), Departure(ref("y"), B),
    ]  # fmt: skip
    swapped = {ref("x"): B, ref("y"): A, ref("z"): C}
    assert plan.departures(known, swapped) == [
        Departure(ref("x"), A, ref("y")),
        Departure(ref("y"), B, ref("x")),
    ]


def test_a_dropped_ref_leaves_its_run_under_the_last_new_name():
    gone = {(ref("x"), A): ref("y"), (ref("y"), A): ref("z")}
    assert plan.successors({ref("x"): A}, {ref("x"): A}, gone) == {ref("z"): A}
    circle = {(ref("x"), A): ref("y"), (ref("y"), A): ref("x")}
    assert plan.successors({ref("x"): A}, {}, circle) == {}


@pytest.mark.parametrize(
    ("refs", "annotations", "words"),
    [
        ([], 0, "nothing"),
        ([ref("x")], 0, "1 run"),
        ([ref("x"), ref("y")], 1, "2 runs and 1 annotation"),
        (
            [ref("x"), notes.REF, "refs/heads/provenote-governance"],
            0,
            "1 run, the annotations and provenote-governance",
        ),
    ],
)
def test_what_waits_is_counted(refs, annotations, words):
    assert waiting(refs, annotations) == words


def test_an_account_says_what_waits():
    account = Account("origin", waiting={ref("x"): "hook declined: no", ref("y"): "hook declined: no"})
    assert account.refusals() == [
        "origin refused (hook declined: no): 2 runs wait here, nothing is lost. Next try: `provenote sync`"
    ]
    assert not account.whole and account.to_json()["whole"] is False


# ---------------------------------------------------------------------- two clones and a remote


@dataclass
class Clone:
    """A clone as an exchange sees it."""

    refs: dict[str, str] = field(default_factory=dict)
    events: dict[str, annotation.Annotation] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    obeyed: set[tuple[str, str]] = field(default_factory=set)
    clock: int = 0

    @property
    def state(self):
        return fold(self.events.values())

    def say(self, kind, **body):
        self.clock += 1
        line = annotation.compose(kind, "x <x@example.org>", self.clock, self.state.heads, [], **body)
        path, content = annotation.seal(line)
        event = annotation.parse(annotation.event_id(path), content)
        self.events[event.id] = event

    def settle(self):
        said = self.state
        dropped = plan.drops(self.refs, said.gone, self.obeyed)
        made = plan.successors(dropped, self.refs, said.gone)
        self.refs = {name: to for name, to in self.refs.items() if name not in dropped} | made
        self.obeyed = {pair for pair in said.gone if self.refs.get(pair[0]) != pair[1] or pair in self.obeyed}
        self.known = dict(self.refs)
        return said


def exchange(clone: Clone, remote: Clone):
    """The journey's steps, in its order; a test may stop between any two."""
    gone = clone.state.gone
    for each in plan.departures(clone.known, clone.refs):
        if (each.ref, each.commit) not in gone:
            kind = "removed" if each.to is None else "renamed"
            clone.say(kind, ref=each.ref, commit=each.commit, to=each.to)
    for name, commit in plan.revivals(clone.refs, gone, clone.obeyed):
        clone.say("revived", ref=name, commit=commit)
    yield
    for _ in range(5):
        said = clone.settle()
        yield
        there = dict(remote.refs)
        wanted = plan.plan(clone.refs, there, said.gone)
        for name, to in wanted.aside.items():
            clone.refs[to] = clone.refs.pop(name)
        yield
        for name in wanted.receive:
            clone.refs[name] = there[name]
        yield
        clone.events |= remote.events
        yield
        said = clone.settle()
        yield
        wanted = plan.plan(clone.refs, there, said.gone)
        if wanted.receive:
            continue
        remote.refs |= wanted.send
        yield
        remote.refs |= {name: new for name, (new, _) in wanted.replace.items()}
        remote.events |= clone.events
        yield
        for name in wanted.delete:
            del remote.refs[name]
        return


WORDS = ("log", "log", "rename", "remove", "bring back", "sync", "sync", "half")


def drive(script):
    """Walk through the steps, let both clones exchange until nothing can be new, and compare."""
    clones, remote = [Clone(), Clone()], Clone()
    made: list[str] = []
    removed: set[str] = set()
    for which, what, one, two, count in script:
        clone = clones[which]
        if what == "log" and one not in clone.refs:
            made.append(f"{len(made) + 1:040x}")
            clone.refs[one] = made[-1]
        elif what == "rename" and one in clone.refs and two not in clone.refs:
            clone.refs[two] = clone.refs.pop(one)
        elif what == "remove" and one in clone.refs:
            removed.add(clone.refs.pop(one))
        elif what == "bring back" and made and one not in clone.refs:
            clone.refs[one] = made[count % len(made)]
        elif what in ("sync", "half"):
            for number, _ in enumerate(exchange(clone, remote)):
                if what == "half" and number == count:
                    break
            else:
                assert clone.refs == remote.refs and clone.events.keys() == remote.events.keys()
    for _ in range(2):
        for clone in clones:
            for _ in exchange(clone, remote):
                pass
    assert clones[0].refs == clones[1].refs == remote.refs
    assert clones[0].events.keys() == clones[1].events.keys() == remote.events.keys()
    assert clones[0].state == clones[1].state
    assert set(made) - removed <= set(remote.refs.values())


names = st.sampled_from("xyz").map(ref)
steps = st.lists(st.tuples(st.sampled_from([0, 1]), st.sampled_from(WORDS), names, names, st.integers(0, 12)))


@settings(max_examples=200, deadline=None)
@given(steps)
def test_any_interleaving_ends_equal_and_loses_no_run_that_nobody_removed(script):
    drive(script)


@pytest.mark.parametrize("seed", range(150))
def test_long_interleavings_end_equal(seed):
    chance = random.Random(seed)
    words = [ref(name) for name in "xyz"[: chance.choice([1, 2, 3])]]
    drive(
        [
            (
                chance.randrange(2),
                chance.choice(WORDS),
                chance.choice(words),
                chance.choice(words),
                chance.randrange(12),
            )
            for _ in range(chance.randrange(4, 40))
        ]
    )
