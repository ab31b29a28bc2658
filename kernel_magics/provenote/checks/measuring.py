"""What a model costs: how long an answer takes, beside a fixed computation of numpy, and its bytes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from provenote.checks.verdict import Finding
from provenote.errors import UsageError

if TYPE_CHECKING:
    import pandas

    from provenote.checks.subject import Examined

CALLS = 100
WARM = 5
KERNEL = 20_000
"""Random numbers that are sorted once for each call, on one core: the yardstick of this machine."""


def latency(
    model: Any,
    features: pandas.DataFrame,
    *,
    p95_ms: float | None = None,
    ratio: float | None = None,
    rows: int = 1,
    calls: int = CALLS,
) -> Finding:
    """Measure how long an answer takes.

    Parameters
    ----------
    model : object
    features : DataFrame
    p95_ms : float, optional
        Milliseconds in which 95 of 100 answers must come.
    ratio : float, optional
        How many times the fixed computation the median answer may take: it means the same on a slow machine.
    rows : int
        Rows in each request.
    calls : int
        Requests that are timed.

    Raises
    ------
    UsageError
        If there is no row, or no limit.
    """
    import numpy as np

    if p95_ms is None and ratio is None:
        raise UsageError("which latency is the limit?", "`check.latency(p95_ms=20)`, or `ratio=50`")
    if rows < 1 or len(features) < rows:
        raise UsageError(f"there are {len(features):,} rows, and a request shall have {rows:,}")
    numbers = np.random.default_rng(0).normal(size=KERNEL)
    taken, yard = np.empty(calls), np.empty(calls)
    last = len(features) - rows + 1
    requests = [features.iloc[place % last : place % last + rows] for place in range(calls + WARM)]
    for call in range(-WARM, calls):
        began = time.perf_counter()
        model.predict(requests[call])
        between = time.perf_counter()
        np.sort(numbers)
        ended = time.perf_counter()
        if call >= 0:
            taken[call], yard[call] = between - began, ended - between
    p95 = float(np.quantile(taken, 0.95) * 1000)
    times = float(np.median(taken) / np.median(yard))
    evidence = {
        "p50_ms": float(np.median(taken) * 1000),
        "p95_ms": p95,
        "ratio": times,
        "kernel_ms": float(np.median(yard) * 1000),
        "rows": rows,
        "calls": calls,
    }
    late = p95_ms is not None and p95 > p95_ms
    slow = ratio is not None and times > ratio
    why = (
        f"95 of 100 in {p95:.3g} ms; the median takes {times:.3g} times as long as sorting {KERNEL:,} numbers"
    )
    value, limit = (p95, p95_ms) if p95_ms is not None else (times, ratio)
    return Finding(
        "latency",
        "failed" if late or slow else "passed",
        why,
        value,
        limit,
        mend="Measure it on a quiet machine, or hold it to `ratio=`" if late else "",
        evidence=evidence,
    )


def size(tested: Examined, mb: float) -> Finding:
    """Test that a model's file has at most so many megabytes (of a million bytes).

    Raises
    ------
    UsageError
        If its bytes are not known.
    """
    found = tested.size
    if not found:
        raise UsageError("only a model that a run kept has a size", "Log it: `run.log_model(model, name)`")
    value = found / 1e6
    return Finding("size", "passed" if value <= mb else "failed", f"{value:.3g} MB", value, mb)
