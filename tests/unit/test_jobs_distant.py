"""Jobs elsewhere, in parts: what orders say, what verdicts mean, what refs move, what is noted for later."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provenote.git import objects
from provenote.jobs.distant import claims, orders, verdicts
from provenote.jobs.distant.claims import Move
from provenote.jobs.distant.left import Notes
from provenote.jobs.distant.work import Work
from provenote.jobs.folder import JobFolder
from provenote.jobs.outcome import as_error
from provenote.jobs.spec import JobSpec
from provenote.sharing.transport import Unreachable


def answer(verdict: str, **more: object) -> dict[str, object]:
    return {"verdict": verdict, "host": "far", "worker": "tcp://far:1", **more}


def test_a_push_says_where_each_ref_must_be():
    moves = [Move("refs/a", None, "1"), Move("refs/b", "2", "3"), Move("refs/c", "4", None)]
    words = claims.arguments("origin", moves)
    assert words[-4:] == ["origin", "1:refs/a", "3:refs/b", ":refs/c"]
    leases = [word for word in words if word.startswith("--force-with-lease")]
    assert leases == [
        "--force-with-lease=refs/a:",
        "--force-with-lease=refs/b:2",
        "--force-with-lease=refs/c:4",
    ]
    assert "--atomic" in words
    assert "--atomic" not in claims.arguments("origin", moves, atomic=False)


def test_without_moves_nothing_is_pushed(monkeypatch):
    def never(*words: object) -> None:
        raise AssertionError("git push without refs pushes the branch")

    monkeypatch.setattr("provenote.sharing.transport.run", never)
    remote = claims.Remote(Path("."), "origin", "", True)
    assert claims.push(remote, []) is True


@pytest.mark.parametrize(("kind", "message"), [("commit", "fix\n"), ("commit", "[1]\n"), ("blob", "{}\n")])
def test_what_is_no_commit_of_ours_says_nothing(tmp_path, kind, message):
    (tmp_path / "objects").mkdir()
    oid = objects.write(tmp_path, kind, f"tree {'0' * 40}\nparent {'1' * 40}\n\n{message}".encode())
    assert claims.read(tmp_path, oid)[0] == {}


def test_a_claim_says_what_it_was_given(tmp_path):
    (tmp_path / "objects").mkdir()
    run = "1" * 40
    oid = claims.write(tmp_path, "result", {"a": [1]}, {"log.txt": b"x"}, [run], ("A", "a@b"))
    assert claims.read(tmp_path, oid) == ({"kind": "result", "a": [1]}, [run])
    assert objects.blob(tmp_path, objects.tree_of(tmp_path, oid), "log.txt") == b"x"


@pytest.mark.parametrize(
    ("said", "asked", "state", "words"),
    [
        (answer("cancelled"), True, "cancelled", "before"),
        (answer("died", code=-15, said=[]), True, "cancelled", "before"),
        (answer("died", code=-9, said=["no memory"]), False, "killed", "far was killed (SIGKILL): no memory"),
        (answer("died", code=3, said=[]), False, "killed", "(exit status 3)"),
        (answer("died", code=-99, said=[]), False, "killed", "(signal 99)"),
    ],
)
def test_what_a_verdict_means(said, asked, state, words):
    event = verdicts.event(said, asked)
    assert event is not None
    assert event["state"] == state
    assert words in event["reason"]


def test_what_could_not_be_done_there_is_told_with_its_mend():
    error = {"kind": "WorldError", "what": "no disk", "mend": "`df`"}
    what = "no disk, says the worker on far"
    event = verdicts.event(answer("broken", error=error), False)
    assert event == {"state": "failed", "reason": what, "error": {**error, "what": what}}
    named = verdicts.event(answer("broken", error={**error, "what": "no git on far"}), False)
    assert named is not None and named["reason"] == "no git on far"


def test_an_error_keeps_the_kind_that_says_the_exit_status():
    assert as_error(Unreachable("gone"))["kind"] == as_error(claims.Declined("no"))["kind"] == "WorldError"
    assert as_error(ValueError("x"))["kind"] == "Defect"


@pytest.mark.parametrize(
    ("verdict", "words"), [("left", "tcp://far:1 left"), ("stale", "stale"), ("superseded", "superseded")]
)
def test_a_lost_attempt_is_no_end(verdict, words):
    assert verdicts.event(answer(verdict), False) is None
    assert words in verdicts.why_lost(answer(verdict))


def test_a_worker_without_the_package_is_told_with_the_command_that_installs_it():
    cause = ModuleNotFoundError("No module named 'provenote'")
    error = RuntimeError("Error during deserialization of the task graph")
    error.__cause__ = cause
    event = verdicts.of_error(error, "tcp://head:8786", "1.2.3")
    assert event["error"]["kind"] == "WorldError"
    assert "tcp://head:8786 has no provenote" in event["reason"]
    assert "pip install 'provenote[dask]==1.2.3'" in event["error"]["mend"]
    other = verdicts.of_error(ValueError("two\nlines"), "tcp://head:8786", None)
    assert other["reason"] == "ValueError: two lines"


def test_threads_are_counted_by_host():
    workers = {"tcp://a:1": 2, "tcp://a:2": 3, "tls://[::1]:5": 1}
    assert orders.crowd(workers) == {"tcp://a": 5, "tls://[::1]": 1}


def test_an_order_is_plain_and_says_where_the_ref_must_be(tmp_path):
    spec = JobSpec(
        notebook="t.ipynb", blob="b", kernel="python3", label="t", nonce="n", parent="p", on="dask://h:1"
    )
    work = Work(JobFolder(tmp_path / "jobs" / spec.id), -1, spec, {"ref": "r", "commit": "c"}, 2, at="oid")
    facts = {"prefix": "", "dvc": {}, "who": ["A", "a@b"], "warm": True, "scheduler": "not told"}
    order = orders.order(work, facts, "/srv/x.git", "me", "topic", {"tcp://a:1": 1})
    assert (order["job"], order["attempt"], order["expect"], order["parent"]) == (spec.id, 2, "oid", "p")
    assert "dask://h:1" not in order["spec"]
    assert "scheduler" not in order
    assert work.ref == f"refs/provenote/jobs/{spec.id}"


def test_what_a_killed_dispatcher_left_is_found_once(tmp_path):
    living, dead = Notes(tmp_path, "living"), Notes(tmp_path, "dead")
    dead.add("refs/provenote/live/1", "a" * 40)
    dead.add("refs/provenote/live/2", "b" * 40)
    os.close(dead._file)  # as when its process ends
    other = Notes(tmp_path, "other")
    living.add("refs/provenote/live/3", "c" * 40)
    assert other.others() == {"refs/provenote/live/1": "a" * 40, "refs/provenote/live/2": "b" * 40}
    assert other.others() == {}
    living.close()
    other.close()
    assert not list((tmp_path / "dask").iterdir())
