"""The settings in force: one typed object, read from the project and the environment.

Order, the later one wins: the defaults below, ``[tool.provenote]`` in ``pyproject.toml``,
``provenote.toml`` in the DVC root, environment variables ``PROVENOTE_<NAME>``.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provenote.errors import UsageError

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Prices:
    """What resources cost, in one currency; 0 means no price.

    Parameters
    ----------
    cpu_hour : float
        One hour of one processor at work.
    gpu_hour : float
        One hour of one GPU at work.
    gb_month : float
        Keeping 10^9 bytes for a month.
    gb_moved : float
        Moving 10^9 bytes over the network.
    currency : str
        As it is written behind an amount.
    """

    cpu_hour: float = 0.0
    gpu_hour: float = 0.0
    gb_month: float = 0.0
    gb_moved: float = 0.0
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What runs should not use up: going over is told, by `doctor` and after a job, and stops nothing.

    Parameters
    ----------
    disk_free_min : float
        GB (10^9 bytes) that should stay free on the disk.
    disk_full_days : float
        Days before a full disk from which on the forecast is a warning.
    memory_share : float
        Share of the memory that may be used, from 0 to 1.
    run_cost : float
        What one run may cost, in the currency of the prices; 0 means no limit.
    """

    disk_free_min: float = 1.0
    disk_full_days: float = 14.0
    memory_share: float = 0.9
    run_cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, with its default.

    Parameters
    ----------
    overlay : str
        Folder of a run's files inside its commit, from the DVC root. May not start with a dot.
    store_outputs : bool
        Whether cell outputs are stored in ``executed.ipynb``.
    autolog : bool
        Whether scikit-learn estimators fitted in a tracked scope are logged.
    output_limit : int
        Bytes of one stored cell output; a larger one is replaced by a notice.
    untracked_file_limit : int
        Bytes of one untracked file in a snapshot; a larger one is listed as omitted.
    untracked_files_limit : int
        Number of untracked files in a snapshot; those beyond are listed as omitted.
    untracked_total_limit : int
        Bytes of all untracked files in a snapshot.
    cell_timeout : int
        Seconds one cell of a job may take; 0 means no limit.
    warm_kernels : bool
        Whether jobs are forked from processes that linger with their packages imported (Linux).
    tolerance : str
        How far metrics may be off in a reproduction, as ``rmse=0.01, mae=1%``; empty: not at all.
    prices : Prices
        A table of its own; as a variable JSON.
    limits : Limits
        A table of its own; as a variable JSON.
    """

    overlay: str = "provenote"
    store_outputs: bool = True
    autolog: bool = True
    output_limit: int = 1 * MB
    untracked_file_limit: int = 5 * MB
    untracked_files_limit: int = 2000
    untracked_total_limit: int = 100 * MB
    cell_timeout: int = 0
    warm_kernels: bool = True
    tolerance: str = ""
    prices: Prices = Prices()
    limits: Limits = Limits()


_FIELDS = {field.name: field for field in dataclasses.fields(Settings)}


def load(root: Path) -> Settings:
    """Read the settings in force for the DVC project at ``root``.

    Raises
    ------
    UsageError
        If a file is not TOML, or a setting is unknown or has another type.
    """
    return dataclasses.replace(Settings(), **{name: value for name, (value, _) in explain(root).items()})


def explain(root: Path) -> dict[str, tuple[Any, str]]:
    """Return each setting that differs from its default as ``{name: (value, where it is set)}``."""
    found: dict[str, tuple[Any, str]] = {}
    for file, table in (("pyproject.toml", ("tool", "provenote")), ("provenote.toml", ())):
        for name, value in _table(root / file, table).items():
            found[name] = (_typed(name, value, file), file)
    for name in _FIELDS:
        variable = f"PROVENOTE_{name.upper()}"
        if variable in os.environ:
            found[name] = (_typed(name, os.environ[variable], variable), variable)
    overlay = found.get("overlay")
    if overlay and (not overlay[0] or overlay[0].startswith(".") or "/" in overlay[0].strip("/")):
        raise UsageError(
            f"overlay = {overlay[0]!r} in {overlay[1]} is no plain folder name",
            'Choose a name without a slash or a leading dot, as `overlay = "provenote-runs"`',
        )
    return found


def _table(path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return {}
    if "provenote" not in text and keys:
        return {}
    import tomllib  # only projects with such a file pay for the parser

    try:
        table: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path.name} is not valid TOML: {error}") from error
    for key in keys:
        table = table.get(key, {}) if isinstance(table, dict) else {}
    return table if isinstance(table, dict) else {}


def _typed(name: str, value: Any, where: str) -> Any:
    field = _FIELDS.get(name)
    if field is None:
        raise UsageError(
            f"{where} sets {name!r}, which is no setting", f"Known: {', '.join(sorted(_FIELDS))}"
        )
    kind = type(field.default)
    if dataclasses.is_dataclass(field.default):
        return _group(name, field.default, value, where)
    if isinstance(value, str) and kind is bool and value.lower() in ("1", "true", "yes", "on"):
        return True
    if isinstance(value, str) and kind is bool and value.lower() in ("0", "false", "no", "off", ""):
        return False
    if isinstance(value, str) and kind is int and value.strip().isdigit():
        return int(value)
    if type(value) is kind:
        return value
    raise UsageError(f"{where} sets {name} = {value!r}, but a {kind.__name__} is expected")


def _group(name: str, default: Any, value: Any, where: str) -> Any:
    """Return a table of settings, each of the type of its default; amounts are not negative."""
    if isinstance(value, str):
        import json

        try:
            value = json.loads(value)
        except ValueError as error:
            raise UsageError(f"{where} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise UsageError(f"{where} sets {name} = {value!r}, but a table is expected", f"[{name}]")
    known = {field.name: field.default for field in dataclasses.fields(default)}
    found: dict[str, Any] = {}
    for key, one in value.items():
        if key not in known:
            raise UsageError(
                f"{where} sets {name}.{key}, which is no setting", f"Known: {', '.join(sorted(known))}"
            )
        if isinstance(known[key], float):
            if isinstance(one, bool) or not isinstance(one, (int, float)) or not 0 <= one < float("inf"):
                what = f"{where} sets {name}.{key} = {one!r}, but an amount is expected"
                raise UsageError(what, "Give 0 or more")
            one = float(one)
        elif type(one) is not type(known[key]):
            raise UsageError(f"{where} sets {name}.{key} = {one!r}, but a text is expected")
        found[key] = one
    return dataclasses.replace(default, **found)
