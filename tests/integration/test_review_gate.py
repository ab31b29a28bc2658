"""Attacks on reviews where they meet Git: at the hook, at load, and when a release is verified."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gate_desk import LEDGER, RULE, Desk, artifact, commit, desk, git
from ledger_world import subject
from review_talk import Talk, version

from provenote.errors import Refused
from provenote.registry import hook_reviews, verifying
from provenote.registry.load import load
from provenote.stores import digest

REVIEWS = hook_reviews.REF
RULED = {**RULE, "reviews": {"notebooks": 1, "role": "lead"}}


def test_a_push_adds_only_events_that_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = desk(tmp_path)
    talk = Talk()
    one = talk.start()
    first = commit(made.remote, {".gitattributes": b"* -text\n", **talk.files})

    def refused(new: str | None, old: str | None = first) -> list[str]:
        return made.judge(made.update(new, REVIEWS, old=old)).refused

    def told(files: dict[str, Any]) -> str:
        (line,) = refused(commit(made.remote, files, first))
        return line

    def said(by: str = "bob", **more: Any) -> dict[str, bytes]:
        before = dict(talk.files)
        talk.thread(one, by, **more)
        added = {path: content for path, content in talk.files.items() if path not in before}
        talk.files = before
        return added

    assert refused(first, None) == []
    git(made.remote, "update-ref", REVIEWS, first)
    assert refused(commit(made.remote, dict(said("mallory")), first)) == []  # a stranger may speak
    (content,) = said().values()
    for why, files in {
        "no file of a review": {"README.md": b"x"},
        "is not the hash": {f"e/aa/{'b' * 62}": content},
        "larger than 65,536": {f"e/aa/{'b' * 62}": b"x" * 70_000},
        "not in the push": said(prev=["e" * 64]),
        "changes .gitattributes": {".gitattributes": b"* text\n"},
    }.items():
        assert why in told(dict(files)), why
    lines_end = commit(made.remote, {".gitattributes": b"* text\n", **talk.files})
    assert ".gitattributes is not the one" in refused(lines_end, None)[0]
    assert "only grows" in refused(commit(made.remote, dict(said())))[0]
    assert "never deleted" in refused(None)[0]
    monkeypatch.setattr(hook_reviews, "EVENTS", 1)
    assert "2 events in one push" in told({**said(), **said()})
    assert refused(commit(made.remote, {**talk.files, **said(), **said()}), None) == []  # a branch moves here


class Reviewed:
    """A desk whose rule asks for a review, and models that bob reviewed."""

    def __init__(self, folder: Path) -> None:
        self.desk: Desk = desk(folder)
        self.talk = Talk()
        self.desk.world.amend(closes=git(self.desk.root, "rev-parse", LEDGER), rules=[RULED])

    def released(self, model: str, held: bytes | None, approved: bytes = b"one", **body: Any) -> None:
        """Release a model whose run's commit holds a notebook, and whose reviewers approved another or it."""
        made = self.desk
        made.keep(model.encode())
        document = digest.canonical({"artifacts": {model: artifact(model.encode())}, "reads": []})
        files: dict[str, bytes | None] = {"provenote/run.json": document}
        if held is not None:
            files["provenote/executed.ipynb"] = held
        run = commit(made.root, files)
        sha256 = digest.sha256_bytes(model.encode())
        asked = made.world.ask(subject("v1.0.0", model, commit=run, format="file", trusted=(), sha256=sha256))
        made.world.vote(asked, "bob")
        made.world.vote(asked, "carol")
        before = set(self.talk.files)
        one = self.talk.start("carol", version(approved, commit=run))
        vote = self.talk.vote(one, "bob", of=version(approved, commit=run), key=made.world.keys["bob"])
        for path in set(self.talk.files) - before:
            made.world.files[f"reviews/{path[2:]}"] = self.talk.files[path]
        made.world.release(asked, **{"reviews": [vote], "by": "ci", **body})
        made.publish()

    def link(self, model: str) -> tuple[str, str]:
        registry = self.desk.registry
        (key,) = verifying.keys(registry, model)
        found = next(one for one in verifying.verify(registry, key).links if one.name == "reviews")
        return found.state, found.text


def test_a_model_is_loaded_only_with_the_notebook_that_was_approved(tmp_path: Path) -> None:
    made = Reviewed(tmp_path)
    made.released("good", b"one")
    assert Path(str(load("good", folder=made.desk.root))).read_bytes() == b"good"
    assert made.link("good") == ("ok", "provenote/executed.ipynb approved by bob, as it is")
    made.released("swapped", b"two")
    made.released("lost", None)
    made.released("hurried", b"two", by="boss", override=True, why="outage")
    for model, why in (
        ("swapped", "not the one that bob approved"),
        ("lost", "holds no captured notebook"),
        ("hurried", "not the one that bob approved"),
    ):
        with pytest.raises(Refused, match=why):
            load(model, folder=made.desk.root)
        state, text = made.link(model)
        assert state == "broken" and why in text
    made.released("urgent", None, by="boss", override=True, why="outage", reviews=[])
    assert load("urgent", folder=made.desk.root)
    assert made.link("urgent") == ("ok", "not looked at: it was rolled back or released by override")
