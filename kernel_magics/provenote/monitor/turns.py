"""The turns of a timer: look with every monitor that is due, and say how each stands."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from provenote.errors import ProvenoteError
from provenote.events import Tell, silent
from provenote.monitor import definition, show, watching
from provenote.monitor.record import Level

if TYPE_CHECKING:
    from provenote.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Turn:
    """What a timer did with one monitor.

    Parameters
    ----------
    monitor : str
    state : {'looked', 'due', 'idle', 'wrong'}
        ``due``: it would look (dry run).
    level : {'healthy', 'look', 'act', 'not judged'} or None
        How it stands; None where that is not known.
    says : str
    next : str
        When it will be due.
    error : ProvenoteError or None
    """

    monitor: str
    state: Literal["looked", "due", "idle", "wrong"]
    level: Level | None = None
    says: str = ""
    next: str = ""
    error: ProvenoteError | None = None

    @property
    def status(self) -> int:
        """Exit status: 1 where a person is called, more where it could not look."""
        if self.error is not None:
            return self.error.exit_status
        return 1 if self.level == "act" else 0

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "rule": f"monitor {self.monitor}",
            "state": self.state,
            "level": self.level,
            "stands": self.says,
            "next": self.next,
            "error": self.error.line if self.error else None,
        }


def there(workspace: Workspace) -> bool:
    """Whether the project has a file of monitors."""
    return (workspace.dvc_root / definition.FILE).exists()


def take(
    workspace: Workspace, *, dry_run: bool = False, now: float | None = None, tell: Tell = silent
) -> list[Turn]:
    """Look with every monitor that is due; what is wrong with one stops no other.

    Parameters
    ----------
    workspace : Workspace
    dry_run : bool
        Only say which are due.
    now : float, optional
        Seconds since 1970.
    tell : Tell

    Raises
    ------
    UsageError
        If the file of monitors cannot be read.
    """
    moment = time.time() if now is None else now
    return [
        _turn(workspace, monitor, due, dry_run, moment, tell)
        for monitor, due in watching.due(workspace, moment)
    ]


def _turn(
    workspace: Workspace, monitor: definition.Monitor, due: bool, dry_run: bool, now: float, tell: Tell
) -> Turn:
    try:
        before = watching.standing(workspace, monitor, now)
        if due and not dry_run:
            standing = watching.look(workspace, monitor, now=now, tell=tell).standing
        else:
            standing = before
    except ProvenoteError as error:
        return Turn(monitor.name, "wrong", error=error)
    late = f"; {before.silent}" if before.silent else ""
    last = now if due and not dry_run else before.last
    following = (
        "" if last is None else datetime.fromtimestamp(last + monitor.every, UTC).strftime("%Y-%m-%d %H:%M")
    )
    state: Literal["looked", "due", "idle"] = "idle"
    if due:
        state = "due" if dry_run else "looked"
    return Turn(monitor.name, state, standing.level, show.headline(standing) + late, following)
