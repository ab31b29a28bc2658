"""Who attacks a review gets nowhere: forged votes, tampered branches, hostile paths and texts."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import pytest
from clones import git
from ledger_world import Key
from registry_desk import Typist, plain
from test_reviews import FIRST, commit, does, write

from provenote import cli, sharing, workspace
from provenote.commands.tree import Context
from provenote.errors import Refused, UsageError
from provenote.registry import hook, hook_reviews, start_solo
from provenote.registry.hook_push import Update
from provenote.render import html, terminal
from provenote.reviews import acting, desk, event, page
from provenote.reviews.threads import Version
from provenote.stores import keys
from provenote.stores.ledger import REVIEWS, Ledger

MALLORY = Key("mallory")
HOSTILE = "\x1b[31m<script>alert(1)</script>\u202e" + "x" * 300


@pytest.fixture
def alone(repo: Path, home: Path) -> Path:
    """A repository under review, with a bare remote; nobody else is known."""
    keys.make(home / ".ssh" / "id_ed25519", "test")
    write(repo / "train.ipynb", FIRST)
    commit(repo, "train")
    git(repo.parent, "init", "-q", "--bare", "-b", "main", "team.git")
    git(repo, "remote", "add", "origin", str(repo.parent / "team.git"))
    assert "others cannot read it" in str(does(["start", "train.ipynb", "--title", "Early"]).parts)
    git(repo, "push", "-q", "origin", "main")
    git(repo, "update-ref", "-d", f"refs/heads/{REVIEWS}")
    assert "others cannot read it" not in str(does(["start", "train.ipynb", "--title", "Fit"]).parts)
    return repo


def forge(kind: str, by: str = "test", key: Any = MALLORY, prev: list[str] | None = None, **body: Any) -> str:
    """Append an event that our verbs would not make; return its id."""
    here = desk.read(workspace.find())
    if prev is None:
        prev = [] if kind == "review" else here.book.heads(here.find(None))
    if kind != "review":
        body.setdefault("review", here.find(None))
    line = event.compose(by, int(time.time()), "", prev, type=kind, **body)
    path, content = event.seal(line, key)
    here.ledger.append({path: content}, "forged")
    return str(event.event_id(path))


def under_review() -> Version:
    here = desk.read(workspace.find())
    version = here.book.current(here.find(None)).version
    assert version is not None
    return version


def test_forged_votes_and_texts_are_shown_as_what_they_are(alone: Path) -> None:
    forge("vote", version=under_review(), decision="approve")
    forge("comment", anchor={}, text=HOSTILE)
    with pytest.raises(UsageError, match="without words"):
        does(["comment", "Fit", "  "])
    shown = does(["show", "Fit"])
    assert (shown.data["state"], shown.data["open_threads"]) == ("open", 0)
    assert shown.data["votes"][0]["known"] is False
    text = terminal.render(shown, width=120, color=False)
    assert "unknown key SHA256:" in text
    assert "counts for nothing" in text
    assert not {"\x1b", "\u202e"} & set(text)
    for page_text in (html.render(shown), shown.more["html"]()):
        assert "<script>alert" not in page_text
    found = desk.read(workspace.find())
    review = found.review(found.find("Fit"))
    assert "<script>alert" not in page.write(review, None, (alone / "train.ipynb").read_bytes())


def test_a_version_that_its_commit_does_not_hold_is_never_approved(alone: Path) -> None:
    real = under_review()
    evil = b'{"cells": [{"cell_type": "code", "source": "evil()"}], "nbformat": 4}'
    (alone.parent / "evil").write_bytes(evil)
    blob = plain(alone, "git", "hash-object", "-w", str(alone.parent / "evil")).strip()
    mine = keys.open_key(Path.home() / ".ssh" / "id_ed25519")
    swapped = Version(real.path, real.commit, blob, hashlib.sha256(evil).hexdigest(), None, "x")
    forge("update", key=mine, version=swapped)  # a commit that holds another notebook there
    with pytest.raises(Refused, match="does not hold that notebook"):
        does(["approve", "Fit"], Typist())
    lying = Version(real.path, real.commit, real.blob, "0" * 64, None, "x")
    forge("update", key=mine, version=lying)  # bytes that have another hash
    with pytest.raises(Refused, match="not the one that was put under review"):
        does(["approve", "Fit"], Typist())
    gone = Version(real.path, "1" * 40, "2" * 40, "3" * 64, None, "x")
    forge("update", key=mine, version=gone)
    with pytest.raises(UsageError, match="not in this clone"):
        does(["approve", "Fit"], Typist())
    assert does(["show", "Fit"]).data["head"]["commit"] == "1" * 40  # told, though nothing has a place


def test_a_vote_is_refused_when_the_review_changes_while_its_author_decides(alone: Path) -> None:
    def slow(text: str, word: str) -> str:
        write(alone / "train.ipynb", [*FIRST, "more = 1"])
        commit(alone, "more")
        does(["update", "Fit"])
        return word

    with pytest.raises(Refused, match="changed while you decided"):
        cli.run(["review", "approve", "Fit"], Context(face="terminal", confirm=slow))

    def spoken(text: str, word: str) -> str:
        does(["comment", "Fit", "wait"])
        return word

    with pytest.raises(Refused, match="changed while you decided"):
        cli.run(["review", "approve", "Fit"], Context(face="terminal", confirm=spoken))
    assert does(["show", "Fit"]).data["votes"] == ()


def test_a_job_says_nothing_in_a_persons_name(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    thread = does(["comment", "Fit", "why?"]).data["event"]
    monkeypatch.setenv("PROVENOTE_RUN", "0123")
    for words in (
        ["resolve", thread],
        ["comment", "Fit", "fine"],
        ["approve", "Fit"],
    ):
        with pytest.raises(Refused):
            does(words, Typist())
    assert does(["show", "Fit"]).data["open_threads"] == 1


def test_a_suggestion_writes_nothing_through_a_link_nor_for_a_stranger(alone: Path) -> None:
    old = hashlib.sha256(FIRST[1].encode()).hexdigest()
    stranger = forge("suggestion", anchor={}, cell="cell-1", old=old, source="evil()")
    with pytest.raises(Refused, match="only those of known people"):
        does(["apply", stranger[:8]])
    thread = does(["suggest", "Fit", "--cell", "2", "--source", "scale = 3"]).data["event"][:8]
    target = alone / "train.ipynb"
    content = target.read_bytes()
    outside = alone.parent / "outside.ipynb"
    outside.write_bytes(content)
    target.unlink()
    target.symlink_to(outside)
    with pytest.raises(Refused, match="through a link"):
        does(["apply", thread])
    target.unlink()
    with pytest.raises(UsageError, match="no file train.ipynb"):
        does(["apply", thread])
    assert outside.read_bytes() == content
    target.write_bytes(content)
    target.chmod(0o640)
    does(["apply", thread])
    assert target.stat().st_mode & 0o777 == 0o640
    assert b"evil" not in target.read_bytes()
    assert sorted(path.name for path in alone.iterdir() if path.name.startswith(".provenote")) == []


def test_a_branch_that_was_rewritten_is_refused_and_one_that_was_removed_comes_back(alone: Path) -> None:
    place = workspace.find()
    does(["comment", "Fit", "why?"])
    sharing.sync(place)
    remote = alone.parent / "team.git"
    good = git(remote, "rev-parse", REVIEWS).strip()
    git(remote, "update-ref", f"refs/heads/{REVIEWS}", f"{good}~1")  # rewound
    sharing.sync(place)
    assert git(remote, "rev-parse", REVIEWS).strip() == good
    git(remote, "update-ref", "-d", f"refs/heads/{REVIEWS}")
    sharing.sync(place)
    assert git(remote, "rev-parse", REVIEWS).strip() == good
    path = next(path for path in Ledger(alone, REVIEWS).paths(good) if path.startswith("e/"))
    bad = _commit(alone, {path: b"changed"}, good)
    git(alone, "push", "-q", "--force", "origin", f"{bad}:refs/heads/{REVIEWS}")
    told = sharing.sync(place)
    assert "tampered" in f"{told.problems} {told.waiting} {told.aside} {told.branches}"
    assert git(alone, "rev-parse", REVIEWS).strip() == good
    git(alone, "update-ref", f"refs/heads/{REVIEWS}", bad)
    with pytest.raises(Refused, match=f"branch {REVIEWS} was tampered with"):
        does(["list"])


def _commit(root: Path, files: dict[str, bytes | None], parent: str) -> str:
    """Commit the parent's files with these changes, by plain Git."""
    git(root, "read-tree", "--index-output=.git/mallory", parent)
    git_there = ("env", f"GIT_INDEX_FILE={root / '.git' / 'mallory'}", "git")
    for path, content in files.items():
        (root / ".git" / "given").write_bytes(content or b"")
        blob = plain(root, "git", "hash-object", "-w", ".git/given").strip()
        plain(root, *git_there, "update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
    tree = plain(root, *git_there, "write-tree").strip()
    return git(root, "commit-tree", "-p", parent, "-m", "x", tree).strip()


def test_a_guarded_remote_takes_events_that_hold_and_nothing_else(
    alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = git(alone, "rev-parse", REVIEWS).strip()

    def pushed(new: str | None, old: str | None = good) -> list[str]:
        return hook.check(alone, [Update(old, new, hook_reviews.REF)], None).refused

    def event_file(line: bytes, key: Key = MALLORY) -> dict[str, bytes | None]:
        content = line + key.sign(line, event.NAMESPACE)
        name = hashlib.sha256(content).hexdigest()
        return {f"e/{name[:2]}/{name[2:]}": content}

    here = desk.read(workspace.find())
    head = here.book.heads(here.find(None))

    def said(prev: list[str] = head, **body: Any) -> bytes:
        given = {"type": "comment", "review": here.find(None), "anchor": {}, "text": "x", **body}
        return event.compose("eve", int(time.time()), "", prev, **given)

    assert pushed(good, None) == []
    assert pushed(_commit(alone, event_file(said()), good)) == []  # a stranger may speak
    bad: dict[str, dict[str, bytes | None]] = {
        "no file of a review": {"README.md": b"hello"},
        "does not hold": event_file(said().replace(b'{"', b'{ "')),
        "CRLF does not hold": event_file(said().replace(b"\n", b"\r\n")),
        "a field does not hold": event_file(said(anchor={"cell": "x"})),
        "not in the push": event_file(said(prev=["e" * 64])),
        "larger than": {f"e/aa/{'b' * 62}": b"x" * 70_000},
        "changes .gitattributes": {".gitattributes": b"* text=auto\n"},
    }
    for why, files in bad.items():
        found = pushed(_commit(alone, files, good))
        assert found, why
        wanted = why.removeprefix("CRLF ").removeprefix("a field ")
        assert wanted in found[0], found
    alone_commit = git(alone, "commit-tree", "-m", "x", f"{good}^{{tree}}").strip()
    assert "only grows" in pushed(alone_commit)[0]
    assert "never deleted" in pushed(None)[0]
    monkeypatch.setattr(hook_reviews, "EVENTS", 3)
    flood: dict[str, bytes | None] = {}
    for number in range(4):
        flood |= event_file(said(text=f"spam {number}"))
    assert "4 events in one push" in pushed(_commit(alone, flood, good))[0]


def test_the_ledger_takes_no_copy_of_a_review_that_nothing_rests_on(alone: Path) -> None:
    start_solo(workspace.find())
    ledger = Ledger(alone)
    old = ledger.tip()
    path, content = next(iter(Ledger(alone, REVIEWS).read().files.items()))
    if not path.startswith("e/"):
        path, content = list(Ledger(alone, REVIEWS).read().files.items())[-1]
    for files in ({f"reviews/{path[2:]}": content}, {f"reviews/aa/{'b' * 62}": b"x"}):
        new = _commit(alone, dict(files), str(old))
        refused = hook.check(alone, [Update(old, new, hook.LEDGER)], None).refused
        assert "nothing rests on it" in refused[0]


def test_many_events_at_once_stay_readable(alone: Path) -> None:
    here = desk.read(workspace.find())
    name, files = here.find(None), {}
    for number in range(300):
        line = event.compose(
            "eve", int(time.time()), "", [name], type="comment", review=name, anchor={}, text=f"{number}"
        )
        path, content = event.seal(line, MALLORY)
        files[path] = content
    here.ledger.append(files, "flood")
    done = acting.comment(workspace.find(), "Fit", "still here")
    assert len(done.desk.book.events) == 302
    assert len(done.desk.book.events[done.event].prev) == 300
    assert done.desk.review(name).open_threads[0].comments[0].text == "still here"
