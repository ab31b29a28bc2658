"""The stored format: a ledger of version 1 must be read for ever, and the page shows a true piece of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from provenote.registry import event
from provenote.registry.event import TYPES
from provenote.registry.fold import Log, fold
from provenote.registry.state import State

HERE = Path(__file__).parents[1]
OLD = HERE / "data" / "ledger-v1"
PAGE = HERE.parent / "docs" / "reference" / "formats-ledger.md"


def old() -> Log:
    about = json.loads((OLD / "about.json").read_text())
    files = {
        path.relative_to(OLD).as_posix(): path.read_bytes()
        for folder in ("e", "policy")
        for path in (OLD / folder).rglob("*")
        if path.is_file()
    }
    held = {commit: frozenset(ids) for commit, ids in about["held"].items()}
    return fold(files, about["root"], about["now"], held.get)


def test_a_ledger_of_version_1_is_read_whole():
    log = old()
    assert len(log.events) == 17 and not log.refused
    assert [policy.version for policy in log.policies] == [1, 2]
    state = State(log)
    current = state.current(("provenote", "churn", "production"))
    assert current.subject.version == "v1.0.0" and current.seq == 4 and current.event.body["rollback"] is True
    assert state.current(("provenote", "churn", "staging")).event.by == "alice"
    assert [one.subject.version for one in state.releases.good(current.key)] == [
        "v1.0.0",
        "v1.1.0",
        "v1.2.0",
        "v1.0.0",
    ]


def test_the_page_shows_a_true_event():
    line = re.search(r"^\{\"at\".*\}$", PAGE.read_text(encoding="utf-8"), re.M)
    assert line is not None
    name = next(path for path in OLD.rglob("e/*/*") if path.read_text().startswith(line[0]))
    assert event.parse(name.parent.name + name.name, name.read_bytes()).type == "request"


def test_the_page_names_every_type_and_namespace():
    text = PAGE.read_text(encoding="utf-8")
    for word in (*TYPES, "provenote-event@v1", "provenote-policy@v1", "provenote-join@v1"):
        assert f"`{word}`" in text
