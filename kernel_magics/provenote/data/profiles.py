"""The profile of a version: what is in the data, as a small JSON file beside its pointer.

``<data>.profile.json``, schema 1::

    {"schema": 1, "path": "hour.csv", "md5": "...", "size": 1156736, "kind": "table", "format": "csv",
     "sampled": false, "rows": 17379, "columns": [{"name": "temp", "dtype": "float64", "missing": 0, ...}]}

``kind`` is ``table``, ``folder`` or ``file``; a folder has ``files`` by ending, and a table's facts too when
its tables agree. ``sampled`` is true when only the beginning was read: ``rows`` is then what was
read, unless the format tells the whole number. ``not_readable`` says why a table could not be read.
"""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.data import tables
from provenote.data.columns import Column
from provenote.events import Tell, silent
from provenote.stores import cache
from provenote.stores.gauge import Gauge
from provenote.stores.pointers import Stored

if TYPE_CHECKING:
    import pyarrow

SCHEMA = 1
ENDING = ".profile.json"
WIDE = 64
"""Columns beyond which less is kept of each, so that memory stays bounded."""
BYTE_LIMIT, ROW_LIMIT, IMAGE_LIMIT = 64_000_000, 1_000_000, 1_000
_SURROGATE = re.compile("[\ud800-\udfff]")
_IMAGES = {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp"}


def file_of(data: Path) -> Path:
    """Return where the profile of ``data`` is kept."""
    return data.with_name(data.name + ENDING)


def read(file: Path) -> dict[str, Any] | None:
    """Return a profile of ours, or None when there is none."""
    try:
        return from_text(file.read_bytes())
    except OSError:
        return None


def from_text(content: bytes) -> dict[str, Any] | None:
    """Parse a profile; None when it is none."""
    try:
        facts = json.loads(content)
    except ValueError:
        return None
    ours = isinstance(facts, dict) and facts.get("schema") == SCHEMA and "md5" in facts
    return facts if ours else None


def to_text(facts: dict[str, Any]) -> str:
    """Return a profile as it is stored: one column a line, so that Git shows what changed."""
    lines = []
    for key, value in facts.items():
        if key == "columns":
            inner = ",\n".join("    " + _json(column) for column in value)
            lines.append(f'  "columns": [\n{inner}\n  ]' if value else '  "columns": []')
        else:
            lines.append(f"  {_json(key)}: {_json(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _json(value: Any) -> str:
    """Return JSON that people can read; escaped where a file's name is no Unicode."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isascii() or not _SURROGATE.search(text) else json.dumps(value)


def of_object(
    cache_dir: Path, stored: Stored, name: str, *, full: bool = False, tell: Tell = silent
) -> dict[str, Any]:
    """Profile stored bytes.

    Parameters
    ----------
    cache_dir : Path
        The cache.
    stored : Stored
        The version.
    name : str
        Its name, which tells what kind of data it is.
    full : bool
        Whether everything is read; by default at most 64 MB and 1,000,000 rows.
    tell : Tell
        Where progress goes, in rows.

    Returns
    -------
    dict
        The profile, see the head of this module.
    """
    facts: dict[str, Any] = {"schema": SCHEMA, "path": name, "md5": stored.md5, "size": stored.size}
    gauge = Gauge(tell, f"profile {name}", unit="rows")
    files = [(name, cache.object_path(cache_dir, stored.md5))]
    if stored.nfiles is not None:
        found = cache.entries(cache_dir, stored.md5)
        files = [(entry.path, cache.object_path(cache_dir, entry.md5)) for entry in found]
        facts |= {"kind": "folder", "nfiles": stored.nfiles, "files": _by_ending(files)}
        images = [(inside, path) for inside, path in files if Path(inside).suffix.lower() in _IMAGES]
        if images:
            facts["images"] = _images(images, full)
    else:
        facts["kind"] = "table" if tables.kind(name) else "file"
    readable = [(inside, path) for inside, path in files if tables.kind(inside)]
    if readable:
        facts |= _Reading(full, gauge).together(readable, alone=stored.nfiles is None)
    gauge.end()
    return facts


class _Reading:
    """Reads one or more tables of the same columns into one set of facts."""

    def __init__(self, full: bool, gauge: Gauge) -> None:
        self.full, self.gauge = full, gauge
        self.row_limit = None if full else ROW_LIMIT
        self.rows = self.bytes = self.ragged = 0
        self.wide = False

    def together(self, files: list[tuple[str, Path]], *, alone: bool) -> dict[str, Any]:
        columns: dict[str, Column] = {}
        facts: dict[str, Any] = {"format": tables.kind(files[0][0])}
        known, cut, odd, failed = 0, False, 0, []
        for name, path in files:
            left = None if self.full else BYTE_LIMIT - self.bytes
            if left is not None and (left <= 0 or self.rows >= ROW_LIMIT):
                cut = True
                break
            source = tables.Source(path, name, left)
            before = self.rows
            try:
                found = self._table(source, columns)
            except tables.NotReadable as error:
                self.rows = before
                failed.append(f"{name}: {error.what}" if not alone else error.what)
                continue
            if found is None:
                odd += 1
                self.rows = before
                continue
            columns = found
            cut = cut or source.cut
            known += source.rows if source.rows is not None else self.rows - before
            self.bytes += source.bytes_read
            self.ragged += source.ragged
            if alone and source.encoding != "utf-8":
                facts["encoding"] = f"{source.encoding} (a guess)"
            if alone and source.delimiter not in ("", ","):
                facts["delimiter"] = source.delimiter
        if failed:
            facts["not_readable"] = failed[0] if alone else failed[:20]
        if alone and failed:
            return facts
        facts |= {"sampled": cut, "rows": known}
        if cut:
            facts["rows_read"] = self.rows
        if self.ragged:
            facts["ragged_rows_skipped"] = self.ragged
        if odd:
            facts["tables_with_other_columns"] = odd
        facts["columns"] = [column.facts() for column in columns.values()]
        return facts

    def _table(self, source: tables.Source, before: dict[str, Column]) -> dict[str, Column] | None:
        """Read one table on top of ``before``; None when its columns are others."""
        found: dict[str, Column] = {}
        start = self.rows
        groups = tables.column_groups(source)
        self.wide = len(groups) * tables.WIDE > WIDE
        for group in groups:
            self.rows = start
            source.columns = group
            part = self._columns(source, before)
            if part is None:
                return None
            found |= part
        return found if not before or set(found) == set(before) else None

    def _columns(self, source: tables.Source, before: dict[str, Column]) -> dict[str, Column] | None:
        """Read some columns of a table, or all."""
        start = self.rows

        def begin(schema: pyarrow.Schema) -> dict[str, Column] | None:
            self.rows = start
            if not before:
                wide = self.wide or len(schema.names) > WIDE
                return {name: Column(name, schema.field(i).type, wide) for i, name in enumerate(schema.names)}
            if not set(schema.names) <= set(before):
                return None
            return {name: copy.deepcopy(before[name]) for name in schema.names}

        def feed(columns: dict[str, Column] | None, batch: pyarrow.RecordBatch) -> bool:
            if columns is None:
                return False
            if self.row_limit is not None and self.rows + batch.num_rows > self.row_limit:
                batch = batch.slice(0, self.row_limit - self.rows)
                source.cut = True
            for index, name in enumerate(batch.schema.names):
                columns[name].add(batch.column(index))
            self.rows += batch.num_rows
            self.gauge.add(batch.num_rows)
            return self.row_limit is None or self.rows < self.row_limit

        return tables.scan(source, begin, feed)


def _by_ending(files: list[tuple[str, Path]]) -> dict[str, dict[str, int]]:
    found: dict[str, list[int]] = {}
    for name, path in files:
        found.setdefault(Path(name).suffix.lower() or "(none)", []).append(path.stat().st_size)
    return {
        ending: {"count": len(sizes), "bytes": sum(sizes), "min": min(sizes), "max": max(sizes)}
        for ending, sizes in sorted(found.items())
    }


def _images(images: list[tuple[str, Path]], full: bool) -> dict[str, Any]:
    """Count shapes by reading headers; no picture is decoded."""
    from PIL import Image, UnidentifiedImageError

    looked = images if full else images[:IMAGE_LIMIT]
    shapes: dict[str, int] = {}
    broken = []
    for name, path in looked:
        try:
            with Image.open(path) as image:
                shape = f"{image.width}x{image.height} {image.mode}"
            shapes[shape] = shapes.get(shape, 0) + 1
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            broken.append(name)
    common = dict(sorted(shapes.items(), key=lambda item: (-item[1], item[0]))[:10])
    facts: dict[str, Any] = {"count": len(images), "looked_at": len(looked), "shapes": common}
    if broken:
        facts |= {"broken": len(broken), "broken_names": broken[:20]}
    return facts
