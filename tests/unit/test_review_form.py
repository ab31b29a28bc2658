"""Attacks on the form of review events, and on what a rule makes of them: each is refused by its guard."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from ledger_world import NOW, PROJECT, subject
from review_talk import KEYS, Governed, Talk, version

from provenote.errors import Refused
from provenote.registry.fold import fold as ledger_fold
from provenote.reviews import event, fold
from provenote.stores import eventfile
from provenote.stores.digest import canonical

ID = "a" * 64
ANCHOR = {"cell": "c", "type": "code", "target": "source", "index": 0, "sha": "a", "gist": "x"}
VERSION = {
    "path": "provenote/executed.ipynb", "commit": "a" * 40, "blob": "b" * 40, "sha256": "c" * 64,
    "run": "r1", "label": "fit",
}  # fmt: skip
GOOD: dict[str, dict[str, Any]] = {
    "review": {"title": "Fit", "path": "train.ipynb", "version": VERSION, "base": VERSION},
    "update": {"version": VERSION, "base": VERSION},
    "comment": {"anchor": ANCHOR, "text": "x"},
    "suggestion": {"anchor": {}, "cell": "c", "old": ID, "source": "x", "text": "why"},
    "resolve": {"thread": ID},
    "edit": {"target": ID, "text": "x"},
    "delete": {"target": ID},
    "vote": {"decision": "approve", "version": VERSION, "why": "good"},
}
GONE = object()


def read(kind: str, **changes: Any) -> event.Event:
    """Sign an event of a kind, in its form but for these changes, and read it."""
    line = {
        "v": 1, "nonce": "0" * 32, "project": PROJECT, "by": "bob", "at": eventfile.timestamp(NOW),
        "prev": [ID], "review": "d" * 64, "type": kind, **GOOD[kind], **changes,
    }  # fmt: skip
    kept = {name: value for name, value in line.items() if value is not GONE}
    path, content = eventfile.seal(canonical(kept), event.NAMESPACE, KEYS["bob"])
    return event.parse(str(event.event_id(path)), content)


def of(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**VERSION, **changes}.items() if value is not GONE}


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("comment", {"nonce": 5}, "lacks"), ("comment", {"v": 2}, "format"),
    ("comment", {"by": "Bob"}, "no person"),
    *[("comment", {"prev": prev}, "prev") for prev in (5, ["x"], ["b" * 64, ID], [ID, ID])],
    ("comment", {"prev": [f"{number:064x}" for number in range(501)]}, "more than"),
    ("comment", {"review": "x"}, "without its review"),
    *[(kind, {"version": GONE}, "without the version") for kind in ("review", "update", "vote")],
    *[("vote", {"version": value}, "version") for value in ("x", [], of(label=GONE), of(path=5))],
    *[("vote", {"version": of(**{name: "HEAD"})}, "hash") for name in ("commit", "blob", "sha256")],
    *[("vote", {"version": of(**odd)}, "short text")
      for odd in ({"run": 5}, {"run": "x" * 201}, {"label": "x" * 201})],
    ("vote", {"version": of(path="../x.ipynb")}, "path"),
    *[(kind, {"base": of(commit="HEAD")}, "hash") for kind in ("review", "update")],
    *[("review", {"path": path}, "path") for path in (5, "/x.ipynb", "x" * 2_000 + ".ipynb")],
    *[("review", {"title": title}, "form") for title in (5, "x" * 201)],
    *[("comment", {"thread": thread, "anchor": GONE}, "form") for thread in (5, "x")],
    ("comment", {"thread": ID}, "form"), ("comment", {"anchor": GONE}, "form"),
    *[(kind, {"text": text}, "form") for kind in ("comment", "edit") for text in (5, " ", "x" * 8_001)],
    *[("suggestion", odd, "form") for odd in (
        {"anchor": GONE}, {"cell": 5}, {"cell": "x" * 201}, {"source": 5}, {"source": "x" * 30_001},
        {"old": "x"}, {"text": ""},
    )],
    *[(kind, {name: "x"}, "form")
      for kind, name in (("resolve", "thread"), ("edit", "target"), ("delete", "target"))],
    ("vote", {"decision": "maybe"}, "form"), ("vote", {"why": ""}, "form"),
    *[("comment", {"anchor": anchor}, "form") for anchor in (
        [], {"cell": "c"}, *({**ANCHOR, **odd} for odd in (
            {"odd": "x"}, {"sha": 5}, {"index": True}, {"index": -1}, {"line": -1}, {"target": "x"},
            {"before": ["x"] * 9}, {"after": [5]}, {"gist": "x" * 1_501}, {"before": ["x" * 1_501]},
        )),
    )],
]  # fmt: skip


def test_each_kind_has_its_fields_in_their_form() -> None:
    for kind in GOOD:
        assert read(kind).type == kind
    assert read("comment", anchor={**ANCHOR, "before": ["x"], "line": 0}).review == "d" * 64
    for kind, changes, says in BAD:
        with pytest.raises(Refused, match=says):
            read(kind, **changes)
            raise AssertionError(f"taken: a {kind} with {changes}")
    for path in ("\udcff.ipynb", "a/.git./x.ipynb"):  # as a file name that is no UTF-8
        with pytest.raises(Refused, match="no plain path"):
            event.check_path(path)


def test_what_is_said_belongs_to_its_thread_review_and_author() -> None:
    talk = Talk()
    one, other = talk.start(), talk.start()
    opened = talk.thread(one, "bob")
    reply = talk.say("comment", "carol", one, thread=opened, text="x")
    vote = talk.vote(one, "bob")
    both = sorted([vote, other])
    reasons = {
        talk.say("comment", "bob", one, thread=reply, text="x"): "no thread of its review",
        talk.say("edit", "bob", one, target=vote, text="x"): "only who said",
        talk.say("edit", "bob", other, target=opened, text="x", prev=both): "only who said",
        talk.say("delete", "carol", one, target=opened): "only who said",
    }
    for name, reason in reasons.items():
        assert reason in talk.why_not(name)
    after = talk.thread(one, "bob", "after", prev=sorted([vote, *list(reasons)[:1]]))
    assert after in talk.book().events  # one that was refused takes nothing along
    talk.say("delete", "bob", one, target=after)
    found = talk.book()
    assert found.changes(found.events[after]) == (None, True)
    assert (
        fold.fold({**talk.files, "README.md": b"", "e/x": b""}, KEYS.get, NOW).refused.keys()
        == reasons.keys()
    )  # type: ignore[arg-type]


# ---------------------------------------------------------------------- what a rule makes of them


def texts(world: Governed, asked: str) -> list[str]:
    found = world.state().promotion(asked)
    assert found is not None
    return [one.text for one in found.verdict.problems if one.code == "reviews"]


def test_only_reviews_of_this_notebook_by_known_people_have_a_say() -> None:
    world = Governed()
    asked = world.asked()
    assert texts(world, asked) == ["0 of 1 approvals of the run's notebook by the role ds (bob)"]
    elsewhere = world.talk.start("carol", version(commit="b" * 40))
    world.talk.vote(elsewhere, "bob", of=world.of())  # in a review of another notebook
    assert world.lacks(asked) == {"reviews"}
    log = world.log()
    assert log.reviewed.heads(log, subject()) == []
    one = world.talk.start("carol", world.of())
    world.talk.vote(one, "bob", of=world.of())
    world.talk.thread(elsewhere, "carol")
    world.talk.thread(one, "bob", "spam", key=KEYS["mallory"])
    world.talk.start("carol", world.of(), key=KEYS["mallory"])
    assert world.lacks(asked) == set()
    log = world.log()
    heads = log.reviewed.heads(log, subject())
    assert heads == world.talk.book().heads(one)
    world.files |= log.reviewed.copies(heads)
    world.talk.files = {}  # the ledger has them, the branch is gone
    assert world.log().reviewed.copies(heads) == {}
    assert not world.problems(world.release(asked, reviews=heads))


def test_an_objection_is_no_approval_and_outweighs_one() -> None:
    world = Governed(role="releaser", notebooks=2)
    asked = world.asked()
    one = world.talk.start("carol", world.of())
    world.talk.vote(one, "bob", of=world.of())
    world.talk.vote(one, "ci", "request-changes", of=world.of(), key=world.keys["ci"])
    wanted = "changes of the run's notebook are requested by ci"
    assert texts(world, asked) == [
        wanted,
        "1 of 2 approvals of the run's notebook by the role releaser (ci)",
    ]
    enough = Governed(role="releaser")
    enough.talk = world.talk
    assert texts(enough, enough.asked()) == [wanted]


def test_a_branch_that_does_not_hold_names_no_heads() -> None:
    world = Governed()
    world.asked()

    def broken() -> dict[str, bytes]:
        raise Refused("tampered with")

    log = ledger_fold(world.files, world.root, world.now, world.held.get, broken)
    with pytest.raises(Refused, match="tampered with"):
        log.reviewed.heads(log, subject())


def test_events_that_meet_again_and_again_are_looked_at_once() -> None:
    world = Governed()
    asked = world.asked()
    one = world.talk.start("carol", world.of())
    seen = [one]
    for _ in range(24):  # each has seen both before: 2 ** 24 ways lead back
        seen = [world.talk.thread(one, "mallory", "x", prev=sorted(seen)) for _ in range(2)]
    approval = world.talk.vote(one, "bob", of=world.of(), prev=sorted(seen))
    assert not world.problems(world.release(asked, **world.rests(reviews=[approval])))
    assert hashlib.sha256(world.files[f"reviews/{one[:2]}/{one[2:]}"]).hexdigest() == one
