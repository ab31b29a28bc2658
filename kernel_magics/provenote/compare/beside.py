"""A comparison laid out as a view: a section for each kind of thing, one column a run, the same folded."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from provenote.compare import beside_files, beside_notebooks, columns, numbers
from provenote.compare.differences import ABSENT, Item, Section
from provenote.view import Cell, Column, Line, Part, Role, Table

if TYPE_CHECKING:
    from provenote.compare.comparison import Comparison
    from provenote.compare.sides import Side

HINT = ": `--all`"
"""What a count of hidden lines ends with: the option that shows them."""


def parts_of(
    found: Comparison,
    *,
    everything: bool = False,
    pictures: bool = False,
    alone: bool = False,
    now: float | None = None,
) -> list[Part]:
    """Lay out a comparison, what matters most first.

    Parameters
    ----------
    found : Comparison
    everything : bool
        Whether what is the same is shown, too.
    pictures : bool
        Whether the metrics are drawn.
    alone : bool
        Whether it stands in a document that is read later: with whole dates, and without options to give.
    now : float, optional
        Seconds since 1970.
    """
    now = time.time() if now is None else now
    parts: list[Part] = [_head(side, None if alone else now) for side in found.sides]
    parts += metrics(found, everything)
    if pictures:
        parts += drawn(found)
    parts += values("Parameters", found.params, found.sides, everything)
    parts += beside_files.code_parts(found.code, found.sides)
    parts += beside_notebooks.parts(found.notebooks, found.sides, everything)
    parts += beside_files.data_parts(found.data, found.sides, everything)
    parts += environments(found, everything)
    parts += values("About", found.about, found.sides, everything)
    return [_without_options(part) for part in parts] if alone else parts


def _without_options(part: Part) -> Part:
    if isinstance(part, Table):
        return replace(part, foot=[line.removesuffix(HINT) for line in part.foot])
    return replace(part, text=part.text.removesuffix(HINT)) if isinstance(part, Line) else part


def _head(side: Side, now: float | None) -> Line:
    """Return the line of one run: its letter, name, state and when it ran."""
    row = side.row
    words = [side.letter, row.name, row.status]
    words += [row.reason] if row.reason and row.status == "running" else []
    words += ["baseline"] if side.letter == "A" else []
    words += [flags] if (flags := columns.flags_cell(row).text) else []
    user = str(side.document.get("user") or "")
    when = numbers.full_time(row.started) if now is None else numbers.moment(row.started, now)
    return Line("  ".join(words), columns.mark(row), "plain", f"{user}, {when}" if user else when)


def metrics(found: Comparison, everything: bool) -> list[Part]:
    """Lay out the metrics, each change beside its value; which way is better stands in words."""
    section = found.metrics
    shown = section.items if everything else section.differing
    if not shown:
        return [_nothing("Metrics", section)]
    places = [numbers.decimals(v for v in item.values if v is not ABSENT) for item in shown]
    lines: list[list[Cell]] = [[Cell(columns.heading(item.key))] for item in shown]
    made = [Column("metric")]
    two = len(found.sides) == 2  # then nothing of it may be dropped
    for place, heading in enumerate(side.heading for side in found.sides):
        made.append(Column(heading, "right", keep=two))
        if place:
            made.append(Column("change", keep=two))
        for line, item, decimals in zip(lines, shown, places, strict=True):
            line.append(_value(item, place, decimals))
            if place:
                line.append(_changed(item, place, decimals))
    return [Table(made, lines, caption=_caption("Metrics", section), foot=_folded(section, everything))]


def drawn(found: Comparison) -> list[Part]:
    """Draw the curves of the metrics, or without any the last values."""
    from provenote.render import dots, pictures

    picture = pictures.overlaid({f"{side.letter} {side.row.name}": side.series for side in found.sides})
    if picture is None:
        picture = dots.scales([(side.letter, columns.flat(side.row.metrics)) for side in found.sides])
    return [] if picture is None else [picture]


def _value(item: Item, place: int, decimals: int | None = None) -> Cell:
    """Return one value; what is as the baseline's is muted, what differs is strong."""
    value = item.values[place]
    if value is ABSENT:
        return Cell(numbers.NONE, "muted")
    from provenote.compare.differences import equal

    text = numbers.text(value, decimals, grouped=True) if decimals is not None else numbers.text(value)
    role: Role = "plain" if not place else "muted" if equal(value, item.values[0]) else "strong"
    exact = repr(value) if isinstance(value, float) else ""
    return Cell(text, role, "" if exact == text else exact)


def _changed(item: Item, place: int, decimals: int) -> Cell:
    value, base = item.values[place], item.values[0]
    text = numbers.change(value, base, decimals)
    good = numbers.better(item.key, value, base)
    if good is None:
        return Cell(text, "muted")
    return Cell(f"{text} {'better' if good else 'worse'}".strip(), "better" if good else "worse")


def values(title: str, section: Section, sides: Sequence[Side], everything: bool) -> list[Part]:
    """Lay out keys that are no metrics."""
    shown = section.items if everything else section.differing
    if not shown:
        return [_nothing(title, section)]
    lines = [[Cell(item.key), *(_value(item, place) for place in range(len(sides)))] for item in shown]
    aligned = all(_is_number(value) for item in shown for value in item.values)
    made = [Column("key"), *(Column(side.heading, "right" if aligned else "left") for side in sides)]
    return [Table(made, lines, caption=_caption(title, section), foot=_folded(section, everything))]


def _is_number(value: Any) -> bool:
    return value is ABSENT or numbers.number(value) is not None


def environments(found: Comparison, everything: bool) -> list[Part]:
    """Lay out the packages that differ, those that a run imported first."""
    known, sides = found.environments, found.sides
    unknown = [side.row.name for side in sides if side.letter in known.unknown]
    note = [f"The packages of {', '.join(unknown)} are not known"] if unknown else []
    shown = known.section.items if everything else known.differing
    if not shown:
        same = numbers.counted(known.identical, "package")
        if known.identical and len(unknown) < len(sides) - 1:
            note.insert(0, f"Environment: all {same} are identical")
        return [Line(text, "", "muted") for text in note]
    lines = []
    for item in shown:
        cells = [Cell(item.key, "code"), Cell("imported" if item.key in known.imported else "", "muted")]
        for place, value in enumerate(item.values):
            if value is None:
                cells.append(Cell("not known", "muted"))
            else:
                cells.append(_value(item, place))
        lines.append(cells)
    count = len(known.differing)
    caption = f"Environment, {count} of {numbers.counted(len(known.section.items), 'package')} differ"
    foot = [] if everything or not known.identical else [f"{known.identical:,} identical hidden{HINT}"]
    made = [Column("package"), Column(""), *(Column(side.heading) for side in sides)]
    return [Table(made, lines, caption=caption, foot=[*foot, *note])]


def _caption(title: str, section: Section) -> str:
    return f"{title}, {len(section.differing)} differ"


def _folded(section: Section, everything: bool) -> list[str]:
    hidden = 0 if everything else section.identical
    return [f"{hidden:,} identical hidden{HINT}"] if hidden else []


def _nothing(title: str, section: Section) -> Line:
    if not section.items:
        return Line(f"{title}: none in any of them", "", "muted")
    return Line(f"{title}: all {len(section.items)} are identical", "", "muted")
