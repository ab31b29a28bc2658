"""``%%test``: a cell that asks questions about a model, with ``model``, ``test`` and ``check`` in scope.

The cell runs as any other: `StripTest` takes the line off it, `TestCells` hears from the capture when it
begins and ends, and `Conclude`, an AST transformer, rejects it when its model cannot be had, else adds one
call at its end, which fails the cell when an answer was not good.
"""

from __future__ import annotations

import ast
import re
import signal
import threading
from typing import TYPE_CHECKING, Any

from provenote.errors import ProvenoteError, UsageError
from provenote.magics import shown, words

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionInfo, InteractiveShell

    from provenote.checks.session import Request
    from provenote.tracking.capture import Capture

MIME = "application/vnd.provenote.verdict+json"
_LINE = re.compile(r"%%test(?=\s|$)(.*)")
_FORM = "`%%test bike-demand --on data/hour.csv --min r2=0.85`"
_VALUED = {
    "--on": "on", "--answer": "answer", "--time": "time", "--since": "since", "--until": "until",
    "--block": "block", "--newest": "newest",
}  # fmt: skip


def parse(line: str) -> Request:
    """Parse what stands behind ``%%test``. Pure.

    Raises
    ------
    UsageError
        If it has no meaning.
    """
    from provenote.checks.contest import Choice
    from provenote.checks.session import Request

    choice: dict[str, Any] = {}
    found: dict[str, Any] = {"least": {}, "most": {}, "slices": [], "trusted": []}
    rest = iter(words.split(line))
    for word in rest:
        if not word.startswith("--"):
            if "model" in found:
                raise UsageError(f"%%test takes one model, and {word!r} is another word", f"Write {_FORM}")
            found["model"] = word
            continue
        option, equal, value = word.partition("=")
        value = value if equal else next(rest, "")
        if not value:
            raise UsageError(f"{option} has no value", f"Write {_FORM}")
        if option in _VALUED:
            choice[_VALUED[option]] = _whole(option, value) if option == "--newest" else value
        elif option in ("--min", "--max"):
            metric, _, limit = value.partition("=")
            found["least" if option == "--min" else "most"][metric] = _number(option, limit)
        elif option == "--slice":
            found["slices"].append(value)
        elif option == "--trusted":
            found["trusted"].append(value)
        elif option in ("--worst", "--timeout"):
            found[option[2:]] = _number(option, value)
        else:
            raise UsageError(f"%%test has no option {option}", f"Write {_FORM}")
    found["trusted"], found["slices"] = tuple(found["trusted"]), tuple(found["slices"])
    return Request(choice=Choice(**choice), **found)


