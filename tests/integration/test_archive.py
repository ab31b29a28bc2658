"""Old runs leave their refs for archives, and come back: with real Git, two clones, kills and a full disk."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clones import Clone, Team, git, make_team, refs_of, team_in

import provenote
from provenote import sharing
from provenote.cli import main
from provenote.errors import UsageError, WorldError
from provenote.git import command, objects
from provenote.keeping import archive as archiving
from provenote.sharing import clearing, transport
from provenote.sharing import refs as shared_refs
from provenote.stores import archives, index, runs
from provenote.workspace import Workspace, find

ALL = 4e12
"""A time after every run."""


@pytest.fixture
def team(tmp_path: Path, make_repo: Callable[[Path], Path]) -> Team:
    return make_team(tmp_path, make_repo)


def log(*labels: str) -> dict[str, str]:
    """Finish runs; return their commits by name."""
    made = {}
    for label in labels:
        with provenote.track(label) as run:
            run.log(acc=1)
        made[str(run.name)] = str(run.commit)
    return made


def names(place: Workspace, *, archived: bool | None = None) -> list[str]:
    rows = index.rows(place, everything=True)[0]
    return sorted(row.name for row in rows if archived in (None, row.archived))


def all_refs(folder: Path) -> dict[str, str]:
    out = git(folder, "for-each-ref", "--format=%(refname) %(objectname)", "refs/exps", archives.REF)
    return dict(line.split() for line in out.splitlines())


def put_away(clone: Clone, **options: Any) -> archiving.Moved:
    return archiving.archive(clone.place, before=ALL, **options)


# ---------------------------------------------------------------------- one clone


def test_old_runs_leave_dvc_and_stay_with_us(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = log("one", "two", "three")
    before = refs_of(repo)
    assert main(["archive", "--older-than", "0s"]) == 0
    assert "3 runs archived" in capsys.readouterr().out
    assert refs_of(repo) == {}
    place = find()
    assert names(place, archived=True) == sorted(made)
    for name, commit in made.items():
        row = index.find(place, name)
        assert (row.commit, row.archived, row.metrics) == (commit, True, {"acc": 1})
    assert main(["runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == []
    assert main(["runs", "-A", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 3
    told = subprocess.run(["dvc", "exp", "list", "--all"], cwd=repo, capture_output=True, text=True)
    assert not any(name in told.stdout for name in made)
    git(repo, "reflog", "expire", "--expire=now", "--all")
    git(repo, "gc", "-q", "--prune=now")
    assert names(place) == sorted(made)
    git(repo, "fsck", "--strict")
    assert main(["show", next(iter(made))]) == 0
    assert main(["restore", next(iter(made))]) == 0
    assert main(["compare", *list(made)[:2]]) == 0

    assert main(["unarchive", *made]) == 0
    assert refs_of(repo) == before
    assert names(place, archived=False) == sorted(made)
    assert archives.listing(repo) == {}


def test_what_somebody_holds_stays(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = log("starred", "pinned", "version", "plain", "marked")
    by = {name.rsplit("-", 1)[0]: name for name in made}
    assert (
        main(["star", by["starred"]]) == main(["pin", by["pinned"]]) == main(["archive", by["marked"]]) == 0
    )
    git(repo, "tag", "-a", "-m", "v", "provenote=bike@v1.0.0", made[by["version"]])
    with provenote.track("going") as going:
        capsys.readouterr()
        assert main(["archive", "--older-than", "0s", "--dry-run", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert sorted(told["would_archive"]) == sorted([by["plain"], by["marked"]])
        assert told["spared"] == {"starred": 1, "pinned": 1, "of a model version": 1}
        assert len(refs_of(repo)) == 5
        assert main(["archive", "--older-than", "0s"]) == 0
        assert sorted(ref.rsplit("/", 1)[1] for ref in refs_of(repo)) == sorted(
            [by["starred"], by["pinned"], by["version"]]
        )
    assert going.name in names(find(), archived=False)
    assert main(["unarchive", by["marked"]]) == 0
    assert by["marked"] in names(find(), archived=False)


def test_only_old_runs_go(repo: Path) -> None:
    made = log("young")
    place = find()
    assert archiving.archive(place, before=time.time() - 3600).choice.rows == ()
    assert main(["archive", "--older-than", "1h"]) == 0
    assert names(place, archived=False) == sorted(made)


@pytest.mark.parametrize("words", [["--older-than", "soon"], ["--dry-run"], ["x", "--older-than", "1d"], []])
def test_what_makes_no_sense_is_refused(repo: Path, words: list[str]) -> None:
    assert main(["archive", *words]) == 2


def test_hostile_names_survive_the_way_and_back(repo: Path) -> None:
    commits = log(*["x"] * 4)
    base = git(repo, "rev-parse", "HEAD").strip()
    wild = ["<b>&\u202e", "x'\"$(rm)`", "ä" * 90, "-rf"]
    for name, (old, commit) in zip(wild, commits.items(), strict=True):
        git(repo, "update-ref", runs.ref_name(base, name), commit)
        git(repo, "update-ref", "-d", runs.ref_name(base, old))
    before = refs_of(repo)
    archiving.archive(find(), before=ALL)
    assert names(find(), archived=True) == sorted(wild) and refs_of(repo) == {}
    archiving.unarchive(find(), index.rows(find(), everything=True)[0])
    assert refs_of(repo) == before


def test_a_run_of_two_names_keeps_both_and_a_taken_name_is_not_taken(repo: Path) -> None:
    ((name, commit),) = log("one").items()
    base = git(repo, "rev-parse", "HEAD").strip()
    git(repo, "update-ref", runs.ref_name(base, "other"), commit)
    archiving.archive(find(), before=ALL)
    assert len(names(find())) == 1
    ((_, later),) = log("two").items()
    git(repo, "update-ref", runs.ref_name(base, "other"), later)
    archiving.unarchive(find(), [index.find(find(), commit)])
    there = refs_of(repo)
    assert there[runs.ref_name(base, name)] == commit
    assert there[runs.ref_name(base, "other")] == later
    assert there[runs.ref_name(base, f"other-{commit[:7]}")] == commit


def test_an_archive_holds_up_to_a_thousand(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LIMIT", 2)
    made = log(*"abcde")
    moved = archiving.archive(find(), before=ALL)
    assert len(moved.archives) == 3 == len(archives.listing(repo))
    assert names(find(), archived=True) == sorted(made)
    for ref in archives.listing(repo):
        lines = git(repo, "show", f"{ref}:runs").splitlines()
        parents = git(repo, "log", "-1", "--format=%P", ref).split()
        assert 1 <= len(lines) <= 2 and sorted(line.split()[0] for line in lines) == parents


def test_what_is_no_archive_is_overlooked(repo: Path) -> None:
    made = log("one")
    head = git(repo, "rev-parse", "HEAD").strip()
    blob = git(repo, "hash-object", "-w", "--stdin", given="x").strip()
    git(repo, "update-ref", f"{archives.REF}/junk", head)
    git(repo, "update-ref", f"{archives.REF}/blob", blob)
    assert names(find()) == sorted(made)
    tree = git(repo, "mktree", given=f"100644 blob {blob}\truns\n").strip()
    (commit,) = made.values()
    nameless = git(repo, "commit-tree", "-p", commit, "-m", "x", tree).strip()
    git(repo, "update-ref", f"{archives.REF}/nameless", nameless)
    git(repo, "update-ref", "-d", next(iter(refs_of(repo))))
    assert names(find(), archived=True) == [commit[:12]]
    archiving.unarchive(find(), [index.find(find(), commit)])
    assert list(refs_of(repo)) == [runs.ref_name(head, commit[:12])]


# ---------------------------------------------------------------------- faults


def test_a_run_that_moves_meanwhile_is_looked_at_again(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log("a", "b")
    true = shared_refs.move
    calls: list[Any] = []

    def late(folder: Path, made: Any, dropped: Any) -> None:
        elements = list(dropped)
        if not calls:
            calls.append(elements[0])
            git(repo, "update-ref", "-d", elements[0][0])
        true(folder, made, elements)

    monkeypatch.setattr(shared_refs, "move", late)
    moved = archiving.archive(find(), before=ALL)
    assert len(moved.choice.rows) == 1 == len(archives.listing(repo))
    assert len(names(find(), archived=True)) == 1


def test_a_full_disk_leaves_every_run_where_it_was(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = log(*"abc")
    before = all_refs(repo)
    monkeypatch.setattr(archives, "LIMIT", 1)
    true = objects.write
    for number in range(1, 12):
        counted = 0

        def full(common_dir: Path, kind: str, content: bytes, at: int = number) -> str:
            nonlocal counted
            counted += 1
            if counted == at:
                raise OSError(28, "No space left on device")
            return true(common_dir, kind, content)

        with monkeypatch.context() as patch:
            patch.setattr(objects, "write", full)
            try:
                archiving.archive(find(), before=ALL)
            except WorldError as error:
                assert "No space left" in error.what
                assert all_refs(repo) == before
                continue
        break
    assert number > 3
    assert names(find(), archived=True) == sorted(made)


def test_a_disk_that_is_really_full(
    tmp_path: Path, make_repo: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("cannot mount a tmpfs here")
    try:
        root = make_repo(place / "project")
        monkeypatch.chdir(root)
        made = log(*"abcdef")
        names(find())
        ballast = place / "ballast"
        outcomes = set()
        for left in (0, 4096, 8192, 16384, 32768, 65536, 131072):
            free = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
            with contextlib.suppress(OSError):  # as much as fits
                ballast.write_bytes(b"x" * max(0, free - left))
            try:
                archiving.archive(find(), before=ALL)
                outcomes.add("archived")
            except WorldError:
                outcomes.add("refused")
            ballast.unlink()
            assert names(find()) == sorted(made)
            git(root, "fsck", "--connectivity-only")
            for row in index.rows(find(), everything=True)[0]:
                archiving.unarchive(find(), [row])
            assert sorted(ref.rsplit("/", 1)[1] for ref in refs_of(root)) == sorted(made)
        assert outcomes == {"archived", "refused"}
    finally:
        monkeypatch.chdir(tmp_path)
        index._open.clear()
        subprocess.run(["umount", "-l", str(place)], check=False)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_repository_that_cannot_be_written(repo: Path) -> None:
    log("a")
    folder = repo / ".git" / "refs" / "provenote"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o555)
    try:
        with pytest.raises(WorldError):
            archiving.archive(find(), before=ALL)
    finally:
        folder.chmod(0o755)


KILLER = """#!/bin/sh
# Stands before git on the PATH: the k-th call kills who made it, before or after Git did its work.
n=$(cat "$KILL_FILE"); n=$((n - 1)); echo $n > "$KILL_FILE"
if [ $n -eq 0 ] && [ "$KILL_WHEN" = before ]; then kill -9 $PPID; exit 1; fi
"$REAL_GIT" "$@"; status=$?
if [ $n -eq 0 ] && [ "$KILL_WHEN" = after ]; then kill -9 $PPID; exit 1; fi
exit $status
"""


@pytest.mark.slow
@pytest.mark.parametrize("words", [["archive", "--older-than", "0s"], ["unarchive", "a", "b", "c"], ["sync"]])
def test_killed_at_each_call_of_git_nothing_is_lost(
    tmp_path: Path, make_repo: Callable[[Path], Path], words: list[str]
) -> None:
    prepared = make_team(tmp_path / "prepared", make_repo)
    made = {prepared.ada.log(label) for label in "abc"}
    prepared.ada.sync()
    prepared.bob.sync()
    if words[0] != "archive":
        put_away(prepared.ada)
    if words[0] == "unarchive":
        prepared.ada.sync()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text(KILLER)
    (tmp_path / "bin" / "git").chmod(0o755)
    counter = tmp_path / "count"
    environment = os.environ | {"REAL_GIT": str(shutil.which("git")), "KILL_FILE": str(counter)}
    environment["PATH"] = f"{tmp_path / 'bin'}{os.pathsep}{environment['PATH']}"
    code = f"import sys; from provenote.cli import main; sys.exit(main({words!r}))"
    deaths = 0
    for number in range(1, 60):
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path / "prepared", folder, symlinks=True)
        counter.write_text(str(number))
        env = environment | {"KILL_WHEN": ("before", "after")[number % 2]}
        fresh = team_in(folder)
        done = subprocess.run([sys.executable, "-c", code], cwd=fresh.ada.root, env=env, capture_output=True)
        assert set(fresh.ada.rows()) == made
        fresh.settle()
        fresh.assert_equal()
        assert set(fresh.ada.rows()) == made and len(fresh.bob.rows()) == 3
        for clone in (fresh.ada, fresh.bob):
            git(clone.root, "fsck", "--connectivity-only")
        shutil.rmtree(folder)
        if done.returncode != -signal.SIGKILL:
            assert done.returncode == 0
            break
        deaths += 1
    assert 3 < deaths < 59


# ---------------------------------------------------------------------- two clones


def test_what_one_archives_leaves_the_remote_and_the_other(team: Team) -> None:
    made = {team.ada.log(label) for label in "abc"}
    team.settle()
    put_away(team.ada)
    told = team.ada.sync()
    assert len(refs_of(team.remote)) == 0 and len(archives.listing(team.remote)) == 1
    assert "sent 1 archive" in told.lines()[0] and not told.told
    heard = team.bob.sync()
    assert "archived elsewhere, so here: 3 runs" in heard.lines() and not heard.followed
    team.assert_equal()
    assert {row.name for row in team.bob.rows().values() if row.archived} == made
    assert sharing.pushed(team.bob.place) == {row.commit: ["origin"] for row in team.bob.rows().values()}
    # And back.
    archiving.unarchive(team.bob.place, [team.bob.rows()[name] for name in made])
    team.bob.sync()
    assert len(refs_of(team.remote)) == 3 and archives.listing(team.remote) == {}
    team.ada.sync()
    team.assert_equal()
    assert not any(row.archived for row in team.ada.rows().values())
    assert archives.listing(team.ada.root) == {}


def test_both_archive_at_once(team: Team) -> None:
    made = {team.ada.log(label) for label in "abc"}
    team.settle()
    mine = {team.bob.log("mine")}
    put_away(team.ada)
    put_away(team.bob)
    team.settle()
    team.assert_equal()
    assert {row.name for row in team.ada.rows().values() if row.archived} == made | mine
    assert refs_of(team.remote) == {} and len(archives.listing(team.remote)) == 2
    archiving.unarchive(team.ada.place, [team.ada.rows()[min(made)]])
    team.settle()
    team.assert_equal()
    assert [name for name, row in team.bob.rows().items() if not row.archived] == [min(made)]


def test_two_bring_back_two_runs_of_one_archive_at_once(team: Team) -> None:
    one, two, three = (team.ada.log(label) for label in "abc")
    put_away(team.ada)
    team.settle()
    archiving.unarchive(team.ada.place, [team.ada.rows()[one]])
    archiving.unarchive(team.bob.place, [team.bob.rows()[two]])
    team.settle()
    team.assert_equal()
    assert {name for name, row in team.ada.rows().items() if row.archived} == {three}
    assert len(refs_of(team.remote)) == 2


def test_one_brings_back_while_the_other_archives_more(team: Team) -> None:
    old = team.ada.log("old")
    put_away(team.ada)
    team.settle()
    new = team.bob.log("new")
    put_away(team.bob)
    archiving.unarchive(team.ada.place, [team.ada.rows()[old]])
    team.settle()
    team.assert_equal()
    assert {name: row.archived for name, row in team.bob.rows().items()} == {old: False, new: True}


def test_a_run_renamed_or_removed_elsewhere_meanwhile(team: Team) -> None:
    one, two = (team.ada.log(label) for label in "ab")
    team.settle()
    team.bob.rename(one, "better")
    team.bob.remove(two)
    put_away(team.ada)
    team.settle()
    team.assert_equal()
    commits = {row.commit: row for row in team.ada.rows().values()}
    assert len(commits) == 2 and all(row.archived for row in commits.values())
    archiving.unarchive(team.ada.place, list(commits.values()))
    team.settle()
    team.assert_equal()
    assert {"better", two} == {ref.rsplit("/", 1)[1] for ref in refs_of(team.remote)}


def test_a_remote_that_takes_no_archive_keeps_its_runs(team: Team) -> None:
    team.ada.log("a")
    team.settle()
    hook = team.remote / "hooks" / "update"
    hook.write_text('#!/bin/sh\ncase "$1" in refs/provenote/archive/*) echo no archives; exit 1;; esac\n')
    hook.chmod(0o755)
    put_away(team.ada)
    told = team.ada.sync()
    assert not told.whole and "no archives" in told.refusals()[0]
    assert len(refs_of(team.remote)) == 1
    hook.unlink()
    assert team.ada.sync().whole
    assert refs_of(team.remote) == {} and len(archives.listing(team.remote)) == 1


def test_a_plain_clone_with_a_new_sync_sees_archived_runs(team: Team) -> None:
    name = team.ada.log("a")
    put_away(team.ada)
    team.ada.sync()
    team.bob.sync()
    assert team.bob.rows()[name].archived
    assert command.resolve(team.bob.root, str(team.bob.rows()[name].commit))


def test_nobody_is_told_of_a_run_that_is_not_archived(repo: Path) -> None:
    log("a")
    with pytest.raises(UsageError):
        index.find(find(), "nothing-like-it")
    assert archiving.unarchive(find(), index.rows(find(), everything=True)[0]) == []


def test_where_a_run_was_pushed_is_shown(
    team: Team, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = team.ada.log("old"), team.ada.log("new")
    monkeypatch.chdir(team.ada.root)
    assert main(["runs"]) == 0
    assert "pushed" not in capsys.readouterr().out
    team.ada.sync()
    late = team.ada.log("late")
    assert main(["runs"]) == 0
    assert "2 of 3 pushed to origin" in capsys.readouterr().out
    assert main(["show", new, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pushed"] == ["origin"]
    assert main(["show", late, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pushed"] == []
    archiving.archive(team.ada.place, before=ALL)
    team.ada.sync()
    capsys.readouterr()
    assert main(["sync", "--status", "--json"]) == 0
    (origin,) = json.loads(capsys.readouterr().out)["remotes"]
    assert (origin["both"], origin["waiting"], origin["only_there"]) == (3, 0, 0)
    assert main(["show", old]) == 0
    assert "pushed to" in capsys.readouterr().out
    assert main(["runs", "-A"]) == 0
    assert "All pushed to origin." in capsys.readouterr().out


def test_loose_refs_of_many_baselines_are_packed(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "LOOSE_LIMIT", 5)
    (first,) = log("first").values()
    packed = repo / ".git" / "packed-refs"
    for number in range(8):  # one run on each of many baselines
        git(repo, "update-ref", runs.ref_name(f"{number:040x}", "plain"), first)
    base = git(repo, "rev-parse", "HEAD").strip()
    runs._pack(repo / ".git", base, everywhere=False)
    assert not packed.exists()
    runs._pack(repo / ".git", base, everywhere=True)
    assert packed.read_text().count("refs/exps/") == 9
    assert len(refs_of(repo)) == 9


# ---------------------------------------------------------------------- very many at once


def many(team: Team, count: int = 30) -> dict[str, str]:
    """Give one run many names, on both sides; return the refs of ada's clone."""
    team.ada.log("a")
    ((ref, commit),) = team.ada.refs().items()
    lines = "".join(f"create {ref}-{number} {commit}\n" for number in range(count))
    git(team.ada.root, "update-ref", "--stdin", given=lines)
    team.settle()
    return team.ada.refs()


