"""What a check found in one file: plain data, so that it can be kept and shown again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from provenote.contracts.contract import Action, Kind


@dataclass(slots=True)
class Place:
    """One faulty cell.

    Parameters
    ----------
    row : int
        Number of the record in its file, from 1; 0 for the file as a whole.
    value : str
        What stands there, cut to 80 characters.
    line : int or None
        Physical line of the file where the record begins; None where a file has no lines.
    """

    row: int
    value: str = ""
    line: int | None = None


@dataclass(slots=True)
class Fault:
    """One sort of fault in one column of one file.

    Parameters
    ----------
    kind : Kind
    column : str
        The column, the rule, or empty for the file as a whole.
    action : Action
        What is done about it.
    count : int
        How many cells or rows; all are counted.
    limit : str
        What they break, in words.
    places : list of Place
        The first of them.
    cause : str
        What is likely behind it.
    """

    kind: Kind
    column: str
    action: Action
    count: int
    limit: str
    places: list[Place] = field(default_factory=list)
    cause: str = ""


@dataclass(slots=True)
class FileReport:
    """What a check found in one file.

    Parameters
    ----------
    file : str
        Its path inside a folder; empty for a single file.
    md5 : str
    rows : int
    faults : list of Fault
    judged : list of str
        Kinds of fault that were looked for.
    not_judged : list of str
        What could not be decided, and why.
    keys : tuple or None
        Lowest and highest key where keys rise: two files whose keys do not overlap share none.
    """

    file: str
    md5: str
    rows: int = 0
    faults: list[Fault] = field(default_factory=list)
    judged: list[str] = field(default_factory=list)
    not_judged: list[str] = field(default_factory=list)
    keys: tuple[Any, Any] | None = None

    def plain(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return asdict(self)


def from_plain(found: Mapping[str, Any]) -> FileReport:
    """Read what `FileReport.plain` gave."""
    faults = [
        Fault(**{**one, "places": [Place(**place) for place in one["places"]]}) for one in found["faults"]
    ]
    keys = tuple(found["keys"]) if found["keys"] else None
    return FileReport(**{**found, "faults": faults, "keys": keys})


def shown_value(value: Any) -> str:
    """Return a cell as a message shows it: short, on one line."""
    if isinstance(value, float):
        text = f"{value:.10g}"
    else:
        text = str(value.isoformat(" ") if hasattr(value, "hour") else value)
    text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    return text if len(text) <= 80 else text[:77] + "..."
