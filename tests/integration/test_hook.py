"""A guarded remote: plain Git as the attacker is refused in one line, and a team's own work passes."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clones import Clone, Team, git, make_team
from ledger_world import Key, World, rule
from registry_desk import Typist

import provenote
from provenote import cli, workspace
from provenote.commands.tree import Context
from provenote.errors import Refused, UsageError
from provenote.registry import acting, chain, event, hook, hook_file, hook_ledger, joining, reading, starting
from provenote.registry.hook_push import Push, Update
from provenote.reviews import event as review_event
from provenote.stores import keys
from provenote.stores.ledger import GOVERNANCE, Ledger

LEDGER = f"refs/heads/{GOVERNANCE}"
STAGE = "refs/tags/provenote=churn#production#1"
VERSION = "refs/tags/provenote=churn@v1.0.0"


class Guarded(Team):
    """A team whose remote is guarded: ada is the owner; mallory pushes with plain Git from bob's clone."""

    @property
    def pen(self) -> Path:
        """Where mallory works."""
        return self.bob.root

    def tip(self) -> str:
        return git(self.remote, "rev-parse", LEDGER).strip()

    def tree(self, files: dict[str, bytes | None], *parents: str, modes: str = "100644") -> str:
        """Commit the first parent's files with these changes in mallory's clone; None deletes one."""
        index = {**os.environ, "GIT_INDEX_FILE": str(self.pen / ".git" / "mallory-index")}

        def run(*words: str, given: bytes | None = None) -> str:
            done = subprocess.run(["git", *words], cwd=self.pen, env=index, input=given, capture_output=True)
            assert done.returncode == 0, done.stderr
            return done.stdout.decode().strip()

        run("read-tree", "--empty")
        if parents:
            run("read-tree", parents[0])
        for path, content in files.items():
            if content is None:
                run("update-index", "--force-remove", path)
            else:
                oid = run("hash-object", "-w", "--stdin", given=content)
                run("update-index", "--add", "--cacheinfo", f"{modes},{oid},{path}")
        named = [word for parent in parents for word in ("-p", parent)]
        return run("commit-tree", run("write-tree"), *named, "-m", "mallory")

    def push(self, *specs: str, atomic: bool = False) -> str:
        """Push with plain Git; return the hook's lines, empty if the push was taken."""
        options = ["--atomic"] if atomic else []
        done = subprocess.run(
            ["git", "push", "-q", *options, "origin", *specs], cwd=self.pen, capture_output=True, text=True
        )
        told = [line for line in done.stderr.splitlines() if "provenote:" in line]
        assert bool(done.returncode) == any("REFUSED" in line for line in told), done.stderr
        return "\n".join(line.removeprefix("remote:").strip() for line in told)

    def add(self, *files: tuple[str, bytes]) -> str:
        """Push a commit that adds files to the ledger."""
        return self.push(f"{self.tree(dict(files), self.tip())}:{LEDGER}")

    def fetch(self) -> None:
        git(self.pen, "fetch", "-q", "origin", "+refs/*:refs/seen/*")

    def event(self, kind: str, key: Any, by: str, **body: Any) -> tuple[str, bytes]:
        """Return an event's file, of the project and the policy in force unless ``body`` says otherwise."""
        found = registry_of(self.ada.root)
        policy = found.log.policy
        head = {
            "project": policy.project,
            "policy": policy.id,
            "prev": found.log.heads,
            "at": int(time.time()),
        }
        head |= {name: body.pop(name) for name in list(body) if name in head}
        line = event.compose(by, head["at"], head["project"], head["policy"], head["prev"], type=kind, **body)
        return event.seal(line, key)


def registry_of(root: Path) -> reading.Registry:
    return reading.read(workspace.find(root))


def inside(root: Path, function: Callable[[], Any]) -> Any:
    old = os.getcwd()
    os.chdir(root)
    try:
        return function()
    finally:
        os.chdir(old)


def run_with_model(root: Path, content: str = "weights") -> str:
    def track() -> str:
        Path("churn.bin").write_text(content)
        with provenote.track("fit") as run:
            run.log_model(Path("churn.bin"), "churn")
        Path("churn.bin").unlink()
        return str(run.name)

    return str(inside(root, track))


def promote(root: Path, **more: Any) -> Any:
    settings = {"to": "production", "why": "better", "confirm": Typist(), "release": True, **more}
    return acting.promote(workspace.find(root), "churn", **settings)


