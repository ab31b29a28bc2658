"""Write a contract as text, for people and for Git: one line for a column, with what each part is for."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from provenote.contracts.contract import RARE, USUAL, ColumnRule, Contract, Determines, Scalar
from provenote.stores.disk import shown

SCHEMA = 1
_MADE = re.compile(rb'^made: "([0-9a-f]{16})"$', re.M)
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_YAML_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", "none"])


def by_hand(content: bytes) -> bool:
    """Whether people edited the file since it was made."""
    found = _MADE.search(content)
    return found is None or found[1].decode() != _digest(content)


def _digest(content: bytes) -> str:
    return hashlib.sha256(_MADE.sub(b"made:", content)).hexdigest()[:16]


def to_text(contract: Contract, path: str, offered: Iterable[Determines | str] = ()) -> str:
    """Write a contract, with its words for people.

    Parameters
    ----------
    contract : Contract
    path : str
        The data, as messages name it.
    offered : iterable
        Rules that were found and that nobody accepted yet.
    """
    name = shown(path)
    lines = [
        f"# What {name} may hold. Edit it as you like; reviewers read its changes as they read code.",
        f"# `provenote data check {name}` checks it, and so does every job before its first cell.",
        f"provenote_contract: {SCHEMA}",
        "made:",
    ]
    if contract.of:
        lines.append(f"of: {flow(contract.of)}")
    if contract.time:
        time = contract.time
        facts: dict[str, Any] = {"columns": list(time.columns)}
        facts |= ({"unit": time.unit} if time.unit else {}) | ({} if time.ordered else {"ordered": False})
        facts |= {} if time.gaps_max is None else {"gaps_max": time.gaps_max}
        facts |= {} if time.longest_gap is None else {"longest_gap": time.longest_gap}
        lines.append(f"time: {flow(facts)}")
    for word, names in (("key", contract.key), ("increasing", contract.increasing)):
        if names:
            lines.append(f"{word}: {flow(list(names))}")
    if contract.label:
        lines.append(f"label: {flow(contract.label)}")
    if contract.test:
        facts = {"files": contract.test.files} if contract.test.files else {}
        facts |= {"rows": contract.test.rows.text} if contract.test.rows else {}
        lines.append(f"test: {flow(facts)}")
    lines.append("columns:" if contract.columns else "columns: {}")
    lines += [f"  {flow(rule.name)}: {column_text(rule)}" for rule in contract.columns.values()]
    if contract.rules or contract.determines:
        lines.append("rows:  # what holds in every row")
        lines += [f"  - {flow({'expr': rule.text})}" for rule in contract.rules]
        lines += [f"  - {_fixes(one)}" for one in contract.determines]
    offers = list(offered)
    if offers:
        lines.append("offered:  # these hold in the reference; move a line up to `rows` to have it checked")
        lines += [
            f"  - {_fixes(one) if isinstance(one, Determines) else flow({'expr': one})}" for one in offers
        ]
    if contract.relations:
        lines.append("relations:  # for the monitor, which learns their limits from windows of the reference")
        lines += [f"  - {flow(dict(one))}" for one in contract.relations]
    if contract.windows:
        lines.append(f"windows: {flow(dict(contract.windows))}")
    lines.append(
        "# refuse: no job starts. quarantine: the file is left out. alert: the job starts. note: no fault."
    )
    lines.append(f"on_fail: {flow({kind: contract.action(kind) for kind in USUAL})}")
    content = "\n".join(lines) + "\n"
    return content.replace("\nmade:\n", f'\nmade: "{_digest(content.encode())}"\n', 1)


def column_text(rule: ColumnRule) -> str:
    """Return one column's rule on one line."""
    facts: dict[str, Any] = {"type": rule.type, "null_max": rule.null_max}
    facts |= {"range": list(rule.range)} if rule.range is not None else {}
    facts |= {"in": list(rule.values)} if rule.values is not None else {}
    facts |= {"on_unseen": rule.on_unseen} if rule.on_unseen else {}
    facts |= {"rare": rule.rare} if rule.rare != RARE else {}
    facts |= {"varies": True} if rule.varies else {}
    facts |= {"optional": True} if rule.optional else {}
    facts |= {"usual": list(rule.usual)} if rule.usual is not None else {}
    facts |= {"unit": rule.unit} if rule.unit else {}
    facts |= {"why": rule.why} if rule.why else {}
    return flow(facts)


def _fixes(one: Determines) -> str:
    return flow({"given": list(one.given), "fixes": one.column})


def flow(value: Any) -> str:
    """Return plain data as YAML on one line that `strict_yaml` reads back as the same."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(str(key))}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(one) for one in value) + "]"
    if isinstance(value, str):
        plain = _BARE.fullmatch(value) and value.lower() not in _YAML_WORDS
        return value if plain else _quoted(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return number(value)


def number(value: float) -> str:
    """Return a number as short as it can be read back."""
    return str(value) if isinstance(value, int) else repr(float(value))


def _quoted(text: str) -> str:
    """Quote a text as YAML does; what does not print is escaped (beyond 16 bits not as JSON does)."""
    made = []
    for char in text:
        if char in '"\\':
            made.append("\\" + char)
        elif char.isprintable():
            made.append(char)
        else:
            made.append(f"\\U{ord(char):08X}")
    return '"' + "".join(made) + '"'


def scalar(value: Any) -> Scalar | None:
    """Return a value as a contract holds it; dates and times as ISO text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
