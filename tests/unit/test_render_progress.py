"""Progress as lines: in a pipe, on a terminal, in a notebook."""

from __future__ import annotations

import io
import re

import pytest

from provenote.events import Progress
from provenote.render import progress


class Clock:
    def __init__(self):
        self.at = 0.0

    def __call__(self):
        return self.at


@pytest.fixture
def clock():
    return Clock()


def screen(monkeypatch, width=70):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    return type("Screen", (io.StringIO,), {"isatty": lambda self: True})()


def test_a_pipe_gets_begin_and_end_only(clock):
    out = io.StringIO()
    tell = progress.terminal(out, now=clock)
    tell(Progress("Git and DVC project"))
    tell(Progress("Git and DVC project", state="done"))
    for second in range(5):
        clock.at = float(second)
        tell(Progress("hash a.csv", second, 5, "bytes"))
    tell(Progress("hash a.csv", 5, 5, "bytes", "failed", "disk full"))
    assert out.getvalue() == ("✓ Git and DVC project  0.0 s\n◐ hash a.csv\n✗ hash a.csv: disk full  4.0 s\n")


def test_a_terminal_shows_a_bar_and_what_is_left(clock, monkeypatch):
    out = screen(monkeypatch)
    tell = progress.terminal(out, now=clock)
    tell(Progress("sweep", 0, 6, "jobs"))
    clock.at = 10.0
    tell(Progress("sweep", 4, 6, "jobs", detail="best hgb-59ee"))
    last = out.getvalue().rsplit("\x1b[J", 1)[1].splitlines()
    assert last[0] == "◐ sweep: best hgb-59ee"
    assert re.fullmatch(r"  ━+─+  67 %  4 of 6 jobs  0:10  about 0:05 left", last[1])
    assert all(len(line) < 70 for line in last)
    clock.at = 19.8
    tell(Progress("sweep", 6, 6, "jobs", "done", "6 finished"))
    line = out.getvalue().rsplit("\x1b[J", 1)[1]
    assert re.fullmatch(r"✓ sweep: 6 finished +19\.8 s\n", line)


def test_a_terminal_is_not_flooded(clock, monkeypatch):
    out = screen(monkeypatch)
    tell = progress.terminal(out, now=clock)
    for step in range(10_000):
        clock.at = step * 1e-4
        tell(Progress("read", step, 10_000, "rows"))
    assert out.getvalue().count("◐") <= 11


def test_two_things_at_once_stay_two_lines(clock, monkeypatch):
    out = screen(monkeypatch)
    tell = progress.terminal(out, now=clock)
    tell(Progress("one"))
    clock.at = 1.0
    tell(Progress("two"))
    clock.at = 2.0
    tell(Progress("one", state="done"))
    frame = out.getvalue().rsplit("\x1b[J", 1)[1]
    assert re.match(r"✓ one +2\.0 s\n◐ two\n", frame)


def test_many_things_at_once_are_counted(clock, monkeypatch):
    out = screen(monkeypatch)
    tell = progress.terminal(out, now=clock)
    for number in range(20):
        clock.at += 1.0
        tell(Progress(f"job {number}"))
    frame = out.getvalue().rsplit("\x1b[J", 1)[1].splitlines()
    assert len(frame) <= 2 * progress.MOST + 1 and frame[-1] == "  and 12 more"


def test_hostile_labels_cannot_act_on_the_terminal(clock, monkeypatch):
    out = screen(monkeypatch)
    tell = progress.terminal(out, now=clock)
    tell(Progress("a\x1b[2Jb\nc", detail="\x1b]0;x"))
    clock.at = 1.0
    tell(Progress("a\x1b[2Jb\nc", state="done"))
    assert "\x1b[2J" not in out.getvalue() and "\x1b]" not in out.getvalue()


def test_amounts():
    assert progress.amount(Progress("x", 412, 1020, "files")) == "412 of 1,020 files"
    assert progress.amount(Progress("x", 1.2e6, 4e6, "bytes")) == "1.2 MB of 4.0 MB"
    assert (
        progress.amount(Progress("x", 7, None, "rows")) == "7 rows" and progress.amount(Progress("x")) == ""
    )


def test_the_notebook_block_changes_at_most_twice_a_second(clock, monkeypatch):
    shown = []

    class Handle:
        def update(self, bundle, raw):
            shown.append(bundle)

    def display(bundle, raw, display_id):
        shown.append(bundle)
        return Handle()

    monkeypatch.setattr("IPython.display.display", display)
    tell = progress.notebook(now=clock)
    tell(Progress("quick"))
    tell(Progress("quick", state="done"))
    assert shown == []
    for tick in range(101):
        clock.at = tick / 50
        tell(Progress("slow <b>", tick, 100, "rows"))
    assert 3 <= len(shown) <= 4
    clock.at = 2.01
    tell(Progress("slow <b>", 100, 100, "rows", "done"))
    last = shown[-1]
    assert "✓ slow <b>" in last["text/plain"] and "slow &lt;b&gt;" in last["text/html"]
    assert "✓ quick" in last["text/plain"]


def test_a_front_end_that_fails_does_not_stop_the_work(clock, monkeypatch):
    def display(*_, **__):
        raise RuntimeError("no front end")

    monkeypatch.setattr("IPython.display.display", display)
    tell = progress.notebook(now=clock)
    clock.at = 1.0
    tell(Progress("slow"))
