"""The rules of continuous training: the map ``retrain:`` of ``provenote.rules.yaml``. Reading runs nothing.

::

    retrain:
      bike-demand:                       # the model, unless `model:` names it
        data: data/hour.csv              # one versioned table with labels, and with a contract
        notebook: train.ipynb
        cut: train_until                 # its parameter: the last day that it learns from
        when:                            # any of these
          schedule: {cron: "0 3 * * 1", timezone: Europe/Berlin}
          new_rows: 500
          performance: bike-demand       # a monitor whose performance alert opened
          resolved: bike-demand          # a monitor of which somebody accepted a window as normal
          advisory: true
        guards: {new_rows: 500, cool_down: 7d, cpu_hours: 10}
        sweep: {grid: {alpha: [0.1, 1.0]}, parallel: 2}
        judge: {metric: rmse, hold_out: 8w, better_by: "1%", slices: [season], alpha: 0.05, tries: 12}
        tests: {least: {r2: 0.5}}

The file is read as strict YAML where it has this map: no anchors, no tags, no key twice.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from provenote.checks.champion import Margin
from provenote.errors import UsageError
from provenote.retraining.definition import Guards, Judge, Retrain, Sweep, When, span
from provenote.stores.strict_yaml import NotStrict, Table
from provenote.stores.strict_yaml import read as read_strict
from provenote.triggers import rules
from provenote.triggers.rules import FILE

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,60}[A-Za-z0-9])?")
_SIGNS = re.compile(r"[\w .:-]{1,120}")


def read(root: Path) -> tuple[Retrain, ...]:
    """Read the rules of the project at ``root``; none where there is no file.

    Raises
    ------
    UsageError
        If it says something that has no meaning: the message says where.
    """
    try:
        content = (root / FILE).read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise UsageError(f"{FILE} cannot be read: {error.strerror}", "Check who owns it") from error
    return parse(content)


def parse(content: bytes) -> tuple[Retrain, ...]:
    """Parse the rules of continuous training in a rules file. Pure.

    Raises
    ------
    UsageError
        If it says something that has no meaning.
    """
    if not rules.parse(content).retrain:
        return ()
    try:
        made = read_strict(content, numbers=True)
        table = Table(made, FILE)
        return tuple(_rule(name, one) for name, one in table.tables("retrain").items())
    except NotStrict as error:
        raise UsageError(f"{FILE}, retrain: {error.what}", f"Mend {FILE}") from error
    except UsageError as error:
        raise UsageError(f"{FILE}, retrain: {error.what}", f"Mend {FILE}") from error


def pick(root: Path, name: str | None) -> Retrain:
    """Return one rule: by name, or the only one.

    Raises
    ------
    UsageError
        If there is none, no such one, or several and no name.
    """
    found = {one.name: one for one in read(root)}
    if not found:
        raise UsageError(f"{FILE} has no rule under retrain:", "Write one: docs/how-to/train-continuously.md")
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    if name is None or name not in found:
        what = f"there is no rule {ascii(name[:80])}" if name else f"there are {len(found)} rules"
        raise UsageError(what, f"Name one: {', '.join(sorted(found))}")
    return found[name]


def _rule(name: str, table: Table) -> Retrain:
    if not _NAME.fullmatch(name):
        raise NotStrict(
            f"the rule {ascii(name[:80])} has no plain name: letters, digits, - and _, at most 62"
        )
    when = _when(name, table.table("when"))
    tests = table.maybe("tests")
    guards = table.maybe("guards")
    sweep = table.maybe("sweep")
    judge = table.maybe("judge")
    notebooks = tests.texts("notebooks", ()) if tests else ()
    made = Retrain(
        name=name,
        model=table.text("model", default=name),
        stage=table.text("stage", default="production"),
        data=_inside(table.text("data")),
        notebook=_inside(table.text("notebook")),
        cut=table.text("cut"),
        when=when,
        guards=_guards(guards) if guards else Guards(),
        sweep=_sweep(name, sweep) if sweep else Sweep(),
        judge=_judge(name, judge) if judge else Judge(),
        to=table.text("to", default=""),
        answer=table.text("answer", default=""),
        time=table.text("time", default=""),
        tests={key: value for key, value in table.free("tests").items() if key != "notebooks"},
        notebooks=tuple(_inside(one) for one in notebooks),
    )
    taken = {"model", "data", "answer", "time", "since", "until", "newest", "stage"} & set(made.tests)
    if taken:
        raise NotStrict(f"'tests' of {name!r} sets {min(taken)!r}, which the rule itself says")
    return table.done(made)


def _when(name: str, table: Table) -> When:
    clock = table.maybe("schedule")
    made = When(
        rules.clock(name, clock, catch_up="1d") if clock else None,
        table.whole("new_rows", 1, default=None),
        table.text("performance", default=""),
        table.text("resolved", default=""),
        table.flag("advisory", False),
    )
    if made == When():
        known = "schedule, new_rows, performance, resolved and advisory"
        raise NotStrict(f"'when' of rule {name!r} needs at least one of {known}")
    if clock:
        clock.done(None)
    return table.done(made)


def _guards(table: Table) -> Guards:
    usual = Guards()
    return table.done(
        Guards(
            table.whole("new_rows", 1, default=usual.new_rows),
            span(table.text("cool_down", default="7d")),
            _number(table, "cpu_hours", usual.cpu_hours, 0.0, 1e6),
        )
    )


def _sweep(name: str, table: Table) -> Sweep:
    grid = table.free("grid")
    for axis, values in grid.items():
        if not isinstance(values, list) or not values:
            raise NotStrict(f"axis {ascii(axis[:80])} of rule {name!r} must be a list of values")
    space = table.text("space", re.compile("champion|grid"), default="champion")
    if space == "grid" and not grid:
        raise NotStrict(f"rule {name!r} wants the space of its grid, and has none")
    return table.done(
        Sweep(
            grid,
            space,
            table.free("params"),
            table.text("executor", default="local"),
            table.whole("parallel", 1, default=None),
            table.whole("timeout", 1, default=None),
            table.text("best", default=""),
            table.flag("validated", False),
        )
    )


def _judge(name: str, table: Table) -> Judge:
    metric = table.text("metric", default="")
    hold_out, block = table.text("hold_out", default="8w"), table.text("block", default="1w")
    if span(hold_out) < span(block):
        raise NotStrict(f"rule {name!r} holds out {hold_out}, which is less than a block of {block}")
    margin = table.any("margin")
    known = table.free("known_signs")
    for sign, why in known.items():
        if not _SIGNS.fullmatch(sign) or not isinstance(why, str) or not why.strip():
            raise NotStrict(f"'known_signs' of rule {name!r} must say why {ascii(sign[:80])} is none")
    made = Judge(
        metric,
        hold_out,
        block,
        _margin(name, "better_by", table.any("better_by"), metric) or Margin(0.0),
        None if margin is None else str(margin),
        table.texts("slices", ()),
        _number(table, "alpha", 0.05, 1e-6, 0.5),
        table.whole("tries", 1, default=12),
        known,
    )
    _margin(name, "margin", margin, metric)
    if made.tries > 366:
        raise NotStrict(f"rule {name!r} plans {made.tries:,} tries a year; at most 366 can be")
    return table.done(made)


def _margin(name: str, key: str, given: Any, metric: str) -> Margin | None:
    if given is None:
        return None
    if not isinstance(given, str | int | float) or isinstance(given, bool):
        raise NotStrict(f"{key!r} of rule {name!r} must be a number, or a share as '1%'")
    try:
        return Margin.parse(given, metric or "rmse")
    except UsageError as error:
        raise NotStrict(f"{key!r} of rule {name!r}: {error.what}") from None


def _number(table: Table, key: str, default: float, least: float, most: float) -> float:
    value = table.any(key)
    if value is None:
        return default
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise NotStrict(f"{key!r} must be a number")
    if not least < value <= most:
        raise NotStrict(f"{key!r} must be more than {least:g}, and at most {most:g}")
    return float(value)


def _inside(path: str) -> str:
    if path.startswith("/") or ".." in path.split("/") or not path.strip():
        raise NotStrict(f"{ascii(path[:80])} leads out of the project")
    return path
