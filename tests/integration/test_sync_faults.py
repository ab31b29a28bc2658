"""Clones that race, die at any step or are many: nothing is lost, and the next sync goes on."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clones import Clone, Team, git, make_team, refs_of, team_in

from provenote.errors import ProvenoteError, UsageError, WorldError
from provenote.git import command
from provenote.sharing import journey, memory, offers, transport
from provenote.stores import annotating, ledger, runs

# ---------------------------------------------------------------------- races and deaths


def test_a_race_is_run_again(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, theirs = team.ada.log("mine"), team.bob.log("theirs")
    team.ada.say("star", mine)
    team.bob.say("star", theirs)
    true, raced = transport.fetch, []

    def late(remote: transport.Remote, specs: Any) -> None:
        true(remote, specs)
        if remote.folder == team.ada.root and not raced:
            raced.append(1)
            team.bob.sync()  # between Ada's look and her push

    monkeypatch.setattr(transport, "fetch", late)
    assert team.ada.sync().whole
    team.settle()
    team.assert_equal()
    assert all(row.starred for row in team.ada.rows().values()) and len(team.ada.rows()) == 2


def test_a_run_that_vanishes_from_the_remote_between_look_and_fetch(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, other = team.bob.log("gone"), team.bob.log("stays")
    team.bob.sync()
    ref = team.bob.ref(name)
    true, done = transport.listing, []

    def then_gone(remote: transport.Remote) -> dict[str, str]:
        found = true(remote)
        if not done:
            done.append(git(team.remote, "update-ref", "-d", ref))
            git(team.remote, "gc", "-q", "--prune=now")
        return found

    monkeypatch.setattr(transport, "listing", then_gone)
    team.ada.sync()
    assert set(team.ada.rows()) == {other}


def test_a_remote_that_always_moves_is_given_up(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journey, "TRIES", 3)
    monkeypatch.setattr(journey, "give", lambda remote, wanted, **_: offers.Answers(raced=["x"]))
    team.ada.log("a")
    with pytest.raises(WorldError, match="all the time"):
        team.ada.sync()


def test_many_clones_at_once(team: Team, tmp_path: Path) -> None:
    clones = [team.ada, team.bob]
    for number in range(2):
        root = tmp_path / f"more{number}"
        git(tmp_path, "clone", "-q", str(team.remote), str(root))
        git(root, "config", "user.email", f"m{number}@example.org")
        git(root, "config", "user.name", f"m{number}")
        clones.append(Clone(root))
    for number, clone in enumerate(clones):
        for count in range(2):
            clone.say("star", clone.log(f"r{number}-{count}"))
    code = "import sys; from provenote.cli import main; sys.exit(main(['sync']))"
    syncing = [subprocess.Popen([sys.executable, "-c", code], cwd=clone.root) for clone in clones]
    assert [process.wait(180) for process in syncing] == [0] * 4
    for clone in clones:
        clone.sync()
    everything = [clone.rows() for clone in clones]
    assert all(rows == everything[0] for rows in everything) and len(everything[0]) == 8
    assert all(row.starred for row in everything[0].values())


def test_one_clone_syncs_twice_at_once(team: Team) -> None:
    for label in "abc":
        team.ada.log(label)
    errors: list[BaseException] = []

    def go() -> None:
        try:
            team.ada.sync()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=go) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors and len(refs_of(team.remote)) == 3


class Stop(Exception):
    """The end of a process, as a test plays it."""


def work(team: Team) -> None:
    """Leave both clones with something of every kind to tell the other."""
    names = [team.ada.log(label) for label in ("keep", "drop", "name")]
    team.settle()
    team.ada.remove(names[1])
    team.ada.rename(names[2], "renamed")
    team.ada.say("star", names[0])
    ledger.Ledger(team.ada.root).append({"e/a": b"a"}, "event")
    team.bob.say("note", names[0], text="x")
    team.bob.log("bobs")
    ledger.Ledger(team.bob.root).append({"e/b": b"b"}, "event")
    team.bob.sync()


def check_work(team: Team) -> None:
    team.settle()
    team.assert_equal()
    labels = {row.label: row for row in team.bob.rows().values()}
    assert set(labels) == {"keep", "name", "bobs"} and labels["name"].name == "renamed"
    assert labels["keep"].starred and labels["keep"].notes == ["x"]
    assert set(ledger.Ledger(team.ada.root).read().files) >= {"e/a", "e/b"}


def sync_until(team: Team, monkeypatch: pytest.MonkeyPatch, last: int) -> bool:
    """Sync Ada's clone, stopped before its call number ``last`` of Git or write of its memory."""
    true_run, true_write, count = command.run, memory._write, 0

    def stopping(true: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        if count == last:
            raise Stop
        return true(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(command, "run", lambda *a, **o: stopping(true_run, *a, **o))
        patch.setattr(memory, "_write", lambda *a, **o: stopping(true_write, *a, **o))
        try:
            team.ada.sync()
        except Stop:
            return True
    return False


@pytest.mark.slow
def test_stopped_at_each_step_the_next_sync_goes_on(
    tmp_path: Path, make_repo: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = tmp_path / "prepared"
    work(make_team(prepared, make_repo))
    for number in range(1, 200):
        shutil.copytree(prepared, tmp_path / str(number), symlinks=True)
        fresh = team_in(tmp_path / str(number))
        died = sync_until(fresh, monkeypatch, number)
        check_work(fresh)
        shutil.rmtree(tmp_path / str(number))
        if not died:
            break
    assert 20 < number < 199


KILLER = """#!/bin/sh
# Stands before git on the PATH: the k-th call kills who made it, before or after Git did its work.
n=$(cat "$KILL_FILE"); n=$((n - 1)); echo $n > "$KILL_FILE"
if [ $n -eq 0 ] && [ "$KILL_WHEN" = before ]; then kill -9 $PPID; exit 1; fi
"$REAL_GIT" "$@"; status=$?
if [ $n -eq 0 ] && [ "$KILL_WHEN" = after ]; then kill -9 $PPID; exit 1; fi
exit $status
"""


@pytest.mark.slow
def test_killed_at_random_calls_of_git_nothing_is_lost(team: Team, tmp_path: Path) -> None:
    shim = tmp_path / "bin"
    shim.mkdir()
    (shim / "git").write_text(KILLER)
    (shim / "git").chmod(0o755)
    counter = tmp_path / "count"
    work(team)
    chance, deaths = random.Random(4), 0
    environment = os.environ | {"REAL_GIT": str(shutil.which("git")), "KILL_FILE": str(counter)}
    environment["PATH"] = f"{shim}{os.pathsep}{environment['PATH']}"
    for when in ["before", "after"] * 5:
        counter.write_text(str(chance.randrange(2, 30)))
        code = "import sys; from provenote.cli import main; sys.exit(main(['sync']))"
        env = environment | {"KILL_WHEN": when}
        process = subprocess.run(
            [sys.executable, "-c", code], cwd=team.ada.root, env=env, capture_output=True
        )
        deaths += process.returncode == -signal.SIGKILL
    assert deaths > 2
    check_work(team)


def test_any_failing_call_is_an_error_of_ours_or_is_mended(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Git that fails now and then never ends in a traceback of something else."""
    chance = random.Random(1)
    true = command.run

    def flaky(folder: Path, *arguments: str, **options: Any) -> Any:
        if arguments and arguments[0] in ("push", "update-ref", "fetch") and chance.random() < 0.3:
            return subprocess.CompletedProcess(arguments, 128, b"", b"fatal: the disk caught fire\n")
        return true(folder, *arguments, **options)

    work(team)
    monkeypatch.setattr(command, "run", flaky)
    failed = 0
    for _ in range(20):
        try:
            team.ada.sync()
        except ProvenoteError as error:
            failed += 1
            assert "\n" not in str(error)
    assert failed
    monkeypatch.undo()
    check_work(team)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_any_interleaving_of_real_clones_ends_equal(team: Team, seed: int) -> None:
    chance = random.Random(seed)
    removed: set[str] = set()
    made: dict[str, str] = {}
    for number in range(20):
        clone = chance.choice([team.ada, team.bob])
        rows = clone.rows()
        what = chance.choice(["log", "log", "say", "rename", "remove", "undo", "sync", "sync", "pack"])
        if what == "log":
            name = clone.log(f"r{number}")
            made[clone.rows()[name].id] = name
        elif what == "say" and rows:
            word = chance.choice(["star", "unstar", "archive", "tag", "note", "pin"])
            body = {"tag": {"tags": ["t"]}, "note": {"text": f"n{number}"}}.get(word, {})
            clone.say(word, chance.choice(sorted(rows)), **body)
        elif what == "rename" and rows:
            clone.rename(chance.choice(sorted(rows)), f"new{number}")
        elif what == "remove" and rows:
            name = chance.choice(sorted(rows))
            removed.add(rows[name].id)
            clone.remove(name)
        elif what == "undo":
            try:
                annotating.undo(clone.place)
            except UsageError:
                continue
        elif what == "pack":
            git(clone.root, "pack-refs", "--all")
            git(clone.root, "gc", "-q")
        elif what == "sync":
            assert clone.sync().whole
    team.settle()
    team.assert_equal()
    assert set(made) - removed <= {row.id for row in team.ada.rows().values()}


# ---------------------------------------------------------------------- many


def test_a_thousand_runs_take_few_calls(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    name = team.ada.log("seed")
    row = team.ada.rows()[name]
    lines = "".join(
        f"create {runs.ref_name(row.baseline, f'copy-{number}')} {row.commit}\n" for number in range(1_000)
    )
    git(team.ada.root, "update-ref", "--stdin", given=lines)
    calls: list[tuple[str, ...]] = []
    true = command.run
    monkeypatch.setattr(command, "run", lambda folder, *a, **o: calls.append(a) or true(folder, *a, **o))
    team.ada.sync()
    monkeypatch.setattr(command, "run", true)
    assert len(calls) < 40 and sum("ls-remote" in words for words in calls) == 1
    team.bob.sync()
    assert team.bob.refs() == team.ada.refs() == refs_of(team.remote) and len(team.bob.refs()) == 1_001
