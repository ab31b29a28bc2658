"""The run store against a simple model of it: a dictionary of runs, driven by random steps."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from provenote import workspace
from provenote.stores import index, runs
from provenote.tracking import active, starting

labels = st.text(max_size=8) | st.sampled_from(["a", "a", "A b", "x/y", "é"])
keys = st.text(min_size=1, max_size=6).filter(str.strip)
scalars = (
    st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.text(max_size=5)
    | st.none()
)


class RunStore(RuleBasedStateMachine):
    """Finish, abandon, rename, remove runs; commit; lose the index; the listing equals the model."""

    run_ids = Bundle("run_ids")

    @initialize()
    def begin(self) -> None:
        self.old = os.getcwd()
        self.root = Path(tempfile.mkdtemp(prefix="store-"))
        os.chdir(self.root)
        (self.root / ".dvc").mkdir()
        (self.root / ".dvc" / "config").write_text("")
        self.git("init", "-q", "-b", "main", ".")
        self.git("add", "--all")
        self.git("-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "-qm", "one")
        self.place = workspace.find()
        self.model: dict[str, dict[str, Any]] = {}

    def git(self, *arguments: str) -> str:
        return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout

    def teardown(self) -> None:
        active._active.clear()
        index._open.clear()
        os.chdir(self.old)
        shutil.rmtree(self.root)

    @rule(
        target=run_ids,
        label=labels,
        params=st.dictionaries(keys, scalars, max_size=3),
        metrics=st.lists(st.dictionaries(keys, scalars, min_size=1, max_size=2), max_size=3),
        end=st.sampled_from(["finished", "failed", "abandoned"]),
    )
    def track(self, label: str, params: dict[str, Any], metrics: list[dict[str, Any]], end: str) -> str:
        run = starting.start(label, params=params)
        last: dict[str, Any] = {}
        for step, values in enumerate(metrics):
            run.log(values, step=step)
            last.update(values)
        if end == "abandoned":  # as if its process had been killed: the lease is free, nothing was said
            run._appender.close()
            active._active.clear()
        else:
            run.end(end, "why")
        self.model[run.id] = {
            "label": label,
            "params": params,
            "metrics": last,
            "status": {"abandoned": "killed"}.get(end, end),
            "name": None,
        }
        return run.id

    @rule(run_id=run_ids)
    def remove(self, run_id: str) -> None:
        row = self.row(run_id)
        if row is not None and row.commit is not None:
            self.git("update-ref", "-d", runs.ref_name(row.baseline, row.name))
            del self.model[run_id]

    @rule(run_id=run_ids, name=st.from_regex(r"[a-z]{1,6}-renamed", fullmatch=True))
    def rename(self, run_id: str, name: str) -> None:
        row = self.row(run_id)
        if row is None or row.commit is None or any(known["name"] == name for known in self.model.values()):
            return
        self.git("update-ref", runs.ref_name(row.baseline, name), row.commit)
        self.git("update-ref", "-d", runs.ref_name(row.baseline, row.name))
        self.model[run_id]["name"] = name

    @rule()
    def commit(self) -> None:
        self.git(
            "-c",
            "user.name=T",
            "-c",
            "user.email=t@example.org",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            "next",
        )

    @rule(how=st.sampled_from(["delete", "garbage", "half"]))
    def lose_index(self, how: str) -> None:
        for opened in index._open.values():
            opened._database.close()
        index._open.clear()
        path = self.place.home / "index.sqlite"
        for file in self.place.home.glob("index.sqlite-*"):
            file.unlink()
        if how == "delete":
            path.unlink(missing_ok=True)
        elif path.exists():
            content = path.read_bytes()
            path.write_bytes(b"\0garbage" * 600 if how == "garbage" else content[: len(content) // 2])

    @rule()
    def pack(self) -> None:
        self.git("pack-refs", "--all")

    def row(self, run_id: str) -> Any:
        return {row.id: row for row in index.rows(self.place, everything=True)[0]}.get(run_id)

    @invariant()
    def listing_equals_the_model(self) -> None:
        if not hasattr(self, "model"):
            return
        rows, hidden = index.rows(self.place)
        assert hidden == 0
        assert {row.id for row in rows} == set(self.model)
        for row in rows:
            want = self.model[row.id]
            assert (row.label, row.params, row.metrics, row.status) == (
                want["label"],
                want["params"],
                want["metrics"],
                want["status"],
            )
            assert want["name"] in (None, row.name)
        assert len({row.name for row in rows}) == len(rows)


RunStore.TestCase.settings = settings(
    max_examples=40, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
TestRunStore = RunStore.TestCase
