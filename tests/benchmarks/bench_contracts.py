"""Budgets of data contracts: what a check costs beside decoding alone and beside pandas, in CPU seconds.

Everything is measured in processes of its own and in CPU seconds: a busy machine stretches the wall clock of
both sides, not their work.
"""

from __future__ import annotations

import io
import lzma
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from tests.benchmarks import Row, interleaved, project, told


def rows(quick: bool) -> Iterator[Row]:
    """Measure checks of Parquet, footers, an unchanged file, and a contract made of a small table."""
    millions, times = (1, 2) if quick else (10, 3)
    with project() as folder:
        make(folder / "wide.parquet", millions)
        name = f"check of {millions} M x 20 Parquet, CPU"

        def ours(what: str = "check", unit: str = "cpu") -> float:
            return told(OURS.format(what=what, unit=unit), cwd=folder)

        one, floor = interleaved(ours, lambda: told(DECODE, cwd=folder), times)
        yield Row(name, one, floor, "decoding alone, pyarrow", most_ratio=1.3)
        one, masks = interleaved(ours, lambda: told(PANDAS, cwd=folder), 1 if quick else 2)
        yield Row("  the same", one, masks, "pandas masks, 1 M rows at a time", most_ratio=0.9)
        yield Row("  its memory", ours("check", "peak"), most=600, unit="MB")
        footers, floor = interleaved(lambda: ours("footers"), lambda: told(DECODE, cwd=folder), times)
        yield Row("bad Parquet seen in its footer, CPU", footers, floor, "decoding alone", most_ratio=0.05)
    with project() as folder:
        shipped = files("provenote_templates") / "data" / "hour.csv.xz"
        (folder / "hour.csv").write_bytes(lzma.decompress(shipped.read_bytes()))
        one, pandas = interleaved(lambda: told(MAKE, cwd=folder), lambda: told(READ, cwd=folder), times + 2)
        yield Row("contract of 17,379 x 17, CPU", one, pandas, "pandas.read_csv", most_ratio=5)
        yield Row("check of an unchanged file, CPU", told(AGAIN, cwd=folder), most=0.005)
    with project() as folder:
        count = 400 if quick else 4_000
        days(folder / "days", lzma.decompress(shipped.read_bytes()), count)
        seconds, found = (float(word) for word in told_words(MANY, folder))
        yield Row(f"one bad file among {count:,} CSV, CPU", seconds, most=10, sound=found == 1)


def told_words(code: str, folder: Path) -> list[str]:
    """Return the last line that a process prints, in words."""
    from tests.benchmarks import _run

    return _run(code, folder, {}).splitlines()[-1].split()


def make(path: Path, millions: int) -> None:
    """Write ten columns of floats, four of whole numbers, four of categories, a key and a time."""
    import numpy
    import pyarrow
    from pyarrow import parquet

    rng, count = numpy.random.default_rng(0), 1_000_000
    kinds = pyarrow.array([f"cat_{k}" for k in range(8)])
    floats = {f"f{i}": rng.random(count) * 100 for i in range(10)}
    floats["f0"][[1, 500, 900, 1000, 5000]] = 1e6
    columns = floats | {f"i{i}": rng.integers(0, 1000, count) for i in range(4)}
    columns |= {f"s{i}": kinds.take(pyarrow.array(rng.integers(0, 8, count))) for i in range(4)}
    writer = None
    for number in range(millions):
        place = numpy.arange(number * count, (number + 1) * count)
        moment = (numpy.datetime64("2011-01-01", "s") + place).astype("datetime64[us]")
        table = pyarrow.table(columns | {"id": place, "t": moment})
        writer = writer or parquet.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table, row_group_size=250_000)
    assert writer is not None
    writer.close()


def days(folder: Path, content: bytes, count: int) -> None:
    """Write many small files of one day each; one of them has a fault."""
    head, *lines = io.StringIO(content.decode()).read().splitlines()
    folder.mkdir()
    for number in range(count):
        day = []
        for hour in range(24):
            cells = lines[(number * 24 + hour) % len(lines)].split(",")
            cells[0] = str(number * 24 + hour + 1)
            if number == count // 2 and hour == 7:
                cells[10] = "61.0"
            day.append(",".join(cells))
        (folder / f"{number:04}.csv").write_text("\n".join([head, *day]) + "\n")


