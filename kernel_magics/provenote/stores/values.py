"""How values are written so that others can read them: JSON lines, ``params.yaml``, ``metrics.json``, TSV.

NaN and infinity have no place in JSON: they travel as the strings ``nan``, ``inf`` and ``-inf``.
Integers of any size, booleans, null, lists and nested maps are kept as they are.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from provenote.errors import UsageError

# YAML forbids these in a stream; JSON escapes only some of them.
_UNPRINTABLE = re.compile("[\x7f-\x84\x86-\x9f\ufffe\uffff\u2028\u2029\x85]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def plain(value: Any, key: str = "value") -> Any:
    """Return ``value`` as plain JSON data.

    NumPy scalars and arrays, pandas timestamps, paths, enums, sets and the like become what they stand for.

    Raises
    ------
    UsageError
        If it is none of these; the message names the key and the type.
    """
    kind = value.__class__
    if kind is float:
        return value if math.isfinite(value) else _word(value)
    if value is None or kind is int or kind is bool:
        return value
    if kind is str:
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {_key(name): plain(inner, f"{key}.{name}") for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner, key) for inner in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain(inner, key) for inner in value), key=str)
    if isinstance(value, (bool, int, float, str)):  # subclasses: enums of numbers, numpy.float64, numpy.str_
        base = next(base for base in (bool, int, float, str) if isinstance(value, base))
        return plain(base(value), key)
    for method in ("item", "tolist"):  # numpy, pandas, torch scalars; then arrays
        convert = getattr(value, method, None)
        if convert is not None:
            try:
                return plain(convert(), key)
            except (TypeError, ValueError, RuntimeError):
                continue
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if hasattr(value, "__fspath__"):
        return plain(str(value), key)
    if isinstance(value, type) or callable(value):
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', repr(value))}"
    numeric = getattr(value, "__float__", None)
    if numeric is not None:  # Decimal, Fraction
        return plain(float(value), key)
    raise UsageError(
        f"{key!r} is a {kind.__module__}.{kind.__qualname__}, which cannot be written as JSON",
        "Log a number, a text, a list or a map of them, or keep it as a file: `run.log_artifact(path)`",
    )


def _key(name: Any) -> str:
    if not isinstance(name, str):
        raise UsageError(
            f"the key {name!r} is a {type(name).__name__}, not a text", f"Write it as a text: `{str(name)!r}`"
        )
    return _SURROGATE.sub("\ufffd", name)


def check_key(name: Any) -> str:
    """Return ``name`` if it can be the key of a metric or a parameter.

    Raises
    ------
    UsageError
        If it is no text, or is empty.
    """
    key = _key(name)
    if not key.strip():
        raise UsageError("a key is empty", 'Give it a name: `run.log({"rmse": value})`')
    return key


def _word(value: float) -> str:
    return "nan" if value != value else "inf" if value > 0 else "-inf"


def line(value: Any) -> str:
    """Write plain data as one compact JSON line, without the line break."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def yaml(values: Mapping[str, Any]) -> bytes:
    """Write nested maps as block YAML with JSON scalars, which YAML 1.1 and 1.2 read alike."""
    return "".join(_block(values, "")).encode() or b"{}\n"


def _block(values: Mapping[str, Any], indent: str) -> list[str]:
    lines = []
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            lines.append(f"{indent}{_scalar(key)}:\n")
            lines += _block(value, indent + "  ")
        else:
            lines.append(f"{indent}{_scalar(key)}: {_scalar(value)}\n")
    return lines


def _scalar(value: Any) -> str:
    if isinstance(value, float):
        text = repr(value)
        # YAML 1.1 takes 1e-05 for a text; 1.0e-05 is a number for everybody.
        return text.replace("e", ".0e") if "e" in text and "." not in text else text
    if isinstance(value, (list, Mapping)):
        inner = (
            [f"{_scalar(k)}: {_scalar(v)}" for k, v in value.items()]
            if isinstance(value, Mapping)
            else [_scalar(item) for item in value]
        )
        return ("{%s}" if isinstance(value, Mapping) else "[%s]") % ", ".join(inner)
    text = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def dvc_metrics(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return what DVC can show of metrics: numbers, booleans and texts, nested maps of them.

    Null and lists stay in ``run.json`` alone, since DVC drops or refuses them.
    """
    shown: dict[str, Any] = {}
    for key, value in metrics.items():
        if isinstance(value, Mapping):
            inner = dvc_metrics(value)
            if inner:
                shown[key] = inner
        elif value is not None and not isinstance(value, list):
            shown[key] = value
    return shown


def plot_files(keys: list[str]) -> dict[str, str]:
    """Return the file name below ``plots/`` of each key: odd characters as ``_``, never two alike."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for key in keys:
        stem = re.sub(r"[^A-Za-z0-9_.-]", "_", key)[:120].lstrip(".") or "_"
        name, count = stem, 1
        while name.lower() in taken:
            count += 1
            name = f"{stem}_{count}"
        taken.add(name.lower())
        names[key] = f"{name}.tsv"
    return names


def tsv(key: str, points: list[tuple[Any, Any]]) -> bytes:
    """Write the points of one metric: header ``step<TAB>key``, then a line a point."""
    heading = re.sub(r"[\t\r\n]", " ", key)
    lines = [
        f"{step}\t{value!r}\n" if value.__class__ in _NUMBERS else f"{step}\t{_field(value)}\n"
        for step, value in points
    ]
    return "".join([f"step\t{heading}\n", *lines]).encode()


_NUMBERS = (float, int)  # and not bool: written as they are, without looking for odd characters


def _field(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return re.sub(r"[\t\r\n]", " ", text)