@pytest.fixture
def bare(tmp_path: Path, make_repo) -> Guarded:
    """Two clones and a guarded remote without a ledger."""
    made = make_team(tmp_path / "team", make_repo)
    hook_file.install(str(made.remote))
    return Guarded(made.ada, made.bob, made.remote)


@pytest.fixture
def team(bare: Guarded) -> Guarded:
    """A model is in production, and the guarded remote has all of it."""
    run_with_model(bare.ada.root)
    starting.start_solo(bare.ada.place)
    promote(bare.ada.root)
    account = bare.ada.sync()
    assert not account.waiting and not account.problems
    bare.bob.sync()
    bare.fetch()
    return bare


@pytest.fixture
def mallory(tmp_path: Path) -> Any:
    return keys.make(tmp_path / "mallory_ed25519", "mallory")


# ---------------------------------------------------------------------- what passes


def test_a_team_works_through_a_guarded_remote(team):
    """Promotion, runs, annotations and archives of two clones pass."""
    refs = git(team.remote, "for-each-ref", "--format=%(refname)").split()
    assert {LEDGER, STAGE, VERSION} <= set(refs)
    run = team.bob.log("second", acc=2)
    team.bob.say("star", run)
    team.settle()
    assert run in team.ada.rows()
    team.ada.remove(run)
    team.settle()
    assert run not in team.bob.rows() and run not in "".join(git(team.remote, "for-each-ref").split())
    team.assert_equal()


def test_request_approval_and_release_one_after_the_other(team):
    run_with_model(team.ada.root, "better")
    promote(team.ada.root, release=False)
    assert not team.ada.sync().waiting
    place = team.ada.place
    policy = registry_of(team.ada.root).log.policy
    assert policy.solo
    acting.vote(place, "churn@v1.1.0", "approve", "good", confirm=Typist())
    assert not team.ada.sync().waiting
    acting.release(place, "churn@v1.1.0", "now", confirm=Typist())
    assert not team.ada.sync().waiting
    acting.rollback(place, "churn@v1.0.0", "worse", stage="production", confirm=Typist())
    acting.recall(place, "churn", "broken", stage="production", confirm=Typist())
    account = team.ada.sync()
    assert not account.waiting and not account.problems
    there = git(team.remote, "for-each-ref", "--format=%(refname)", "refs/tags").split()
    assert {f"refs/tags/provenote=churn#production#{number}" for number in (1, 2, 3)} <= set(there)


def test_archives_and_what_leaves_for_them(team):
    runs = [team.ada.log(f"old {number}") for number in range(3)]
    team.settle()
    view, _ = inside(
        team.ada.root, lambda: cli.run(["archive", "--older-than", "0d"], Context(face="terminal"))
    )
    assert view.status == 0
    team.settle()
    there = git(team.remote, "for-each-ref", "--format=%(refname)").split()
    assert any(ref.startswith("refs/provenote/archive/") for ref in there)
    assert not any(ref.endswith(tuple(runs)) for ref in there)
    archive = next(ref for ref in there if ref.startswith("refs/provenote/archive/"))
    assert "never rewritten" in team.push(f"+{git(team.pen, 'rev-parse', 'HEAD').strip()}:{archive}")
    assert "nobody has told" in team.push(f":{archive}")


