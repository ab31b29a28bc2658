"""In what two runs differ, as factors to be mixed: data, test data, code, parameters and more.

What cannot change a number is no factor: ignore files, profiles and contracts of data, Markdown pages, other
notebooks, comments of a run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provenote.compare import numbers
from provenote.git.command import git
from provenote.reproducing.execution import environment as process_settings

if TYPE_CHECKING:
    from provenote.blame.halves import Half
    from provenote.workspace import Workspace

Entry = tuple[str, int] | None
"""Object id and mode of a file in a tree; None where it is not there."""

DATA, TEST, CODE, PARAMS, SEED, THREADS, PACKAGES = (
    "data", "test data", "code", "params", "seed", "threads", "packages",
)  # fmt: skip
ORDER = (DATA, TEST, CODE, PARAMS, SEED, THREADS, PACKAGES)

_TEST = re.compile(r"(?:^|[/_.\- ])(?:tests?|hold-?out|valid(?:ation)?|eval(?:uation)?)(?=[/_.\- ]|$)", re.I)
_SEED = re.compile(r"(?:^|_)(?:seed|random_state)$", re.I)
_IDLE = re.compile(
    r"(?:^|/)\.(?:gitignore|gitattributes|dvcignore)$|(?:^|/)\.dvc/|\.profile\.json$|\.contract\.yaml$"
    r"|\.md$|\.ipynb$|(?:^|/)provenote\.(?:rules|monitors)\.yaml$"
)
_FEW = 3


@dataclass(frozen=True, slots=True)
class Delta:
    """A file that differs: its path from the Git root, and what it is in the old and in the new run."""

    path: str
    old: Entry
    new: Entry


@dataclass(frozen=True, slots=True)
class Differing:
    """What differs between two runs.

    Parameters
    ----------
    factors : dict of str to str
        Name -> what differs, in words, in the order of `ORDER`.
    data : dict of str to tuple of Delta
        Path of data from the DVC root -> the files in Git that it is made of.
    deltas : tuple of Delta
        Files of code that differ.
    values : tuple of str
        Names of parameters that differ.
    """

    factors: Mapping[str, str]
    data: Mapping[str, tuple[Delta, ...]]
    deltas: tuple[Delta, ...]
    values: tuple[str, ...]

    def paths(self, factor: str) -> list[str]:
        """Return the paths of data that belong to ``data`` or to ``test data``."""
        return [path for path in self.data if is_test(path) == (factor == TEST)]


def is_test(path: str) -> bool:
    """Tell whether data are for testing, by their name: ``data/test.csv``, ``holdout/2012.parquet``."""
    return _TEST.search(path) is not None


def is_seed(name: str) -> bool:
    """Tell whether a parameter sets chance, by its name: ``seed``, ``random_state``, ``split_seed``."""
    return _SEED.search(name) is not None


def differing(workspace: Workspace, old: Half, new: Half) -> Differing:
    """Find out in what two runs differ.

    Parameters
    ----------
    workspace : Workspace
    old, new : Half
    """
    deltas = list(_deltas(workspace, old.tree, new.tree))
    data = _data(workspace, old, new, deltas)
    belongs = {delta.path for each in data.values() for delta in each}
    code = tuple(delta for delta in deltas if delta.path not in belongs and not _IDLE.search(delta.path))
    shared = [name for name in new.values if name in old.values]
    values = tuple(name for name in shared if repr(old.values[name]) != repr(new.values[name]))
    words: dict[str, str] = {}
    for factor in (DATA, TEST):
        paths = [path for path in data if is_test(path) == (factor == TEST)]
        if paths:
            words[factor] = _few(paths)
    if old.code != new.code or code:
        words[CODE] = _code_words(old, new, code)
    for factor, wanted in ((PARAMS, False), (SEED, True)):
        names = [name for name in values if is_seed(name) == wanted]
        if names:
            words[factor] = _few([_value_words(name, old, new) for name in names])
    before, after = (process_settings(half.document) for half in (old, new))
    if before != after:
        words[THREADS] = _few(
            [f"{key} {before.get(key, 'unset')} → {after.get(key, 'unset')}"
             for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
        )  # fmt: skip
    if old.document.get("environment") != new.document.get("environment"):
        words[PACKAGES] = _package_words(workspace, old, new)
    found = {name: words[name] for name in ORDER if words.get(name)}
    return Differing(found, data, code, values)


def _deltas(workspace: Workspace, old: str, new: str) -> Iterable[Delta]:
    said = git(workspace.top, "diff-tree", "-r", "-z", "--no-renames", "--raw", "--full-index", old, new)
    fields = said.split(b"\0")
    for head, path in zip(fields[0::2], fields[1::2], strict=False):
        old_mode, new_mode, old_id, new_id, _ = head.decode().lstrip(":").split(" ")
        sides = [
            None if not int(mode, 8) else (oid, int(mode, 8))
            for mode, oid in ((old_mode, old_id), (new_mode, new_id))
        ]
        yield Delta(os.fsdecode(path), *sides)


def _data(workspace: Workspace, old: Half, new: Half, deltas: list[Delta]) -> dict[str, tuple[Delta, ...]]:
    """Return the data that differ: what was read in two versions, and pointers that moved."""
    prefix = f"{workspace.prefix}/" if workspace.prefix else ""
    before, after = (_reads(half.document) for half in (old, new))
    paths = [path for path in after if path in before and before[path] != after[path]]
    paths += [path for path in (*before, *after) if (path in before) != (path in after)]
    text = "\n".join(map(str, (*old.code, *new.code)))
    for delta in deltas:
        if delta.path.startswith(prefix) and delta.path.endswith(".dvc") and "/.dvc/" not in delta.path:
            path = delta.path.removeprefix(prefix).removesuffix(".dvc")
            # Where both runs told what they read, a pointer that neither read nor names is no factor.
            folder, name = os.path.split(path)
            if not (before and after) or name in text or (folder and f"{folder}/" in text):
                paths.append(path)
    found = {}
    for path in dict.fromkeys(paths):
        whole = f"{prefix}{path}"
        own = [d for d in deltas if d.path in (whole, f"{whole}.dvc") or d.path.startswith(f"{whole}/")]
        both = path in before and path in after
        if own or both:  # data that one run alone read, and that did not change, come with its code
            found[path] = tuple(own)
    return found


def _reads(document: Mapping[str, Any]) -> dict[str, str]:
    """Return what a run read from the work tree: path -> MD5. A version that it asked for is code."""
    return {
        os.path.normpath(str(read["path"])): str(read["md5"])
        for read in document.get("reads") or ()
        if isinstance(read, Mapping) and read.get("path") and read.get("md5") and not read.get("rev")
    }


def _code_words(old: Half, new: Half, deltas: tuple[Delta, ...]) -> str:
    words = []
    if old.code != new.code:
        before, after = list(old.code), list(new.code)
        same = sum(one in after for one in before)
        changed = max(len(before), len(after)) - same
        words.append(
            numbers.counted(max(1, changed), "cell") if old.source.kind != "script" else "the script"
        )
    if deltas:
        words.append(_few([delta.path for delta in deltas]))
    return ", ".join(words)


def _value_words(name: str, old: Half, new: Half) -> str:
    return f"{name} {numbers.text(old.values[name])} → {numbers.text(new.values[name])}"


def _package_words(workspace: Workspace, old: Half, new: Half) -> str:
    from provenote.environments import difference
    from provenote.stores import environments

    then, now = (environments.of_run(workspace, half.row) for half in (old, new))
    if then is None or now is None:
        return "the lock of one is not here"
    imported = {*environments.imported(old.document), *environments.imported(new.document)}
    words = [f"{what} {was} → {is_}" for what, was, is_ in difference.settings(then, now)]
    for change in difference.changes(then, now, sorted(imported)):
        if change.name in imported:
            words.append(f"{change.name} {change.before or 'absent'} → {change.after or 'absent'}")
    return _few(words)


def _few(words: list[str]) -> str:
    return ", ".join(words[:_FEW]) + (f" and {len(words) - _FEW} more" if len(words) > _FEW else "")
