"""The block below a tracked cell while it runs: live curves, status, parameters.

- `Live.start` puts a static line there at once; that costs nothing but one message.
- A thread waits `PATIENCE` seconds. Cells that end before never pay for a widget's import; for longer
  ones it opens the widget in place of the line and follows the run's event file (`tail`).
- The widget changes at most once a second, and less often when reading costs more than a twentieth of it.
- `Live.finish` replaces it by the static block, so that a saved notebook keeps the curves.

Nothing here may break or hold up the user's cell: every exception ends the block, not the cell, and becomes
one line of a warning. Without a front end for widgets (no cell id, a job) only the static block appears.
"""

from __future__ import annotations

import contextvars
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.compare import columns, numbers
from provenote.compare.reference import find as find_reference
from provenote.model import Row
from provenote.render.plots import MOST, leading
from provenote.widgets import static
from provenote.widgets.tail import Tail

if TYPE_CHECKING:
    from provenote.tracking.active import ActiveRun

PATIENCE = 0.7
"""Seconds that a cell must run before a widget is worth its import."""
EVERY = 1.0
SHARE = 0.05
"""The most of a second that reading and sending may take on average."""
DRAWN = 400
"""Points sent of one curve."""

_log = logging.getLogger("provenote")
_drawing: threading.Thread | None = None


def interactive() -> bool:
    """Tell whether the running request can show widgets: it names a cell and is no job's."""
    if os.environ.get("PROVENOTE_RUN") or os.environ.get("PROVENOTE_DOC"):
        return False
    try:
        from IPython.core.getipython import get_ipython

        kernel = getattr(get_ipython(), "kernel", None)
        parent = kernel.get_parent() if kernel is not None else {}
        return bool(parent.get("metadata", {}).get("cellId"))
    except Exception:
        return False


class Live:
    """The block of one tracked cell.

    Parameters
    ----------
    run : ActiveRun
        The run; its ``folder``, ``name``, ``started``, later its ``commit`` are read.
    reference : Row, optional
        A run that changes are counted against; where there is a widget it is found out when not given
        (`provenote.compare.reference`).
    word : str
        What that run is, as ``production``.
    widget : bool, optional
        Whether a widget may be used; found out when not given.

    Attributes
    ----------
    trouble : list of str
        What went wrong; the cell never hears of it.
    """

    def __init__(
        self, run: ActiveRun, *, reference: Row | None = None, word: str = "", widget: bool | None = None
    ) -> None:
        self.run = run
        self.reference = reference
        self.word = word
        self.trouble: list[str] = []
        self._widget_allowed = interactive() if widget is None else widget
        self._tail = Tail(Path(run.folder) / "events.jsonl")
        self._handle: Any = None
        self._widget: Any = None
        self._enough = threading.Event()
        self._thread: threading.Thread | None = None
        self._cpu: tuple[float, float] | None = None
        self._looked = False

    def start(self) -> Live:
        """Show that the run has begun; return at once."""
        if self._widget_allowed:
            self._safely(self._begin)
        return self

    def finish(self) -> None:
        """Stop following, and put the static block in place. Call it after ``run.end()``."""
        global _drawing
        self._enough.set()
        if self._thread is not None:
            self._thread.join(2 * EVERY)
        if not self._widget_allowed:
            self._safely(self._freeze, True)
            return
        # The words and the table appear at once; the curves follow from a thread, since matplotlib's first
        # import would hold up the next cell.
        self._safely(self._freeze, False)
        self._close_widget()
        context = contextvars.copy_context()
        _drawing = threading.Thread(
            target=context.run, args=(self._safely, self._freeze, True), name="provenote-picture", daemon=True
        )
        _drawing.start()

    # ------------------------------------------------------------------ while it runs

    def _begin(self) -> None:
        from IPython.display import display

        self._handle = display(static.begun_block(self.run.name), raw=True, display_id=True)  # type: ignore[no-untyped-call]
        context = contextvars.copy_context()  # its messages belong to this cell, whatever runs later
        self._thread = threading.Thread(
            target=context.run, args=(self._safely, self._follow), name="provenote-live", daemon=True
        )
        self._thread.start()

    def _follow(self) -> None:
        if self._enough.wait(PATIENCE):
            return
        self._safely(self._find_reference)
        self._tail.read()
        state = self.state()
        self._widget = _make(state)
        if self._enough.is_set():
            return
        self._handle.update(_bundle(self._widget, self.run.name, state), raw=True)
        wait = EVERY
        while not self._enough.wait(wait):
            begun = time.thread_time()
            self._tail.read()
            self._widget.state = self.state()
            wait = max(EVERY, (time.thread_time() - begun) / SHARE)

    def _find_reference(self) -> None:
        """Look once what the run is held against; in a thread, since it reads all runs."""
        if self.reference is None and not self._looked:
            self._looked = True
            found = find_reference(self.run.workspace, self.run.id, self.run.label)
            if found is not None:
                self.reference, self.word = found

    def state(self) -> dict[str, Any]:
        """Return what the widget draws now."""
        tail = self._tail
        theirs = columns.flat(self.reference.metrics) if self.reference else {}
        curves = [key for key in leading(tail.curves) if len(tail.curves[key]) > 1][:MOST]
        keys = columns.shared([dict(sorted(tail.last.items()))])[: static.METRICS]
        return {
            "name": self.run.name,
            "status": "running",
            "step": None if tail.step is None else numbers.text(tail.step),
            "points": tail.points,
            "elapsed": max(0.0, time.time() - self.run.started),
            "load": self._load(),
            "word": self.word or (self.reference.name if self.reference else ""),
            "curves": [
                {"key": key, "points": _drawn(tail.curve(key)), "level": _plain(theirs.get(key))}
                for key in curves
            ],
            "metrics": [
                {
                    "heading": columns.heading(key),
                    "value": numbers.text(tail.last[key], grouped=True),
                    "change": numbers.change(tail.last[key], theirs.get(key)) if theirs else "",
                    "other": numbers.text(theirs.get(key), grouped=True) if theirs else "",
                }
                for key in keys
            ],
            "params": [
                [key, numbers.text(value)] for key, value in list(tail.params.items())[: static.PARAMS]
            ],
        }

    def _load(self) -> str:
        """Write the processor's share since the last look, and the memory of this process."""
        from provenote.tracking.counters import read

        now, reading = time.monotonic(), read()
        before, self._cpu = self._cpu, (now, reading.cpu)
        memory = numbers.size(reading.rss) if reading.rss else ""
        if before is None or now <= before[0]:
            return memory
        share = max(0.0, (reading.cpu - before[1]) / (now - before[0]) * 100)
        return f"CPU {share:.0f}{numbers.THIN}% · {memory}"

    # ------------------------------------------------------------------ when it has ended

    def _freeze(self, pictures: bool) -> None:
        if pictures and self._widget_allowed:
            self._safely(self._find_reference)
        row, series, document = ended(self.run)
        bundle = static.run_block(
            row, series, document, reference=self.reference, word=self.word, pictures=pictures
        )
        self._show(bundle)

    def _show(self, bundle: Mapping[str, str]) -> None:
        from IPython.display import display

        if self._handle is not None:
            self._handle.update(bundle, raw=True)
        else:
            display(bundle, raw=True)  # type: ignore[no-untyped-call]

    def _close_widget(self) -> None:
        if self._widget is not None:
            self._safely(self._widget.close)

    def _safely(self, action: Callable[..., object], *given: Any) -> None:
        try:
            action(*given)
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            if not self.trouble:  # one line, not one a second
                _log.warning("the curves of %s are not drawn: %s", self.run.name, what)
            self.trouble.append(what)


