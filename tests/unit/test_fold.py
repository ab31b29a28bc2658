"""Which events count: each test is an attack or a mishap, and the event must not count (or must)."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_world import NOW, Key, World, subject

from provenote.registry import event
from provenote.registry.fold import SKEW
from provenote.stores import eventfile, signatures
from provenote.stores.digest import canonical, sha256_bytes


def put(world: World, content: bytes) -> str:
    """Add a file under the name of its hash, as an attacker with push rights would."""
    name = sha256_bytes(content)
    world.files[f"e/{name[:2]}/{name[2:]}"] = content
    return name


def refused(world: World, name: str) -> str:
    log = world.log()
    assert name not in log.events
    return log.refused[name]


def resigned(world: World, line: bytes, by: str = "alice", namespace: str = event.NAMESPACE) -> str:
    return put(world, line + world.keys[by].sign(line, namespace))


def test_an_honest_event_counts():
    world = World()
    asked = world.ask()
    log = world.log()
    assert log.events[asked].by == "alice" and not log.refused
    assert log.heads == [asked]


def test_two_equal_requests_in_one_second_are_two_events():
    world = World()
    assert world.ask(prev=[]) != world.ask(prev=[])


def test_unknown_key():
    world = World()
    assert "belongs to nobody" in refused(world, world.ask(by="mallory"))


def test_forged_by():
    world = World()
    line = world.line("request", "bob", subject=subject(), stage="production", why="x", authors=[])
    assert "the key is alice's" in refused(world, resigned(world, line))


@pytest.mark.parametrize("namespace", ["git", "file", "provenote-policy@v1", "provenote-join@v1"])
def test_signature_made_for_something_else(namespace):
    world = World()
    line = world.line("request", "alice", subject=subject(), stage="production", why="x", authors=[])
    assert namespace in refused(world, resigned(world, line, namespace=namespace))


def test_other_project():
    world = World()
    assert "another project" in refused(world, world.ask(project="f" * 32))


def test_unknown_policy():
    world = World()
    assert "not in force" in refused(world, world.ask(policy="f" * 64))


def test_content_that_does_not_match_its_name():
    world = World()
    name = world.ask()
    path = f"e/{name[:2]}/{name[2:]}"
    world.files[path] = world.files[path].replace(b"better", b"worse!")
    assert "hash" in refused(world, name)


def test_changed_text_with_the_old_signature():
    world = World()
    content = world.files[f"e/{(name := world.ask())[:2]}/{name[2:]}"]
    assert "does not match" in refused(world, put(world, content.replace(b"better", b"worse!")))


def test_a_missing_predecessor():
    world = World()
    first = world.ask()
    second = world.vote(first, "bob")
    third = world.vote(first, "carol")
    del world.files[f"e/{second[:2]}/{second[2:]}"]
    assert second[:12] in refused(world, third)
    assert first in world.log().events


def test_a_refused_predecessor_does_not_take_honest_ones_along():
    world = World()
    noise = world.ask(by="mallory")
    honest = world.ask(prev=[noise])
    assert honest in world.log().events


def test_from_the_future():
    world = World()
    assert "future" in refused(world, world.ask(at=NOW + SKEW + 1))
    world = World()
    assert world.ask(at=NOW + SKEW) in world.log().events


def test_older_than_what_it_has_seen():
    world = World()
    first = world.ask()
    assert "older" in refused(world, world.vote(first, "bob", at=NOW - SKEW - 1))


def test_older_policy_than_what_it_has_seen():
    world = World()
    old = world.policy
    world.amend()
    later = world.ask()
    name = world.ask(policy=old, prev=[later])
    # No real commit that closes a policy can hold what came after the next one; suppose one did.
    world.held = {commit: ids | {name} for commit, ids in world.held.items()}
    assert "older policy" in refused(world, name)


# ---------------------------------------------------------------------- the one form


def variants(line: bytes) -> list[bytes]:
    text = line.decode()
    return [
        text.replace('":', '": ').encode(),
        text.replace('{"at', '{"why":"x","at', 1).encode(),  # a duplicate key
        text.replace('"v":1', '"v":1.0').encode(),
        text.replace("better", "b\\u0065tter").encode(),
        (text.rstrip("\n") + "\r\n").encode(),
        re.sub(r'^\{("at":"[^"]*"),(.*)\}$', r"{\2,\1}", text.strip()).encode() + b"\n",
        text.replace("better", "\\ud800").encode(),
        b"[" * 30_000 + b"\n",
        b"null\n",
        b"\n",
    ]


@pytest.mark.parametrize("number", range(10))
def test_other_writings_of_a_line(number):
    world = World()
    line = world.line("request", "alice", subject=subject(), stage="production", why="better", authors=[])
    other = variants(line)[number]
    assert other != line
    assert "canonical" in refused(world, resigned(world, other))


def test_other_writings_of_a_signature_make_no_second_event():
    world = World()
    name = world.ask()
    line, _, armored = world.files[f"e/{name[:2]}/{name[2:]}"].partition(b"\n")
    narrow = armored.replace(b"\n", b"\n\n")
    lines = armored.split(b"\n")
    wide = b"\n".join([lines[0], b"".join(lines[1:-2]), *lines[-2:]])
    for other in (narrow, wide, armored.rstrip(b"\n"), b" " + armored, armored + b"\n"):
        assert refused(world, put(world, line + b"\n" + other))
    assert name in world.log().events


def test_a_garbage_signature_does_not_shadow_the_good_event():
    world = World()
    name = world.ask()
    line = world.files[f"e/{name[:2]}/{name[2:]}"].partition(b"\n")[0] + b"\n"
    bad = put(world, line + Key("stranger").sign(line, event.NAMESPACE))
    assert refused(world, bad) and name in world.log().events


def test_too_large():
    world = World()
    assert "larger" in refused(world, world.ask(why="x" * eventfile.LARGEST))


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": True},
        {"nonce": 1},
        {"by": None},
        {"at": "2026-13-01T00:00:00Z"},
        {"at": "today"},
        {"at": "2026-9-1T1:2:3Z"},
        {"at": "2026-09-21T14:13:20Z0"},
        {"at": "2026-09-21T14:13:2٠Z"},
        {"prev": "x"},
        {"prev": ["b" * 64, "a" * 64]},
        {"prev": ["../x"]},
        {"prev": [1]},
        {"prev": [["a"]]},
        {"promotion": "x"},
        {"stage": "../x"},
        {"stage": None},
        {"subject": None},
        {"authors": "alice"},
        {"why": 3},
    ],
)
def test_fields_of_another_form(change):
    world = World()
    line = world.line("request", "alice", subject=subject(), stage="production", why="x", authors=[])
    body = {**json.loads(line), **change}
    assert refused(world, resigned(world, canonical(body)))


@pytest.mark.parametrize(
    "change",
    [
        {"path": "../x"},
        {"model": "a b"},
        {"model": "сhurn"},
        {"version": "1.0.0"},
        {"version": "v01.0.0"},
        {"commit": "HEAD"},
        {"commit": "--all"},
        {"sha256": "0" * 63},
        {"kind": "link"},
        {"trusted": ["b", "a"]},
        {"trusted": ["a", "a"]},
        {"trusted": "os.system"},
        {"trusted": [1]},
        {"commit": 5},
        {"kind": ["file"]},
        {"format": ""},
        {"more": "x"},
        {"version": "v1.0.0\n"},
    ],
)
def test_subjects_of_another_form(change):
    world = World()
    line = world.line("request", "alice", subject=subject(), stage="production", why="x", authors=[])
    body = json.loads(line)
    body["subject"] = {**body["subject"], **change}
    assert refused(world, resigned(world, canonical(body)))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("vote", {"decision": "maybe"}),
        ("check", {"name": "x", "status": "ok"}),
        ("release", {"seq": 0, "supersedes": []}),
        ("release", {"seq": True, "supersedes": []}),
        ("release", {"seq": 1}),
        ("release", {"seq": 1, "supersedes": [], "rollback": 1}),
        ("recall", {"why": "x"}),
        ("comment", {}),
    ],
)
def test_events_without_their_own_fields(kind, body):
    world = World()
    asked = world.ask()
    assert refused(world, world.sign(kind, "bob", **{**world.about(asked), **body}))


@pytest.mark.parametrize("kind", ["vote", "comment", "check", "withdraw", "release"])
def test_events_without_their_promotion(kind):
    world = World()
    about = {**world.about(world.ask()), "promotion": None}
    own = {"decision": "approve", "text": "x", "name": "x", "status": "pass", "seq": 1, "supersedes": []}
    assert "without its promotion" in refused(world, world.sign(kind, "bob", **own, **about))


def test_an_event_of_a_later_release_is_kept_and_means_nothing():
    world = World()
    asked = world.ask()
    later = world.sign("blessing", "bob", **world.about(asked))
    assert later in world.log().events
    assert world.lacks(asked) == {"approvals", "checks"}


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 10_000))
def test_no_damage_crashes_the_reader(noise, place):
    world = World()
    name = world.ask()
    content = world.files[f"e/{name[:2]}/{name[2:]}"]
    spot = place % len(content)
    put(world, content[:spot] + noise + content[spot + len(noise) :])
    put(world, noise)
    log = world.log()
    assert set(log.events) == {name}


# ---------------------------------------------------------------------- the end of a policy's time


def test_a_removed_person_cannot_back_date():
    world = World()
    old = world.policy
    world.ask()
    people = {name: person for name, person in world.document["people"].items() if name != "bob"}
    roles = {**world.document["roles"], "ds": ["alice"], "lead": ["carol"], "releaser": ["ci"]}
    before = world.log().heads
    world.amend(people=people, roles=roles)
    past = {"policy": old, "prev": before, "at": NOW - 100}
    late = world.sign("comment", "bob", promotion=before[0], text="as if before", **past)
    assert "closed" in refused(world, late)


def test_what_the_ledger_held_when_the_policy_ended_stays():
    world = World()
    asked = world.ask()
    world.amend()
    assert asked in world.log().events


def test_an_event_on_its_way_when_the_policy_ended_is_too_late():
    world = World()
    closes = world.commit()
    asked = world.ask()
    world.amend(closes=closes)
    assert "before the event arrived" in refused(world, asked)


def test_the_commit_that_closes_a_policy_is_not_here():
    world = World()
    asked = world.ask()
    world.amend()
    world.held.clear()
    assert "is not here" in refused(world, asked)


def test_a_stolen_key_counts_up_to_the_last_good_commit():
    world = World()
    mine = world.ask()
    good = world.commit()
    stolen = world.ask(subject("v6.6.6"))
    later = world.vote(mine, "bob")
    world.amend(distrust=[{"key": world.keys["alice"].public.fingerprint, "log": good}])
    log = world.log()
    assert mine in log.events and later in log.events
    assert "no longer trusted" in log.refused[stolen]


def test_a_distrusted_key_stays_so_when_a_later_policy_forgets_it():
    world = World()
    good = world.commit()
    stolen = world.ask()
    world.amend(distrust=[{"key": world.keys["alice"].public.fingerprint, "log": good}])
    world.amend(distrust=[])
    assert stolen not in world.log().events


# ---------------------------------------------------------------------- order


def test_the_order_of_files_and_clocks_does_not_matter():
    world = World()
    first = world.ask()
    second = world.vote(first, "bob", at=NOW - SKEW)  # a slow clock
    third = world.vote(first, "carol")
    orders = []
    for files in (world.files, dict(reversed(world.files.items()))):
        world.files = files
        orders.append(list(world.log().events))
    assert orders[0] == orders[1] == [first, second, third]
    log = world.log()
    assert log.before(first, third) and log.before(second, third) and not log.before(third, second)


def test_unknown_files_are_ignored():
    world = World()
    asked = world.ask()
    world.files |= {path: b"- [" for path in ("README.md", "e/zz", "e/ab/short", "policy/x.yaml", "join/1")}
    log = world.log()
    assert set(log.events) == {asked} and not log.refused


def test_the_signature_of_an_event_is_checked_by_its_key_blob():
    world = World()
    name = world.ask()
    line, _, armored = world.files[f"e/{name[:2]}/{name[2:]}"].partition(b"\n")
    assert signatures.verify(line + b"\n", armored, event.NAMESPACE) == world.keys["alice"].public


def test_what_it_has_seen_is_listed_in_one_order():
    world = World()
    heads = sorted([world.ask(prev=[]), world.ask(prev=[])])
    line = json.loads(
        world.line("request", "alice", subject=subject(), stage="production", why="x", authors=[])
    )
    assert line["prev"] == heads
    assert resigned(world, canonical(line)) in world.log().events
    assert "sorted" in refused(world, resigned(world, canonical({**line, "prev": heads[::-1]})))
    assert "sorted" in refused(world, resigned(world, canonical({**line, "prev": [heads[0], heads[0]]})))
