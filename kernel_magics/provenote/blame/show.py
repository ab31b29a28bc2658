"""The answer to "why" laid out: the shares of the factors, what is inside the largest, the leak screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provenote.blame.factors import PACKAGES
from provenote.blame.journey import NOISE, Blame
from provenote.compare import numbers
from provenote.view import Cell, Column, Line, Part, Picture, Role, Table, View

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDE, _ROW = 560.0, 30.0  # pixels of the picture, and of one factor in it


def view(made: Blame, *, pictures: bool = False) -> View:
    """Show why a metric differs.

    Parameters
    ----------
    made : Blame
    pictures : bool
        Whether the shares are drawn, too.
    """
    parts: list[Part] = [_head(made)]
    if made.verdict == "same":
        parts += _same(made)
    elif made.verdict == "noise":
        parts.append(Line(_noise(made), "ok"))
        parts.append(Line(f"They differ in {', '.join(made.found.factors)}", role="muted"))
    else:
        parts += _split(made, pictures)
    parts += _left(made)
    if made.ran or made.known:
        was = f", {numbers.counted(made.known, 'outcome')} known before" if made.known else ""
        took = f" in {numbers.duration(made.seconds)}" if made.ran else ""
        parts.append(Line(f"{numbers.counted(made.ran, 'run')} made{took}{was}", role="muted"))
    return View(parts, plain(made))


def _head(made: Blame) -> Line:
    places = numbers.decimals(list(made.recorded))
    old, new = (numbers.text(value, places) for value in made.recorded)
    change = numbers.change(made.recorded[1], made.recorded[0], places)
    good = numbers.better(made.metric, made.recorded[1], made.recorded[0])
    word = {True: ", better", False: ", worse", None: ""}[good]
    arrow = numbers.ARROWS[numbers.direction(made.metric)]
    name = f"{made.metric} {arrow}".strip()
    return Line(
        f"{name}: {old} in {made.old.row.name}, {new} in {made.new.row.name} ({change}{word})", role="strong"
    )


def _same(made: Blame) -> list[Part]:
    if made.recorded[0] == made.recorded[1]:
        return [Line("The two runs differ in nothing, and agree", "ok")]
    if made.left:
        return [Line("Of what can be crossed here, nothing differs", "warn")]
    return [
        Line("Nothing that is recorded differs, and yet the metric does", "warn"),
        Line(f"See whether it comes out again: provenote reproduce {made.new.row.name}", role="muted"),
    ]


def _noise(made: Blame) -> str:
    if made.jump == 0:
        return "Run again, the two give the same"
    often = numbers.counted(made.repeats, "run")
    return (
        f"Run again they differ by {numbers.text(abs(made.jump))}: no more than {NOISE:g} standard "
        f"deviations of chance ({numbers.text(made.noise)} over {often})"
    )


def _split(made: Blame, pictures: bool) -> list[Part]:
    parts: list[Part] = [_shares(made)]
    if pictures:
        parts.append(picture(made))
    for one, other, amount in made.interactions:
        words = f"{one} and {other} together do {numbers.change(amount, 0.0)} beyond what each does alone"
        parts.append(Line(f"{words}: changing one at a time would mislead", "warn"))
    parts += [Line(words, "warn") for words in made.together]
    chance = numbers.counted(made.repeats, "run")
    parts.append(Line(f"By chance alone: ±{numbers.text(made.noise)} ({chance})", role="muted"))
    if made.puts:
        parts.append(_puts(made))
    if made.leaks is not None:
        parts += _leaks(made)
    return parts


def _shares(made: Blame) -> Table:
    places = numbers.decimals([*made.recorded, made.jump])
    rows: list[list[Cell]] = []
    for name in sorted(made.shares, key=lambda name: -abs(made.shares[name])):
        share = made.shares[name]
        error = f" ± {numbers.text(made.errors[name])}" if name in made.errors else ""
        what = "; ".join(made.found.factors[each] for each in name.split(" + "))
        rows.append([
            Cell(name, "strong"),
            Cell((numbers.change(share, 0.0, places) or "0") + error, _role(made, share)),
            Cell(f"{share / made.jump:.0%}" if made.jump else "", "muted"),
            Cell(what),
        ])  # fmt: skip
    total = numbers.change(made.jump, 0.0, places)
    foot = [f"They sum to {total}, the whole difference of the two run again"]
    if abs(made.rest) > 1e-9 * max(1.0, abs(made.recorded[0]), abs(made.recorded[1])):
        rest = numbers.change(made.rest, 0.0, places)
        foot.append(f"{rest} of the recorded difference did not come again: packages, machine or chance")
    columns = [
        Column("factor"),
        Column(made.metric, "right"),
        Column("share", "right"),
        Column("what differs"),
    ]
    return Table(columns, rows, foot=foot)


def _role(made: Blame, share: float) -> Role:
    good = numbers.better(made.metric, made.again[0] + share, made.again[0])
    return "plain" if good is None else "better" if good else "worse"


def _puts(made: Blame) -> Table:
    winner = max(made.shares, key=lambda name: abs(made.shares[name]))
    rows = [
        [
            Cell(put.words),
            Cell(numbers.NONE if put.value is None else numbers.text(put.value)),
            Cell(put.why if put.effect is None else numbers.change(put.effect, 0.0) or "0", "muted"),
        ]
        for put in made.puts
    ]
    foot = [f"and {made.more} more pieces that were not tried"] if made.more else []
    columns = [Column("put back"), Column(made.metric, "right"), Column("it does", "right")]
    return Table(columns, rows, caption=f"Inside {winner}: the new run with one piece as it was", foot=foot)


def _leaks(made: Blame) -> list[Part]:
    found = [leak for leak in made.leaks or () if leak.outcome == "failed"]
    unjudged = [leak for leak in made.leaks or () if leak.outcome == "not judged"]
    parts: list[Part] = []
    for leak in found:
        parts.append(Line(f"A rise, and a sign of a leak: {leak.why}", "warn", "warn"))
        if leak.mend:
            parts.append(Line(f"  {leak.mend}", role="muted"))
    for leak in unjudged:
        mend = f". {leak.mend}" if leak.mend else ""
        parts.append(Line(f"The leak screen could not judge: {leak.why}{mend}", role="muted"))
    if not found and not unjudged:
        parts.append(Line("A rise: the leak screen found none of its signs, which is no proof", role="muted"))
    return parts


def _left(made: Blame) -> list[Part]:
    if not made.left:
        return []
    return [
        Line(f"Not crossed: {PACKAGES} ({made.left}); all ran in the environment that is here", "warn"),
        Line(f"  Cross them: provenote why {made.old.row.name} {made.new.row.name} --env", role="muted"),
    ]


def picture(made: Blame) -> Picture:
    """Draw the way from the old value to the new one, a bar for each factor."""
    from provenote.render import plots
    from provenote.render.roles import LIGHT

    names = sorted(made.shares, key=lambda name: -abs(made.shares[name]))
    high = _ROW * (len(names) + 2) + 34
    figure = plots.canvas(_WIDE, high)
    field: Axes = plots.axes_at(figure, (_WIDE, high), (110, 30, _WIDE - 190, high - 40))
    reached = made.again[0]
    for place, name in enumerate(names, 1):
        share = made.shares[name]
        colour = LIGHT[{"better": "better", "worse": "worse"}.get(_role(made, share), "axis")]
        field.barh(place, share, left=reached, height=0.62, color=colour)
        reached += share
        field.annotate(
            numbers.change(share, 0.0) or "0", (max(reached, reached - share), place), (5, 0),
            textcoords="offset points", va="center", fontsize=7, color=LIGHT["text"],
        )  # fmt: skip
    for place, value in ((0, made.again[0]), (len(names) + 1, made.again[1])):
        field.plot([value], [place], "o", color=LIGHT["text"], markersize=4)
        field.annotate(
            numbers.text(value), (value, place), (6, 0), textcoords="offset points", va="center", fontsize=7,
            color=LIGHT["text"],
        )  # fmt: skip
    labels = [plots.plain(made.old.row.name, 16), *names, plots.plain(made.new.row.name, 16)]
    field.set_yticks(range(len(labels)), labels, fontsize=7)
    field.invert_yaxis()
    field.tick_params(axis="x", labelsize=7, colors=LIGHT["text2"])
    for side in ("top", "right", "left"):
        field.spines[side].set_visible(False)
    words = ", ".join(f"{name} {numbers.change(made.shares[name], 0.0) or '0'}" for name in names)
    alt = f"{made.metric} from {numbers.text(made.again[0])} to {numbers.text(made.again[1])}: {words}"
    return Picture(plots.png(figure), alt)


def plain(made: Blame) -> dict[str, Any]:
    """Return the answer as JSON."""
    return {
        "schema": 1,
        "metric": made.metric,
        "old": {"id": made.old.row.id, "name": made.old.row.name, "value": made.recorded[0]},
        "new": {"id": made.new.row.id, "name": made.new.row.name, "value": made.recorded[1]},
        "again": list(made.again),
        "verdict": made.verdict,
        "noise": {"sd": made.noise, "runs": made.repeats},
        "factors": [
            {
                "name": name,
                "differs": [made.found.factors[each] for each in name.split(" + ")],
                "share": share,
                "error": made.errors.get(name),
            }
            for name, share in made.shares.items()
        ],
        "differs": dict(made.found.factors),
        "interactions": [list(each) for each in made.interactions],
        "together": list(made.together),
        "not_crossed": made.left or None,
        "rest": made.rest,
        "inside": [
            {"put_back": put.words, "value": put.value, "effect": put.effect, "why": put.why}
            for put in made.puts
        ],
        "not_tried": made.more,
        "leaks": None
        if made.leaks is None
        else [
            {"name": leak.name, "outcome": leak.outcome, "why": leak.why, "value": leak.value}
            for leak in made.leaks
        ],
        "runs": {"made": made.ran, "known": made.known, "seconds": made.seconds},
    }
