"""Annotations without Git: their form, and what a set of them says, whatever its order."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenote.stores import annotation
from provenote.stores.digest import canonical, sha256_bytes
from provenote.stores.eventfile import BadEvent
from provenote.stores.keys import make
from provenote.stores.marks import Annotations, Marks, fold, last_act, ordered
from provenote.stores.signatures import BadSignature

ADA, BOB = "Ada <ada@example.org>", "Bob <bob@example.org>"
REF = f"refs/exps/ab/{'c' * 38}/run-1234"
COMMIT = "d" * 40


def said(kind, *, by=ADA, at=1000, prev=(), runs=("r1",), nonce=None, **body):
    path, content = annotation.seal(annotation.compose(kind, by, at, prev, runs, nonce=nonce, **body))
    return annotation.parse(annotation.event_id(path), content)


# ---------------------------------------------------------------------- one event


def test_an_event_is_read_as_it_was_written():
    event = said("tag", tags=["best", "é"], runs=["r2", "r1", "r2"], at=1_795_000_000)
    assert (event.type, event.by, event.at, event.runs) == ("tag", ADA, 1_795_000_000, ("r1", "r2"))
    assert event.body["tags"] == ["best", "é"] and event.key is None


def test_two_equal_acts_are_two_events():
    assert said("star").id != said("star").id


def test_people_are_told_apart_by_their_mail():
    assert annotation.person("Ada L. <ADA@example.org>") == annotation.person("ada <ada@example.org>")
    assert annotation.person("Ada") == "ada"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda line: line[:-1], "canonical"),
        (lambda line: line.replace(b'":', b'": '), "canonical"),
        (lambda line: line[:-2] + b',"by":"x"}\n', "canonical"),
        (lambda line: b"[]\n", "canonical"),
        (lambda line: b"\xff\n", "canonical"),
        (lambda line: b"", "canonical"),
        (lambda line: line + b"garbage", "signature"),
        (lambda line: canonical({**json.loads(line), "v": 2}), "does not know"),
        (lambda line: canonical({**json.loads(line), "v": True}), "does not know"),
        (lambda line: canonical({**json.loads(line), "runs": ["b", "a"]}), "sorted"),
        (lambda line: canonical({**json.loads(line), "runs": ["../x"]}), "sorted"),
        (lambda line: canonical({**json.loads(line), "prev": ["x"]}), "sorted"),
        (lambda line: canonical({**json.loads(line), "at": "yesterday"}), "no time"),
        (lambda line: canonical({**json.loads(line), "at": "2026-02-31T00:00:00Z"}), "no time"),
        (lambda line: canonical({**json.loads(line), "by": 3}), "lacks"),
        (lambda line: canonical({**json.loads(line), "type": "tag"}), "tags"),
        (lambda line: canonical({**json.loads(line), "type": "note", "text": 3}), "form"),
        (lambda line: canonical({**json.loads(line), "type": "reproduced", "verdict": "yes"}), "form"),
        (lambda line: canonical({**json.loads(line), "type": "removed", "ref": "refs/heads/main"}), "form"),
        (lambda line: line[:-2] + b',"x":"' + b"x" * 70_000 + b'"}\n', "larger"),
    ],
)
def test_what_is_not_exactly_an_event_is_refused(change, why):
    content = change(annotation.compose("star", ADA, 1000, [], ["r1"]))
    with pytest.raises((BadEvent, BadSignature), match=why):
        annotation.parse(sha256_bytes(content), content)


def test_a_changed_file_does_not_bear_its_name():
    path, content = annotation.seal(annotation.compose("star", ADA, 1000, [], ["r1"]))
    with pytest.raises(BadEvent, match="hash"):
        annotation.parse(annotation.event_id(path), content.replace(b"r1", b"r2"))


def test_a_signed_event_names_its_key(tmp_path):
    key = make(tmp_path / "key", "ada")
    path, content = annotation.seal(annotation.compose("star", ADA, 1000, [], ["r1"]), key)
    assert annotation.parse(annotation.event_id(path), content).key == key.public.fingerprint
    line, _, armored = content.partition(b"\n")
    forged = line.replace(b"r1", b"r2") + b"\n" + armored
    with pytest.raises(BadSignature):
        annotation.parse(sha256_bytes(forged), forged)


# ---------------------------------------------------------------------- all of them


def test_each_word_does_what_it_says():
    events = [
        said("star"), said("archive"), said("pin"), said("tag", tags=["best", "old"]),
        said("untag", tags=["given"]), said("note", text="hm"),
        said("reproduced", verdict="identical"), said("invented-later"),
    ]  # fmt: skip
    state = fold(events)
    marks = state.runs["r1"]
    assert (marks.starred, marks.archived, marks.pinned, marks.reproduced) == (True, True, True, "identical")
    assert marks.tagged(["given", "stays"]) == ["stays", "best", "old"] and marks.notes == ("hm",)
    assert set(state.runs) == {"r1"}


def test_a_word_of_a_later_release_marks_nothing():
    assert fold([said("invented-later")]).runs == {}


def test_an_answer_wins_though_its_clock_is_behind():
    first = said("star", at=2000)
    assert not fold([first, said("unstar", at=1, by=BOB, prev=[first.id])]).runs["r1"].starred
    assert fold([first, said("unstar", at=1, by=BOB)]).runs["r1"].starred  # no answer


def test_undo_takes_back_only_ones_own():
    star, other = said("star"), said("tag", by=BOB, tags=["x"])
    back = said("undo", targets=[star.id], prev=[star.id])
    assert fold([star, other, back]).runs == {"r1": Marks(tags={"x": True})}
    foreign = said("undo", by=BOB, targets=[star.id])
    assert fold([star, foreign]).runs["r1"].starred
    assert last_act([star, other, back], ADA) == []
    assert last_act([star, other, back], BOB) == [other]


def test_the_last_act_is_whole():
    both = [said("star", runs=[run], nonce="n1", at=5) for run in ("r1", "r2")]
    older = said("note", text="x", at=1)
    assert {event.id for event in last_act([*both, older], "ada l <ada@example.org>")} == {e.id for e in both}


def test_refs_go_and_come_back():
    removed = said("removed", ref=REF, commit=COMMIT)
    assert fold([removed]).gone == {(REF, COMMIT): None}
    renamed = said("renamed", ref=REF, commit=COMMIT, to=f"{REF}-2", prev=[removed.id])
    assert fold([removed, renamed]).gone == {(REF, COMMIT): f"{REF}-2"}
    revived = said("revived", ref=REF, commit=COMMIT, prev=[removed.id], at=1)
    assert fold([revived, removed]).gone == {}
    undone = said("undo", targets=[removed.id], prev=[removed.id])
    assert fold([removed, undone]).gone  # a ref comes back by standing here again, not by a word


@st.composite
def histories(draw):
    """Events of two people who each see some of what was said before."""
    events = []
    for _ in range(draw(st.integers(0, 12))):
        seen = draw(st.lists(st.sampled_from(events), max_size=3)) if events else []
        kind = draw(
            st.sampled_from(
                ["star", "unstar", "tag", "untag", "note", "archive", "undo", "removed", "revived"]
            )
        )
        body = {}
        if kind in ("tag", "untag"):
            body["tags"] = draw(st.lists(st.sampled_from("abc"), min_size=1, unique=True))
        elif kind == "note":
            body["text"] = draw(st.text(max_size=3).filter(lambda text: text.isprintable()))
        elif kind == "undo":
            body["targets"] = sorted({event.id for event in seen})
        elif kind in ("removed", "revived"):
            body |= {"ref": REF, "commit": COMMIT}
        events.append(
            said(
                kind,
                by=draw(st.sampled_from([ADA, BOB])),
                at=draw(st.integers(0, 5)),
                prev={e.id for e in seen},
                runs=draw(st.lists(st.sampled_from(["r1", "r2"]), min_size=1)),
                **body,
            )  # fmt: skip
        )
    return events


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_in_which_events_came_means_nothing(events, chance: random.Random):
    state = fold(events)
    shuffled = list(events)
    chance.shuffle(shuffled)
    assert fold(shuffled) == state == fold([*shuffled, *events])
    place = {event.id: number for number, event in enumerate(ordered(shuffled))}
    assert all(place[cause] < place[event.id] for event in events for cause in event.prev)
    assert set(state.heads) == {e.id for e in events} - {cause for e in events for cause in e.prev}


@given(histories())
def test_a_state_is_kept_whole(events):
    state = fold(events)
    assert Annotations.from_json(json.loads(json.dumps(state.to_json()))) == state
