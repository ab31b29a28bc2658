"""Progress as lines: bars on a terminal, plain begin and end lines elsewhere, one live block in a notebook.

Each face is a `Tell`: it receives `Progress` events and draws. On a terminal the lines still going are
redrawn at most ten times a second and closed ones stay above them; without a terminal a label is written
when it takes longer than half a second and when it ends; a notebook's block changes at most twice a second.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TextIO

from provenote.compare.numbers import clock, size
from provenote.events import Progress, Tell
from provenote.render.legible import cells, middle, padded, visible
from provenote.render.roles import MARKS
from provenote.render.terminal import paint, surface
from provenote.view import Line, Part, View

TERMINAL_EVERY = 0.1
NOTEBOOK_EVERY = 0.5
SLOW = 0.5
"""Seconds after which a label without a terminal is worth a line while it is going on."""
MOST = 8
"""Labels drawn at once; more are counted."""
AT = 60
"""Where the seconds of finished lines stand on a wide terminal."""


@dataclass
class _Task:
    """One label, from its first event to the one that closes it."""

    started: float
    event: Progress
    told: bool = False
    ended: float | None = None


@dataclass
class _Tasks:
    """The labels told so far, in order; the clock is a field so that tests can turn it."""

    now: Callable[[], float] = time.monotonic
    going: dict[str, _Task] = field(default_factory=dict)

    def take(self, event: Progress) -> _Task:
        """Note an event; return its task, which is no longer going if the event closes it."""
        task = self.going.setdefault(event.label, _Task(self.now(), event))
        task.event = event
        if event.state != "running":
            task.ended = self.now()
            del self.going[event.label]
        return task

    def seconds(self, task: _Task) -> float:
        """Return how long a task took, or takes so far."""
        return (self.now() if task.ended is None else task.ended) - task.started


def terminal(stream: TextIO | None = None, *, now: Callable[[], float] = time.monotonic) -> Tell:
    """Return a `Tell` that draws on ``stream`` (default: standard error).

    Parameters
    ----------
    stream : TextIO, optional
    now : callable
        The clock, in seconds.
    """
    out = sys.stderr if stream is None else stream
    width, color = surface(out)
    tasks = _Tasks(now)
    if width is None:
        return _Plain(out, tasks)
    return _Bars(out, tasks, color)


def closing(task: _Task, seconds: float) -> Line:
    """Return the line that stays when a task has ended."""
    event = task.event
    text = f"{event.label}: {event.detail}" if event.detail else event.label
    return Line(text, "ok" if event.state == "done" else "failed", aside=f"{seconds:.1f} s")


def amount(event: Progress) -> str:
    """Write how far an event is: ``412 of 1,020 files``, ``1.2 MB of 4.0 MB``; empty before the first."""
    if event.unit == "bytes":
        of = f" of {size(event.total)}" if event.total else ""
        return f"{size(event.done)}{of}" if event.done or of else ""
    of = f" of {event.total:,.0f}" if event.total else ""
    return f"{event.done:,.0f}{of} {event.unit}" if event.done or of else ""


def left(event: Progress, seconds: float) -> str:
    """Estimate what is left: ``about 0:07 left``, empty while too little is known."""
    if not event.total or seconds < 2 or event.done < event.total * 0.05 or event.done >= event.total:
        return ""
    return f"about {clock(seconds * (event.total - event.done) / event.done)} left"


class _Plain:
    """Lines for logs and pipes: one when something proves slow, one when it ends."""

    def __init__(self, out: TextIO, tasks: _Tasks) -> None:
        self.out = out
        self.tasks = tasks
        self.lock = threading.Lock()

    def __call__(self, event: Progress) -> None:
        with self.lock:
            task = self.tasks.take(event)
            seconds = self.tasks.seconds(task)
            if event.state == "running":
                if not task.told and seconds >= SLOW:
                    task.told = True
                    self.say(f"{MARKS['running'].glyph} {visible(event.label)}")
                return
            line = closing(task, seconds)
            self.say(f"{MARKS[line.mark].glyph} {visible(line.text)}  {line.aside}")

    def say(self, text: str) -> None:
        self.out.write(f"{text}\n")
        self.out.flush()


class _Bars:
    """Lines for a terminal: closed ones scroll up, those going on are redrawn in place below them."""

    def __init__(self, out: TextIO, tasks: _Tasks, color: bool) -> None:
        self.out = out
        self.tasks = tasks
        self.color = color
        self.lock = threading.Lock()
        self.drawn = 0
        self.at = -1.0

    def __call__(self, event: Progress) -> None:
        with self.lock:
            task = self.tasks.take(event)
            if event.state == "running" and self.tasks.now() - self.at < TERMINAL_EVERY:
                return
            self.at = self.tasks.now()
            width = max(20, surface(self.out)[0] or 80) - 1
            lines = []
            if event.state != "running":
                lines.append(self.closed(closing(task, self.tasks.seconds(task)), width))
            shown = list(self.tasks.going.values())[:MOST]
            live = [line for going in shown for line in self.running(going, width)]
            if len(shown) < len(self.tasks.going):
                live.append(f"  and {len(self.tasks.going) - len(shown)} more")
            up = f"\x1b[{self.drawn}A\x1b[J" if self.drawn else ""
            self.out.write(up + "".join(f"{line}\n" for line in [*lines, *live]))
            self.out.flush()
            self.drawn = len(live)

    def closed(self, line: Line, width: int) -> str:
        aside = padded(line.aside, 8, "right")
        text = middle(visible(line.text), width - 13)
        fill = " " * max(2, min(AT, width - 9) - cells(text) - 2)
        return f"{self.mark(line.mark)} {text}{fill}{paint(aside, 'muted', self.color)}"

    def running(self, task: _Task, width: int) -> list[str]:
        event, seconds = task.event, self.tasks.seconds(task)
        head = middle(visible(f"{event.label}: {event.detail}" if event.detail else event.label), width - 2)
        lines = [f"{self.mark('running')} {head}"]
        told = [word for word in (amount(event), clock(seconds), left(event, seconds)) if word]
        if event.total:
            share = min(1.0, max(0.0, event.done / event.total))
            told.insert(0, f"{share * 100:.0f} %")
            room = max(8, min(48, width - 4 - cells("  ".join(told))))
            filled = round(room * share)
            bar = paint("━" * filled, "run", self.color) + paint("─" * (room - filled), "muted", self.color)
            lines.append(f"  {bar}  {middle('  '.join(told), width - room - 4)}")
        elif seconds >= SLOW:
            lines.append(f"  {paint(middle('  '.join(told), width - 2), 'muted', self.color)}")
        return lines

    def mark(self, mark: Any) -> str:
        return paint(MARKS[mark].glyph, MARKS[mark].role, self.color)


def notebook(*, now: Callable[[], float] = time.monotonic) -> Tell:
    """Return a `Tell` that keeps one block in the output of the running cell up to date.

    The block is put there once something takes longer than half a second; it needs no widget, so a saved
    notebook keeps its last state.
    """
    return _Block(_Tasks(now))


class _Block:
    def __init__(self, tasks: _Tasks) -> None:
        self.tasks = tasks
        self.lock = threading.Lock()
        self.done: list[Line] = []
        self.at = -NOTEBOOK_EVERY
        self.handle: Any = None
        self.begun = tasks.now()

    def __call__(self, event: Progress) -> None:
        with self.lock:
            task = self.tasks.take(event)
            if event.state != "running":
                self.done.append(closing(task, self.tasks.seconds(task)))
            ended = not self.tasks.going
            at = self.tasks.now()
            if at - self.begun < SLOW or (at - self.at < NOTEBOOK_EVERY and not (ended and self.handle)):
                return
            self.at = at
            self.show()

    def show(self) -> None:
        """Draw the block; a front end that cannot take it must not stop the work."""
        from IPython.display import display

        from provenote.render import html
        from provenote.render import terminal as words

        parts: list[Part] = [*self.done[-12:], *map(self.running, self.tasks.going.values())]
        view = View(parts)
        bundle = {"text/plain": words.render(view), "text/html": html.render(view)}
        try:
            if self.handle is None:
                self.handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
            else:
                self.handle.update(bundle, raw=True)
        except Exception:  # noqa: BLE001 - progress is never worth a failed task
            return

    def running(self, task: _Task) -> Line:
        event, seconds = task.event, self.tasks.seconds(task)
        text = f"{event.label}: {event.detail}" if event.detail else event.label
        told = [f"{event.done / event.total * 100:.0f} %"] if event.total else []
        told += [word for word in (amount(event), clock(seconds), left(event, seconds)) if word]
        return Line(text, "running", aside=", ".join(told))