def _number(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{option} needs a number, and {text!r} is none", f"Write {_FORM}") from None


def _whole(option: str, text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise UsageError(f"{option} needs a whole number, and {text!r} is none", f"Write {_FORM}")
    return int(text)


class StripTest:
    """Takes the ``%%test`` line off a cell; an empty line keeps the numbers of the others."""

    has_side_effects = True  # so that IPython leaves it out when it asks whether an input is complete

    def __call__(self, lines: list[str]) -> list[str]:
        """Return the lines without a leading ``%%test``."""
        return ["\n", *lines[1:]] if lines and _LINE.match(lines[0].rstrip()) else lines


class Conclude(ast.NodeTransformer):
    """Adds the end of a test to its cell, or rejects it before anything of it runs."""

    def __init__(self, cells: TestCells) -> None:
        self._cells = cells

    def visit(self, node: ast.AST) -> Any:
        """Return the cell's tree with one call more, where it is a test."""
        refusal, self._cells.refusal = self._cells.refusal, None
        if refusal is not None:
            from IPython.core.error import InputRejected

            text = refusal.line if isinstance(refusal, ProvenoteError) else f"{refusal}"
            rejected = InputRejected(text)
            rejected._render_traceback_ = lambda: [f"provenote: {text}"]  # type: ignore[attr-defined]
            raise rejected from refusal
        if self._cells.armed and isinstance(node, ast.Module):
            self._cells.armed = False
            call = ast.parse(f"__import__({__name__!r}, fromlist=['conclude']).conclude()").body
            last = getattr(node.body[-1], "end_lineno", 1) if node.body else 1
            ast.increment_lineno(call[0], last - 1)
            node.body += call
        return node


class TestCells:
    """The tests of one shell, from their begin to their end.

    Parameters
    ----------
    shell : InteractiveShell
    capture : Capture
        Who tells of the executions.
    """

    __test__ = False  # no class of tests itself

    def __init__(self, shell: InteractiveShell, capture: Capture) -> None:
        self._shell: Any = shell
        self._capture = capture
        self._strip, self._conclude = StripTest(), Conclude(self)
        self._going: tuple[Any, Any, str] | None = None
        self._timer: Any = None
        self.refusal: BaseException | None = None
        self.armed = False

    def open(self) -> None:
        """Begin to look for tests."""
        self._shell.input_transformers_cleanup.append(self._strip)
        self._shell.ast_transformers.append(self._conclude)
        self._capture.observers.insert(
            0, self
        )  # a test ends before the run of its cell does, and is told to it

    def close(self) -> None:
        """Stop looking for them."""
        if self in self._capture.observers:
            self._capture.observers.remove(self)
        for held, mine in (
            (self._shell.input_transformers_cleanup, self._strip),
            (self._shell.ast_transformers, self._conclude),
        ):
            if mine in held:
                held.remove(mine)

    def line_of(self, raw: str) -> str | None:
        """Return what stands behind ``%%test`` on top of a raw cell, None if the cell is no test.

        Raises
        ------
        UsageError
            If it stands below a magic that would take it as text.
        """
        lines = raw.splitlines(keepends=True)
        for transformer in self._shell.input_transformers_cleanup:
            if transformer is self._strip:
                break
            lines = transformer(lines)
        match = _LINE.match(lines[0].rstrip()) if lines else None
        if match is None and len(lines) > 1 and lines[0].startswith("%%") and _LINE.match(lines[1].rstrip()):
            raise UsageError(
                f"%%test stands below {lines[0].split()[0]}, which would take it as text",
                "Make `%%test` the first line of the cell",
            )
        return match[1].strip() if match else None

    def entered(self, info: ExecutionInfo) -> None:
        """Load what is tested if the execution is a test; an error is kept for the transformer."""
        raw = info.raw_cell or ""
        if self._going is not None or "%%test" not in raw:
            return
        self.refusal, self.armed = None, False
        case = str(getattr(info, "cell_id", None) or "cell")
        try:
            line = self.line_of(raw)
            if line is None:
                return
            self._going = (info, None, case)
            self._begin(info, line, case)
        except (
            BaseException
        ) as error:  # an event callback's error would be swallowed, and the cell run untested
            self.refusal = error
            self._disarm()
            if isinstance(error, KeyboardInterrupt):
                raise

    def _begin(self, info: Any, line: str, case: str) -> None:
        from provenote import workspace
        from provenote.checks import session

        request = parse(line)
        checker = session.current().subject(workspace.find(), request)
        self._going = (info, checker, case)
        checker.findings = []
        if request.timeout:
            self._arm(request.timeout)
        session.asked_first(checker, request)
        names = {"model": checker.model, "test": checker.asked.frame, "check": checker}
        self._shell.user_ns.update(names)
        self.armed = True

    def left(self, info: ExecutionInfo, error: BaseException | None) -> None:
        """Keep what the test found, and show it."""
        if self._going is None or self._going[0] is not info:
            return
        _, checker, case = self._going
        self._going, self.armed = None, False
        self._disarm()
        from provenote.checks import session

        refused = self.refusal
        self.refusal = None
        cause = error.__cause__ if type(error).__name__ == "InputRejected" and error is not None else None
        findings = tuple(checker.findings) if checker is not None else ()
        outcome, why = session.judge(cause or refused or error, findings)
        try:
            session.current().keep(case, outcome, why, findings)
        except ProvenoteError as trouble:
            shown.line(trouble.line)
        if checker is not None:
            self._show(checker, outcome, why, findings)

    def _show(self, checker: Any, outcome: Any, why: str, findings: tuple[Any, ...]) -> None:
        from provenote.checks import pages
        from provenote.checks.verdict import Finding, Verdict
        from provenote.view import Line

        told = (
            findings if not why or why == "it ran to its end" else (*findings, Finding("cell", outcome, why))
        )
        about = {**checker.tested.subject(), **checker.asked.subject()}
        verdict = Verdict("model-tests", about, told or (Finding("cell", outcome, why),))
        view = pages.view(verdict, more=[Line(told, role="muted") for told in checker.asked.told])
        if not shown.is_kernel(self._shell):
            shown.view(view, kernel=False)
            return
        shown.verdicts(view, {MIME: view.data})

    def conclude(self) -> None:
        """Fail the cell that is at work when an answer was not good."""
        if self._going is not None and self._going[1] is not None:
            from provenote.checks import session

            session.conclude(self._going[1].findings)

    def _arm(self, seconds: float) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise UsageError("--timeout works in cells of the main thread only")
        from provenote.checks.session import TooLong

        def ring(*_: Any) -> None:
            raise TooLong(f"the test took longer than {seconds:g} s")

        self._timer = signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def _disarm(self) -> None:
        if self._timer is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._timer)
            self._timer = None


_cells: TestCells | None = None


def install(shell: InteractiveShell, capture: Capture) -> TestCells:
    """Return the tests of a shell."""
    global _cells
    _cells = TestCells(shell, capture)
    return _cells


def conclude() -> None:
    """Fail the test that is at work when an answer was not good; called at the end of its cell."""
    if _cells is not None:
        _cells.conclude()


def misplaced(line: str, cell: str) -> None:
    """Test a model: ``%%test MODEL [--on DATA] [--min r2=0.85] [--slice season] [--timeout 60]``."""
    raise UsageError("%%test was not the first line of the cell, so nothing of it ran", "Move it to the top")
