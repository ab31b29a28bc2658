"""A contract as a pandera schema, and the other way round; pandera itself is optional."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from provenote.contracts import contract_file, contract_text, making
from provenote.contracts.contract import ColumnRule, Contract, Type
from provenote.contracts.making import Made
from provenote.data import tracked
from provenote.errors import UsageError
from provenote.stores.disk import shown, unreadable, writing

_TYPES: dict[Type, str] = {
    "int": '"int64"',
    "float": '"float64"',
    "bool": '"bool"',
    "text": '"str"',
    "date": '"datetime64[s]"',
    "datetime": '"datetime64[us]"',
}
_BACK: tuple[tuple[str, Type], ...] = (
    ("int", "int"),
    ("uint", "int"),
    ("float", "float"),
    ("bool", "bool"),
    ("datetime", "datetime"),
    ("str", "text"),
    ("object", "text"),
    ("category", "text"),
)


def source(contract: Contract) -> str:
    """Return the Python source of a pandera schema: types, missing cells, ranges, sets, the key.

    Shares of missing cells become "some or none", since pandera counts none; what has no counterpart there
    (order, gaps, rules across columns) is left out and named in a comment.
    """
    lines = [
        '"""Made by `provenote data contract --pandera`; the contract itself is the source."""',
        "",
        "import pandera.pandas as pa",
        "",
    ]
    lost = [rule.text for rule in contract.rules] + [one.text for one in contract.determines]
    lost += [f"time {' + '.join(contract.time.columns)}"] if contract.time else []
    lines += [f"# not in this schema: {ascii(one)}" for one in lost]
    lines.append("schema = pa.DataFrameSchema(")
    lines.append("    {")
    lines += [f"        {rule.name!r}: {_column(rule, contract)}," for rule in contract.columns.values()]
    lines.append("    },")
    if len(contract.key) > 1:
        lines.append(f"    unique={list(contract.key)!r},")
    lines.append(")")
    return "\n".join(lines) + "\n"


def give(contract: Contract, path: str) -> None:
    """Write a contract as a pandera schema to a new file.

    Raises
    ------
    UsageError
        If pandera is not installed, or the file is there already.
    """
    _pandera()
    target = Path(path)
    if target.exists():
        raise UsageError(f"{shown(path)} is there already", f"Remove it first: `rm {shown(path)}`")
    with writing(target):
        target.write_text(source(contract), encoding="utf-8")


def take(path: str | os.PathLike[str], schema: str, *, force: bool = False) -> Made:
    """Make a contract from a pandera schema in YAML, as ``schema.to_yaml()`` writes it; no Python is run.

    Raises
    ------
    UsageError
        If pandera is not installed, or the file is no such schema.
    """
    pandas_api = _pandera()
    try:
        text = Path(schema).read_text(encoding="utf-8")
    except OSError as error:
        raise unreadable(schema, error) from error
    try:
        found = pandas_api.DataFrameSchema.from_yaml(text)
        columns = {str(name): _rule(str(name), column) for name, column in found.columns.items()}
    except Exception as error:  # noqa: BLE001  # pandera raises many kinds, each about this one file
        why = " ".join(str(error).split())[:200]
        raise UsageError(
            f"{shown(schema)} is no pandera schema in YAML: {why}", "Write one: `schema.to_yaml()`"
        ) from error
    if not columns:
        raise UsageError(f"{shown(schema)} names no column", "Write one: `schema.to_yaml()`")
    workspace, inside = tracked.locate(path)
    unique = found.unique or [name for name, column in found.columns.items() if column.unique]
    key = (unique,) if isinstance(unique, str) else tuple(map(str, unique or ()))
    made = Contract(columns, key=tuple(name for name in key if name in columns))
    content = contract_text.to_text(made, inside).encode()
    file = making.place(workspace, inside)
    return making.write(file, inside, contract_file.parse(content, file.name), content, force, ())


def _column(rule: ColumnRule, contract: Contract) -> str:
    checks = []
    if rule.values is not None:
        checks.append(f"pa.Check.isin({list(rule.values)!r})")
    if rule.range is not None:
        low, high = rule.range
        checks += [f"pa.Check.ge({low!r})"] if low is not None else []
        checks += [f"pa.Check.le({high!r})"] if high is not None else []
    words = [_TYPES.get(rule.type, "None")]
    words += [f"[{', '.join(checks)}]"] if checks else []
    words.append(f"nullable={rule.null_max > 0}")
    words += ["required=False"] if rule.optional else []
    words += ["unique=True"] if contract.key == (rule.name,) else []
    return f"pa.Column({', '.join(words)})"


def _rule(name: str, column: Any) -> ColumnRule:
    kind = str(column.dtype).lower()
    type_: Type = next((ours for theirs, ours in _BACK if kind.startswith(theirs)), "other")
    low = high = values = None
    for check in column.checks:
        facts = dict(check.statistics or {})
        low = facts.get("min_value", low)
        high = facts.get("max_value", high)
        values = facts.get("allowed_values", values)
    times = type_ in ("date", "datetime")
    ends = [
        None if end is None else end.isoformat() if times and hasattr(end, "isoformat") else end
        for end in (low, high)
    ]
    limited = type_ in ("int", "float", "date", "datetime") and (low is not None or high is not None)
    return ColumnRule(
        name,
        type_,
        null_max=1.0 if column.nullable else 0.0,
        range=(ends[0], ends[1]) if limited else None,
        values=tuple(one for value in values if (one := contract_text.scalar(value)) is not None)
        if values
        else None,
        optional=not column.required,
    )


def _pandera() -> Any:
    import importlib

    try:
        return importlib.import_module("pandera.pandas")
    except ImportError as error:
        raise UsageError(
            "pandera is not installed here", "Install it: `pip install 'provenote[pandera]'`"
        ) from error