def test_ordinary_pushes_start_no_python(team):
    """A hook whose Python is gone lets ordinary work through, and nothing that is guarded."""
    file = team.remote / "hooks" / "pre-receive"
    file.write_text(hook_file.script("/nowhere/python"))
    head = git(team.pen, "commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "more").strip()
    assert team.push(f"{head}:refs/heads/main", f"{head}:refs/tags/v2", f"{head}:refs/heads/topic") == ""
    assert team.push(f"{head}:refs/exps/{head[:2]}/{head[2:]}/new-run") == ""
    assert "is gone" in team.push(f":{LEDGER}")
    assert "is gone" in team.push(f"{head}:refs/tags/provenote=x@v1.0.0")


def test_tags_of_other_tools_pass(team):
    assert team.push("HEAD:refs/tags/churn@v1.0.0", "HEAD:refs/tags/other=churn#production#1") == ""


def test_two_clones_push_at_once(team):
    """Of two pushes at once Git takes one; the other clone takes that in and pushes again."""
    names = []

    def work(clone: Any) -> None:
        for _ in range(2):
            clone.sync()

    for clone in (team.ada, team.bob):
        names.append(clone.log(f"at once {len(names)}"))
        clone.say("star", names[-1])
    threads = [threading.Thread(target=work, args=(clone,)) for clone in (team.ada, team.bob)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    team.settle()
    team.assert_equal()
    assert set(names) <= set(team.ada.rows())


def test_the_ledger_and_its_tags_at_once(bare):
    """An atomic push of a ledger, a release and its tags to a remote that has none of them."""
    run_with_model(bare.ada.root)
    starting.start_solo(bare.ada.place)
    promote(bare.ada.root)
    git(bare.ada.root, "push", "-q", "--atomic", "origin", LEDGER, STAGE, VERSION)
    assert git(bare.remote, "rev-parse", f"{STAGE}^{{commit}}") == git(
        bare.ada.root, "rev-parse", f"{STAGE}^{{commit}}"
    )


# ---------------------------------------------------------------------- the ledger


def test_the_ledger_is_never_deleted_nor_rewound(team):
    assert "never deleted" in team.push(f":{LEDGER}")
    first = git(team.pen, "rev-list", "--max-parents=0", team.tip()).strip()
    assert "only grows" in team.push(f"+{first}:{LEDGER}")
    assert "only grows" in team.push(f"+HEAD:{LEDGER}")


@pytest.mark.parametrize("how", ["deleted", "changed", "made a link"])
def test_a_file_of_the_ledger_stays(team, how):
    path = next(path for path in Ledger(team.remote).paths(team.tip()) if path.startswith("e/"))
    content = None if how == "deleted" else b"evil" if how == "changed" else b"/etc/passwd"
    commit = team.tree({path: content}, team.tip(), modes="120000" if how == "made a link" else "100644")
    told = team.push(f"{commit}:{LEDGER}")
    assert ("deletes" if how == "deleted" else "changes") in told and path in told


def test_a_file_that_was_away_for_a_moment(team):
    """The last commit holds everything, but one between had lost a file."""
    path = next(path for path in Ledger(team.remote).paths(team.tip()) if path.startswith("e/"))
    content = subprocess.run(
        ["git", "show", f"{team.tip()}:{path}"], cwd=team.pen, capture_output=True, check=True
    ).stdout
    gone = team.tree({path: None}, team.tip())
    assert "tampered" in team.push(f"{team.tree({path: content}, gone)}:{LEDGER}")


def test_stray_files_links_and_large_files(team):
    assert "is no file of the ledger" in team.add(("README.md", b"hello"))
    assert "is no file of the ledger" in team.add(("e/ab/short", b"x"))
    assert "larger than" in team.add(("policy/2-0123456789ab.yaml", b"x" * 300_000))
    assert "name is not the hash" in team.add((f"join/{'0' * 64}", b"key"))
    link = team.tree({f"join/{'0' * 64}": b"/etc/passwd"}, team.tip(), modes="120000")
    assert "no plain file" in team.push(f"{link}:{LEDGER}")


def test_a_branch_of_something_else(team, monkeypatch):
    """What Git itself would refuse after the hook, the hook refuses too: a tag, a part of a history."""
    tag = git(team.remote, "rev-parse", VERSION).strip()
    with pytest.raises(Refused, match="a tag, not to a commit"):
        hook_ledger.judge(Push(team.remote, (Update(team.tip(), tag, LEDGER),)), None)
    monkeypatch.setenv("GIT_SHALLOW_FILE", "/dev/null")
    with pytest.raises(Refused, match="part of this branch's history"):
        hook_ledger.judge(Push(team.remote, (Update(None, team.tip(), LEDGER),)), None)


def test_forged_events(team, mallory):
    owner = next(iter(registry_of(team.ada.root).log.policy.people))
    path, content = team.event("comment", mallory, owner, promotion="0" * 64, text="hello")
    assert "belongs to nobody" in team.add((path, content))
    assert "does not count" in team.add((path, content.replace(b"hello", b"hallo")))
    assert "does not count" in team.add((path, content.replace(b"\n", b"\r\n")))
    mine = signer(team)
    wrong = team.event("comment", mine, "mallory", promotion="0" * 64, text="x")
    assert "but the key is" in team.add(wrong)
    assert "another project" in team.add(
        team.event("comment", mine, owner, promotion="0" * 64, text="x", project="f" * 32)
    )
    later = int(time.time()) + 10_000
    assert "from the future" in team.add(
        team.event("comment", mine, owner, promotion="0" * 64, text="x", at=later)
    )
    assert "not in force" in team.add(
        team.event("comment", mine, owner, promotion="0" * 64, text="x", policy="e" * 64)
    )
    assert "which is not here" in team.add(
        team.event("comment", mine, owner, promotion="0" * 64, text="x", prev=["d" * 64])
    )
    assert team.add(team.event("comment", mine, owner, promotion="0" * 64, text="mine")) == ""


def test_a_release_that_its_author_may_not_make(team):
    """The right key alone is not enough: the release says it is number 7."""
    found = registry_of(team.ada.root)
    old = next(iter(found.state.releases.good()))
    body = {"promotion": old.event.promotion, "subject": old.subject, "stage": old.stage}
    told = team.add(team.event("release", signer(team), old.event.by, seq=7, supersedes=[], why="x", **body))
    assert "does not hold" in told and "number 7" in told


def test_policies_of_others(team, mallory):
    found = registry_of(team.ada.root)
    text = next(content for path, content in found.files.items() if path.endswith(".yaml"))
    forged = (
        text.replace(b"version: 1", b"version: 2")
        + f"previous: {found.root}\ncloses: {team.tip()}\n".encode()
    )
    files = chain.signed(forged, 2, [mallory])
    assert "not signed by an owner" in team.add(*files.items())
    assert "not signed by an owner" in team.add(
        *[item for item in files.items() if item[0].endswith(".yaml")]
    )
    assert "no owner's signature" in team.add(*[item for item in files.items() if item[0].endswith(".sig")])
    root = chain.signed(text + b"# mine\n", 1, [mallory])
    assert "not signed by an owner" in team.add(*root.items())


def test_another_root(bare, mallory, tmp_path):
    """A remote that was told its root takes no other ledger, whoever is first."""
    run_with_model(bare.ada.root)
    starting.start_solo(bare.ada.place)
    view, _ = cli.run(
        ["guard", "install", str(bare.remote), "--root", f"sha256:{'a' * 64}"], Context(face="terminal")
    )
    assert view.status == 0 and view.data["pinned"]
    commit = git(bare.ada.root, "rev-parse", LEDGER).strip()
    git(bare.pen, "fetch", "-q", str(bare.ada.root), LEDGER)
    assert "does not begin with the pinned policy" in bare.push(f"{commit}:{LEDGER}")
    with pytest.raises(Refused, match="another root"):
        hook_file.install(str(bare.remote), f"sha256:{'b' * 64}")


def test_the_first_ledger_must_hold(bare, mallory):
    assert "does not begin with one policy" in bare.push(
        f"{bare.tree({'.gitattributes': b'* -text' + bytes([10])})}:{LEDGER}"
    )
    assert "is no file of the ledger" in bare.push(f"HEAD:{LEDGER}")
    two = {**chain.signed(b"version: 1", 1, []), **chain.signed(b"another", 1, [])}
    assert "does not begin" in bare.push(f"{bare.tree(two)}:{LEDGER}")


def test_files_of_a_first_ledger(bare):
    made = World()
    wrong = {**made.files, ".gitattributes": b"* text=auto"}
    assert "keeps line ends" in bare.push(f"{bare.tree(wrong)}:{LEDGER}")
    path = next(path for path in made.files if path.endswith(".sig"))
    renamed = {**made.files, f"{path[:-16]}{'0' * 12}.sig": made.files[path]}
    assert "no owner's signature" in bare.push(f"{bare.tree(renamed)}:{LEDGER}")
    assert bare.push(f"{bare.tree(dict(made.files))}:{LEDGER}") == ""


def test_what_bars_or_passes_for_a_guarded_branch(team, bare):
    for ref in (
        "refs/heads/Provenote-Governance",
        f"{LEDGER}/x",
        "refs/heads/PROVENOTE-REVIEWS",
        "refs/Provenote/notes",
    ):
        told = team.push(f"HEAD:{ref}")
        assert "pass for one that is guarded" in told, ref


def test_reviews_only_grow(team):
    def said(text: str) -> tuple[str, bytes]:
        body = {"type": "comment", "review": "a" * 64, "anchor": {}, "text": text}
        return review_event.seal(review_event.compose("bob", int(time.time()), "", [], **body), Key("bob"))

    ref = "refs/heads/provenote-reviews"
    (one, content), (other, more) = said("one"), said("two")
    first = team.tree({one: content})
    assert team.push(f"{first}:{ref}") == ""
    assert "deletes" in team.push(f"{team.tree({one: None, other: more}, first)}:{ref}")
    assert "never deleted" in team.push(f":{ref}")
    assert "no file of a review" in team.push(f"{team.tree({'e/ab/2': b'two'}, first)}:{ref}")
    assert team.push(f"{team.tree({other: more}, first)}:{ref}") == ""


# ---------------------------------------------------------------------- tags


@pytest.mark.parametrize(
    "name",
    [
        "provenote=churn#production#2",
        "provenote=churn@v9.0.0",
        "provenote=churn#production!#2",
        "provenote=churn#production",
        "provenote=churn@v1.0.0!",
        "provenote=churn@deprecated#2",
        "provenote=other#production#1",
        "sub/project/provenote=churn#production#1",
        "Provenote=churn#production#2",
        "provenote/=churn#production#1",
    ],
)
def test_tags_that_nothing_backs(team, name):
    git(team.pen, "tag", "-f", "-a", "-m", "mine", name, "HEAD")
    assert "nothing in the ledger backs" in team.push(f"refs/tags/{name}")


@pytest.mark.parametrize("ref", [STAGE, VERSION])
def test_tags_stay_where_they_are(team, ref):
    assert "the ledger backs this tag" in team.push(f":{ref}")
    name = ref.removeprefix("refs/tags/")
    git(team.pen, "tag", "-f", "-a", "-m", "mine", name, "HEAD")
    assert "the ledger says" in team.push(f"+{ref}")
    assert "no annotated tag" in team.push(f"+HEAD:{ref}")


def test_a_tag_that_lies_about_itself(team):
    """The right commit, but a date that makes GTO take it for the newest, or another name inside."""
    git(team.remote, "update-ref", "-d", STAGE)
    text = git(team.pen, "cat-file", "tag", f"refs/seen/tags/{STAGE.removeprefix('refs/tags/')}")
    for changed, word in (
        (text.replace("> 1", "> 4", 1), "its time"),
        (text.replace("#production#1", "#production#9", 1), "calls itself"),
    ):
        oid = git(team.pen, "hash-object", "-t", "tag", "-w", "--stdin", given=changed).strip()
        assert word in team.push(f"{oid}:{STAGE}"), word
    assert team.push(f"refs/seen/tags/{STAGE.removeprefix('refs/tags/')}:{STAGE}") == ""


def test_tags_without_a_ledger(bare):
    git(bare.pen, "tag", "-a", "-m", "mine", "provenote=churn@v1.0.0", "HEAD")
    assert "no ledger" in bare.push(VERSION)


def test_a_tag_beside_a_ledger_that_does_not_hold(team, mallory):
    """Nothing of the push is taken, and each ref has its line."""
    git(team.pen, "tag", "-a", "-m", "mine", "provenote=churn#production#2", "HEAD")
    commit = team.tree({"x": b"x"}, team.tip())
    told = team.push(f"{commit}:{LEDGER}", "refs/tags/provenote=churn#production#2", "HEAD:refs/heads/fine")
    assert told.count("REFUSED") == 2
    assert "refs/heads/fine" not in git(team.remote, "for-each-ref", "--format=%(refname)").split()


# ---------------------------------------------------------------------- runs and annotations


def test_runs_are_not_rewritten_nor_dropped(team):
    ref = next(iter(team.bob.refs()))
    assert "never rewritten" in team.push(f"+HEAD:{ref}")
    assert "nobody has told" in team.push(f":{ref}")


def test_many_removals_are_looked_up_once(team, monkeypatch):
    """A push of thousands of removals must not read the annotations for each of them."""
    names = [team.bob.log(f"many {number}") for number in range(3)]
    team.settle()
    pairs = [(team.bob.ref(name), team.bob.rows()[name].commit) for name in names]
    for name in names:
        team.ada.remove(name)
    team.ada.sync()
    assert not {ref for ref, _ in pairs} & set(
        git(team.remote, "for-each-ref", "--format=%(refname)").split()
    )
    read: list[str] = []
    changes = Push.changes
    monkeypatch.setattr(
        Push, "changes", lambda push, old, new: (read.append(new), changes(push, old, new))[1]
    )
    updates = [Update(commit, None, ref) for ref, commit in pairs]
    assert hook.check(team.remote, updates, None).refused == [] and len(read) == 1
    other = Update("1" * 40, None, pairs[0][0])
    assert len(hook.check(team.remote, [*updates, other], None).refused) == 1


def test_annotations_only_grow(team):
    name = team.bob.log("noted")
    team.bob.say("star", name)
    team.bob.sync()
    notes = git(team.remote, "rev-parse", "refs/provenote/notes").strip()
    assert "never deleted" in team.push(":refs/provenote/notes")
    assert "only grow" in team.push("+HEAD:refs/provenote/notes")
    path = next(
        line for line in git(team.remote, "ls-tree", "-r", "--name-only", notes).split() if line[0] == "e"
    )
    assert "deletes the annotation" in team.push(f"{team.tree({path: None}, notes)}:refs/provenote/notes")
    assert "changes the annotation" in team.push(f"{team.tree({path: b'x'}, notes)}:refs/provenote/notes")


# ---------------------------------------------------------------------- the hook itself


def test_a_hook_that_was_there_runs_behind(team):
    remote = str(team.remote)
    hook_file.remove(remote)
    hooks = team.remote / "hooks"
    mine = hooks / "pre-receive"
    assert not mine.exists()
    mine.write_text("#!/bin/sh\ncat > seen\ngrep -q topic seen && { echo no topics >&2; exit 1; }\nexit 0\n")
    mine.chmod(0o755)
    before = mine.read_bytes()
    assert hook_file.install(remote).behind
    ours = mine.read_bytes()
    assert hook_file.install(remote).behind and mine.read_bytes() == ours
    head = git(team.pen, "commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "more").strip()
    assert (
        team.push(f"{head}:refs/heads/fine") == "" and "refs/heads/fine" in (team.remote / "seen").read_text()
    )
    refused = subprocess.run(
        ["git", "push", "-q", "origin", f"{head}:refs/heads/topic"], cwd=team.pen, capture_output=True
    )
    assert refused.returncode and b"no topics" in refused.stderr
    (team.remote / "seen").unlink()
    assert "never deleted" in team.push(f":{LEDGER}") and not (team.remote / "seen").exists()
    assert hook_file.remove(remote).state == "not installed"
    assert mine.read_bytes() == before and not (hooks / hook_file.BEHIND).exists()
    with pytest.raises(Refused, match="not ours"):
        hook_file.remove(remote)
    hook_file.install(remote)
    mine.write_bytes(b"#!/bin/sh\n")
    with pytest.raises(Refused, match="is there too"):
        hook_file.install(remote)
    assert mine.read_bytes() == b"#!/bin/sh\n" and (hooks / hook_file.BEHIND).read_bytes() == before


def test_where_it_is_installed(team, tmp_path):
    for place in (str(team.ada.root), str(tmp_path / "nowhere"), str(tmp_path)):
        with pytest.raises(UsageError):
            hook_file.install(place)
    (tmp_path / "shared").mkdir()
    git(team.remote, "config", "core.hooksPath", str(tmp_path / "shared"))
    with pytest.raises(Refused, match="others use too"):
        hook_file.install(str(team.remote))
    assert not list((tmp_path / "shared").iterdir())


def test_status_tells_what_is_trusted(team):
    def status() -> Any:
        return cli.run(["guard", "status", str(team.remote)], Context(face="terminal"))[0]

    found = registry_of(team.ada.root)
    assert status().data["root"] == f"sha256:{found.root}" and status().data["pinned"] is False
    hook_file.install(str(team.remote), f"sha256:{found.root}")
    assert status().data["pinned"] and status().status == 0
    (team.remote / "hooks" / "pre-receive").chmod(0o644)
    assert status().status == 1 and status().data["state"] == "switched off"
    cli.run(["guard", "remove", str(team.remote)], Context(face="terminal"))
    assert status().status == 1 and status().data["state"] == "not installed"


def test_a_ledger_that_does_not_hold_is_not_guarded(team):
    hook_file.remove(str(team.remote))
    with pytest.raises(Refused):
        hook_file.install(str(team.remote), f"sha256:{'a' * 64}")
    assert hook_file.status(str(team.remote)).state == "not installed"


def test_replacements_deceive_nobody(team):
    """Neither one that is pushed, nor one that is there from before the guard."""
    other = team.tree({"e/ab/x": b"x"}, team.tip())
    assert "another object" in team.push(f"{other}:refs/replace/{team.tip()}")
    policy = next(path for path in Ledger(team.remote).paths(team.tip()) if path.endswith(".yaml"))
    evil = git(team.pen, "hash-object", "-w", "--stdin", given="version: 1\n").strip()
    git(team.pen, "update-ref", "refs/heads/evil", team.tree({"x": b"version: 1\n"}))
    assert team.push("refs/heads/evil") == ""
    git(team.remote, "update-ref", f"refs/replace/{Ledger(team.remote).paths(team.tip())[policy]}", evil)
    git(team.remote, "update-ref", f"refs/replace/{team.tip()}", git(team.pen, "rev-parse", "evil").strip())
    assert "never deleted" in team.push(f":{LEDGER}")
    assert "only grows" in team.push(f"+evil:{LEDGER}")
    owner = next(iter(registry_of(team.ada.root).log.policy.people))
    assert team.add(team.event("comment", signer(team), owner, promotion="0" * 64, text="mine")) == ""


def test_the_settings_of_the_pusher_count_for_nothing(team, monkeypatch):
    monkeypatch.setenv("PROVENOTE_ROOT", f"sha256:{'a' * 64}")
    monkeypatch.setenv("PYTHONPATH", str(team.pen))
    (team.pen / "provenote.py").write_text("raise SystemExit(0)")
    assert "never deleted" in team.push(f":{LEDGER}")


def test_a_line_that_git_never_gives():
    with pytest.raises(Refused):
        hook.parse("a b refs/heads/x\n")
    zero, one = "0" * 40, "1" * 40
    (update,) = hook.parse(f"{zero} {one} refs/heads/x y\n")
    assert update.old is None and update.new == one and update.ref == "refs/heads/x y"


def signer(team: Guarded) -> Any:
    """Return ada's key."""
    place = team.ada.place
    owners = registry_of(team.ada.root).log.policy.owners
    return next(one for one in keys.candidates(place.top, place.home) if one.public in owners)


# ---------------------------------------------------------------------- a policy of two owners


@pytest.fixture
def world(bare: Guarded) -> World:
    """A ledger of several people, of whom two owners of three sign policies, on the guarded remote."""
    made = World()
    assert (
        bare.push(f"{bare.tree({'.gitattributes': b'* -text' + bytes([10]), **made.files})}:{LEDGER}") == ""
    )
    return made


def sent(bare: Guarded, world: World) -> str:
    """Push what the world has made since."""
    there = Ledger(bare.remote).paths(bare.tip())
    told = bare.add(*[(path, content) for path, content in world.files.items() if path not in there])
    if "REFUSED" in told:
        for path in [path for path in world.files if path not in there]:
            del world.files[path]
    return told


def amend(bare: Guarded, world: World, *owners: str, **changes: Any) -> None:
    world.held[bare.tip()] = frozenset(name for path in world.files if (name := event.event_id(path)))
    world.amend(*owners, closes=bare.tip(), **changes)


def test_people_of_a_policy_act(bare, world):
    world.released()
    assert sent(bare, world) == "" and world.holds() == "v1.0.0"


def test_releases_without_approval_or_right(bare, world):
    asked = world.ask()
    world.vote(asked, "bob")
    world.check(asked)
    assert sent(bare, world) == ""
    world.release(asked)
    assert "does not hold" in (told := sent(bare, world)) and "risk" in told
    world.vote(asked, "carol")
    world.release(asked, by="alice")
    assert "alice may not release" in sent(bare, world)
    world.vote(asked, "carol")
    world.release(asked)
    assert sent(bare, world) == ""


def test_a_rejection_that_the_releaser_had_not_seen(bare, world):
    """Two people act at once: what contests a release is no lie of its author, so both arrive."""
    asked = world.approved()
    assert sent(bare, world) == ""
    heads = world.log().heads
    world.vote(asked, "carol", "reject", why="no", prev=heads)
    assert sent(bare, world) == ""
    world.release(asked, prev=heads)
    assert sent(bare, world) == ""
    with pytest.raises(Refused):
        world.holds()


def test_a_next_policy_waits_for_its_owners(bare, world):
    """Signed by one of two it is a proposal; signed by nobody of them it is refused."""
    before = dict(world.files)
    amend(bare, world, "own1", roles={**world.document["roles"], "lead": ["alice"]})
    proposed = {path: content for path, content in world.files.items() if path not in before}
    assert sent(bare, world) == ""
    assert len(hook_ledger.judge(Push(bare.remote, ()), None).log.policies) == 1
    text = next(content for path, content in proposed.items() if path.endswith(".yaml"))
    world.files |= chain.signed(text, 2, [world.owners["own2"]])
    assert sent(bare, world) == ""
    assert len(hook_ledger.judge(Push(bare.remote, ()), None).log.policies) == 2


def test_two_next_policies(bare, world):
    old, document = world.policy, dict(world.document)
    amend(bare, world, rules=[])
    assert sent(bare, world) == ""
    world.policy, world.document = old, document
    amend(bare, world, "own2", "own3", roles={**document["roles"], "lead": ["alice"]})
    assert "two policies claim to be number 2" in sent(bare, world)


def test_a_policy_that_closes_at_another_ledger(bare, world):
    world.amend(closes="c" * 40)
    assert "closes the one before at a commit that is not here" in sent(bare, world)


def test_what_came_too_late_is_taken_and_told(bare, world):
    first = world.policy
    amend(bare, world, roles={**world.document["roles"], "lead": ["alice"]})
    assert sent(bare, world) == ""
    world.ask(policy=first)
    assert "1 event came after" in (told := sent(bare, world)) and "REFUSED" not in told


def test_departed_members_and_stolen_keys_add_nothing(bare, world):
    first, people = world.policy, dict(world.document["people"])
    del people["alice"]
    stolen = [{"key": world.keys["carol"].public.fingerprint, "log": bare.tip()}]
    roles = {**world.document["roles"], "ds": ["bob"]}
    amend(bare, world, people=people, roles=roles, distrust=stolen)
    assert sent(bare, world) == ""
    world.ask(policy=first)
    assert "nobody has any more" in sent(bare, world)
    world.ask(by="carol", policy=first)
    assert "nobody has any more" in sent(bare, world)
    world.ask(by="alice")
    assert "belongs to nobody" in sent(bare, world)
    world.ask(by="carol")
    assert "REFUSED" in sent(bare, world)


def test_tags_of_paths_that_the_policy_speaks_of(bare):
    made = World(rule(path="teams/*"), rule())
    assert bare.push(f"{bare.tree(dict(made.files))}:{LEDGER}") == ""
    git(bare.pen, "tag", "-a", "-m", "x", "teams/one=churn@v1.0.0", "HEAD")
    assert "nothing in the ledger backs" in bare.push("refs/tags/teams/one=churn@v1.0.0")
    git(bare.pen, "tag", "-a", "-m", "x", "elsewhere=churn@v1.0.0", "HEAD")
    assert bare.push("refs/tags/elsewhere=churn@v1.0.0") == ""


def test_floods(bare, world, monkeypatch):
    monkeypatch.setattr(hook_ledger, "EVENTS", 3)  # here for the call below; the remote has its own
    for _ in range(4):
        world.sign("comment", "alice", promotion="0" * 64, text="x")
    new = [(path, content) for path, content in world.files.items() if path.startswith("e/")]
    commit = bare.tree(dict(new), bare.tip())
    git(bare.remote, "fetch", "-q", str(bare.pen), f"{commit}:refs/heads/x")
    push = Push(bare.remote, (Update(bare.tip(), commit, LEDGER),))
    with pytest.raises(Refused, match="4 events in one push"):
        hook_ledger.judge(push, None)
    joins = {f"join/{hashlib.sha256(bytes([n])).hexdigest()}": bytes([n]) for n in range(21)}
    assert "21 newcomers" in bare.add(*joins.items())
    assert "by nothing that holds" in bare.add(*list(joins.items())[:20])


def test_newcomers_ask(bare, world, mallory):
    log = world.log()
    line = joining.compose(log, "dora", "Dora", "dora@example.org", world.now)
    assert bare.add(joining.seal(line, mallory)) == ""
    other = dataclasses.replace(log.policy, project="e" * 32)
    foreign = dataclasses.replace(log, policies=(other,))
    told = bare.add(joining.seal(joining.compose(foreign, "dora", "", "", world.now), mallory))
    assert "belongs to another project" in told


def test_a_repository_of_sha256(tmp_path):
    for words in (["remote.git", "--bare"], ["pen"]):
        git(tmp_path, "init", "-q", "--object-format=sha256", "-b", "main", *words)
    git(tmp_path / "pen", "remote", "add", "origin", "../remote.git")
    for name in ("author", "committer"):
        git(tmp_path / "pen", "config", f"{name}.name", "m")
        git(tmp_path / "pen", "config", f"{name}.email", "m@example.org")
    pen = Guarded(Clone(tmp_path / "pen"), Clone(tmp_path / "pen"), tmp_path / "remote.git")
    hook_file.install(str(pen.remote))
    made = World()
    assert pen.push(f"{pen.tree(dict(made.files))}:{LEDGER}") == ""
    made.ask()
    assert sent(pen, made) == "" and len(pen.tip()) == 64
    assert "never deleted" in pen.push(f":{LEDGER}")
    assert "deletes" in pen.push(f"{pen.tree({next(iter(made.files)): None}, pen.tip())}:{LEDGER}")