def ended(run: ActiveRun) -> tuple[Row, Mapping[str, Any], Mapping[str, Any]]:
    """Return row, series and document of a run that has just ended."""
    from provenote.stores import index

    if run.commit is None:  # a job's run goes on; it could not be written: say what is known
        row = index.find(run.workspace, run.id)
        return row, index.series(run.workspace, row), {}
    document = index.document(run.workspace, run.commit)
    fields = (
        "id",
        "label",
        "status",
        "reason",
        "started",
        "ended",
        "params",
        "metrics",
        "baseline",
        "parent",
        "linearity",
        "tags",
        "notes",
    )
    row = Row(
        name=run.name, commit=run.commit, **{name: document[name] for name in fields if name in document}
    )
    return row, index.series(run.workspace, row), document


def settle(seconds: float = 10.0) -> None:
    """Wait until the last static picture is in place (tests, and the shutdown of a kernel)."""
    if _drawing is not None:
        _drawing.join(seconds)


def _drawn(points: list[list[Any]]) -> list[list[Any]]:
    """Thin a curve for the wire, keeping its last point."""
    stride = -(-len(points) // DRAWN)
    return points if stride <= 1 else [*points[:-1:stride], points[-1]]


def _plain(value: Any) -> float | None:
    figure = numbers.number(value)
    return figure if figure is not None and abs(figure) < 1e300 else None


def _make(state: dict[str, Any]) -> Any:
    """Make the widget; its imports take some tenths of a second."""
    import anywidget
    import traitlets

    from provenote.render.style import sheet

    script = Path(__file__).with_name("live.js").read_text(encoding="utf-8")

    class LiveCurves(anywidget.AnyWidget):
        """Curves of a run that is going on."""

        _esm = script
        _css = sheet()
        state = traitlets.Dict().tag(sync=True)

    return LiveCurves(state=state)


def _bundle(widget: Any, name: str, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the widget's view with the static form for readers without widgets."""
    bundle: dict[str, Any] = dict(static.begun_block(name))
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    bundle["application/vnd.jupyter.widget-view+json"] = view
    return bundle
