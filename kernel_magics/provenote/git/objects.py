"""Read and write single Git objects as loose files: no process, and no libgit2 to import.

What a run needs at its start and end is a handful of small objects. Git's loose format is three lines of code
and never changes, while libgit2 takes 40 ms to import and half a millisecond for each object. What lies in a
pack is not read here but by Git, or by libgit2 where many objects are read (`provenote.git.trees`).
Source: gitformat-loose, "git help cat-file", and the object formats in the Git book, chapter 10.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
import zlib
from collections.abc import Mapping
from pathlib import Path

from provenote.git import command

FILE, EXECUTABLE, LINK, FOLDER, MODULE = 0o100644, 0o100755, 0o120000, 0o040000, 0o160000

# What a path of a tree becomes: new bytes, an existing object with its mode, or None for "gone".
Change = bytes | tuple[str, int] | None
Entries = dict[bytes, tuple[int, str]]
"""A tree by name: mode and object id of each entry."""

_FEW = 2  # packed objects that `git cat-file` reads; from then on importing libgit2 is cheaper
_asked = 0
_identities: dict[tuple[str | None, ...], tuple[str | None, str | None]] = {}
_trees: dict[str, bytes] = {}  # trees from packs, which never change: a kernel starts many runs on one commit


def write(common_dir: Path, kind: str, content: bytes) -> str:
    """Store one object and return its id.

    Parameters
    ----------
    common_dir : Path
        The repository's common Git folder.
    kind : {'blob', 'tree', 'commit'}
    content : bytes

    Raises
    ------
    OSError
        If it cannot be written; nothing half-written bears an object's name.
    """
    whole = f"{kind} {len(content)}\0".encode() + content
    oid = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
    objects = f"{common_dir}/objects"
    target = f"{objects}/{oid[:2]}/{oid[2:]}"
    if os.path.exists(target):
        return oid
    mode = os.stat(objects).st_mode  # where a group shares the repository, Git gave it rights here
    temporary = f"{objects}/{oid[:2]}/tmp_obj_{os.urandom(6).hex()}"  # a name that `git prune` sweeps up
    try:
        file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.chmod(os.path.dirname(target), mode & 0o7777)
        file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(file, "wb") as stream:
            stream.write(zlib.compress(whole, 1))
            os.fchmod(stream.fileno(), mode & 0o444)
        os.rename(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    return oid


def read(common_dir: Path, oid: str) -> tuple[str, bytes]:
    """Return kind and content of one object.

    Raises
    ------
    KeyError
        If there is none, or its file is damaged.
    """
    try:
        with open(f"{common_dir}/objects/{oid[:2]}/{oid[2:]}", "rb") as file:
            head, _, content = zlib.decompress(file.read()).partition(b"\0")
        return head.split(b" ")[0].decode(), content
    except FileNotFoundError:
        return _packed(common_dir, oid)
    except (OSError, zlib.error) as error:
        raise KeyError(oid) from error


def _packed(common_dir: Path, oid: str) -> tuple[str, bytes]:
    """Read an object that has no file of its own: from a pack, another repository's store, a promisor."""
    global _asked
    if oid in _trees:
        return "tree", _trees[oid]
    if "pygit2" in sys.modules or _asked >= _FEW:
        import pygit2

        from provenote.git import trees

        try:
            number, content = trees.repository(common_dir).read(oid)
        except (ValueError, pygit2.GitError) as error:
            raise KeyError(oid) from error
        kind = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}[number]
    else:
        _asked += 1
        answer = command.git(common_dir, "cat-file", "--batch", given=f"{oid}\n".encode())
        head, _, rest = answer.partition(b"\n")
        words = head.decode().split(" ")
        if len(words) != 3:
            raise KeyError(oid)
        kind, content = words[1], rest[: int(words[2])]
    if kind == "tree" and len(content) < 1_000_000:
        if len(_trees) >= 64:
            _trees.clear()
        _trees[oid] = content
    return kind, content


def tree_of(common_dir: Path, oid: str) -> str:
    """Return the tree of the commit ``oid``, or ``oid`` itself if that is a tree; KeyError if neither."""
    kind, content = read(common_dir, oid)
    if kind == "commit":
        return content[5:45].decode()
    if kind != "tree":
        raise KeyError(oid)
    return oid


