"""A notebook as a job reads it: plain JSON from disk, checked, with stable cell ids and injected parameters.

Nothing here imports nbformat: the foreground command stays quick, and equal notebooks give equal bytes.
"""

from __future__ import annotations

import copy
import difflib
import hashlib
import itertools
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provenote.errors import UsageError, WorldError
from provenote.jobs import kinds
from provenote.jobs.parameters import Parameter, declared

PARAMETERS, INJECTED = "parameters", "injected-parameters"
_IDS = uuid.uuid5(uuid.NAMESPACE_URL, "urn:provenote:cell")


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook file.

    Parameters
    ----------
    path : Path
        Where it was read, absolute.
    content : bytes
        The file as it is on disk.
    data : dict
        Its JSON.
    """

    path: Path
    content: bytes
    data: dict[str, Any]

    @property
    def blob(self) -> str:
        """Git's id of its bytes."""
        return blob(self.content)

    @property
    def kernel(self) -> str | None:
        """Name of the kernel that it asks for."""
        name = self.data["metadata"].get("kernelspec", {}).get("name")
        return str(name) if name else None

    @property
    def test(self) -> bool:
        """Whether it is a test, whose asserts are its result: ``{"provenote": {"test": true}}``."""
        return is_test(self.data)

    @property
    def language(self) -> str:
        """Its language in lower case; ``python`` when it does not say."""
        metadata = self.data["metadata"]
        spec, info = metadata.get("kernelspec", {}), metadata.get("language_info", {})
        return str(info.get("name") or spec.get("language") or "python").lower()

    def parameters(self) -> list[Parameter] | None:
        """Return what its parameters cell declares, or None if it has no such cell that we can read.

        Raises
        ------
        UsageError
            If that cell is no Python in a Python notebook.
        """
        if self.language not in ("python", "ipython"):
            return None  # it runs, but nothing can be checked, so nothing can be given
        for cell in self.data["cells"]:
            if cell["cell_type"] == "code" and PARAMETERS in tags(cell):
                return declared(text(cell))
        return None


def blob(content: bytes) -> str:
    """Return the id that Git gives to a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def dump(data: Mapping[str, Any]) -> bytes:
    """Return a notebook's JSON in its one canonical form."""
    return (json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def text(cell: Mapping[str, Any]) -> str:
    """Return the source of a cell, which the format keeps as one string or as lines."""
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def read(path: Path) -> Notebook:
    """Read and check a notebook file.

    Raises
    ------
    UsageError
        If it is missing, no notebook, or in a format of before 2014.
    WorldError
        If it cannot be read.
    """
    path = path.absolute()
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise _missing(path) from None
    except IsADirectoryError:
        raise UsageError(
            f"{path.name} is a folder, not a notebook", "Give the path of an .ipynb file"
        ) from None
    except OSError as error:
        raise WorldError(
            f"{path.name} cannot be read ({error.strerror})", f"Check its rights: `ls -l {path}`"
        ) from error
    return parse(path, content)


def parse(path: Path, content: bytes) -> Notebook:
    """Check the content of a notebook file.

    Raises
    ------
    UsageError
        If it is no notebook, or in a format of before 2014.
    """
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{path.name} is not a notebook: {error}", f"See what is wrong: `git diff {path.name}`"
        ) from error
    if not isinstance(data, dict) or not isinstance(data.get("nbformat"), int):
        raise UsageError(f"{path.name} is JSON, but not a notebook", "Give the path of an .ipynb file")
    if data["nbformat"] != 4:
        mend = f"Convert it: `jupyter nbconvert --to notebook --inplace {path.name}`"
        raise UsageError(f"{path.name} is in notebook format {data['nbformat']}, and jobs run format 4", mend)
    cells = data.get("cells")
    sound = isinstance(cells, list) and all(
        isinstance(c, dict) and isinstance(c.get("cell_type"), str) for c in cells
    )
    if not sound:
        raise UsageError(
            f"{path.name} is a damaged notebook: its cells are no cells", f"See: `git diff {path.name}`"
        )
    if not isinstance(data.setdefault("metadata", {}), dict):
        raise UsageError(
            f"{path.name} is a damaged notebook: its metadata is no map", f"See: `git diff {path.name}`"
        )
    return Notebook(path, content, data)


def prepare(notebook: Notebook, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the notebook that runs: every cell with an id, no outputs, the parameters injected. Pure.

    The injected cell follows papermill's format (tag, place, ``metadata.papermill.parameters``), with an id
    that is the same each time.
    """
    data = copy.deepcopy(notebook.data)
    data["nbformat_minor"] = max(5, int(data.get("nbformat_minor", 0)))
    cells = [cell for cell in data["cells"] if INJECTED not in tags(cell)]
    taken: set[str] = set()
    for index, cell in enumerate(cells):
        cell["source"] = text(cell)
        cell.setdefault("metadata", {})
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
            cell["metadata"].pop("execution", None)
        if not isinstance(cell.get("id"), str) or not cell["id"] or cell["id"] in taken:
            cell["id"] = uuid.uuid5(_IDS, f"{index}:{cell['source']}").hex[:12]
        taken.add(cell["id"])
    if given:
        place = next((i for i, cell in enumerate(cells) if PARAMETERS in tags(cell)), -1) + 1
        cells.insert(place, _injected(given))
        data["metadata"].setdefault("papermill", {})["parameters"] = kinds.jsonable(dict(given))
    data["cells"] = cells
    return data


def _injected(given: Mapping[str, Any]) -> dict[str, Any]:
    lines = ["# Parameters", *(f"{name} = {kinds.source(value)}" for name, value in given.items())]
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": uuid.uuid5(_IDS, INJECTED).hex[:12],
        "metadata": {"tags": [INJECTED]},
        "outputs": [],
        "source": "\n".join(lines),
    }


def sources(notebook: Notebook) -> list[str]:
    """Return the sources of a notebook's code cells."""
    return [text(cell) for cell in notebook.data["cells"] if cell["cell_type"] == "code"]


def tags(cell: Mapping[str, Any]) -> list[str]:
    """Return the tags of a cell, whatever its metadata are."""
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return tags if isinstance(tags, list) else []


def is_test(notebook: Mapping[str, Any]) -> bool:
    """Whether a notebook is a test by its metadata."""
    own = (notebook.get("metadata") or {}).get("provenote")
    return isinstance(own, dict) and own.get("test") is True


def is_case(cell: Mapping[str, Any]) -> bool:
    """Whether a cell of a test notebook is one case of it: tagged ``test``, or it begins with ``%%test``."""
    if cell["cell_type"] != "code":
        return False
    magics = itertools.takewhile(lambda line: line.startswith("%%"), text(cell).strip().splitlines())
    return "test" in tags(cell) or any(line.split()[0] == "%%test" for line in magics)


def _missing(path: Path) -> UsageError:
    try:
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*.ipynb")], n=1)
    except OSError:
        near = []
    mend = (
        f"Did you mean {path.parent / near[0]}"
        if near
        else "Start one: `provenote new train.ipynb --from train`"
    )
    return UsageError(f"there is no notebook {path}", mend)
