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

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provenote.checks.champion import Margin
from provenote.errors import UsageError
from provenote.stores.strict_yaml import NotStrict, Table
from provenote.stores.strict_yaml import read as read_strict
from provenote.triggers import rules
from provenote.triggers.rules import FILE, Clock

HEADS = "retrain."
"""What begins the name under which a rule's claims are kept; no other rule's name has a dot."""
DAY = 86_400.0
YEAR = 365 * DAY
_SPAN = re.compile(r"([1-9]\d{0,3})(h|d|w)")
_SECONDS = {"h": 3600.0, "d": DAY, "w": 7 * DAY}
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,60}[A-Za-z0-9])?")
_SIGNS = re.compile(r"[\w .:-]{1,120}")


@dataclass(frozen=True, slots=True)
class When:
    """What makes a training due; any of these.

    Parameters
    ----------
    schedule : Clock or None
    new_rows : int or None
        Labelled rows that came since the champion's training, and since the last try.
    performance, resolved : str
        Names of monitors; empty: none.
    advisory : bool
        An advisory about a package of the champion.
    """

    schedule: Clock | None = None
    new_rows: int | None = None
    performance: str = ""
    resolved: str = ""
    advisory: bool = False


@dataclass(frozen=True, slots=True)
class Guards:
    """What must hold before anything is trained.

    Parameters
    ----------
    new_rows : int
        Labelled rows that neither the champion nor the last try had.
    cool_down : float
        Seconds between two tries.
    cpu_hours : float
        Hours of processors that the rule's runs may use in seven days.
    """

    new_rows: int = 100
    cool_down: float = 7 * DAY
    cpu_hours: float = 10.0


@dataclass(frozen=True, slots=True)
class Sweep:
    """How is trained.

    Parameters
    ----------
    grid : dict of str to list
        Values by axis: for a champion that comes from no sweep, or where ``space`` is ``grid``.
    space : {'champion', 'grid'}
    params : dict
        Parameters that all jobs share.
    on : str
        The executor (``executor:`` in the file).
    parallel : int or None
    timeout : float or None
        Seconds a cell may take.
    best : str
        The metric that the runs log, by which the challenger is chosen.
    validated : bool
        Whether that metric comes from rows before the cut. Else the choice may have seen the hold-out, and
        each job counts as a try of its own.
    """

    grid: Mapping[str, list[Any]] = field(default_factory=dict)
    space: str = "champion"
    params: Mapping[str, Any] = field(default_factory=dict)
    on: str = "local"
    parallel: int | None = None
    timeout: float | None = None
    best: str = ""
    validated: bool = False


@dataclass(frozen=True, slots=True)
class Judge:
    """When a challenger is better.

    Parameters
    ----------
    metric : str
        As `provenote.checks.metrics` names it; empty: rmse, or accuracy of classifiers.
    hold_out : str
        The newest rows that are held out, as ``8w``.
    block : str
        Rows that a bootstrap draws together.
    better_by : Margin
        How much better the challenger must be for sure.
    margin : str
        How much worse a slice may be.
    slices : tuple of str
    alpha : float
        Chance, over a year, that a request is prepared for a model that is no better.
    tries : int
        Tries in 365 days over which that is spent evenly; more are not made.
    known_signs : mapping of str to str
        Signs of the leak screen that somebody looked at, and why they are none.
    """

    metric: str = ""
    hold_out: str = "8w"
    block: str = "1w"
    better_by: Margin = field(default_factory=lambda: Margin(0.0))
    margin: str | None = None
    slices: tuple[str, ...] = ()
    alpha: float = 0.05
    tries: int = 12
    known_signs: Mapping[str, str] = field(default_factory=dict)

    @property
    def each(self) -> float:
        """What one try spends."""
        return self.alpha / self.tries

    @property
    def held(self) -> float:
        """Seconds that are held out."""
        return span(self.hold_out)


@dataclass(frozen=True, slots=True)
class Retrain:
    """One rule.

    Parameters
    ----------
    name, model, stage, data, notebook, cut : str
        ``data`` and ``notebook`` from the DVC root; ``cut`` a parameter of the notebook.
    to : str
        The stage that a prepared request asks for; empty: ``stage``.
    answer, time : str
        Columns; empty: as the champion's run recorded it, and the first that holds dates.
    when : When
    guards : Guards
    sweep : Sweep
    judge : Judge
    tests : dict
        Parameters of the template ``test-model``.
    notebooks : tuple of str
        Test notebooks with a parameter ``model``.
    """

    name: str
    model: str
    stage: str
    data: str
    notebook: str
    cut: str
    when: When
    guards: Guards = Guards()
    sweep: Sweep = Sweep()
    judge: Judge = field(default_factory=Judge)
    to: str = ""
    answer: str = ""
    time: str = ""
    tests: Mapping[str, Any] = field(default_factory=dict)
    notebooks: tuple[str, ...] = ()

    def level(self, jobs: int) -> float:
        """Return at which level one of a try's challengers is judged, one-sided.

        Parameters
        ----------
        jobs : int
            From how many it was chosen: by rows that may be the held out ones, unless that is ruled out.
        """
        return self.judge.each / (1 if self.sweep.validated else max(1, jobs))

    @property
    def claims(self) -> str:
        """The name under which its claims are kept."""
        return HEADS + self.name

    @property
    def sign(self) -> str:
        """Twelve hexadecimal digits that tell one set of conditions from another."""
        about = [self.model, self.stage, self.data, *(str(getattr(self.when, k)) for k in When.__slots__)]
        return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:12]


def span(text: str) -> float:
    """Return the seconds of ``12h``, ``7d`` or ``8w``."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise NotStrict(f"{ascii(text[:40])} is no span of time, as 12h, 7d or 8w are")
    return int(found[1]) * _SECONDS[found[2]]


def spelled(seconds: float) -> str:
    """Return a span as a person reads it."""
    if seconds >= 2 * DAY:
        return f"{seconds / DAY:.0f} days"
    return f"{seconds / 3600:.0f} h" if seconds >= 7200 else f"{seconds / 60:.0f} min"


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
