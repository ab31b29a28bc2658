"""The rules file: what is to run, and when. Reading it runs nothing.

::

    remote: origin                    # decides who fires, where timers run on several machines
    rules:
      nightly:
        when: {cron: "0 3 * * 1-5", timezone: Europe/Berlin, catch_up: 6h}
        run: {notebook: train.ipynb, params: {depth: 6}}
      new-data:
        when: {data: [data/hour.csv]}
        run: {notebook: train.ipynb, grid: {depth: [4, 6, 8]}}
      test-requests:
        when: {requested: bike-demand, stage: production}
        run: {notebook: tests.ipynb, params: {model: "{model}"}}
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from provenote.errors import UsageError
from provenote.stores.strict_yaml import NotStrict, Table

FILE = "provenote.rules.yaml"
LARGEST = 256 * 1024  # bytes
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,60}[a-z0-9])?")
_DURATION = re.compile(r"([1-9][0-9]{0,4})(m|h|d)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
KINDS = ("cron", "data", "job", "promoted", "requested", "version", "trained")
"""The words by which a condition begins."""


@dataclass(frozen=True, slots=True)
class Clock:
    """At these times.

    Parameters
    ----------
    cron : str
        Five fields: minute, hour, day of the month, month, day of the week.
    timezone : str
        Name in the IANA data base, ``UTC`` by default.
    catch_up : timedelta
        How late a time may still be acted on, when no timer called meanwhile.
    """

    cron: str
    timezone: str = "UTC"
    catch_up: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Data:
    """When the version of any of these paths is another one."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Upstream:
    """When a job of this name has finished, and its run satisfies the query if there is one."""

    job: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Promoted:
    """When another version of a model holds a stage."""

    model: str
    stage: str


@dataclass(frozen=True, slots=True)
class Trained:
    """When a finished run has kept a model of this name: a job's, or one from a notebook."""

    model: str


@dataclass(frozen=True, slots=True)
class Versioned:
    """When a request has given a new version to a model."""

    model: str


@dataclass(frozen=True, slots=True)
class Requested:
    """When somebody asks for a model in a stage, and that waits for a decision."""

    model: str
    stage: str


When = Clock | Data | Upstream | Promoted | Trained | Versioned | Requested


