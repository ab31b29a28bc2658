"""Why a metric differs between two runs: their factors crossed, run again, and the difference split exactly.

1. What differs is found from the records alone; what does not differ costs no run.
2. Both runs are run again, the old one more than once: what cannot be told from chance is called noise.
3. Every mixture of old and new factors is run (`provenote.blame.states`), and the difference is split.
   A mixture that cannot run says that its factors changed together: they count as one.
4. The pieces of the factor that made most of it are put back one at a time.
5. A rise is looked at with the leak screen.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provenote.blame import factors, halves, inside, leaking, shapley, states
from provenote.blame.factors import PACKAGES, Differing
from provenote.blame.halves import Half
from provenote.blame.shapley import Chosen
from provenote.blame.states import Bench, Outcome, State
from provenote.compare import numbers
from provenote.compare.columns import flat
from provenote.errors import Refused, UsageError
from provenote.events import Progress, Tell, silent
from provenote.reproducing import tolerance

if TYPE_CHECKING:
    from provenote.checks.verdict import Finding
    from provenote.workspace import Workspace

EXACT = 4
"""Factors up to which every mixture is run; of more, orders are sampled."""
ORDERS = 20
"""Orders that are sampled."""
SEEDS = 4
"""More runs of the old one with other seeds, where it has one; else it is repeated once."""
NOISE = 3.0
"""A difference below so many standard deviations of chance is noise."""
STRONG = 0.2
"""An interaction is told from this share of the difference on."""


@dataclass(frozen=True, slots=True)
class Put:
    """The new run with one piece as it was.

    Parameters
    ----------
    words : str
    value : float or None
        The metric then; None where it did not run.
    effect : float or None
        What the piece adds, in the unit of the metric.
    why : str
        Why it did not run.
    """

    words: str
    value: float | None
    effect: float | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Blame:
    """The answer.

    Parameters
    ----------
    old, new : Half
    metric : str
    found : Differing
    recorded : (float, float)
        The metric as the two runs logged it.
    again : (float, float)
        As it came out now.
    noise : float
        Standard deviation by chance.
    repeats : int
        Runs that the noise was told from.
    verdict : {'same', 'noise', 'split'}
    shares : dict of str to float
        Of each factor, in the unit of the metric; they sum to ``again``'s difference.
    errors : dict of str to float
        Standard errors where the shares were sampled.
    interactions : tuple of (str, str, float)
        The strong ones.
    together : tuple of str
        Factors that could not be told apart, and why.
    left : str
        What was not crossed, and how to cross it.
    puts : tuple of Put
        Pieces of the factor that made most of it.
    more : int
        Pieces that were not put back.
    leaks : tuple of Finding or None
        What the leak screen said of the new run; None where it was not asked.
    ran, known : int
        Runs that were made, and those that were known.
    seconds : float
        What the runs took.
    """

    old: Half
    new: Half
    metric: str
    found: Differing
    recorded: tuple[float, float]
    again: tuple[float, float]
    noise: float
    repeats: int
    verdict: str
    shares: Mapping[str, float] = field(default_factory=dict)
    errors: Mapping[str, float] = field(default_factory=dict)
    interactions: tuple[tuple[str, str, float], ...] = ()
    together: tuple[str, ...] = ()
    left: str = ""
    puts: tuple[Put, ...] = ()
    more: int = 0
    leaks: tuple[Finding, ...] | None = None
    ran: int = 0
    known: int = 0
    seconds: float = 0.0

    @property
    def jump(self) -> float:
        """The difference that was split."""
        return self.again[1] - self.again[0]

    @property
    def rest(self) -> float:
        """What of the recorded difference running again did not show."""
        return (self.recorded[1] - self.recorded[0]) - self.jump


@dataclass(slots=True)
class _Bench:
    """Where mixtures are run, and what that cost."""

    place: Bench
    old: Half
    new: Half
    found: Differing
    metric: str
    packages: bool
    tell: Tell
    ran: int = 0
    known: int = 0
    seconds: float = 0.0
    outcomes: dict[Chosen, Outcome] = field(default_factory=dict)

    def state(self, chosen: Chosen) -> State:
        return states.mixed(self.old, self.new, self.found, chosen, self.packages)

    def run(self, state: State, what: str) -> Outcome:
        label = f"why {self.new.row.name}: {what}"
        made = states.run(self.place, state, label, self.tell)
        self.ran, self.known = self.ran + made.ran, self.known + (not made.ran)
        self.seconds += made.seconds if made.ran else 0.0
        return made

    def outcome(self, names: Chosen) -> Outcome:
        """Run the mixture of some factors, of which one may be several that count as one."""
        chosen = frozenset(name for each in names for name in each.split(" + "))
        if chosen not in self.outcomes:
            what = f"new {', '.join(sorted(names))}" if names else "as it was"
            self.outcomes[chosen] = self.run(self.state(chosen), what)
        return self.outcomes[chosen]

    def value(self, outcome: Outcome) -> float | None:
        found = numbers.number(outcome.metrics.get(self.metric)) if outcome.status == "finished" else None
        return float(found) if found is not None and math.isfinite(found) else None


def why(
    workspace: Workspace,
    old: str,
    new: str,
    metric: str | None = None,
    *,
    packages: bool = False,
    label: str | None = None,
    time: Sequence[str] = (),
    tell: Tell = silent,
) -> Blame:
    """Find out why a metric differs between two runs.

    Parameters
    ----------
    workspace : Workspace
    old, new : str
        Names, labels or ids of runs, or the start of an id or commit.
    metric : str, optional
        Default: the first that both logged and whose name tells which way is better.
    packages : bool
        Whether the environments are built and crossed, too.
    label : str, optional
        The target's column, for the leak screen; default: what the contract of the data says.
    time : sequence of str
        Columns that tell the time, as above.
    tell : Tell
        Where progress goes.

    Raises
    ------
    UsageError
        If a run cannot be run again, or they share no such metric.
    Refused
        If one of them fails now.
    WorldError
        If data are nowhere or an environment cannot be built.
    """
    a, b = halves.read(workspace, old), halves.read(workspace, new)
    metric = _metric(a, b, metric)
    recorded = _logged(a, metric), _logged(b, metric)
    found = factors.differing(workspace, a, b)
    names = [name for name in found.factors if name != PACKAGES or packages]
    left = "" if packages or PACKAGES not in found.factors else found.factors[PACKAGES]
    blank = Blame(a, b, metric, found, recorded, recorded, 0.0, 0, "same", left=left)
    if not names:
        return blank
    with Bench(workspace) as place:
        bench = _Bench(place, a, b, found, metric, packages, tell)
        made = _crossed(bench, blank, names)
    if made.verdict == "split" and numbers.better(metric, made.again[1], made.again[0]):
        made = dataclasses.replace(made, leaks=leaking.screen(workspace, b, label, time, tell))
    tell(Progress(f"why {b.row.name}", state="done"))
    return dataclasses.replace(made, ran=bench.ran, known=bench.known, seconds=round(bench.seconds, 1))


def _crossed(bench: _Bench, blank: Blame, names: list[str]) -> Blame:
    """Run the two, their mixtures and the pieces of the largest factor."""
    first, last = frozenset[str](), frozenset(names)
    again = _corner(bench, first, bench.old), _corner(bench, last, bench.new)
    noise, repeats = _noise(bench, again[0])
    blank = dataclasses.replace(blank, again=again, noise=noise, repeats=repeats)
    if abs(again[1] - again[0]) <= NOISE * noise or again[0] == again[1]:
        return dataclasses.replace(blank, verdict="noise")
    parted, shares, errors, strong, together = _split(bench, names, again[1] - again[0])
    made = dataclasses.replace(
        blank, verdict="split", shares=shares, errors=errors, interactions=strong, together=together
    )
    winner = max(parted, key=lambda name: abs(shares[name]))
    puts, more = _put_back(bench, winner, last, again[1])
    return dataclasses.replace(made, puts=puts, more=more)


def _metric(old: Half, new: Half, asked: str | None) -> str:
    before, after = flat(old.row.metrics), flat(new.row.metrics)
    shared = [
        key for key in after
        if key in before and _finite(before[key]) and _finite(after[key]) and not tolerance.is_clock(key)
    ]  # fmt: skip
    few = ", ".join(shared[:8]) or "none"
    if asked is not None:
        if asked not in shared:
            raise UsageError(f"the two runs have no number {asked!r} in common", f"They share: {few}")
        return asked
    if not shared:
        raise UsageError(
            f"{old.row.name} and {new.row.name} have no metric in common",
            f"See what they logged: `provenote compare {old.row.name} {new.row.name}`",
        )
    return min(shared, key=lambda key: numbers.direction(key) not in ("lower", "higher"))


def _finite(value: Any) -> bool:
    found = numbers.number(value)
    return found is not None and math.isfinite(found)


def _logged(half: Half, metric: str) -> float:
    return float(numbers.number(flat(half.row.metrics)[metric]) or 0.0)


def _corner(bench: _Bench, chosen: Chosen, half: Half) -> float:
    outcome = bench.outcome(chosen)
    value = bench.value(outcome)
    if value is None:
        why = outcome.reason or f"it logged no {bench.metric}"
        raise Refused(
            f"{half.row.name} cannot be run again here: {why}",
            f"See what parts it from then: `provenote reproduce {half.row.name}`",
        )
    return value


def _noise(bench: _Bench, value: float) -> tuple[float, int]:
    """Run the old run again, with other seeds where it has one; return how far chance moves the metric."""
    state = bench.state(frozenset())
    seed = next(
        (name for name, was in state.values.items()
         if factors.is_seed(name) and isinstance(was, int) and not isinstance(was, bool)), None
    )  # fmt: skip
    others = [dataclasses.replace(state, again=1)]
    if seed is not None:
        others = [
            dataclasses.replace(state, values={**state.values, seed: int(state.values[seed]) + n})
            for n in range(1, SEEDS + 1)
        ]
    found = [value]
    for place, other in enumerate(others, 1):
        again = bench.value(bench.run(other, f"chance, {place} of {len(others)}"))
        if again is not None:
            found.append(again)
    return (statistics.stdev(found) if len(found) > 1 else 0.0), len(found)


def _split(
    bench: _Bench, names: list[str], jump: float
) -> tuple[
    list[str], dict[str, float], dict[str, float], tuple[tuple[str, str, float], ...], tuple[str, ...]
]:
    """Run the mixtures and split the difference; join factors whose mixtures do not run."""
    together: list[str] = []
    while True:
        failed: dict[Chosen, str] = {}
        values: dict[Chosen, float] = {}

        def value(chosen: Chosen, failed: Any = failed, values: Any = values) -> float:
            if chosen not in values:
                outcome = bench.outcome(chosen)
                found = bench.value(outcome)
                if found is None:
                    failed[chosen] = outcome.reason or f"no {bench.metric}"
                values[chosen] = math.nan if found is None else found
            return float(values[chosen])

        errors: dict[str, float] = {}
        if len(names) <= EXACT:
            for chosen in shapley.subsets(names):
                value(chosen)
            shares = shapley.split(values, names) if not failed else {}
        else:
            shares, errors = shapley.sampled(value, names, ORDERS)
        pair = shapley.merged(list(failed), names)
        if pair is None:
            break
        reason = next(failed[chosen] for chosen in failed if (pair[0] in chosen) != (pair[1] in chosen))
        together.append(f"{' and '.join(pair)} changed together: one without the other fails with {reason}")
        joined = " + ".join(sorted(
            (name for each in pair for name in each.split(" + ")), key=factors.ORDER.index
        ))  # fmt: skip
        names = [joined if name == pair[0] else name for name in names if name != pair[1]]
    strong = [each for each in shapley.interactions(values, names) if abs(each[2]) > STRONG * abs(jump)]
    return names, shares, errors, tuple(strong), tuple(together)


def _put_back(bench: _Bench, winner: str, last: Chosen, value: float) -> tuple[tuple[Put, ...], int]:
    whole = bench.state(last)
    listed = inside.pieces(
        bench.place.workspace, winner, bench.old, bench.new, bench.found, whole, bench.tell
    )
    if len(listed) == 1 and " + " not in winner:
        return (), 0  # the piece is the factor
    puts = []
    for piece in listed[: inside.MOST]:
        outcome = bench.run(piece.state, f"with {piece.words} as it was")
        then = bench.value(outcome)
        puts.append(Put(piece.words, then, None if then is None else value - then, outcome.reason))
    puts.sort(key=lambda put: -abs(put.effect or 0.0))
    return tuple(puts), max(0, len(listed) - inside.MOST)
