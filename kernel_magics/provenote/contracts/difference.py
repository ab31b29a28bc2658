"""How two contracts differ, rule by rule, for whoever reviews a change of data. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from provenote.contracts.contract import USUAL, ColumnRule, Contract
from provenote.contracts.contract_text import flow

_FIELDS = ("type", "null_max", "range", "values", "on_unseen", "rare", "varies", "optional", "unit")
_WORDS = {"values": "in", "null_max": "null_max"}


@dataclass(frozen=True, slots=True)
class Change:
    """One rule that differs.

    Parameters
    ----------
    place : str
        The column, or the part of the contract.
    what : str
        Which rule.
    old, new : str
        As the file says it; empty where there is none.
    softer : bool or None
        Whether the new one lets more through; None where nobody can tell.
    """

    place: str
    what: str
    old: str
    new: str
    softer: bool | None = None


def compare(old: Contract | None, new: Contract | None) -> list[Change]:
    """Return what differs between two contracts; a missing one has no rules."""
    if old is None and new is None:
        return []
    before, after = old or Contract({}), new or Contract({})
    found = list(_columns(before, after))
    for what in ("key", "increasing", "label", "extra"):
        one, other = getattr(before, what), getattr(after, what)
        if one != other:
            fewer = None if what in ("label", "extra") else set(other) < set(one)
            found.append(Change("", what, _text(one), _text(other), fewer or None))
    if before.time != after.time:
        found.append(Change("", "time", _time(before), _time(after)))
    if before.test != after.test:
        found.append(Change("", "test", _test(before), _test(after)))
    rules = ([r.text for r in c.rules] + [d.text for d in c.determines] for c in (before, after))
    gone, come = rules
    found += [Change("", "rule", text, "", True) for text in gone if text not in come]
    found += [Change("", "rule", "", text, False) for text in come if text not in gone]
    for kind in USUAL:
        one, other = before.action(kind), after.action(kind)
        if one != other:
            order = ("refuse", "quarantine", "alert", "note")
            found.append(Change("", f"on_fail {kind}", one, other, order.index(other) > order.index(one)))
    return found


def _columns(before: Contract, after: Contract) -> Iterator[Change]:
    for name, rule in before.columns.items():
        other = after.columns.get(name)
        if other is None:
            yield Change(name, "column", rule.type, "", True)
            continue
        for field in _FIELDS:
            one, two = getattr(rule, field), getattr(other, field)
            if one != two:
                softer = _softer(field, rule, other)
                yield Change(name, _WORDS.get(field, field), _text(one), _text(two), softer)
    for name, rule in after.columns.items():
        if name not in before.columns:
            yield Change(name, "column", "", rule.type, False)


def _softer(field: str, old: ColumnRule, new: ColumnRule) -> bool | None:
    if field == "null_max":
        return new.null_max > old.null_max
    if field == "values":
        if new.values is None or old.values is None:
            return new.values is None
        return (
            True
            if set(new.values) > set(old.values)
            else False
            if set(new.values) < set(old.values)
            else None
        )
    if field == "range":
        if new.range is None or old.range is None:
            return new.range is None
        wider = [_beyond(new.range[0], old.range[0], -1), _beyond(new.range[1], old.range[1], 1)]
        return True if all(one >= 0 for one in wider) else False if all(one <= 0 for one in wider) else None
    return {"optional": new.optional, "varies": not new.varies}.get(field)


def _beyond(new: object, old: object, side: int) -> int:
    """Return 1 where an end lets more through, -1 where less, 0 where the same."""
    if new == old:
        return 0
    if new is None or old is None:
        return 1 if new is None else -1
    return side if new > old else -side  # type: ignore[operator]


def _text(value: object) -> str:
    if value is None or value == () or value == "":
        return ""
    return flow(list(value) if isinstance(value, tuple) else value)


def _time(contract: Contract) -> str:
    time = contract.time
    if time is None:
        return ""
    gaps = "" if time.gaps_max is None else f", gaps up to {time.gaps_max:.1%}"
    longest = "" if time.longest_gap is None else f", {time.longest_gap} steps in a row"
    return f"{' + '.join(time.columns)}{', ordered' if time.ordered else ''}{gaps}{longest}"


def _test(contract: Contract) -> str:
    if contract.test is None:
        return ""
    return " ".join(
        part for part in (contract.test.files, contract.test.rows.text if contract.test.rows else "") if part
    )
