"""``%%track``: one cell as one run, without ever calling ``run_cell``.

- `StripTrack`, an input transformer, takes the line off the cell and does nothing else.
- `TrackedCells` hears from `provenote.tracking.capture` when an execution begins: it reads the line from the
  raw cell and starts the run; when the execution ends, it ends the run with its error.
- IPython swallows errors of event callbacks, so a run that cannot start leaves its error to `Gate`, an AST
  transformer, which rejects the cell before anything of it runs.
"""

from __future__ import annotations

import ast
import re
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from provenote.errors import ProvenoteError, UsageError
from provenote.magics import shown, words

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionInfo, InteractiveShell

    from provenote.tracking.active import ActiveRun
    from provenote.tracking.capture import Capture

_LINE = re.compile(r"%%track(?=\s|$)(.*)")
_FORM = '`%%track NAME` on the first line, with `--reason "new method"` if the model changes'


class Request(NamedTuple):
    """What a ``%%track`` line asks for: the run's name, and why the model changes."""

    label: str
    reason: str | None


def parse(line: str) -> Request:
    """Parse what stands behind ``%%track`` or ``%track start``. Pure.

    Raises
    ------
    UsageError
        If there is no name, or an option that it does not know.
    """
    name: list[str] = []
    reason = None
    rest = iter(words.split(line))
    for word in rest:
        if word == "--reason" or word.startswith("--reason="):
            reason = word[9:] if word.startswith("--reason=") else next(rest, None)
            if not reason:
                raise UsageError("--reason has no value", f"Write {_FORM}")
        elif word.startswith("--"):
            raise UsageError(f"%%track has no option {word}", f"Write {_FORM}")
        else:
            name.append(word)
    if not name:
        raise UsageError("a run needs a name", f"Write {_FORM}")
    return Request(" ".join(name), reason)


class StripTrack:
    """Takes the ``%%track`` line off a cell; an empty line keeps the numbers of the others."""

    # So that IPython leaves it out when it asks whether an input is complete: a terminal must go on after it.
    has_side_effects = True

    def __call__(self, lines: list[str]) -> list[str]:
        """Return the lines without a leading ``%%track``."""
        if not lines or not _LINE.match(lines[0]):
            return lines
        if len(lines) > 1 and lines[1].startswith("%%"):  # another cell magic must come first now
            return lines[1:]
        return ["\n", *lines[1:]]


class Gate(ast.NodeTransformer):
    """Rejects a cell with a ``%%track`` line for which no run was started, whatever the reason."""

    def __init__(self, cells: TrackedCells) -> None:
        self._cells = cells

    def visit(self, node: ast.AST) -> Any:
        """Return the cell's tree as it is, or reject it."""
        refusal = self._cells.refusal or self._untold()
        self._cells.refusal = None
        if refusal is None:
            return node
        from IPython.core.error import InputRejected

        text = refusal.line if isinstance(refusal, ProvenoteError) else f"{type(refusal).__name__}: {refusal}"
        rejected = InputRejected(text)
        rejected._render_traceback_ = lambda: [f"provenote: {text}"]  # type: ignore[attr-defined]
        raise rejected from refusal

    def _untold(self) -> BaseException | None:
        """Return an error if nobody told us of the execution, as of a silent request or a thread's."""
        frame = sys._getframe(1)
        while frame is not None and frame.f_code.co_name != "run_cell_async":
            frame = frame.f_back  # type: ignore[assignment]
        if frame is None or self._cells.knows(frame.f_locals.get("info")):
            return None
        return UsageError(
            "%%track works in cells, and this is a silent request or a thread's own run_cell",
            "Use `with provenote.track(name) as run:` there",
        )


class _Tracked(NamedTuple):
    info: Any
    run: ActiveRun
    block: Any


