"""Keep files, models, figures and tables with a run: bytes in the DVC cache, a pointer in the commit."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.errors import UsageError
from provenote.stores import values

if TYPE_CHECKING:
    from provenote.workspace import Workspace


def keep(
    place: Workspace, path: Path, name: str | None, kind: str, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Store a file or folder and return the ``artifact`` event that names it.

    Returns
    -------
    dict
        ``name, file, type, md5, size, nfiles, sha256`` and the facts.
    """
    from provenote.stores import cache

    if not path.exists():
        raise UsageError(
            f"{path} does not exist, so it cannot be kept with the run",
            "Check the path: it is read from the current folder",
        )
    file = _file_name(path.name or path.resolve().name)
    seen = path.stat()
    sha256 = _digest_beside(path)
    stored = cache.put(path, place.cache_dir)
    event = {
        "name": _artifact_name(name if name is not None else file.split(".")[0]),
        "file": file,
        "type": kind,
        "md5": stored.md5,
        "size": stored.size,
        "sha256": sha256(),
        **values.plain(dict(facts), "facts"),
    }
    if path.is_file() and _version(path.stat()) != _version(seen):
        mend = "Wait until its writer has finished, then keep it again"
        raise UsageError(f"{path} changed while it was being read; it was not recorded", mend)
    if stored.nfiles is not None:
        event["nfiles"] = stored.nfiles
    return event


def _version(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _digest_beside(path: Path) -> Callable[[], str]:
    """Start to hash in a thread, and return what waits for the digest: the copy goes on at the same time."""
    from provenote.stores import digest

    told: list[str | BaseException] = []

    def work() -> None:
        try:
            told.append(digest.sha256(path))
        except BaseException as error:
            told.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()

    def wait() -> str:
        thread.join()
        (answer,) = told
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return wait


def keep_model(place: Workspace, model: Any, name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Store a model: an estimator in a safe format, or a path as it is."""
    if isinstance(model, (str, Path)):
        return keep(place, Path(model), name, "model", {"format": "file", **facts})
    from provenote.registry import formats

    with tempfile.TemporaryDirectory(prefix="provenote-") as folder:
        made = formats.dump(model, Path(folder), _file_name(name))
        known = {"format": made.format, "trusted": list(made.trusted), "class": made.class_name}
        return keep(place, made.path, name, "model", {**known, **facts})


def keep_rows(place: Workspace, model: Any, name: str, features: Any, answers: Any) -> dict[str, Any]:
    """Store what a model says about some of the rows that it learned from, and traces of all of them."""
    import json

    from provenote.tracking import learned

    kept = learned.make(model, features, answers)
    with tempfile.TemporaryDirectory(prefix="provenote-") as folder:
        path = Path(folder) / f"{_file_name(name)}-rows.json"
        path.write_text(json.dumps(kept.plain()), encoding="utf-8")
        return keep(place, path, f"{name}-rows", "rows", {"rows": kept.learned, "answer": kept.answer})


def keep_figure(place: Workspace, figure: Any, name: str) -> dict[str, Any]:
    """Store a figure as PNG (``savefig``) or as one offline HTML file (``write_html``)."""
    figure = getattr(figure, "figure", None) or figure  # an axes stands for its figure
    with tempfile.TemporaryDirectory(prefix="provenote-") as folder:
        if hasattr(figure, "savefig"):
            path = Path(folder) / f"{_file_name(name)}.png"
            figure.savefig(path, bbox_inches="tight")
        elif hasattr(figure, "write_html"):
            path = Path(folder) / f"{_file_name(name)}.html"
            figure.write_html(path, include_plotlyjs=True)
        else:
            raise UsageError(
                f"{name!r} is a {type(figure).__name__}, not a figure",
                "Give a matplotlib or plotly figure, or keep a file: `run.log_artifact(path)`",
            )
        return keep(place, path, name, "figure", {})


def keep_table(place: Workspace, table: Any, name: str) -> dict[str, Any]:
    """Store a table as CSV."""
    import csv

    with tempfile.TemporaryDirectory(prefix="provenote-") as folder:
        path = Path(folder) / f"{_file_name(name)}.csv"
        if hasattr(table, "to_csv"):
            index = getattr(table, "index", None)
            table.to_csv(path, index=index is not None and getattr(index, "name", None) is not None)
        elif isinstance(table, list) and all(isinstance(row, Mapping) for row in table):
            keys = list(dict.fromkeys(key for row in table for key in row))
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, keys)
                writer.writeheader()
                writer.writerows(table)
        else:
            raise UsageError(
                f"{name!r} is a {type(table).__name__}, not a table",
                "Give a DataFrame or a list of maps, one a row",
            )
        return keep(place, path, name, "table", {"rows": len(table)})


def _file_name(name: str) -> str:
    """Return a file name that every file system takes."""
    clean = re.sub(r'[\x00-\x1f/\\:*?"<>|]', "_", name).strip(". ")[:120]
    return clean or "artifact"


def _artifact_name(name: str) -> str:
    """Return the name of an artifact in ``dvc.yaml``, which DVC and GTO can address."""
    clean = re.sub(r"[^A-Za-z0-9/_-]+", "-", name).strip("-/_")
    return clean or "artifact"
