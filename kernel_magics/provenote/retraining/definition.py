"""A rule of continuous training as a noun: when it is due, what holds it, how it trains and judges."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from provenote.checks.champion import Margin
from provenote.stores.strict_yaml import NotStrict
from provenote.triggers.rules import Clock

HEADS = "retrain."
"""What begins the name under which a rule's claims are kept; no other rule's name has a dot."""
DAY = 86_400.0
YEAR = 365 * DAY
_SPAN = re.compile(r"([1-9]\d{0,3})(h|d|w)")
_SECONDS = {"h": 3600.0, "d": DAY, "w": 7 * DAY}


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
