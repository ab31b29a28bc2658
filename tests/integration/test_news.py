"""The audit trail and what is new in the ledger: whole, told once, in nobody's name who did not sign."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from gate_desk import LEDGER, commit, desk, git
from ledger_world import Key, subject

from provenote import workspace
from provenote.errors import Refused
from provenote.registry import audit, joining, news
from provenote.stores.digest import sha256_bytes
from provenote.stores.ledger import Ledger


def test_the_trail_is_complete_and_each_thing_is_told_once(tmp_path: Path) -> None:
    made = desk(tmp_path)
    place = workspace.find(made.root)
    first = news.since(place, None)
    assert len(first["policies"]) == 1 and first["events"] and not first["joins"]
    assert news.since(place, first["ledger"]) == {
        "ledger": first["ledger"],
        "events": [],
        "policies": [],
        "joins": [],
    }
    world, what = made.world, subject("v3.0.0", format="file", trusted=())
    asked = world.ask(what)
    bad = world.ask(what, by="bob", key=Key("mallory"), why="=HYPERLINK('x')")
    garbage = sha256_bytes(b"garbage")
    path, join = joining.seal(joining.compose(world.log(), "dora", "@Dora", "d@x", world.now), Key("dora"))
    more = {path: join, f"join/{'0' * 64}": b"x", f"e/{garbage[:2]}/{garbage[2:]}": b"garbage"}
    Ledger(made.root).append({**world.files, **more}, "x")
    # What another clone signed meanwhile, over what it knew, comes later and is told later.
    theirs = world.sign("comment", "carol", promotion=asked, text="late", prev=[])
    second = news.since(place, first["ledger"])
    rows = {row["id"]: row for row in second["events"]}
    assert set(rows) == {asked, bad, garbage} and rows[asked]["counts"]
    assert not rows[bad]["counts"] and rows[bad]["who"] == "bob"  # what it says, and why it is not so
    assert (
        "belongs to nobody" in rows[bad]["reason"] and rows[bad]["key"] == Key("mallory").public.fingerprint
    )
    assert rows[garbage]["reason"] and rows[garbage]["who"] == ""
    assert [(one["person"], bool(one["reason"])) for one in second["joins"]] == [("dora", False), ("", True)]
    name = f"e/{theirs[:2]}/{theirs[2:]}"
    side = commit(made.root, {name: world.files[name]}, first["ledger"])
    Ledger(made.root).unite(side)
    third = news.since(place, second["ledger"])
    assert [row["id"] for row in third["events"]] == [theirs] and not third["joins"]

    everything = audit.flat(news.since(place, None))
    table = list(csv.DictReader(io.StringIO(audit.as_csv(everything))))
    assert [row["what"] for row in table[:3]] == ["policy", "join", "join"] and len(table) == len(everything)
    assert table[0]["why"] == "the first policy" and table[0]["who"]
    assert {row["why"] for row in table} >= {"'=HYPERLINK('x')", "'@Dora <d@x>"}

    git(made.root, "update-ref", LEDGER, first["ledger"])
    with pytest.raises(Refused, match="does not hold the commit.*rewound"):
        news.since(place, third["ledger"])
    for hostile in ("--help", "HEAD; rm", "0" * 40, ""):
        with pytest.raises(Refused):
            news.since(place, hostile)


def test_what_a_start_says_costs_no_look_at_the_ledger(tmp_path: Path) -> None:
    made = desk(tmp_path)
    place = workspace.find(made.root)
    assert news.told(made.root) is None  # nobody has looked yet
    made.world.ask(subject("v3.0.0", format="file", trusted=()))
    made.publish()
    assert news.remember(made.registry) == (0, 1)
    assert news.told(made.root) is None  # none of the keys here is in the policy
    note = place.home / news.COUNTED
    note.write_text(note.read_text().replace('"mine": 0', '"mine": 2'))
    (made.root / "sub").mkdir()
    assert news.told(made.root / "sub") == "2 requests wait for you: `%inbox`"
    git(made.root, "pack-refs", "--all")
    assert news.told(made.root) == "2 requests wait for you: `%inbox`"
    git(made.root, "worktree", "add", "-q", "--detach", str(tmp_path / "linked"), LEDGER)
    assert news.told(tmp_path / "linked") == "2 requests wait for you: `%inbox`"
    made.world.ask(subject("v4.0.0", format="file", trusted=()))
    made.publish()
    assert "has grown since you looked" in str(news.told(made.root))
    news.remember_reviews(place, None, 1)  # of a branch that is not there
    both = "1 review waits for you, and the governance ledger has grown since you looked: `%inbox`"
    assert news.told(made.root) == both
    news.remember(made.registry)
    assert news.told(made.root) == "1 review waits for you: `%inbox`"
    note.write_text(note.read_text().replace('"mine": 0', '"mine": 1'))
    assert news.told(made.root) == "1 request and 1 review wait for you: `%inbox`"
    git(made.root, "update-ref", "refs/heads/provenote-reviews", LEDGER)
    assert (
        news.told(made.root)
        == "1 request waits for you, and the reviews have grown since you looked: `%inbox`"
    )
    note.write_text(note.read_text().replace('"ledger": "', '"ledger": "0'))
    grown = "The governance ledger and the reviews have grown since you looked: `%inbox`"
    assert news.told(made.root) == grown
    (place.home / news.REVIEWED).write_text("{")
    for damaged in ("", "[]", "{}", '{"ledger": 1, "mine": "x"}', "\x00"):
        note.write_text(damaged)
        assert news.told(made.root) is None
    assert news.told(tmp_path) is None
