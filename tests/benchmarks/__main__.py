"""Print every budget beside what is measured here: ``python -m tests.benchmarks [NAME ...]``."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks import Row


def main() -> int:
    """Run the benchmarks and print one line a budget as it becomes known."""
    here = Path(__file__).parent
    names = sorted(path.stem.removeprefix("bench_") for path in here.glob("bench_*.py"))
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which: {', '.join(names)} (default: all)")
    parser.add_argument(
        "--quick", action="store_true", help="smaller sizes and fewer repeats; no figure to quote"
    )
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    options = parser.parse_args()
    unknown = set(options.names) - set(names)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
        f"{', quick' if options.quick else ''}"
    )
    print(f"\n{'what':<46}{'ours':>11}{'beside':>11}{'ratio':>8}{'budget':>10}  holds")
    found: list[Row] = []
    for name in options.names or names:
        module = importlib.import_module(f"tests.benchmarks.bench_{name}")
        for row in module.rows(options.quick):
            found.append(row)
            print(line(row), flush=True)
    if options.json:
        rows = [{**asdict(row), "ratio": row.ratio, "holds": row.holds} for row in found]
        options.json.write_text(json.dumps({"schema": 1, "rows": rows}, indent=1) + "\n")
    missed = [row.name for row in found if row.holds is False]
    print(
        f"\n{len(found)} rows, {len(missed)} beyond the budget" + (f": {'; '.join(missed)}" if missed else "")
    )
    return 0


def line(row: Row) -> str:
    """Return a row as one line of the table, what it is beside on the next one."""
    ratio = f"{row.ratio:.2f}x" if row.ratio is not None else ""
    budget = f"{row.most_ratio:g}x" if row.most_ratio is not None else ""
    if row.most is not None and row.most_ratio is None:
        budget = amount(row.most, row.unit)
    verdict = {True: "yes", False: "NO", None: ""}[row.holds]
    peer = amount(row.peer, row.unit) if row.peer is not None else ""
    first = f"{row.name:<46}{amount(row.ours, row.unit):>11}{peer:>11}{ratio:>8}{budget:>10}  {verdict}"
    aside = "; ".join(filter(None, (f"beside {row.peer_name}" if row.peer_name else "", row.note)))
    return f"{first}\n    {aside}" if aside else first


def amount(value: float, unit: str) -> str:
    """Return an amount with three digits and a unit that suits it."""
    if unit != "s":
        return f"{value:.3g} {unit}"
    for limit, factor, name in ((1e-3, 1e6, "us"), (1, 1e3, "ms")):
        if value < limit:
            return f"{value * factor:.3g} {name}"
    return f"{value:.3g} s"


if __name__ == "__main__":
    sys.exit(main())
