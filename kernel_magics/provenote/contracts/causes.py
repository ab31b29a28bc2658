"""Guess what is behind values out of range: another unit, two columns swapped, a comma for a point."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from provenote.contracts.columns_check import ColumnCheck
from provenote.contracts.contract import ColumnRule, Contract
from provenote.contracts.faults import Fault, FileReport

UNITS: Mapping[str, float] = {
    "x 10": 10,
    "x 100": 100,
    "x 1000": 1000,
    "x 1,000,000": 1e6,
    "/ 10": 0.1,
    "/ 100": 0.01,
    "/ 1000": 0.001,
    "x 3.6 (m/s told as km/h)": 3.6,
    "/ 3.6 (km/h told as m/s)": 1 / 3.6,
    "x 0.4536 (lb told as kg)": 0.45359237,
    "x 2.2046 (kg told as lb)": 1 / 0.45359237,
}
"""Factors between units that people mistake for each other."""

BEYOND = 0.25
"""How far above a range, as a share of its width, values may be the same thing grown."""


def guess(
    report: FileReport,
    contract: Contract,
    checks: Mapping[str, ColumnCheck],
    contexts: Mapping[str, Sequence[Mapping[str, Any]]],
) -> None:
    """Write the likely cause on each fault that has one.

    Parameters
    ----------
    report : FileReport
    contract : Contract
    checks : mapping of str to ColumnCheck
        They hold samples of faulty values.
    contexts : mapping
        Column -> numbers of other columns in rows where it is faulty.
    """
    for fault in report.faults:
        rule = contract.columns.get(fault.column)
        if fault.kind == "range" and rule is not None:
            sample = checks[fault.column].sample
            fault.cause = (
                swapped(rule, contract, contexts.get(fault.column, ()))
                or _grown(rule, sample, fault.count >= 0.5 * report.rows)
                or unit(rule, sample, fault.count >= 0.5 * report.rows)
                or _marker(sample)
            )
        elif fault.kind == "type" and rule is not None:
            fault.cause = _written(fault, rule)
        elif fault.kind == "null" and fault.count == report.rows:
            fault.cause = "the whole column is empty"
        elif fault.kind == "key" and report.rows and fault.count >= 0.4 * report.rows:
            fault.cause = "the rows may have been appended twice"


def unit(rule: ColumnRule, sample: Sequence[float], whole: bool = True) -> str:
    """Return the unit that explains values out of range, or an empty text.

    A factor explains them if it brings nine of ten into the range, and their median near the usual ones.
    """
    values = [value for value in sample if value - value == 0]
    if not values or rule.usual is None or rule.range is None:
        return ""
    middle, (low, usual, high) = statistics.median(values), rule.usual
    found: list[tuple[float, str]] = []
    for words, factor in UNITS.items():
        back = middle / factor
        if low <= back <= high and _fits([value / factor for value in values], rule):
            found.append(
                (
                    abs(back - usual),
                    f"{'all of ' if whole else ''}{rule.name} {words}{'' if whole else ' in those rows'}?",
                )
            )
    celsius = [(value - 32) / 1.8 for value in values]
    if low <= (middle - 32) / 1.8 <= high and _fits(celsius, rule):
        found.append((abs((middle - 32) / 1.8 - usual), f"{rule.name} in °F instead of °C?"))
    fahrenheit = [value * 1.8 + 32 for value in values]
    if low <= middle * 1.8 + 32 <= high and _fits(fahrenheit, rule):
        found.append((abs(middle * 1.8 + 32 - usual), f"{rule.name} in °C instead of °F?"))
    return min(found)[1] if found else ""


def _grown(rule: ColumnRule, sample: Sequence[float], whole: bool) -> str:
    """Tell values that a few rows have just above the range from another unit, which lies far beyond."""
    if whole or rule.range is None or rule.range[0] is None or rule.range[1] is None or not sample:
        return ""
    low, high = float(rule.range[0]), float(rule.range[1])
    near = all(high < value <= high + BEYOND * (high - low) for value in sample)
    return "just above what the contract knows: has it grown?" if near and not _marker(sample) else ""


def swapped(rule: ColumnRule, contract: Contract, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return which column this one was swapped with, or an empty text."""
    rows = [row for row in rows if row.get(rule.name) is not None]
    if len(rows) < 3:
        return ""
    for other in contract.columns.values():
        if other.name == rule.name or other.range is None or rule.range is None or other.usual is None:
            continue
        pairs = [(row[rule.name], row[other.name]) for row in rows if row.get(other.name) is not None]
        if len(pairs) < len(rows) or not _fits([ours for ours, _ in pairs], other):
            continue
        out = [theirs for _, theirs in pairs if not _inside(theirs, other)]
        back = _fits([theirs for _, theirs in pairs], rule)
        low, _, high = other.usual
        if back and (len(out) >= 0.5 * len(pairs) or low <= statistics.median(o for o, _ in pairs) <= high):
            return f"{rule.name} and {other.name} swapped?"
    return ""


def _written(fault: Fault, rule: ColumnRule) -> str:
    """Guess from the first cells why they are no numbers."""
    values = [place.value for place in fault.places if place.value]
    if rule.type in ("int", "float") and values:
        if all(value.replace(",", "", 1).lstrip("+-").isdigit() and "," in value for value in values):
            return "a comma for the decimal point?"
        if all(any(char.isdigit() for char in value) for value in values) and not all(map(_float, values)):
            return "numbers with other characters among them: a unit, blanks, a thousands sign?"
        if len(set(values)) == 1:
            return f"{values[0]!r} for a missing value?"
    if rule.type in ("date", "datetime") and any(sign in value for value in values for sign in "/."):
        return "another form of date: day/month/year?"
    return ""


def _float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text  # Python alone reads 1_000 as a number


def _marker(sample: Sequence[float]) -> str:
    """Recognise the numbers that people write for a missing value."""
    if len(set(sample)) == 1 and sample[0] in (-1, -9, -99, -999, -9999, 99, 999, 9999, 99999):
        return f"{sample[0]:g} for a missing value?"
    return ""


def _fits(values: Sequence[float], rule: ColumnRule) -> bool:
    return sum(_inside(value, rule) for value in values) >= 0.9 * len(values)


def _inside(value: float, rule: ColumnRule) -> bool:
    if rule.range is None:
        return True
    low, high = rule.range
    return (low is None or value >= float(low)) and (high is None or value <= float(high))
