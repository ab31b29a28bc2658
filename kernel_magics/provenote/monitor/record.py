"""What a monitor remembers of a window: plain data, kept in the window's run.

``extra.monitor`` of `run.json`, and the artifact ``verdict`` of the run, hold it as JSON, schema 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from provenote.monitor.causes import Cause

Level = Literal["healthy", "look", "act", "not judged"]
Part = Literal["data", "performance"]


@dataclass(frozen=True, slots=True)
class Record:
    """One judgement of one window.

    Parameters
    ----------
    monitor, window : str
    part : {'data', 'performance'}
        Performance is judged later, when labels have come.
    begin, end : int
        Seconds since 1970 in the data's own clock.
    rows : int
    digest : str
        Of the rows: the same rows are not judged twice, mended ones are.
    level : {'healthy', 'look', 'act', 'not judged'}
    causes : tuple of Cause
    values : dict of str to list
        Every statistic that was taken: value, limit, whether it is over, and between which values nine of
        ten own windows lie.
    verdict : dict
        As `provenote.checks.verdict.Verdict.plain` gives it.
    reference : str
        MD5 of the reference.
    at : float
        When it was judged; seconds since 1970.
    """

    monitor: str
    window: str
    part: Part
    begin: int
    end: int
    rows: int
    digest: str
    level: Level
    causes: tuple[Cause, ...]
    values: Mapping[str, Any]
    verdict: Mapping[str, Any]
    reference: str
    at: float
    run: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        made = {name: getattr(self, name) for name in self.__slots__ if name not in ("causes", "run")}
        return {"schema": 1, **made, "causes": [asdict(cause) for cause in self.causes]}


def parse(plain: Any, run: str = "") -> Record | None:
    """Read a record; None where it is none, or a newer release's."""
    if not isinstance(plain, Mapping) or plain.get("schema") != 1:
        return None
    try:
        causes = tuple(
            Cause(**{**one, "signals": tuple(one.get("signals") or ())}) for one in plain.get("causes") or ()
        )
        values = {name: plain[name] for name in Record.__slots__ if name not in ("causes", "run")}
        return Record(**values, causes=causes, run=run)
    except (KeyError, TypeError, ValueError):
        return None


def level(causes: tuple[Cause, ...]) -> Level:
    """Return how a window stands that was judged."""
    if any(cause.level == "act" for cause in causes):
        return "act"
    return "look" if causes else "healthy"
