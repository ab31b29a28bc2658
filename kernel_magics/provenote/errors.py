"""The one family of errors: what happened, why, and the command that mends it.

A face renders a `ProvenoteError` as one line and leaves with its ``exit_status``; any other
exception is a defect of ours and keeps its traceback.
"""

from __future__ import annotations


class ProvenoteError(Exception):
    """A user's mistake or a broken world, said in one line.

    Parameters
    ----------
    what : str
        What happened and why, without a full stop at the end.
    mend : str, optional
        The command (or the sentence) that mends it. A command is shown in back quotes.

    Attributes
    ----------
    exit_status : int
        Exit status of the command line: 1 the verdict is no, 2 the user's mistake, 3 a broken world.
    """

    exit_status = 2

    def __init__(self, what: str, mend: str | None = None) -> None:
        self.what = " ".join(str(what).split()).rstrip(".")
        self.mend = mend
        super().__init__(self.line)

    def __reduce__(self) -> tuple[type[ProvenoteError], tuple[str, str | None]]:
        return type(self), (self.what, self.mend)

    @property
    def line(self) -> str:
        """The whole message on one line."""
        return f"{self.what}. {self.mend}" if self.mend else self.what

    def _render_traceback_(self) -> list[str]:
        """Show one line instead of a traceback in IPython (its protocol for custom tracebacks)."""
        return [f"provenote: {self.line}"]


class UsageError(ProvenoteError):
    """The user asked for something that cannot be; another request will do."""

    exit_status = 2


class Refused(ProvenoteError):
    """The verdict is no: a check failed, a policy forbids it, a job failed."""

    exit_status = 1


class WorldError(ProvenoteError):
    """The world is broken: disk, network, remote or repository."""

    exit_status = 3