def entries(common_dir: Path, tree: str) -> Entries:
    """Return what a tree holds; KeyError if there is no such tree."""
    kind, content = read(common_dir, tree)
    if kind != "tree":
        raise KeyError(tree)
    found: Entries = {}
    start = 0
    while start < len(content):
        end = content.index(b"\0", start)
        mode, _, name = content[start:end].partition(b" ")
        found[name] = int(mode, 8), content[end + 1 : end + 21].hex()
        start = end + 21
    return found


def entry(common_dir: Path, tree: str, path: str) -> tuple[int, str] | None:
    """Return mode and id of what stands at a path below a tree, or None."""
    found: tuple[int, str] | None = (FOLDER, tree)
    for name in path.split("/"):
        if found is None or found[0] != FOLDER:
            return None
        found = entries(common_dir, found[1]).get(os.fsencode(name))
    return found


def blob(common_dir: Path, tree: str, path: str) -> bytes | None:
    """Return the bytes of a file below a tree, or None where there is no such file."""
    found = entry(common_dir, tree, path)
    if found is None or found[0] in (FOLDER, MODULE):
        return None
    return read(common_dir, found[1])[1]


def build(common_dir: Path, base: str | None, changes: Mapping[str, Change]) -> str:
    """Write the tree ``base`` with ``changes`` applied, and return its id.

    Parameters
    ----------
    common_dir : Path
        Where the objects go.
    base : str or None
        Id of the tree to start from; None for an empty one.
    changes : mapping of POSIX path to Change
        What becomes of each path; a folder named with None is removed whole, one that also has changes
        below it is made anew from these.
    """
    there = entries(common_dir, base) if base is not None else {}
    below: dict[str, dict[str, Change]] = {}
    for path, change in changes.items():
        name, _, rest = path.partition("/")
        key = os.fsencode(name)
        if rest:
            below.setdefault(name, {})[rest] = change
        elif change is None:
            there.pop(key, None)
        elif isinstance(change, bytes):
            there[key] = FILE, write(common_dir, "blob", change)
        else:
            there[key] = change[1], change[0]
    for name, inner in below.items():
        if changes.get(name) is not None:
            continue  # a folder became a file: what was below it is gone
        key = os.fsencode(name)
        mode, old = there.get(key, (0, None))
        made = build(common_dir, old if mode == FOLDER else None, inner)
        if made != _EMPTY:
            there[key] = FOLDER, made
        else:
            there.pop(key, None)
    return write(common_dir, "tree", _tree(there))


_EMPTY = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def _tree(there: Entries) -> bytes:
    """Return the content of a tree. Git sorts a folder as if its name ended with a slash."""
    names = sorted(there, key=lambda name: name + b"/" if there[name][0] == FOLDER else name)
    return b"".join(b"%o %s\0" % (there[name][0], name) + bytes.fromhex(there[name][1]) for name in names)


def commit(
    common_dir: Path, tree: str, parents: list[str], message: str, who: tuple[str, str] | None = None
) -> str:
    """Write a commit and return its id.

    Parameters
    ----------
    common_dir : Path
    tree : str
    parents : list of str
    message : str
    who : (name, mail), optional
        Default: Git's own identity; without one, ``provenote <provenote@localhost>``.
    """
    name, mail = (_nameable(word) for word in who or _identity(common_dir))
    now = time.time()
    offset = time.localtime(now).tm_gmtoff
    zone = f"{'-' if offset < 0 else '+'}{abs(offset) // 3600:02}{abs(offset) % 3600 // 60:02}"
    by = f"{name or 'provenote'} <{mail or 'provenote@localhost'}> {int(now)} {zone}"
    head = "".join([f"tree {tree}\n", *(f"parent {parent}\n" for parent in parents)])
    text = f"{head}author {by}\ncommitter {by}\n\n{message}"
    return write(common_dir, "commit", text.encode("utf-8", "surrogateescape"))


def _identity(common_dir: Path) -> tuple[str | None, str | None]:
    """Return Git's identity. A process asks once: a kernel that ends many runs would ask Git for each."""
    given = os.environ.get("GIT_AUTHOR_NAME"), os.environ.get("GIT_AUTHOR_EMAIL")
    key = str(common_dir), *given
    known = _identities.get(key)
    if known is None:
        known = command.identity(common_dir)
        if all(known):
            _identities[key] = known
    return known


def _nameable(word: str | None) -> str:
    """Return a name or mail without the characters that would end it in a commit, as Git strips them."""
    return re.sub(r"[<>\x00-\x1f]", "", word or "").strip(" .,:;\"'\\")