@dataclass(frozen=True, slots=True)
class Action:
    """What runs: a notebook as a job, or as a sweep where there is a grid.

    Parameters
    ----------
    notebook : str
        POSIX path from the DVC root.
    params, grid : dict
        Values by parameter; a list of values by axis. A text ``{model}``, ``{stage}`` or ``{run}`` stands for
        what the rule fires for.
    label : str or None
        Name of the runs; default: the notebook's.
    on : str
        The executor (``executor:`` in the file, since YAML takes ``on`` for true).
    timeout : float or None
        Seconds a cell may take.
    """

    notebook: str
    params: dict[str, Any] = field(default_factory=dict)
    grid: dict[str, list[Any]] = field(default_factory=dict)
    label: str | None = None
    on: str = "local"
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; ``sign`` names its condition: a rule whose condition changed begins anew."""

    name: str
    when: When
    action: Action

    @property
    def sign(self) -> str:
        """Twelve hexadecimal digits that tell one condition from another."""
        when = {
            "kind": type(self.when).__name__,
            **{k: str(getattr(self.when, k)) for k in self.when.__slots__},
        }
        return hashlib.sha256(json.dumps(when, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Rules:
    """The whole file; ``remote`` names the Git remote that decides who fires, None for this clone alone.

    ``retrain`` is what stands there for `provenote.retraining.rule_file` to read.
    """

    rules: tuple[Rule, ...]
    remote: str | None = None
    retrain: Mapping[str, Any] = field(default_factory=dict)


def read(root: Path) -> Rules:
    """Read the rules of the project at ``root``.

    Raises
    ------
    UsageError
        If there is no such file, or it says something that has no meaning: the message says where.
    """
    file = root / FILE
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise UsageError(
            f"there are no rules: {FILE} is not in {root}",
            "Write one: docs/how-to/start-jobs-by-themselves.md",
        ) from None
    except OSError as error:
        raise UsageError(f"{FILE} cannot be read: {error.strerror}", f"Check it: `ls -l {file}`") from error
    return parse(content)


def parse(content: bytes) -> Rules:
    """Parse a rules file. Pure.

    Raises
    ------
    UsageError
        If it says something that has no meaning.
    """
    import yaml

    mend = f"Mend {FILE}"
    if len(content) > LARGEST:
        raise UsageError(f"{FILE} has {len(content):,} bytes; at most {LARGEST:,} are read", mend)
    try:
        made = yaml.safe_load(content.decode("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{FILE} is no YAML: {' '.join(str(error).split())}", mend) from error
    try:
        top = Table(made if made is not None else {}, FILE)
        remote = top.text("remote", default="") or None
        retrain = top.free("retrain")
        listed = top.tables("rules") if top.has("rules") or not retrain else {}
        found = tuple(_rule(str(name), table) for name, table in listed.items())
        return top.done(Rules(found, remote, retrain))
    except NotStrict as error:
        raise UsageError(error.what, mend) from error


def _rule(name: str, table: Table) -> Rule:
    if not _NAME.fullmatch(name):
        raise NotStrict(
            f"the rule {name[:80]!r} has no plain name: small letters, digits, - and _, at most 62"
        )
    when, run = table.table("when"), table.table("run")
    return table.done(Rule(name, _when(name, when), _action(name, run)))


def _when(name: str, table: Table) -> When:
    kinds = [kind for kind in KINDS if table.has(kind)]
    if len(kinds) != 1:
        known = f"{', '.join(KINDS[:-1])} and {KINDS[-1]}"
        raise NotStrict(f"'when' of rule {name!r} needs exactly one of {known}")
    made: When
    if kinds == ["cron"]:
        made = clock(name, table)
    elif kinds == ["data"]:
        made = Data(tuple(sorted(set(table.texts("data")))))
        if not made.paths:
            raise NotStrict(f"'data' of rule {name!r} names no path")
    elif kinds == ["job"]:
        made = Upstream(table.text("job"), table.text("where", default=""))
        _query(name, made.where)
    elif kinds == ["promoted"]:
        made = Promoted(table.text("promoted"), table.text("stage", default="production"))
    elif kinds == ["requested"]:
        made = Requested(table.text("requested"), table.text("stage", default="production"))
    elif kinds == ["version"]:
        made = Versioned(table.text("version"))
    else:
        made = Trained(table.text("trained"))
    return table.done(made)


def clock(name: str, table: Table, catch_up: str = "1h") -> Clock:
    """Read the times of a rule.

    Raises
    ------
    NotStrict
        If they are none.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from cronsim import CronSim, CronSimError

    cron, zone = table.text("cron"), table.text("timezone", default="UTC")
    late = table.text("catch_up", _DURATION, default=catch_up)
    try:
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise NotStrict(f"rule {name!r}: there is no time zone {zone!r}, as Europe/Berlin is one") from None
    try:
        if len(cron.split()) != 5:
            raise CronSimError("it needs five fields: minute, hour, day, month, weekday")
        next(CronSim(cron, datetime.now(place)))
    except (CronSimError, StopIteration) as error:
        why = str(error) or "no such time ever comes"
        raise NotStrict(f"rule {name!r}: {cron!r} is no time: {why}") from None
    number, unit = _DURATION.fullmatch(late).groups()  # type: ignore[union-attr]
    return Clock(cron, zone, timedelta(**{_UNITS[unit]: int(number)}))


def _query(name: str, text: str) -> None:
    from provenote.compare import query

    try:
        query.parse(text)
    except UsageError as error:
        raise NotStrict(f"'where' of rule {name!r}: {error.what}") from error


def _action(name: str, table: Table) -> Action:
    grid = table.free("grid")
    for axis, values in grid.items():
        if not isinstance(values, list) or not values:
            raise NotStrict(f"axis {axis!r} of rule {name!r} must be a list of values")
    timeout = table.whole("timeout", 1, default=None)
    label = table.text("name", default="") or None
    return table.done(
        Action(
            notebook=table.text("notebook"),
            params=table.free("params"),
            grid=grid,
            label=label,
            on=table.text("executor", default="local"),
            timeout=timeout,
        )
    )