def test_very_many_refs_leave_the_remote_in_one_push(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    there = many(team)
    stay = team.bob.log("stays")
    team.bob.sync()
    monkeypatch.setattr(clearing, "MANY", 10)
    true = transport.run
    calls: list[list[str]] = []

    def counted(remote: transport.Remote, *words: str, given: bytes | None = None) -> Any:
        calls.append([word for word in words if word in ("push", "--prune", "--atomic")])
        return true(remote, *words, given=given)

    monkeypatch.setattr(transport, "run", counted)
    put_away(team.ada)
    assert team.ada.sync().cleared == set(there)
    assert calls.count(["push", "--atomic", "--prune"]) == 1
    assert [ref.rsplit("/", 1)[1] for ref in refs_of(team.remote)] == [stay]
    monkeypatch.undo()
    team.settle()
    team.assert_equal()
    assert not list((team.ada.place.home).glob("clearing-*"))


def test_what_moved_on_the_remote_meanwhile_is_not_cleared(team: Team) -> None:
    there = many(team, 3)
    remote = transport.choose(team.ada.root)
    seen = transport.listing(remote)
    moved, *others = sorted(there)
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    other = git(team.remote, *who, "commit-tree", "-m", "x", f"{there[moved]}^{{tree}}").strip()
    git(team.remote, "update-ref", moved, other)
    assert clearing.clear(remote, seen, list(there)) is False
    assert refs_of(team.remote) == {**there, moved: other}
    new = f"{others[0]}-new"
    git(team.remote, "update-ref", moved, there[moved])
    git(team.remote, "update-ref", new, other)  # somebody sends a run that this clone has not seen
    assert clearing.clear(remote, seen, list(there)) is False
    assert new in refs_of(team.remote) and set(there) <= set(refs_of(team.remote))
    assert clearing.clear(remote, transport.listing(remote), others) is True
    assert set(refs_of(team.remote)) == {moved, new}


def test_a_run_that_comes_while_very_many_leave_is_looked_at_again(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(team)
    monkeypatch.setattr(clearing, "MANY", 10)
    name = team.bob.log("late")
    true = clearing.clear
    calls: list[bool] = []

    def meanwhile(*arguments: Any) -> bool:
        if not calls:
            git(team.bob.root, "push", "-q", "origin", team.bob.ref(name))
        calls.append(true(*arguments))
        return calls[-1]

    monkeypatch.setattr(clearing, "clear", meanwhile)
    put_away(team.ada)
    team.ada.sync()
    assert calls == [False, True]
    assert [ref.rsplit("/", 1)[1] for ref in refs_of(team.remote)] == [name]