OURS = """
import resource, time
from pathlib import Path
import pyarrow.compute, pyarrow.parquet, numpy
from provenote.contracts import causes, engine, footers, places  # imports are no part of it
from provenote.contracts.contract import ColumnRule, Contract, Time
kinds = tuple(f"cat_{{k}}" for k in range(8))
columns = {{f"f{{i}}": ColumnRule(f"f{{i}}", "float", range=(0.0, 100.0)) for i in range(10)}}
columns |= {{f"i{{i}}": ColumnRule(f"i{{i}}", "int", range=(0, 999)) for i in range(4)}}
columns |= {{f"s{{i}}": ColumnRule(f"s{{i}}", "text", values=kinds) for i in range(4)}}
columns |= {{"id": ColumnRule("id", "int"), "t": ColumnRule("t", "datetime")}}
contract = Contract(columns, key=("id",), increasing=("id",), time=Time(("t",), "second"))
path, began = Path("wide.parquet"), time.process_time()
if "{what}" == "check":
    found = engine.check_file(path, path.name, contract).faults
else:
    found = footers.look(path, contract)
cpu = time.process_time() - began
assert [(one.kind, one.column) for one in found] == [("range", "f0")], found
print(cpu if "{unit}" == "cpu" else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
DECODE = """
import time
import pyarrow.parquet
began = time.process_time()
file = pyarrow.parquet.ParquetFile("wide.parquet", pre_buffer=False)
sum(len(batch) for batch in file.iter_batches(65536, use_threads=False))
print(time.process_time() - began)
"""
PANDAS = """
import time
import pandas, pyarrow.parquet
kinds, began = [f"cat_{k}" for k in range(8)], time.process_time()
for batch in pyarrow.parquet.ParquetFile("wide.parquet").iter_batches(1_000_000):
    frame = batch.to_pandas()
    for name in frame:
        column = frame[name]
        if name[0] in "fi" and name != "id":
            ((~column.between(0, 100 if name[0] == "f" else 999)) & column.notna()).sum()
        elif name[0] == "s":
            (~column.isin(kinds)).sum()
    frame["id"].duplicated().sum()
print(time.process_time() - began)
"""
MAKE = """
import time
from pathlib import Path
from provenote.contracts import contract_file, contract_text, discovery, inference
from provenote.contracts.reference import look
def once():
    files = [("hour.csv", Path("hour.csv"))]
    reference = look(files)
    contract = inference.infer(reference, label="cnt")
    found = discovery.discover(reference, contract, files)
    return contract_text.to_text(contract, "hour.csv", found.rules)
once()  # imports are no part of it, on neither side
began = time.process_time()
once()
print(time.process_time() - began)
"""
READ = """
import time
import pandas
pandas.read_csv("hour.csv")
began = time.process_time()
pandas.read_csv("hour.csv")
print(time.process_time() - began)
"""
AGAIN = """
import statistics, time
from provenote import workspace
from provenote.contracts import checking, making
from provenote.data import storing
storing.add("hour.csv")
making.make("hour.csv")
place = workspace.find()
time.sleep(2.1)  # a file that was written just now is hashed once more
for _ in range(2):
    checking.check(place, "hour.csv")
took = []
for _ in range(9):
    began = time.process_time()
    checking.check(place, "hour.csv")
    took.append(time.process_time() - began)
print(statistics.median(took))
"""
MANY = """
import time
from pathlib import Path
from provenote import workspace
from provenote.contracts import checking, contract_file, inference
from provenote.contracts.reference import look
reference = look([("0000.csv", Path("days/0000.csv")), ("0001.csv", Path("days/0001.csv"))])
contract = inference.infer(reference)
from dataclasses import replace
bare = {name: replace(rule, values=None, range=None, varies=False) for name, rule in contract.columns.items()}
bare["temp"] = replace(contract.columns["temp"], range=(-0.3, 1.3), varies=False)
contract = replace(contract, columns=bare, time=None)
contract_file.file_of(Path("days")).write_text(contract_text.to_text(contract, "days"))
began = time.process_time()
found = checking.check(workspace.find(), "days")
faults = [(report.file, fault) for report in found.reports for fault in report.faults]
print(time.process_time() - began, len(faults))
"""
