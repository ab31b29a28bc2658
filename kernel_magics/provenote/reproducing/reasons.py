"""Why a reproduction may differ, as far as the records of both tell; nothing is guessed beyond them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from provenote.compare.columns import flat
from provenote.reproducing.verdict import Verdict

_SEED = re.compile(r"(?:^|[._])(?:random_state|seed|random_seed)$")
_CLOCK = re.compile(
    r"\b(?:time\.(?:time|time_ns|monotonic|perf_counter|strftime|ctime|localtime)|(?:datetime|date)\.(?:now|today|utcnow)"
    r"|Timestamp\.(?:now|today)|uuid\.uuid[14])\b"
)
_RANDOM = re.compile(
    r"\b(?:np|numpy)\.random\.|\brandom\.(?:random|shuffle|choice|sample|randint)\b|\btorch\.rand"
)
_FEW = 3


def likely(
    document: Mapping[str, Any],
    again: Mapping[str, Any],
    verdict: Verdict,
    *,
    environment: Sequence[str] = (),
    imported: int = 0,
    remarks: Sequence[str] = (),
    absent: Sequence[str] = (),
) -> list[str]:
    """Name what can part a run and its reproduction.

    Parameters
    ----------
    document, again : mapping
        ``run.json`` of both; the second may be empty.
    verdict : Verdict
    environment : sequence of str
        What is different in the environment, imported packages first.
    imported : int
        How many of these are packages that the run imported, or Python itself.
    remarks : sequence of str
        What was not run as it had run.
    absent : sequence of str
        Files that were not there.

    Returns
    -------
    list of str
        One sentence each, without a full stop, what weighs most first.
    """
    found = [*remarks]
    evidence = document.get("evidence")
    if document.get("linearity") in ("out-of-order", "rerun") and isinstance(evidence, Mapping):
        why = [str(reason) for reason in evidence.get("why") or ()][:_FEW]
        words = "out of order" if document["linearity"] == "out-of-order" else "more than once"
        found.append(f"its cells ran {words}" + (f": {'; '.join(why)}" if why else ""))
    if document.get("snapshot") == "lost":
        found.append("the snapshot of its files is lost: those of its baseline were used")
    if document.get("stale_modules"):
        found.append("it ran with modules whose files had changed since they were imported")
    if absent:
        found.append(f"not there: {_listed(absent)}")
    if environment:
        weight = "of what it imported" if imported else "of packages that it did not import"
        found.append(f"the environment differs, {weight}: {_listed(environment)}")
    found += _data(document, again)
    found += _chance(document, verdict)
    found += _machine(document.get("machine"), again.get("machine"))
    return found


def _data(document: Mapping[str, Any], again: Mapping[str, Any]) -> list[str]:
    if not again:
        return []
    then = {str(read["path"]): read["md5"] for read in document.get("reads") or ()}
    now = {str(read["path"]): read["md5"] for read in again.get("reads") or ()}
    other = sorted(path for path in then if path in now and then[path] != now[path])
    return [f"other data were read: {_listed(other)}"] if other else []


def _chance(document: Mapping[str, Any], verdict: Verdict) -> list[str]:
    """Look for a seed among the parameters, and for clocks and chance in the cells that differ."""
    found = []
    params = flat(document.get("params") or {})
    seeds = {key: value for key, value in params.items() if _SEED.search(key.replace("__", "."))}
    none = sorted(key for key, value in seeds.items() if value is None)
    numbers = any(metric.grade in ("off", "near") for metric in verdict.metrics)
    if numbers and none and len(none) == len(seeds):
        found.append(
            f"no random state was set: {_listed(none)} None" if len(none) > 1 else f"{none[0]} is None"
        )
    elif numbers and not seeds:
        found.append("no seed or random state is among its parameters")
    for cell in verdict.cells:
        source = cell.now.source if cell.now is not None else ""
        if (clock := _CLOCK.search(source)) is not None:
            found.append(f"cell {cell.number} asks the clock: {clock[0]}")
        if (chance := _RANDOM.search(source)) is not None:
            found.append(f"cell {cell.number} draws numbers: {chance[0].rstrip('.')}")
    return found[: _FEW + 1]


def _machine(then: Any, now: Any) -> list[str]:
    if not isinstance(then, Mapping) or not isinstance(now, Mapping):
        return []
    found = []
    words = {"platform": "system", "cpus": "processors", "gpu_driver": "GPU driver"}
    for key, word in words.items():
        if then.get(key) != now.get(key):
            found.append(f"{word}: {then.get(key) or 'none'}, here {now.get(key) or 'none'}")
    threads = [_threads(one) for one in (then, now)]
    if None not in threads and threads[0] != threads[1]:
        found.append(f"threads of the linear algebra: {threads[0]}, here {threads[1]}")
    if then.get("hash_seed") == "random":
        found.append("its hash seed was not fixed, so sets had an order of their own")
    return found


def _threads(machine: Mapping[str, Any]) -> int | None:
    pools = machine.get("blas")
    if not isinstance(pools, list) or not pools:
        return None
    return max(int(pool.get("threads") or 1) for pool in pools if isinstance(pool, Mapping))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(names[:_FEW]) + more
