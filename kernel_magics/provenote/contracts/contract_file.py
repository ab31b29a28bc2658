"""A contract as a file, ``<data>.contract.yaml`` beside the pointer: read strictly, one line for a column.

Strict YAML (`provenote.stores.strict_yaml`) and the rules' own grammar: reading a contract runs nothing.
The line ``made`` is a digest of the other lines: it tells whether people edited the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from provenote.contracts import expressions
from provenote.contracts.contract import (
    ACTIONS,
    RARE,
    TYPES,
    USUAL,
    Action,
    ColumnRule,
    Contract,
    Determines,
    Kind,
    TestSplit,
    Time,
)
from provenote.contracts.contract_text import SCHEMA, column_text
from provenote.data import guards
from provenote.errors import Refused
from provenote.stores import strict_yaml
from provenote.stores.disk import shown
from provenote.stores.strict_yaml import NotStrict, Table

ENDING = guards.CONTRACT
LARGEST = 8 << 20
"""Bytes of a contract, at most: enough for 10,000 columns and more."""
MOST_VALUES = 10_000
_UNITS = ("", "second", "minute", "hour", "day")


class BadContract(Refused):
    """The file is no contract."""


def file_of(data: Path) -> Path:
    """Return where the contract of ``data`` is kept."""
    return data.with_name(data.name + ENDING)


def read(file: Path) -> Contract | None:
    """Read a contract; None where there is no such file.

    Raises
    ------
    BadContract
        If the file is none.
    """
    try:
        content = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BadContract(f"{shown(str(file))} cannot be read: {error.strerror}") from error
    return parse(content, file.name)


def parse(content: bytes, name: str = "the contract") -> Contract:
    """Parse a contract.

    Parameters
    ----------
    content : bytes
    name : str
        What messages call it.

    Raises
    ------
    BadContract
        In one line: what is wrong, and where.
    """
    try:
        table = Table(strict_yaml.read(content, numbers=True, largest=LARGEST), "the contract")
        return _contract(table, hashlib.sha256(content).hexdigest())
    except (NotStrict, expressions.NotARule) as error:
        mend = error.mend or f"See what it was: `git diff -- '*{shown(name)}'`"
        raise BadContract(f"{shown(name)}: {error.what}", mend) from error


def _contract(table: Table, digest: str) -> Contract:
    schema = table.whole("provenote_contract", 1)
    if schema != SCHEMA:
        raise NotStrict(
            f"it is of version {schema}, this Provenote knows {SCHEMA}",
            "Upgrade it: `pip install --upgrade provenote`",
        )
    table.text("made", default="")
    columns = {name: _column(name, rule) for name, rule in table.tables("columns").items()}
    made = Contract(
        columns=columns,
        key=table.texts("key", ()),
        time=_time(table.maybe("time")),
        increasing=table.texts("increasing", ()),
        rules=tuple(expressions.parse(one.done(one.text("expr"))) for one in _of(table, "expr")),
        determines=tuple(_determines(one) for one in _of(table, "given")),
        relations=tuple(dict(one) for one in _free(table, "relations")),
        windows=table.free("windows"),
        test=_test(table.maybe("test")),
        label=table.text("label", default=""),
        extra=_action(table, "extra_columns", "note"),
        on_fail=_on_fail(table.free("on_fail")),
        of=table.free("of"),
        offered=tuple(offered_text(one) for one in _free(table, "offered")),
        sha256=digest,
    )
    known = set(columns)
    spoken: list[tuple[str, Iterable[str]]] = [("key", made.key), ("increasing", made.increasing)]
    spoken += [
        ("time", made.time.columns if made.time else ()),
        ("label", [made.label] if made.label else []),
    ]
    spoken += [(ascii(rule.text), rule.columns) for rule in made.rules]
    spoken += [(ascii(one.text), (*one.given, one.column)) for one in made.determines]
    if made.test and made.test.rows:
        spoken.append(("test", made.test.rows.columns))
    for place, asked in spoken:
        for name in asked:
            if name not in known:
                raise NotStrict(f"{place} speaks of the column {ascii(name)}, which 'columns' does not hold")
    return table.done(made)


def _column(name: str, table: Table) -> ColumnRule:
    place = f"column {ascii(name)}"
    kind = table.text("type")
    if kind not in TYPES:
        raise NotStrict(f"{place} has the type {ascii(kind)}; there are {', '.join(TYPES)}")
    limits = _list(table, "range", place)
    if limits is not None:
        if len(limits) != 2 or any(isinstance(one, bool) for one in limits):
            raise NotStrict(f"the range of {place} is no pair of a lowest and a highest value")
        low, high = limits
        same = isinstance(low, str) == isinstance(high, str) or None in (low, high)
        if not same or (low is not None and high is not None and low > high):
            raise NotStrict(f"the range of {place} ends before it begins")
        if kind in ("text", "bool", "other") or any(
            one is not None and isinstance(one, str) != (kind in ("date", "datetime", "time"))
            for one in limits
        ):
            raise NotStrict(f"the range of {place} does not fit its type, {kind}")
    values = _list(table, "in", place)
    if values is not None and (len(values) > MOST_VALUES or any(one is None for one in values)):
        raise NotStrict(f"'in' of {place} must hold up to {MOST_VALUES} values, none of them null")
    kinds = {"int": (int, float), "float": (int, float), "text": (str,), "bool": (bool,)}.get(kind)
    for one in values or () if kinds else ():
        if not isinstance(one, kinds) or (isinstance(one, bool) and kind != "bool"):  # type: ignore[arg-type]
            raise NotStrict(f"'in' of {place} holds {ascii(one)}, which is no {kind} (put a text in quotes)")
    usual = _list(table, "usual", place)
    if usual is not None and (len(usual) != 3 or any(not isinstance(one, int | float) for one in usual)):
        raise NotStrict(f"'usual' of {place} must be three numbers")
    return table.done(
        ColumnRule(
            name=name,
            type=kind,
            null_max=_share(table, "null_max", 1.0) or 0.0,
            range=(limits[0], limits[1]) if limits is not None else None,
            values=tuple(values) if values is not None else None,
            on_unseen=_action(table, "on_unseen", None),
            rare=table.whole("rare", 1, default=RARE),
            varies=table.flag("varies", False),
            optional=table.flag("optional", False),
            usual=(float(usual[0]), float(usual[1]), float(usual[2])) if usual is not None else None,
            unit=table.text("unit", default=""),
            why=table.text("why", default=""),
        )
    )


def _list(table: Table, name: str, place: str) -> list[Any] | None:
    """Return a list of scalars, or None."""
    value = table.any(name)
    if value is None:
        return None
    if not isinstance(value, list) or any(isinstance(one, list | dict) for one in value):
        raise NotStrict(f"{name!r} of {place} must be a list of plain values")
    return value


def _share(table: Table, name: str, default: float | None) -> float | None:
    value = table.any(name)
    if value is None:
        return default
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise NotStrict(f"{name!r} must be a share from 0 to 1")
    return float(value)


def _time(table: Table | None) -> Time | None:
    if table is None:
        return None
    columns, unit = table.texts("columns"), table.text("unit", default="")
    if unit not in _UNITS or not 1 <= len(columns) <= 2:
        raise NotStrict(f"'time' needs one or two columns and a unit of {', '.join(_UNITS[1:])}")
    longest = table.whole("longest_gap", 0, default=None)
    ordered, gaps = table.flag("ordered", True), _share(table, "gaps_max", None)
    return table.done(Time(columns, unit, ordered, gaps, longest))


def _test(table: Table | None) -> TestSplit | None:
    if table is None:
        return None
    rows = table.text("rows", default="")
    return table.done(TestSplit(table.text("files", default=""), expressions.parse(rows) if rows else None))


def _free(table: Table, name: str) -> list[dict[str, Any]]:
    value = table.any(name) or []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise NotStrict(f"{name!r} must be a list of maps")
    return value


def _of(table: Table, key: str) -> list[Table]:
    """Return the entries of ``rows`` that have this key."""
    entries = table.rows("rows", ())
    for one in entries:
        if not one.has("expr") and not one.has("given"):
            raise NotStrict("an entry of 'rows' holds neither 'expr' nor 'given' and 'fixes'")
    return [one for one in entries if one.has(key)]


def _determines(table: Table) -> Determines:
    return table.done(Determines(table.texts("given"), table.text("fixes")))


def offered_text(entry: Mapping[str, Any]) -> str:
    """Return an entry of ``offered`` as one text."""
    if "expr" in entry:
        return str(entry["expr"])
    given = entry.get("given") or []
    return f"{', '.join(map(str, [given] if isinstance(given, str) else given))} -> {entry.get('fixes')}"


def _action(table: Table, name: str, default: Any) -> Any:
    value = table.text(name, default="")
    if value and value not in ACTIONS:
        raise NotStrict(f"{name!r} is {ascii(value[:40])}; there are {', '.join(ACTIONS)}")
    return value or default


def _on_fail(given: Mapping[str, Any]) -> dict[Kind, Action]:
    for kind, action in given.items():
        if kind not in USUAL:
            raise NotStrict(f"'on_fail' speaks of {ascii(kind[:40])}; there are {', '.join(USUAL)}")
        if action not in ACTIONS:
            raise NotStrict(
                f"'on_fail' of {kind} is {ascii(str(action)[:40])}; there are {', '.join(ACTIONS)}"
            )
    return dict(given)


def replaced(content: bytes, rule: ColumnRule) -> bytes:
    """Return the file with one column's rule replaced; every other character stays as it was.

    Raises
    ------
    BadContract
        If the file is no contract or does not hold the column.
    """
    import yaml

    parse(content)
    text = content.decode("utf-8")
    root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    columns = next(value for key, value in root.value if key.value == "columns")
    for key, value in columns.value:
        if key.value == rule.name:
            made = text[: value.start_mark.index] + column_text(rule)
            rest = text[value.end_mark.index :]
            if text[value.start_mark.index : value.end_mark.index].endswith("\n"):
                made += "\n"
            if not value.flow_style:  # written as a block: it began on a line of its own
                made = text[: key.end_mark.index] + ": " + column_text(rule) + "\n"
                rest = rest[len(rest) - len(rest.lstrip("\n")) :]
                indent = text[text.rfind("\n", 0, value.end_mark.index) + 1 : value.end_mark.index]
                rest = indent + rest
            result = (made + rest).encode()
            parse(result)
            return result
    raise BadContract(f"the contract has no column {ascii(rule.name)}")
