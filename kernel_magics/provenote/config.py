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
    if isinstance(value, str) and kind is bool and value.lower() in ("1", "true", "yes", "on"):
        return True
    if isinstance(value, str) and kind is bool and value.lower() in ("0", "false", "no", "off", ""):
        return False
    if isinstance(value, str) and kind is int and value.strip().isdigit():
        return int(value)
    if type(value) is kind:
        return value
    raise UsageError(f"{where} sets {name} = {value!r}, but a {kind.__name__} is expected")
