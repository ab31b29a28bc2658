"""Plain ``dvc`` reads, moves, renames and removes our runs: compatibility is a promise."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import provenote
from provenote import workspace
from provenote.cli import main
from provenote.stores import index


def dvc(*arguments: str, cwd: Path | None = None) -> str:
    answer = subprocess.run(["dvc", *arguments], capture_output=True, text=True, cwd=cwd)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def leaves(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in (values or {}).items():
        if isinstance(value, dict) and "data" in value and not prefix:
            found.update(leaves(value["data"], ""))
        elif isinstance(value, dict) and value:
            found.update(leaves(value, f"{prefix}{key}."))
        else:
            found[prefix + key] = value
    return found


def shown_by_dvc() -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    seen = {}
    for baseline in json.loads(dvc("exp", "show", "--all-commits", "--json")):
        for experiment in baseline.get("experiments") or []:
            for revision in experiment["revs"]:
                assert not revision.get("error"), revision
                data = revision["data"]
                seen[revision["name"]] = (leaves(data["params"]), leaves(data["metrics"]))
    return seen


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            found.update(flat(value, f"{prefix}{key}."))
        else:
            found[prefix + key] = value
    return found


@pytest.fixture
def odd(repo: Path) -> Iterator[Path]:
    """A project with runs whose values stumble a careless reader."""
    params = {
        "tiny": 1e-05,
        "none": None,
        "list": [1, 2],
        "big": 2**70,
        "deep": {"x": {"y": 1}},
        "yes": "yes",
        "two words": "a: b #c",
        "flag": False,
        "é": "ü",
        "empty": {},
        "nan": float("nan"),
        "number": "007",
    }
    with provenote.track("odd", params=params) as run:
        run.log(
            {
                "nan": float("nan"),
                "inf": float("-inf"),
                "ok": True,
                "word": "good",
                "train/loss": 0.1,
                "none": None,
            }
        )
        run.log({"loss": {"train": 0.5, "val": 0.6}, "list": [1, 2]})
        for step in range(3):
            run.log(curve=step * 0.5, step=step)
    with provenote.track("plain") as run:
        run.log(acc=0.5)
    yield repo


def test_dvc_shows_the_same_values(odd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "-A", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["schema"] == 1
    ours = {row["name"]: row for row in answer["rows"]}
    theirs = shown_by_dvc()
    assert set(ours) == set(theirs)
    for name, row in ours.items():
        params, metrics = theirs[name]
        for key, value in flat(row["params"]).items():
            assert value == {} or params[key] == value, key
        for key, value in flat(row["metrics"]).items():
            if isinstance(value, (bool, int, float, str)):
                assert metrics[key] == value, key
            else:
                assert key not in metrics


def test_dvc_renames_removes_and_compares(odd: Path) -> None:
    place = workspace.find()
    before = {row.label: row for row in index.rows(place)[0]}
    assert set(dvc("exp", "list", "--name-only").split()) == {row.name for row in before.values()}
    dvc("exp", "rename", before["odd"].name, "better")
    after = {row.label: row for row in index.rows(place)[0]}
    assert after["odd"].name == "better" and after["odd"].id == before["odd"].id
    difference = json.loads(dvc("exp", "diff", "better", before["plain"].name, "--json"))
    assert "provenote/metrics.json" in difference["metrics"]
    dvc("exp", "remove", "better")
    assert [row.label for row in index.rows(place)[0]] == ["plain"]


def test_dvc_pushes_and_pulls_runs_and_their_bytes(odd: Path, tmp_path: Path) -> None:
    (odd / "model.bin").write_bytes(b"weights" * 100)
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "origin.git")], check=True)
    subprocess.run(["git", "remote", "add", "origin", str(tmp_path / "origin.git")], check=True)
    dvc("remote", "add", "-d", "store", str(tmp_path / "store"))
    subprocess.run(["git", "add", ".dvc/config"], check=True)
    subprocess.run(["git", "commit", "-qm", "remote"], check=True)
    with provenote.track("model") as run:
        run.log_artifact(odd / "model.bin", "weights", type="model")
    subprocess.run(["git", "push", "-q", "origin", "main"], check=True)
    dvc("exp", "push", "origin", run.name)
    other = tmp_path / "other"
    subprocess.run(["git", "clone", "-q", "-b", "main", str(tmp_path / "origin.git"), str(other)], check=True)
    dvc("exp", "pull", "origin", run.name, cwd=other)
    dvc("exp", "apply", run.name, cwd=other)
    assert (other / "provenote" / "model.bin").read_bytes() == b"weights" * 100
    assert dvc("status", cwd=other).strip() == "Data and pipelines are up to date."


@pytest.mark.slow
def test_dvc_pushes_to_s3(odd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server_module = pytest.importorskip("moto.server", reason="moto[server] is not installed")
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        boto3.client("s3", endpoint_url=url).create_bucket(Bucket="bucket")
        dvc("remote", "add", "-d", "s3", "s3://bucket/store")
        dvc("remote", "modify", "s3", "endpointurl", url)
        subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "origin.git")], check=True)
        subprocess.run(["git", "remote", "add", "origin", str(tmp_path / "origin.git")], check=True)
        subprocess.run(["git", "commit", "-qam", "remote"], check=True)
        (odd / "model.bin").write_bytes(b"weights")
        with provenote.track("model") as run:
            run.log_artifact(odd / "model.bin")
        dvc("exp", "push", "origin", run.name)
        shutil.rmtree(odd / ".dvc" / "cache")
        subprocess.run(["git", "checkout", "-q", str(run.commit)], check=True, cwd=odd)
        dvc("pull", "provenote/model.bin.dvc")
        assert (odd / "provenote" / "model.bin").read_bytes() == b"weights"
    finally:
        server.stop()


def test_a_corrupt_dvc_yaml_of_the_users_hides_nothing_of_ours(repo: Path) -> None:
    (repo / "dvc.yaml").write_text("stages: [\n")
    with provenote.track("r") as run:
        run.log(a=1)
    assert [row.name for row in index.rows(workspace.find())[0]] == [run.name]


def test_a_branch_called_provenote_is_in_nobodys_way(repo: Path) -> None:
    subprocess.run(["git", "branch", "provenote"], check=True)
    with provenote.track("r") as run:
        run.log(a=1)
    assert index.find(workspace.find(), run.name).metrics == {"a": 1}
    assert run.name in dvc("exp", "list", "--name-only")


def test_commit_gpgsign_and_no_identity_are_in_nobodys_way(repo: Path) -> None:
    for words in (["commit.gpgsign", "true"], ["gpg.program", "/bin/false"]):
        subprocess.run(["git", "config", *words], check=True)
    for key in ("user.name", "user.email"):
        subprocess.run(["git", "config", "--unset", key], check=True)
    with provenote.track("r"):
        pass
    author = subprocess.run(
        ["git", "log", "-1", "--format=%an <%ae>", "--all"], capture_output=True, text=True
    ).stdout
    assert "provenote <provenote@localhost>" in author or os.environ.get("EMAIL")
