"""Verdicts as a widget: a table of findings that is filtered, sorted and opened in the browser.

All that the browser needs goes over once, bounded, so that it works while the kernel is busy with the next
cell. Verdicts come out of runs that others made: nothing here trusts their types, and the browser sets each
text as text.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from provenote.checks.pages import interval, number
from provenote.checks.verdict import WORST_FIRST

SCRIPTS = ("parts.js", "verdict.js")
"""Joined to one module, since a front end loads one."""
VERDICTS = 200
"""Verdicts to choose among: the newest windows of a monitor."""
FINDINGS = 20_000
"""Findings of all verdicts together."""
ROWS = 50
"""Rows of evidence of one finding."""
ALL_ROWS = 10_000
"""Rows of evidence of all findings together, but at least `FEW` of each."""
FEW = 3
COLUMNS = 12
LONG = 2_000
"""Characters of one text."""
SHORT = 120
"""Characters of one cell of evidence."""
FACTS = 40

_DIGEST = re.compile(r"[0-9a-f]{32,128}(\.dir)?")

Named = tuple[str, Mapping[str, Any]]
"""What a verdict is of, as a path or a window, and its plain form."""


def state(verdicts: Sequence[Named]) -> dict[str, Any]:
    """Return what the browser draws of verdicts, as plain JSON. Pure.

    Parameters
    ----------
    verdicts : sequence of (str, mapping)
        Name and plain form of each (`Verdict.plain`); of more than `VERDICTS` the first.

    Returns
    -------
    dict
        ``verdicts``: for each its title, outcome, subject as pairs, and findings with their figures as
        numbers and as text, and their evidence as blocks; ``left``: verdicts and findings that were too many.
    """
    shown = verdicts[:VERDICTS]
    lists = [_findings(plain) for _, plain in shown]
    total = sum(len(one) for one in lists)
    rows = max(FEW, min(ROWS, ALL_ROWS // max(total, 1)))
    room, made = FINDINGS, []
    for (title, plain), found in zip(shown, lists, strict=True):
        taken = found[:room]
        room -= len(taken)
        subject = plain.get("subject")
        pairs = subject.items() if isinstance(subject, Mapping) else ()
        made.append(
            {
                "title": _cut(title, LONG),
                "outcome": _outcome(plain.get("outcome")),
                "subject": [_fact(str(key), value) for key, value in list(pairs)[:FACTS]],
                "findings": [finding(one, rows) for one in taken],
                "left": len(found) - len(taken),
            }
        )
    return {"verdicts": made, "left": len(verdicts) - len(shown)}


def finding(plain: Mapping[str, Any], rows: int = ROWS) -> dict[str, Any]:
    """Return what the browser draws of one finding. Pure."""
    value, limit = _figure(plain.get("value")), _figure(plain.get("limit"))
    around = _interval(plain.get("interval"))
    evidence = plain.get("evidence")
    return {
        "name": _cut(plain.get("name"), LONG),
        "outcome": _outcome(plain.get("outcome")),
        "why": _cut(plain.get("why"), LONG),
        "mend": _cut(plain.get("mend"), LONG),
        "value": value,
        "limit": limit,
        "interval": around,
        "texts": [number(value), number(limit), interval(around)],
        "blocks": blocks(evidence, rows) if isinstance(evidence, Mapping) else [],
    }


def blocks(evidence: Mapping[str, Any], rows: int = ROWS) -> list[dict[str, Any]]:
    """Return evidence as it is drawn: one list of facts, then a table for each list of rows. Pure.

    Parameters
    ----------
    evidence : mapping
        Plain JSON.
    rows : int
        The most rows of a table.
    """
    facts: list[list[Any]] = []
    tables: list[dict[str, Any]] = []
    for key, value in evidence.items():
        if isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
            tables.append(_table(str(key), value, rows))
        elif isinstance(value, Mapping) and value and all(isinstance(one, Mapping) for one in value.values()):
            named = [{"name": name, **one} for name, one in value.items()]
            tables.append(_table(str(key), named, rows))
        elif isinstance(value, Mapping):
            facts += [_fact(f"{key} {name}", one) for name, one in value.items()]
        elif value is not None and value not in ("", []):
            facts.append(_fact(str(key), value))
    left = len(facts) - FACTS
    if left > 0:
        facts = [*facts[:FACTS], ["and", f"{left:,} more", False]]
    return [*([{"facts": facts}] if facts else []), *tables]


def _findings(plain: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = plain.get("findings")
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list | tuple) else []


def _table(caption: str, rows: Sequence[Mapping[str, Any]], most: int) -> dict[str, Any]:
    """Lay out rows; a column that is empty in all of them is left out."""
    shown = rows[:most]
    keys = [
        key
        for key in dict.fromkeys(key for row in shown for key in row)
        if any(row.get(key) not in (None, "") for row in shown)
    ][:COLUMNS]
    numeric = [all(_figure(row.get(key)) is not None for row in shown if key in row) for key in keys]
    return {
        "caption": _cut(caption, SHORT),
        "columns": [_cut(key, SHORT) for key in keys],
        "right": numeric,
        "rows": [[_cut(_text(row.get(key)), SHORT) for key in keys] for row in shown],
        "left": len(rows) - len(shown),
    }


def _fact(key: str, value: Any) -> list[Any]:
    """Return name, text, and whether the text is a digest."""
    text = _text(value)
    return [_cut(key.replace("_", " "), SHORT), _cut(text, LONG), bool(_DIGEST.fullmatch(text))]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)  # years stay as they are
    if isinstance(value, float):
        return f"{value:.6g}".replace("-", "−") if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and not any(isinstance(one, list | tuple | Mapping) for one in value):
        return ", ".join(_text(one) for one in value)
    return json.dumps(value, ensure_ascii=False, default=str)


def _figure(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        figure = float(value)
    except OverflowError:
        return None
    return figure if math.isfinite(figure) else None


def _interval(value: Any) -> tuple[float, float] | None:
    if not isinstance(value, list | tuple) or len(value) != 2:
        return None
    low, high = _figure(value[0]), _figure(value[1])
    return None if low is None or high is None else (low, high)


def _outcome(value: Any) -> str:
    return value if value in WORST_FIRST else "error"


def _cut(value: Any, most: int) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= most else text[: most - 1] + "…"


class Verdicts:
    """The widget of one answer.

    Parameters
    ----------
    verdicts : sequence of (str, mapping)
        As for `state`; the first is shown at once.
    above, below : str
        HTML of what else the answer says.

    Attributes
    ----------
    box : ipywidgets.VBox
        What is displayed.
    """

    def __init__(self, verdicts: Sequence[Named], above: str = "", below: str = "") -> None:
        import ipywidgets

        grid = _kind()(state=state(verdicts))
        words = [ipywidgets.HTML(text) if text else None for text in (above, below)]
        children = [one for one in (words[0], grid, words[1]) if one is not None]
        self.box = ipywidgets.VBox(children)
        self.box.add_class("pn-shown")

    def close(self) -> None:
        """Take the widget away."""
        for child in self.box.children:
            child.close()
        self.box.close()


@cache
def _kind() -> Any:
    """Return the class; its imports take some tenths of a second."""
    import anywidget
    import traitlets

    from provenote.render.style import sheet
    from provenote.widgets.grid import style

    here = Path(__file__).parent
    script = "\n".join((here / name).read_text(encoding="utf-8") for name in SCRIPTS)

    class VerdictGrid(anywidget.AnyWidget):
        """A table of findings."""

        _esm = script
        _css = sheet() + style() + (here / "verdict.css").read_text(encoding="utf-8")
        state = traitlets.Dict().tag(sync=True)

    return VerdictGrid
