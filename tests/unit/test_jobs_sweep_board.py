"""The table of jobs, what is drawn again and again, and a log that is followed. No job is run."""

from __future__ import annotations

import dataclasses
import io

import pytest

from provenote.jobs import board, following
from provenote.jobs.folder import JobFolder, create
from provenote.jobs.spec import JobSpec
from provenote.jobs.state import JobState
from provenote.render import live, terminal
from provenote.view import Line, View

SPEC = JobSpec("nb/t.ipynb", "0" * 40, "python3", "t", "n")


def made(**given):
    plain = {"over": False, "kind": "notebook", "seconds": 4.0, "cells": 0, "cell": 0, "parallel": 1}
    return {**plain, **given}


@pytest.mark.parametrize(
    ("job", "times", "left"),
    [
        (made(), [], None),
        (made(), [9, 10, 99], 6),
        (made(), [3], None),  # it takes longer than they did: nothing is known
        (made(seconds=None), [10], 10),
        (made(over=True), [10], None),
        (made(kind="sweep", cells=12, cell=5, parallel=2), [10], 40),
        (made(kind="sweep"), [10], None),
    ],
)
def test_what_is_left_is_the_median_of_past_jobs(job, times, left):
    assert board.left(job, times) == left


def job(home, nonce, *events, **given):
    folder, lease = create(home, dataclasses.replace(SPEC, nonce=nonce, **given))
    for event in events:
        folder.append(event)
    return folder, lease


def test_a_board_lists_jobs_with_what_is_left(tmp_path):
    job(tmp_path, "a", {"state": "claimed", "t": 100}, {"state": "succeeded", "t": 130, "name": "t-1a2b"})
    going, _ = job(tmp_path, "b", {"state": "claimed", "t": 1000}, {"state": "running", "cells": 5})
    going.append({"cell": 2})
    going.append({"line": "epoch 3\x1b[2J <b>"})
    going.append({"used": {"cpu_s": 75.2, "rss_mb": 512.0}})
    (tmp_path / "jobs" / ("f" * 64)).mkdir()  # damaged: no spec.json
    found = board.Board(tmp_path)
    entries = found.entries(1010, 20)
    assert {(one["state"], one["cell"], one["cells"], one["seconds"], one["left"]) for one in entries} == {
        ("running", 2, 5, 10, 20),
        ("succeeded", 0, 0, 30, None),
    }
    text = terminal.render(board.view(entries), width=120)
    assert "2/5" in text and "0:10" in text and "≈ 0:20" in text
    assert "1:15" in text and "512 MB" in text
    assert "\x1b" not in text
    narrow = terminal.render(board.view(entries), width=70)
    assert "epoch 3" in narrow and "columns not shown here: left, cpu, memory, run" in narrow
    going.append({"state": "oom_killed", "reason": "cell 2: out of memory"})
    text = terminal.render(board.view(found.entries(1011, 20)), width=120)
    assert "out of memory" in text and "left" not in text
    assert len(found.entries(1011, 1)) == 1


def test_a_terminal_draws_in_the_place_of_the_last(monkeypatch):
    out = io.StringIO()
    out.isatty = lambda: True
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "6")
    monkeypatch.setenv("NO_COLOR", "1")
    drawn = live.TerminalLive(out)
    assert not drawn.drawn
    drawn.draw(View([Line(f"line {number}") for number in range(9)]))
    first = out.getvalue()
    assert first.startswith("\x1b[?7l") and first.endswith("and 5 lines more\n\x1b[?7h")
    assert first.count("\n") == 5
    drawn.close(View([Line("the end")]))
    assert out.getvalue() == first + "\x1b[5A\x1b[Jthe end\n"


class Talking:
    """An executor whose job says more at each look."""

    def __init__(self, *said):
        self.said = list(said)
        self.text = ""

    def status(self, job):
        if not self.said:
            return JobState(state="succeeded")
        self.text += self.said.pop(0)
        return JobState(state="running")

    def logs(self, job, start=0):
        return self.text[start:]


def test_a_log_is_followed_line_by_line(monkeypatch):
    monkeypatch.setattr(following, "_LOOK_EVERY", 0)
    told = []
    talking = Talking("one\ntw", "o\n 0%\r50%", "\r100%\n\x1b[31mre", "d")
    assert following.follow(talking, "j", told.append) == "one\ntwo\n100%\n[31mred\n"
    assert told == ["one\n", "two\n", "100%\n", "[31mred\n"]
    assert following.follow(Talking("a\nb\nc\n", "d\n"), "j", told.append, 1) == "c\nd\n"
    assert following.follow(Talking(), "j", told.append) == ""


def test_ctrl_c_ends_the_following(monkeypatch):
    def interrupt(text):
        raise KeyboardInterrupt

    assert following.follow(Talking("one\n", "two\n"), "j", interrupt) == ""


def test_a_damaged_folder_is_passed_over(tmp_path):
    (tmp_path / "jobs" / ("e" * 64)).mkdir(parents=True)
    assert JobFolder(tmp_path / "jobs" / ("e" * 64)).state().state == "lost"
    assert board.Board(tmp_path).entries(0, 20) == []
