"""Events of reviews: which count, what they add up to, and what a rule of the policy makes of them."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import pytest
from ledger_world import NOW, subject
from review_talk import KEYS, Governed, Talk, version

from provenote.errors import Refused
from provenote.registry import event as ledger_event
from provenote.registry import reviewed
from provenote.registry.fold import fold as ledger_fold
from provenote.registry.state import NotReleased, State
from provenote.reviews import anchors, event, notebook_file


def test_a_review_from_start_to_approval() -> None:
    talk = Talk()
    one = talk.start()
    opened = talk.thread(one, "bob")
    talk.say("comment", "alice", one, thread=opened, text="because")
    assert (talk.review(one).state, len(talk.review(one).open_threads)) == ("open", 1)
    talk.vote(one, "carol", "request-changes", why="too deep")
    assert talk.review(one).state == "changes-requested"
    talk.vote(one, "carol")
    assert talk.review(one).state == "open"  # a thread is open
    talk.say("resolve", "bob", one, thread=opened)
    found = talk.review(one)
    assert (found.state, found.threads[0].state, found.threads[0].marked_by) == (
        "approved",
        "resolved",
        "bob",
    )
    assert [comment.text for comment in found.threads[0].comments] == ["why?", "because"]
    talk.say("update", "alice", one, version=version(b"two"))
    found = talk.review(one)
    assert (found.state, [vote.stale for vote in found.votes]) == ("open", [True])
    talk.vote(one, "carol", of=version(b"two"))
    assert talk.review(one).state == "approved"


def test_contradictory_marks_of_two_clones_converge_to_open_in_any_order() -> None:
    talk = Talk()
    one = talk.start()
    opened = talk.thread(one, "bob")
    here, there = Talk(talk.files), Talk(talk.files)
    here.say("resolve", "alice", one, thread=opened)
    first = here.say("resolve", "carol", one, thread=opened)
    here.vote(one, "carol")
    there.say("unresolve", "bob", one, thread=opened)
    there.vote(one, "carol", "request-changes", why="wait")
    merged = list({**here.files, **there.files}.items())
    rng = random.Random(3)
    seen = set()
    for _ in range(5):
        rng.shuffle(merged)
        seen.add(repr(Talk(dict(merged)).review(one)))
    assert len(seen) == 1
    both = Talk(dict(merged))
    assert both.review(one).threads[0].state == "open"
    assert both.review(one).state == "changes-requested"  # of two votes given at once
    both.say("resolve", "bob", one, thread=opened)  # who has seen both decides
    assert both.review(one).threads[0].state == "resolved"
    assert first in both.book().events


def test_only_its_author_edits_or_deletes_what_was_said() -> None:
    talk = Talk()
    one = talk.start()
    opened = talk.thread(one, "bob", "hte typo")
    forged = talk.say("edit", "carol", one, target=opened, text="I love it")
    gone = talk.say("delete", "mallory", one, target=opened)
    talk.say("edit", "bob", one, target=opened, text="the typo")
    assert "only who said" in talk.why_not(forged)
    assert "only who said" in talk.why_not(gone)
    comment = talk.review(one).threads[0].comments[0]
    assert (comment.text, comment.edited, comment.deleted) == ("the typo", True, False)
    talk.say("delete", "bob", one, target=opened)
    found = talk.review(one)
    assert (found.threads[0].comments[0].text, found.threads[0].comments[0].deleted) == ("", True)
    assert found.open_threads == ()  # taken back: it holds nothing up


def test_an_unknown_key_is_told_as_such_and_counts_for_nothing() -> None:
    talk = Talk()
    one = talk.start()
    spam = talk.thread(one, "bob", "looks good", key=KEYS["mallory"])
    mine = talk.thread(one, "bob")
    talk.say("resolve", "mallory", one, thread=mine)
    talk.vote(one, "carol", key=KEYS["mallory"])
    talk.say("update", "mallory", one, version=version(b"evil"))
    found = talk.review(one)
    shown = {thread.id: thread for thread in found.threads}
    assert [thread.id for thread in found.open_threads] == [mine]
    assert not shown[spam].known
    assert shown[spam].comments[0].by.startswith("unknown key SHA256:")
    assert shown[spam].comments[0].by.endswith("(says bob)")
    assert (found.state, found.votes[0].known, found.head) == ("open", False, version())


def test_what_does_not_count_is_refused_with_its_reason() -> None:
    talk = Talk()
    one, other = talk.start(at=NOW - 60), talk.start(at=NOW - 60)  # before the rest, whatever their names are
    opened = talk.thread(one, "bob", at=NOW - 30)
    forged = talk.say("comment", "bob", one, key=KEYS["alice"], anchor={}, text="x")
    reasons = {
        forged: "but the key is alice's",
        talk.say("comment", "bob", one, thread="0" * 64, text="x"): "had not seen",
        talk.say("comment", "bob", other, thread=opened, text="x", prev=[opened]): "had not seen",
        talk.say(
            "comment", "bob", other, thread=opened, text="x", prev=sorted([opened, other])
        ): "no thread of",
        talk.say("vote", "bob", one, decision="approve", version=version(), prev=[]): "had not seen",
        talk.say("resolve", "bob", one, thread=opened, prev=["f" * 64]): "which is not here",
        talk.say("comment", "bob", one, anchor={}, text="x", at=NOW + 3_600): "from the future",
        talk.say("comment", "bob", one, anchor={}, text="x", at=NOW - 3_600): "older than what",
        talk.say("comment", "bob", opened, anchor={}, text="x", prev=[opened]): "about no review",
    }
    for name, reason in reasons.items():
        assert reason in talk.why_not(name), reason
    assert len(talk.book().events) == 3


def test_each_file_has_one_form() -> None:
    talk = Talk()
    one = talk.start()
    path, content = next(iter(talk.files.items()))
    line, _, armor = content.partition(b"\n")

    def refused(content: bytes, name: str | None = None) -> str:
        with pytest.raises(Refused) as caught:
            event.parse(name or hashlib.sha256(content).hexdigest(), content)
        return caught.value.what

    assert event.parse(one, content).id == one
    assert "name is not the hash" in refused(content, "0" * 64)
    assert refused(content.replace(b"\n", b"\r\n"))
    spaced = json.dumps(json.loads(line)).encode() + b"\n"
    assert "canonical" in refused(spaced + KEYS["alice"].sign(spaced, event.NAMESPACE))
    doubled = line[:-1] + b',"zzz":1,"zzz":2}\n'
    assert "canonical" in refused(doubled + KEYS["alice"].sign(doubled, event.NAMESPACE))
    assert refused(line + b"\n" + KEYS["alice"].sign(line + b"\n", ledger_event.NAMESPACE))  # of the ledger
    assert refused(line.replace(b"Fit", b"Fat") + b"\n" + armor)
    assert path.startswith("e/")


def test_fields_are_bounded_and_paths_stay_inside_and_names_have_no_look_alikes() -> None:
    talk = Talk()
    one = talk.start()
    paths = (
        *(
            "../x.ipynb",
            "/etc/x.ipynb",
            "a//b.ipynb",
            ".git/x.ipynb",
            "a/.GIT/x.ipynb",
            "a/.git /x.ipynb",
            "",
        ),
        *("a\\b.ipynb", "C:x.ipynb", "x.py", "a/./b.ipynb", "x\n.ipynb", "x" * 2_000 + ".ipynb"),
    )
    for path in paths:
        with pytest.raises(Refused):
            talk.start(of=version(path=path))
        with pytest.raises(Refused):
            talk.say("review", "alice", title="t", path=path, version=version())
    for name in ("b\u043eb", "Bob", "bob\u200b", "bob\n", "", "b" * 200):  # the first one's o is Cyrillic
        with pytest.raises(Refused):
            talk.say("comment", name, one, key=KEYS["bob"], anchor={}, text="x")
    bad: tuple[dict[str, Any], ...] = (
        {"text": "x" * 9_000}, {"text": ""}, {"text": 1}, {"text": "x", "thread": "a" * 64},
        {"text": "x", "anchor": {"cell": "c"}},
    )  # fmt: skip
    for body in bad:
        with pytest.raises(Refused):
            talk.thread(one, "bob", **body)
    with pytest.raises(Refused):
        talk.vote(one, "bob", "maybe")
    with pytest.raises(Refused):
        talk.say("suggestion", "bob", one, anchor={}, cell="c", old="short", source="x")
    with pytest.raises(Refused):
        talk.say("comment", "bob", one, anchor={}, text="x", prev=[f"{n:064x}" for n in range(501)])
    with pytest.raises(Refused):
        talk.say("suggestion", "bob", one, anchor={}, cell="c", old="a" * 64, source="\u20ac" * 29_000)


# ---------------------------------------------------------------------- a suggestion's way into the file


def notebook(*sources: Any, indent: int | None = 1, ids: bool = True) -> bytes:
    cells = [
        {"cell_type": "code", "source": source, "metadata": {}, **({"id": f"c{n}"} if ids else {})}
        for n, source in enumerate(sources)
    ]
    return (json.dumps({"cells": cells, "nbformat": 4}, indent=indent, ensure_ascii=False) + "\n").encode()


@pytest.mark.parametrize("indent", [1, 4, None])
def test_a_suggestion_changes_its_cell_and_no_other_byte(indent: int | None) -> None:
    before = notebook(["é = 1\n", "b = 2"], ["x = 1\n", "y = 2"], "z = '\\u0041'", indent=indent)
    after, cell = notebook_file.replaced(before, "c1", anchors.digest("x = 1\ny = 2"), "x = 3\n\ny = '€'")
    assert cell == 1
    assert after == notebook(
        ["é = 1\n", "b = 2"], ["x = 3\n", "\n", "y = '€'"], "z = '\\u0041'", indent=indent
    )
    again, _ = notebook_file.replaced(after, "c2", anchors.digest("z = '\\u0041'"), "")
    assert json.loads(again)["cells"][2]["source"] == ""
    windows = before.replace(b"\n", b"\r\n")
    changed, _ = notebook_file.replaced(windows, "c1", anchors.digest("x = 1\ny = 2"), "x = 3\n\ny = '€'")
    assert changed == after.replace(b"\n", b"\r\n")


def test_a_suggestion_for_another_source_is_refused() -> None:
    old = anchors.digest("x = 1")
    for content in (
        notebook("x = 2"), notebook("x = 1 "),
        notebook("y", "x = 1").replace(b'"c0"', b'"c9"').replace(b"x = 1", b"x"),
        notebook("x = 1", "x = 1", ids=False), b"no notebook", b"\xef\xbb\xbf" + notebook("x = 1"),
        notebook("x = 1").replace(b'"metadata"', b'"source": "y", "metadata"'),
        notebook("x = 1").replace(b'"nbformat"', b'"cells": [], "nbformat"'),
    ):  # fmt: skip
        with pytest.raises(Refused):
            notebook_file.replaced(content, "c0", old, "x = 5")
    moved, cell = notebook_file.replaced(notebook("x = 1", ids=False), "c0", old, "x = 5")
    assert (cell, json.loads(moved)["cells"][0]["source"]) == (0, "x = 5")


# ---------------------------------------------------------------------- the policy's rule


def test_a_rule_asks_for_an_approved_notebook_without_open_threads() -> None:
    world = Governed()
    asked = world.asked()
    assert world.lacks(asked) == {"reviews"}
    one = world.talk.start("alice", world.of())
    world.talk.vote(one, "alice", of=world.of())  # the author's own
    world.talk.vote(one, "carol", of=world.of())  # no ds
    assert world.lacks(asked) == {"reviews"}
    opened = world.talk.thread(one, "carol")
    world.talk.vote(one, "bob", of=world.of())
    assert world.lacks(asked) == {"reviews"}
    early = world.release(asked, **world.rests())
    assert world.problems(early) == {"reviews"}
    world.talk.say("resolve", "carol", one, thread=opened)
    assert world.lacks(asked) == set()
    released = world.release(asked, **world.rests())
    assert world.problems(released) == set()
    assert world.holds() == "v1.0.0"
    assert world.state().releases.all[released].verdict.reviews.approved == (("bob", world.of().sha256),)  # type: ignore[union-attr]
    world.talk.thread(one, "carol", "too late")  # what is said later undoes nothing
    assert world.holds() == "v1.0.0"
    kept = {path: content for path, content in world.files.items() if not path.startswith("reviews/")}
    with pytest.raises(NotReleased):  # fails closed without the copies
        State(ledger_fold(kept, world.root, world.now, world.held.get)).current(
            ("provenote", "churn", "production")
        )
    assert State(ledger_fold(world.files, world.root, world.now, world.held.get)).current(
        ("provenote", "churn", "production")
    )


def test_an_approval_brings_the_objection_that_its_author_had_seen() -> None:
    world = Governed()
    asked = world.asked()
    one = world.talk.start("carol", world.of())
    world.talk.thread(one, "carol")
    approval = world.talk.vote(one, "bob", of=world.of())
    found = world.release(asked, **world.rests(reviews=[approval]))
    assert world.problems(found) == {"reviews"}  # the open thread came with it
    other = Governed(no_open_threads=False)
    asked = other.asked()
    other.talk = world.talk
    assert other.problems(other.release(asked, **other.rests(reviews=[approval]))) == set()


@pytest.mark.parametrize(
    "vote",
    [
        {"of": {"content": b"another"}, "commit": "b" * 40},  # of another run's notebook
        {"of": {"path": "train.ipynb"}},  # of a file that is not what ran
        {"by": "alice"},
        {"key": KEYS["mallory"]},
        {"project": "f" * 32},
        {"decision": "request-changes"},
    ],
)
def test_a_vote_that_is_not_about_this_notebook_by_such_a_person_does_not_count(vote: dict[str, Any]) -> None:
    world = Governed()
    asked = world.asked()
    one = world.talk.start("carol", world.of())
    wrong = dict(vote)
    of = version(**{"commit": wrong.pop("commit", subject().commit), **wrong.pop("of", {})})
    by = wrong.pop("by", "bob")
    world.talk.vote(one, by, wrong.pop("decision", "approve"), of=of, **wrong)
    assert world.lacks(asked) == {"reviews"}
    assert world.problems(world.release(asked, **world.rests())) == {"reviews"}
    if "decision" not in vote:
        world.talk.vote(one, "bob", of=world.of())
        assert world.lacks(asked) == set()


def test_the_notebook_of_a_run_must_be_the_bytes_that_were_approved(monkeypatch: pytest.MonkeyPatch) -> None:
    opinion = reviewed.Opinion((("bob", hashlib.sha256(b"one").hexdigest()),), (), 0, ())
    held = {"content": b"one"}
    monkeypatch.setattr("provenote.git.command.blobs", lambda folder, names: iter([held["content"]]))
    reviewed.check_notebook(Path(), subject(), opinion)
    for other in (b"two", None):  # as another object of the same SHA-1, or none
        held["content"] = other  # type: ignore[assignment]
        with pytest.raises(Refused):
            reviewed.check_notebook(Path(), subject(), opinion)


def test_reviews_that_cannot_be_read_stop_a_request_and_not_the_registry() -> None:
    world = Governed()
    asked = world.asked()

    def broken() -> dict[str, bytes]:
        raise Refused("the branch provenote-reviews was tampered with")

    found = State(ledger_fold(world.files, world.root, world.now, world.held.get, broken)).promotion(asked)
    assert found is not None
    assert [one.text for one in found.verdict.problems] == ["the branch provenote-reviews was tampered with"]


def test_an_override_waives_reviews_and_is_ratified_with_them() -> None:
    world = Governed()
    asked = world.ask()
    released = world.release(asked, by="boss", override=True, why="outage", **world.rests())
    assert world.problems(released) == set()
    world.now += 90_000
    assert world.problems(released) == {"override"}
    one = world.talk.start("carol", world.of())
    world.talk.vote(one, "bob", of=world.of())
    world.vote(asked, "bob", **world.rests())
    world.vote(asked, "carol", **world.rests())
    assert world.problems(released) == set()


def test_a_stolen_key_approves_only_what_was_released_while_it_was_trusted() -> None:
    world = Governed()
    asked = world.asked()
    one = world.talk.start("carol", world.of())
    world.talk.vote(one, "bob", of=world.of())
    released = world.release(asked, by="ci", **world.rests())
    assert world.problems(released) == set()
    good = world.commit()
    distrust = [{"key": KEYS["bob"].public.fingerprint, "log": good}]
    world.amend(closes=good, distrust=distrust)
    assert world.problems(released) == set()
    second = subject("v1.1.0")
    asked = world.ask(second)
    two = world.talk.start("carol", version(commit=second.commit))
    world.talk.vote(two, "bob", of=version(commit=second.commit))
    assert "reviews" in world.lacks(asked)
