"""The magics themselves, as IPython registers them; each is thin: parse, call one function, show."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from provenote.errors import UsageError
from provenote.magics import shown, testing, verbs, words

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from provenote.tracking.active import ActiveRun

Magic = Callable[..., None]
_NO_RUN = "Start one: `%%track NAME` on top of a cell, or `%track start NAME`"


def made(shell: InteractiveShell) -> dict[tuple[str, str], Magic]:
    """Return every magic by kind and name, bound to ``shell``."""
    magics: dict[tuple[str, str], Magic] = {
        ("line", "log"): _log(shell),
        ("line", "track"): _track(shell),
        ("cell", "track"): _misplaced,
        ("cell", "test"): testing.misplaced,
        ("line", "pv"): _pv(shell),
        ("line", "provenote"): _pv(shell),
    }
    for name in verbs.SHORT:
        magics["line", name] = _short(shell, name)
    return magics


def _names(shell: Any, local: dict[str, Any] | None) -> dict[str, Any]:
    """Return the names that the line may use: also those of the function where the magic stands in one."""
    names: dict[str, Any] = shell.user_ns
    return names if local is None or local is names else {**names, **local}


def _magic(function: Magic) -> Magic:
    """Mark a magic: its text is taken as it stands, and it sees the names of the function it stands in."""
    from IPython.core.magic import needs_local_scope, no_var_expand

    return needs_local_scope(no_var_expand(function))


def _log(shell: InteractiveShell) -> Magic:
    def log(line: str, local_ns: dict[str, Any] | None = None) -> None:
        """Log metrics of the active run: ``%log name=expression, ... --step expression``.

        A mapping may come first (``%log scores --step i``); ``%log **{"train/loss": x}`` gives names with odd
        characters. Every value is safe from a killed kernel when the line is done.
        """
        from provenote.magics import log_line

        parsed = log_line.parse(line)
        run = _active()
        mapping, named, step = parsed.evaluate(_names(shell, local_ns))
        run.log({**mapping, **named} if mapping else named, step=step)

    return _magic(log)


def _active() -> ActiveRun:
    """Return the active run; in a job, the job's own."""
    from provenote.tracking import active

    run = active.current()
    if run is not None:
        return run
    if shown.in_job():
        from provenote.tracking import starting

        return starting.start()
    raise UsageError("no run is active", _NO_RUN)


def _track(shell: InteractiveShell) -> Magic:
    def track(line: str, local_ns: dict[str, Any] | None = None) -> None:
        """Track a run over several cells: ``%track start NAME``, ``%track end``, ``%track status``.

        ``%%track NAME`` on the first line of a cell makes the cell one run. ``--reason "new method"`` behind
        the name says why the model changes.
        """
        given = line.split(None, 1)
        verb = given[0] if given else "status"
        if verb == "start":
            _begin(given[1] if len(given) > 1 else "")
        elif verb == "end":
            _end(kernel=shown.is_kernel(shell))
        elif verb == "status":
            verbs.call(shell, ["track", "status", *words.split(line)[1:]], shell.user_ns)
        else:
            form = "`%track start NAME`, `%track end`, `%track status`, or `%%track NAME` on top of a cell"
            raise UsageError(f"%track has no verb {verb!r}", f"Write {form}")

    return _magic(track)


def _begin(line: str) -> None:
    from provenote.magics import tracked
    from provenote.tracking import starting

    request = tracked.parse(line)
    run = starting.start(request.label, reason=request.reason)
    shown.line(f"run {run.name} is recorded until `%track end`")


def _end(*, kernel: bool) -> None:
    from provenote.tracking import active

    run = active.current()
    if run is None:
        raise UsageError("no run is active", _NO_RUN)
    run.end()
    shown.run_block(run, kernel=kernel)


def _misplaced(line: str, cell: str) -> None:
    """Track the cell as one run: ``%%track NAME [--reason "new method"]`` on its first line."""
    raise UsageError("%%track was not the first line of the cell, so nothing of it ran", "Move it to the top")


def _pv(shell: InteractiveShell) -> Magic:
    def provenote(line: str, local_ns: dict[str, Any] | None = None) -> None:
        """Call any verb, as ``provenote VERB ...`` in a shell: ``%pv VERB ...``. All: ``%pv --help``."""
        verbs.call(shell, words.split(line), _names(shell, local_ns))

    return _magic(provenote)


def _short(shell: InteractiveShell, name: str) -> Magic:
    def magic(line: str, local_ns: dict[str, Any] | None = None) -> None:
        verbs.call(shell, verbs.short(name, line), _names(shell, local_ns))

    magic.__name__ = name
    magic.__doc__ = f"Short for ``%pv {name}``. Its help: ``%{name} --help``."
    return _magic(magic)
