"""A job's specification, its state as a fold of events, and its folder."""

from __future__ import annotations

import dataclasses
import json
import os
import types

import psutil
import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from provenote.errors import UsageError, WorldError
from provenote.jobs import folder as folders
from provenote.jobs import forked, memory
from provenote.jobs import spec as specs
from provenote.jobs.spec import JobSpec
from provenote.jobs.state import ACTIVE, ENDED, JobState, apply, fold

SPEC = JobSpec(
    notebook="a/train.ipynb", blob="0" * 40, kernel="python3", label="train", nonce="n", given={"x": 1}
)

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
    | st.tuples(inner, inner),
    max_leaves=8,
)  # fmt: skip


def normal(value):
    """Make values comparable: NaN equals itself, the order of a dict does not count, types do."""
    if isinstance(value, dict):
        return sorted((repr(key), normal(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, [normal(item) for item in value])
    return repr(value)


class TestSpec:
    """Canonical, and named by its content."""

    @forall(st.dictionaries(st.text(min_size=1), _VALUES, max_size=3))
    def test_round_trip(self, given):
        spec = dataclasses.replace(SPEC, given=given)
        content = spec.canonical()
        again = specs.parse(content)
        assert again.canonical() == content
        assert again.id == spec.id
        assert normal(again.given) == normal(given)
        json.loads(content, parse_constant=pytest.fail)  # strict JSON: no NaN in it

    def test_the_id_is_the_content_alone(self):
        assert dataclasses.replace(SPEC).id == SPEC.id
        assert dataclasses.replace(SPEC, nonce="m").id != SPEC.id
        assert dataclasses.replace(SPEC, given={"x": 1.0}).id != SPEC.id
        assert dataclasses.replace(SPEC, parent="run").id == SPEC.id

    def test_an_old_file_is_read(self):
        old = b'{"blob":"b","kernel":"python3","label":"l","nonce":"n","notebook":"n.ipynb","schema":1}\n'
        assert specs.parse(old).threads == 1

    def test_damage_and_newer_versions_are_refused(self):
        for content in (b"", b"[]", b"{}", b'{"schema":1}'):
            with pytest.raises(WorldError, match="damaged"):
                specs.parse(content)
        with pytest.raises(WorldError, match="newer"):
            specs.parse(b'{"schema":99}')


def run_of(*words):
    return [{"t": float(i), "state": word} for i, word in enumerate(words)]


class TestState:
    """The fold of the events."""

    def test_an_ordinary_life(self):
        events = run_of("queued", "claimed", "preparing", "starting")
        events += [
            {"t": 4.0, "state": "running", "cells": 3},
            {"t": 5.0, "cell": 2},
            {"t": 6.0, "line": "hi"},
        ]
        state = fold(events)
        assert (state.state, state.cell, state.cells, state.line) == ("running", 2, 3, "hi")
        assert state.status == ("running", None)
        assert state.elapsed(11.0) == 10.0
        state = apply(state, {"t": 9.0, "state": "succeeded", "run": "r", "name": "train-r"})
        assert state.over
        assert (state.status, state.run, state.elapsed(99.0)) == (("finished", None), "r", 8.0)

    @pytest.mark.parametrize(
        ("word", "status"),
        [
            ("failed", ("failed", "why")),
            ("timed_out", ("failed", "timed_out")),
            ("oom_killed", ("killed", "out_of_memory")),
            ("killed", ("killed", "why")),
            ("cancelled", ("killed", "cancelled")),
            ("lost", ("killed", "lost")),
        ],
    )
    def test_ends_in_the_words_of_runs(self, word, status):
        assert fold([*run_of("queued"), {"t": 1, "state": word, "reason": "why"}]).status == status

    @forall(st.lists(st.sampled_from((*ACTIVE, *ENDED))), st.sampled_from([w for w in ENDED if w != "lost"]))
    def test_what_is_over_stays_as_it_ended(self, after, end):
        after = [word for word in after if word != "queued"]
        assert fold(run_of("queued", end, *after)).state == end

    def test_a_new_attempt_begins_anew(self):
        events = [*run_of("queued", "failed"), {"t": 5, "state": "queued", "attempt": 2, "parent": "p"}]
        state = fold(events)
        assert (state.state, state.attempt, state.parent, state.reason) == ("queued", 2, "p", None)

    def test_a_sweep_counts_its_jobs(self):
        events = [{"t": 0, "job": "a", "is": "running"}, {"t": 1, "job": "a", "is": "failed"}]
        state = fold([*run_of("queued", "running"), *events, {"t": 2, "job": "b", "is": "running"}])
        assert (state.cell, dict(state.jobs)) == (1, {"a": "failed", "b": "running"})

    @forall(
        st.lists(st.dictionaries(st.sampled_from(["state", "t", "x"]), st.none() | st.text() | st.integers()))
    )
    def test_events_we_do_not_know_change_nothing(self, events):
        assert fold(events).state in (*ACTIVE, *ENDED)


class TestFolder:
    """The folder on disk: created whole, leased, reconciled."""

    def test_created_queued_with_the_lease_held(self, tmp_path):
        folder, lease = folders.create(tmp_path, SPEC)
        assert lease is not None
        assert folder.id == SPEC.id
        assert folder.spec == SPEC
        assert folder.state() == JobState(queued=folder.state().queued, updated=folder.state().updated)
        assert not folder.abandoned()
        os.close(lease)
        assert folder.abandoned()

    def test_nobody_works_for_it_means_lost(self, tmp_path):
        folder, lease = folders.create(tmp_path, SPEC)
        os.close(lease)
        assert folder.state().state == "lost"
        assert [event["state"] for event in folder.events()] == ["queued", "lost"]
        assert folder.state().state == "lost"
        assert len(list(folder.events())) == 2  # written once

    def test_the_same_job_is_started_once(self, tmp_path):
        folder, lease = folders.create(tmp_path, SPEC)
        assert folders.create(tmp_path, SPEC) == (folder, None)
        folder.append({"state": "succeeded"})
        os.close(lease)
        assert folders.create(tmp_path, SPEC) == (folder, None)
        assert folder.state().attempt == 1

    def test_one_that_failed_is_queued_again(self, tmp_path):
        folder, lease = folders.create(tmp_path, SPEC)
        folder.ask_cancel()
        folder.append({"state": "cancelled"})
        os.close(lease)
        _, again = folders.create(tmp_path, SPEC)
        assert again is not None
        assert folder.state().attempt == 2
        assert not folder.cancel_asked()
        assert folder.attempt(2).is_dir()
        os.close(again)

    def test_torn_and_foreign_lines_are_skipped(self, tmp_path):
        folder, lease = folders.create(tmp_path, SPEC)
        with (folder.path / "events.jsonl").open("ab") as file:
            file.write(b'\x00\xffjunk\n[1]\n{"state":"running","cells":2}\n{"state":"fai')
        state = folder.state()
        assert (state.state, state.cells) == ("running", 2)
        os.close(lease)

    def test_a_tail_reads_only_what_is_new(self, tmp_path):
        folder, lease = folders.create(tmp_path, SPEC)
        tail = folders.Tail(folder)
        assert [event["state"] for event in tail.new()] == ["queued"]
        assert tail.new() == []
        folder.append({"state": "running"})
        assert [event["state"] for event in tail.new()] == ["running"]
        os.close(lease)

    def test_long_texts_are_cut_and_paths_are_not(self, tmp_path):
        folder, lease = folders.create(tmp_path, SPEC)
        folder.append({"line": "x" * 9999})
        folder.append({"state": "running", "output": "y" * 1000})
        events = list(folder.events())
        assert len(events[1]["line"]) == folders.TEXT_LIMIT
        assert len(events[2]["output"]) == 1000
        os.close(lease)

    def test_found_by_the_start_of_its_id_or_its_run(self, tmp_path):
        folder, lease = folders.create(tmp_path, SPEC)
        folder.append({"state": "starting", "run": "0123", "name": "train-0123"})
        for name in (SPEC.id, SPEC.id[:6], "train-0123", "0123"):
            assert folders.find(tmp_path, name) == folder
        for name in ("", "nothing"):
            with pytest.raises(UsageError, match="no job"):
                folders.find(tmp_path, name)
        os.close(lease)


@pytest.mark.parametrize(
    ("lines", "name", "text"),
    [
        (["4:memory:/a/b", "0::/"], "memory/a/b/memory.oom_control", "under_oom 0\noom_kill 3\n"),
        (["5:cpu,memory:/docker/x"], "memory/memory.oom_control", "oom_kill_disable 0\noom_kill 3\n"),
        (["0::/user.slice/x"], "user.slice/x/memory.events", "oom 4\noom_kill 3\noom_group_kill 0\n"),
        (["0::/hidden"], "memory.events", "low 0\noom_kill 3\n"),
    ],
)
def test_kills_for_memory_are_read_where_the_control_group_tells_them(tmp_path, lines, name, text):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    assert memory.oom_kills(lines, tmp_path) == 3
    path.write_text("odd\n\n")
    assert memory.oom_kills(lines, tmp_path, tmp_path / "none") == 0
    (tmp_path / "vmstat").write_text("nr_free_pages 9\noom_kill 5\n")
    assert memory.oom_kills(lines, tmp_path, tmp_path / "vmstat") == 5


def test_a_forked_kernel_waits_for_no_dead_orphan_at_its_end():
    class Child:
        def __init__(self, status):
            self.word = status

        def status(self):
            if self.word is None:
                raise psutil.NoSuchProcess(1)
            return self.word

    alive, dead, gone = Child("sleeping"), Child(psutil.STATUS_ZOMBIE), Child(None)
    kernel = types.SimpleNamespace(_process_children=lambda: [alive, dead, gone])
    forked._forget_the_dead(kernel)
    assert kernel._process_children() == [alive]
    from ipykernel.kernelbase import Kernel

    assert callable(Kernel._process_children)  # by this name the kernel asks for them
