"""Which files differ between the snapshots of two runs, and how: Git's own diff of their trees.

Left out are the runs' own files, pointers and profiles of data, which are compared as data, and the text of
notebooks, of which the executed cells are compared.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from provenote.compare.sides import Side
from provenote.compare.texts import LINES, edited, shortened
from provenote.view import Stroke

if TYPE_CHECKING:
    import pygit2

    from provenote.workspace import Workspace

POINTER, PROFILE, NOTEBOOK = ".dvc", ".profile.json", ".ipynb"
FILES = 100
"""Files whose lines are compared; of more, only the names are told."""
_FILES = ("data", "size", "count", "total")  # why files of the user are left out; the rest is of tools
Status = Literal["added", "removed", "changed", "renamed"]
Kind = Literal["text", "binary", "notebook", "omitted", "uncompared"]


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file that differs.

    Parameters
    ----------
    path : str
        From the Git root.
    status : {'added', 'removed', 'changed', 'renamed'}
    old_path : str
        Where a renamed file was.
    added, removed : int
        Lines.
    strokes : tuple of Stroke
        The lines that differ; empty for what is no text, and for notebooks.
    kind : {'text', 'binary', 'notebook', 'omitted', 'uncompared'}
        ``omitted`` is a file that the snapshot left out: its hash differs, its bytes are not kept.
    """

    path: str
    status: Status
    old_path: str = ""
    added: int = 0
    removed: int = 0
    strokes: tuple[Stroke, ...] = ()
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class CodeChanges:
    """What differs between the files of the baseline and those of another run.

    Parameters
    ----------
    files : tuple of FileChange
        Of this project.
    outside : int
        How many more differ in other folders of the repository.
    pointers : tuple of str
        Pointers of data that differ, from the Git root.
    unknown : str
        Why nothing is known, empty when it is.
    """

    files: tuple[FileChange, ...] = ()
    outside: int = 0
    pointers: tuple[str, ...] = ()
    unknown: str = ""


def changes(workspace: Workspace, base: Side, other: Side) -> CodeChanges:
    """Compare the files of two runs.

    Parameters
    ----------
    workspace : Workspace
    base, other : Side
    """
    import pygit2

    try:
        return _changes(workspace, base, other)
    except (KeyError, pygit2.GitError):  # of a shallow or partial clone, some objects are elsewhere
        return CodeChanges(unknown="some of the files are not in this clone")


def _changes(workspace: Workspace, base: Side, other: Side) -> CodeChanges:
    from provenote.git import trees

    repo = trees.repository(workspace.common_dir)
    found: list[pygit2.Tree] = []
    for side in (base, other):
        try:
            found.append(trees.tree(repo, side.tree))
        except (KeyError, ValueError):
            return CodeChanges(unknown=f"the files of {side.row.name} are not in this repository")
    omitted = tuple(_omitted(base.document, other.document))
    if found[0].id == found[1].id:
        return CodeChanges(omitted)
    diff = found[0].diff_to_tree(found[1], context_lines=3)
    diff.find_similar()
    own = tuple(f"{overlay}/" for overlay in {base.overlay, other.overlay} if overlay)
    prefix = f"{workspace.prefix}/" if workspace.prefix else ""
    files: list[FileChange] = []
    pointers: list[str] = []
    outside = 0
    for place, delta in enumerate(diff.deltas):
        path, old_path = (os.fsdecode(one.raw_path) for one in (delta.new_file, delta.old_file))
        if path.startswith(own) or path.endswith(PROFILE):
            continue
        if not (path.startswith(prefix) or old_path.startswith(prefix)):
            outside += 1
        elif path.endswith(POINTER):
            pointers += dict.fromkeys((old_path, path))
        else:
            patch = diff[place] if len(files) < FILES and not path.endswith(NOTEBOOK) else None
            files.append(_change(path, old_path, delta.status_char(), patch))
    return CodeChanges((*files, *omitted), outside, tuple(pointers))


def _omitted(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[FileChange]:
    """Compare the files that the snapshots left out for what they are or how large they are."""
    before, after = (
        {
            str(one["path"]): one.get("sha256") or one.get("size")
            for one in document.get("omitted") or ()
            if isinstance(one, Mapping) and one.get("path") and one.get("why") in _FILES
        }
        for document in (old, new)
    )
    for path in sorted({*before, *after}):
        if before.get(path) != after.get(path):
            status: Status = "added" if path not in before else "removed" if path not in after else "changed"
            yield FileChange(path, status, kind="omitted")


def _change(path: str, old_path: str, letter: str, patch: pygit2.Patch | None) -> FileChange:
    known: dict[str, Status] = {"A": "added", "D": "removed", "R": "renamed"}
    status = known.get(letter, "changed")
    was = old_path if status == "renamed" else ""
    if patch is None:
        kind: Kind = "notebook" if path.endswith(NOTEBOOK) else "uncompared"
        return FileChange(path, status, was, kind=kind)
    if patch.delta.is_binary:
        return FileChange(path, status, was, kind="binary")
    _, added, removed = patch.line_stats
    lines = tuple(_strokes(patch.hunks))
    if len(lines) > LINES:
        lines = (*lines[:LINES], Stroke("@", f"{len(lines) - LINES:,} more lines"))
    return FileChange(path, status, was, added, removed, lines)


def _strokes(hunks: Iterable[pygit2.DiffHunk]) -> Iterator[Stroke]:
    for hunk in hunks:
        where = hunk.header.partition("@@")[2].partition("@@")[2].strip()
        yield Stroke("@", f"line {hunk.new_start}{f' in {shortened(where)}' if where else ''}")
        gone: list[str] = []
        come: list[str] = []
        for line in hunk.lines:
            text = line.raw_content.decode("utf-8", "replace").rstrip("\r\n")
            if line.origin == " " or (line.origin == "-" and come):
                yield from edited(gone, come)
                gone, come = [], []
            if line.origin == " ":
                yield Stroke(" ", shortened(text))
            elif line.origin in "+-":
                (come if line.origin == "+" else gone).append(text)
        yield from edited(gone, come)
