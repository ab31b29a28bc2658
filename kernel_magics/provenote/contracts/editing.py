"""Change one rule of a contract by what a person typed; every other character of the file stays. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from provenote.contracts import contract_file, contract_text
from provenote.contracts.contract import ACTIONS, TYPES, ColumnRule, Contract, Scalar
from provenote.contracts.contract_file import BadContract
from provenote.errors import UsageError
from provenote.stores import strict_yaml
from provenote.stores.strict_yaml import NotStrict

FIELDS = ("type", "missing", "low", "high", "in", "unseen")
"""What can be typed, in the order of the table."""


def shown(rule: ColumnRule, field: str) -> str:
    """Return a field of a rule as it is typed; empty where nothing limits."""
    low, high = rule.range or (None, None)
    texts: dict[str, Any] = {
        "type": rule.type,
        "missing": f"{rule.null_max * 100:.10g}",
        "low": _one(low),
        "high": _one(high),
        "in": ", ".join(map(contract_text.flow, rule.values)) if rule.values is not None else "",
        "unseen": rule.on_unseen or "",
    }
    return str(texts[field])


def changed(rule: ColumnRule, field: str, typed: str) -> ColumnRule:
    """Return a rule with one field as it was typed.

    Parameters
    ----------
    rule : ColumnRule
    field : str
        One of `FIELDS`.
    typed : str
        ``missing`` in percent; ``in`` with commas between; empty takes the limit away.

    Raises
    ------
    UsageError
        If it is none.
    """
    text = typed.strip()
    if field == "type":
        if text not in TYPES:
            raise UsageError(f"{text!r} is no type", f"Choose one of: {', '.join(TYPES)}")
        return replace(rule, type=text)
    if field == "unseen":
        if text and text not in ACTIONS:
            raise UsageError(f"{text!r} is nothing to be done", f"Choose one of: {', '.join(ACTIONS)}")
        return replace(rule, on_unseen=text or None)
    if field == "missing":
        share = _scalar(text or "0")
        if isinstance(share, bool | str) or share is None or not 0 <= share <= 100:
            raise UsageError(f"{text!r} is no percentage", "Give a number from 0 to 100")
        return replace(rule, null_max=round(share / 100, 12))
    if field == "in":
        values = _list(text)
        return replace(rule, values=tuple(values) if text else None)
    low, high = rule.range or (None, None)
    value = _scalar(text)
    ends = (value, high) if field == "low" else (low, value)
    return replace(rule, range=None if ends == (None, None) else ends)


def write(content: bytes, rule: ColumnRule) -> tuple[bytes, Contract]:
    """Return the file with this rule, and the contract that it then is.

    Raises
    ------
    BadContract
        If the rule contradicts itself: a range that ends before it begins.
    """
    made = contract_file.replaced(content, rule)
    return made, contract_file.parse(made)


def accept(content: bytes, offered: str) -> bytes:
    """Return the file with an offered rule among those that are checked.

    Parameters
    ----------
    content : bytes
    offered : str
        As `Contract.offered` tells it.

    Raises
    ------
    BadContract
        If it is not offered, or the file is written in another form than ours.
    """
    lines = content.decode("utf-8").splitlines(keepends=True)
    begin = next((at for at, line in enumerate(lines) if line.startswith("offered:")), None)
    rows = next((at for at, line in enumerate(lines) if line.startswith("rows:")), None)
    found = next((at for at in _entries(lines, begin) if _says(lines[at], offered)), None)
    if begin is None or found is None:
        raise BadContract(f"{ascii(offered)} is not offered", "Move its line up to `rows` by hand")
    entry = lines.pop(found)
    if len(list(_entries(lines, begin))) == 0:
        lines.pop(begin)
    if rows is None:
        lines[begin:begin] = ["rows:\n", entry]
    else:
        lines.insert(rows + 1, entry)
    made = "".join(lines).encode()
    contract_file.parse(made)
    return made


def _entries(lines: list[str], begin: int | None) -> Iterable[int]:
    if begin is None:
        return
    for at in range(begin + 1, len(lines)):
        if not lines[at].startswith("  - "):
            return
        yield at


def _says(line: str, offered: str) -> bool:
    try:
        entry = strict_yaml.read(line.strip().removeprefix("- ").encode(), numbers=True)
    except NotStrict:
        return False
    return contract_file.offered_text(entry) == offered


def _one(value: Scalar | None) -> str:
    return "" if value is None else value if isinstance(value, str) else contract_text.flow(value)


def _scalar(text: str) -> Scalar | None:
    if not text:
        return None
    values = _list(text)
    if len(values) != 1:
        raise UsageError(f"{text!r} is not one value", "Give one number, or a date as 2012-01-31")
    return values[0]


def _list(text: str) -> list[Scalar]:
    if not text:
        return []
    try:
        found = strict_yaml.read(f"v: [{text}]".encode(), numbers=True)["v"]
    except NotStrict:
        try:  # a date is no text to YAML; here it is one
            quoted = ", ".join(contract_text.flow(part.strip()) for part in text.split(","))
            found = strict_yaml.read(f"v: [{quoted}]".encode(), numbers=True)["v"]
        except NotStrict as error:
            raise UsageError(
                f"{text!r} is no list of values", "Write them with commas between: 1, 2, 3"
            ) from error
    if not isinstance(found, list) or any(isinstance(one, list | dict) or one is None for one in found):
        raise UsageError(f"{text!r} is no list of values", "Write them with commas between: 1, 2, 3")
    return found