class TrackedCells:
    """The runs of tracked cells, from their start to their end.

    Parameters
    ----------
    shell : InteractiveShell
    capture : Capture
        Who tells of the executions.
    """

    def __init__(self, shell: InteractiveShell, capture: Capture) -> None:
        self._capture = capture
        self.refusal: BaseException | None = None
        self.strip = StripTrack()
        self.gate = Gate(self)
        self._shell: Any = shell
        self._kernel = shown.is_kernel(shell)
        self._going: list[_Tracked] = []

    def open(self) -> None:
        """Begin to look for tracked cells."""
        self._shell.input_transformers_cleanup.append(self.strip)
        self._shell.ast_transformers.append(self.gate)
        self._capture.observers.append(self)

    def close(self) -> None:
        """Stop looking for them."""
        if self in self._capture.observers:
            self._capture.observers.remove(self)
        for held, mine in (
            (self._shell.input_transformers_cleanup, self.strip),
            (self._shell.ast_transformers, self.gate),
        ):
            if mine in held:
                held.remove(mine)

    def line_of(self, raw: str) -> str | None:
        """Return what stands behind ``%%track`` in a raw cell, None if the cell is not tracked.

        Raises
        ------
        UsageError
            If the line stands where it would be lost: below another cell magic, or twice.
        """
        if "%%track" not in raw:
            return None
        lines = raw.splitlines(keepends=True)
        for transformer in self._shell.input_transformers_cleanup:
            if transformer is self.strip:
                break
            lines = transformer(lines)
        magics = []
        for line in lines:
            if not line.startswith("%%"):
                break
            magics.append(_LINE.match(line.rstrip()))
        found = [index for index, match in enumerate(magics) if match]
        if not found:
            return None
        if len(found) > 1:
            raise UsageError("a cell has two %%track lines", "Keep one: one cell is one run")
        if found[0] > 0:
            raise UsageError(
                f"%%track stands below {lines[0].split()[0]}, which would run the cell untracked",
                "Make `%%track` the first line of the cell",
            )
        match = magics[0]
        return match[1].strip() if match else None

    def knows(self, info: Any) -> bool:
        """Whether an execution has its run, or asks for none."""
        if info is None or any(one.info is info for one in self._going):
            return True
        try:
            return self.line_of(info.raw_cell or "") is None
        except UsageError:
            return False

    # ------------------------------------------------------------------ what the capture tells

    def entered(self, info: ExecutionInfo) -> None:
        """Start a run if the execution is tracked; an error is kept for the gate."""
        self.refusal = None
        try:
            line = self.line_of(info.raw_cell or "")
            if line is not None:
                self._start(info, parse(line))
        except BaseException as error:  # whatever it is: running the cell untracked would be worse
            self.refusal = error

    def _start(self, info: ExecutionInfo, request: Request) -> None:
        from provenote.tracking import starting

        run = starting.start(request.label, reason=request.reason, sources=[info.raw_cell or ""])
        block = None
        if self._kernel:
            from provenote.widgets.live import Live

            # A widget lives only where a notebook's cell waits for it; elsewhere the block comes at the end.
            alive = bool(getattr(info, "cell_id", None)) and not shown.in_job()
            with self._capture.unrecorded():
                block = Live(run, widget=alive).start()
        self._going.append(_Tracked(info, run, block))

    def left(self, info: ExecutionInfo, error: BaseException | None) -> None:
        """End the run of the execution with its error, and show it."""
        self.refusal = None
        tracked = next((one for one in self._going if one.info is info), None)
        if tracked is None:
            return
        from provenote.tracking import active

        self._going.remove(tracked)
        try:
            if not tracked.run.ended:  # `%track end` inside the cell may have done it
                tracked.run.end(*active.outcome(error))
        except ProvenoteError as problem:
            shown.line(problem.line)
            return
        if tracked.block is not None:
            with self._capture.unrecorded():
                tracked.block.finish()
            for trouble in tracked.block.trouble:
                shown.line(f"run {tracked.run.name} is kept, but its block is not whole: {trouble}")
        else:
            shown.run_block(tracked.run, kernel=False)
