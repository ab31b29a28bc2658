"""The server side of the sidebar: what it answers, to whom, and when it says that something changed."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError
from traitlets.config import Config

import provenote
from provenote import workspace
from provenote.model import Row
from provenote.stores.watch import signature
from provenote_lab.listing import Listing
from provenote_lab.projects import search
from provenote_lab.service import RUNS_CHANGED

pytest_plugins = ["pytest_jupyter.jupyter_server"]


@pytest.fixture
def jp_root_dir(repo: Path) -> Path:
    return repo


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any]) -> Config:
    config = Config(jp_server_config)
    config.ServerApp.jpserver_extensions = {"provenote_lab": True}
    config.ProvenoteLab.watch_seconds = 0.05
    return config


async def ask(jp_fetch: Callable[..., Any], *path: str, **query: str) -> dict[str, Any]:
    response = await jp_fetch("provenote", "runs", *path, params=query)
    answer: dict[str, Any] = json.loads(response.body)
    return answer


async def test_the_runs_are_those_of_the_command_line(jp_fetch: Any, repo: Path) -> None:
    with provenote.track("hgb", params={"depth": 8}) as run:
        run.log(rmse=61.4, odd=float("nan"))
    answer = await ask(jp_fetch)
    assert answer["schema"] == 1 and answer["hidden"] == 0 and answer["problem"] is None
    assert answer["project"] == {"path": "", "name": repo.name, "branch": "main"}
    listed = subprocess.run(["provenote", "runs", "--json"], check=True, capture_output=True)
    assert answer["rows"] == json.loads(listed.stdout)["rows"]
    assert answer["rows"][0]["metrics"] == {"rmse": 61.4, "odd": "nan"}
    assert str(repo.parent) not in json.dumps(answer["project"])


async def test_a_client_that_knows_a_version_gets_the_changes_only(jp_fetch: Any, repo: Path) -> None:
    with provenote.track("one"):
        pass
    first = await ask(jp_fetch)
    assert first["whole"] and [row["label"] for row in first["rows"]] == ["one"]
    same = await ask(jp_fetch, since=first["version"])
    assert not same["whole"] and same["rows"] == [] and same["version"] == first["version"]

    with provenote.track("two"):
        pass
    more = await ask(jp_fetch, since=first["version"])
    assert not more["whole"] and [row["label"] for row in more["rows"]] == ["two"]
    subprocess.run(["dvc", "exp", "remove", first["rows"][0]["name"]], check=True, capture_output=True)
    less = await ask(jp_fetch, since=more["version"])
    assert less["rows"] == [] and less["removed"] == [first["rows"][0]["id"]]
    assert (await ask(jp_fetch, since="00000000.1"))["whole"], "a server that was started again begins anew"


async def test_a_running_run_and_its_end_are_seen(jp_fetch: Any, repo: Path) -> None:
    run = provenote.track("live").__enter__()
    run.log(loss=1.0)
    first = await ask(jp_fetch)
    assert [(row["status"], row["metrics"]) for row in first["rows"]] == [("running", {"loss": 1.0})]
    run.log(loss=0.5)
    step = await ask(jp_fetch, since=first["version"])
    assert [row["metrics"] for row in step["rows"]] == [{"loss": 0.5}]
    run.end()
    last = await ask(jp_fetch, since=step["version"])
    assert [(row["id"], row["status"]) for row in last["rows"]] == [(run.id, "finished")]


async def test_the_record_of_one_run(jp_fetch: Any, repo: Path) -> None:
    with provenote.track("hgb", reason="new method") as run:
        run.log(rmse=1)
    answer = await ask(jp_fetch, run.id)
    assert answer["row"]["commit"] == run.commit
    assert answer["document"]["why"] == "new method"


async def test_an_unknown_run_is_told_in_one_line_with_its_mend(jp_fetch: Any, repo: Path) -> None:
    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch("provenote", "runs", "ffffffff")
    assert refused.value.code == 400
    said = json.loads(refused.value.response.body)  # type: ignore[union-attr]
    assert "ffffffff" in said["what"] and "`provenote" in said["mend"]
    assert said["message"] == f"{said['what']}. {said['mend']}"


async def test_no_project_is_no_error_and_says_the_next_step(
    jp_fetch: Any, jp_root_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(jp_root_dir / ".dvc")
    answer = await ask(jp_fetch)
    assert answer["rows"] == [] and answer["project"] is None
    assert answer["problem"]["what"] == "no DVC project in the server's root folder"
    assert "`provenote init`" in answer["problem"]["mend"]


@pytest.mark.parametrize("path", [("runs",), ("runs", "abc")])
async def test_only_signed_in_users_are_answered(jp_fetch: Any, repo: Path, path: tuple[str, ...]) -> None:
    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch("provenote", *path, headers={"Authorization": "token wrong"})
    assert refused.value.code == 403


async def test_the_event_is_emitted_for_each_change(jp_fetch: Any, jp_serverapp: Any, repo: Path) -> None:
    heard = asyncio.Queue[str | None]()

    async def listen(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        heard.put_nowait(data["project"])

    jp_serverapp.event_logger.add_listener(schema_id=RUNS_CHANGED["$id"], listener=listen)
    await ask(jp_fetch)  # whoever asks begins the watch
    with provenote.track("at once"):
        pass
    assert await asyncio.wait_for(heard.get(), 10) == ""
    await asyncio.sleep(0.5)
    while not heard.empty():
        heard.get_nowait()
    await asyncio.sleep(0.5)
    assert heard.empty(), "nothing changed"
    with provenote.track("later"):
        pass
    assert await asyncio.wait_for(heard.get(), 10) == ""


def test_the_signature_sees_each_kind_of_change(repo: Path) -> None:
    place = workspace.find()
    before = signature(place)
    assert signature(place) == before, "nothing changed"

    run = provenote.track("one").__enter__()
    started = signature(place)
    assert started != before
    run.log(loss=1)
    logged = signature(place)
    assert logged != started
    run.end()
    ended = signature(place)
    assert ended != logged

    renamed = ["dvc", "exp", "rename", str(run.name), "other-name"]
    subprocess.run(renamed, check=True, capture_output=True)
    after_rename = signature(place)
    assert after_rename != ended
    subprocess.run(["git", "pack-refs", "--all"], check=True)
    packed = signature(place)
    assert packed != after_rename
    subprocess.run(["git", "update-ref", "refs/provenote/notes", "HEAD"], check=True)
    noted = signature(place)
    assert noted != packed
    subprocess.run(["git", "commit", "--allow-empty", "--quiet", "-m", "next"], check=True)
    assert signature(place) != noted


def test_while_a_run_lives_the_project_counts_as_changed_now_and_then(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = workspace.find()
    run = provenote.track("one").__enter__()
    monkeypatch.setattr("time.monotonic", lambda: 100.0)
    early = signature(place)
    monkeypatch.setattr("time.monotonic", lambda: 102.0)
    assert signature(place) != early, "a killed run changes no file"
    monkeypatch.undo()
    run.end()


def test_a_killed_run_is_listed_as_killed(repo: Path) -> None:
    code = (
        "import os, provenote; r = provenote.track('gone').__enter__(); r.log(a=1); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    from provenote.stores import index

    rows, _ = index.rows(workspace.find())
    assert [(row.status, row.metrics) for row in rows] == [("killed", {"a": 1})]


def test_projects_are_found_above_at_and_below_the_root(tmp_path: Path, make_repo: Any) -> None:
    root = tmp_path / "home"
    root.mkdir()
    nothing = search(root, 2)
    assert nothing.projects == () and nothing.problem is not None and nothing.problem.mend
    for name in ("work/b", "work/a", "deep/er/than/that"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        make_repo(root / name)
    (root / "plain" / ".dvc").mkdir(parents=True)  # not in Git
    os.symlink(root, root / "loop")
    found = search(root, 2)
    assert [project.path for project in found.projects] == ["work/a", "work/b"] and found.problem is None
    assert found.choose(None).path == "work/a" and found.choose("work/b").path == "work/b"
    with pytest.raises(provenote.UsageError, match="no project"):
        found.choose("../outside")
    inside = root / "work" / "a" / "notebooks"
    inside.mkdir()
    assert [project.path for project in search(inside, 2).projects] == [""]


def row(run: str, **more: Any) -> Row:
    fields = {"name": run, "label": run, "status": "finished", "reason": None, "started": 1.0, "ended": 2.0}
    return Row(id=run, **{**fields, "params": {}, "metrics": {}, "baseline": "0" * 40, **more})


def test_a_listing_forgets_nothing_between_versions() -> None:
    listing = Listing()
    listing.update([])
    empty = listing.since(None)
    assert empty.whole and empty.rows == []
    listing.update([row("a"), row("b")])
    both = listing.since(empty.version)
    assert not both.whole and [r["id"] for r in both.rows] == ["a", "b"]
    listing.update([row("b", starred=True)])
    listing.update([row("b", starred=True), row("c")])
    changes = listing.since(both.version)
    assert sorted(r["id"] for r in changes.rows) == ["b", "c"] and changes.removed == ["a"]
    listing.update([row("a"), row("b", starred=True), row("c")])
    back = listing.since(changes.version)
    assert [r["id"] for r in back.rows] == ["a"] and back.removed == []
    for unknown in ("", "nonsense", changes.version.split(".")[0] + ".999", "x.y"):
        assert listing.since(unknown).whole
