"""What the index keeps of a run's document: the fields of its row, its numbers, its bytes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from provenote.stores.layout import is_md5


class Stored(NamedTuple):
    """An object of the DVC cache that a run made or read.

    Parameters
    ----------
    commit : str
        The run's.
    md5, name : str
        The object, and what the run calls it.
    size : int or None
        Bytes, where the run knows.
    kind : str
        ``read``, or the type of an artifact: ``model``, ``figure``, ...
    owner : str
        Who started the run.
    """

    commit: str
    md5: str
    name: str
    size: int | None
    kind: str
    owner: str


def unchanging(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a run's document never changes, as the fields of a row."""
    keep = ("id", "label", "status", "reason", "started", "ended", "params", "metrics", "baseline", "parent")
    return {key: document.get(key) for key in keep} | {
        "linearity": document.get("linearity", "unknown"),
        "tags": document.get("tags", []),
        "notes": document.get("notes", []),
        **_cost(document),
    }


def _cost(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the run cost, for its row; nothing where it had no price."""
    resources = document.get("resources")
    cost = resources.get("cost") if isinstance(resources, dict) else None
    if not isinstance(cost, dict):
        return {}
    amount = cost.get("amount")
    if isinstance(amount, bool) or not isinstance(amount, (int, float)) or not 0 <= amount < 1e300:
        return {}
    return {"cost": float(amount), "currency": _text(cost.get("currency") or "")}


def objects(commit: str, document: Mapping[str, Any]) -> Iterator[Stored]:
    """Yield the objects that a run made and read; what is not written so is left out."""
    owner = str(document.get("user") or "")
    artifacts, reads = document.get("artifacts"), document.get("reads")
    things = list(artifacts.items()) if isinstance(artifacts, dict) else []
    for name, thing in [*things, *((None, each) for each in (reads if isinstance(reads, list) else ()))]:
        if not isinstance(thing, dict) or not is_md5(str(thing.get("md5"))):
            continue
        size, kind = thing.get("size"), thing.get("type") if name is not None else "read"
        length = size if isinstance(size, int) and 0 <= size < 2**62 else None
        called = thing.get("path") if name is None else name
        yield Stored(commit, thing["md5"], _text(called), length, _text(kind or "artifact"), _text(owner))


def _text(value: Any) -> str:
    """Return a value as a text that a database takes: a lone surrogate has no bytes."""
    return str(value).encode("utf-8", "replace").decode()


def numbers(prefix: str, values: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return ``("metrics.loss.train", 0.1)`` for every finite number of nested maps."""
    found: list[tuple[str, float]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            found += numbers(f"{prefix}.{key}", value)
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300:
            found.append((f"{prefix}.{key}", float(value)))
    return found
