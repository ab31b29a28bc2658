"""The ``.dvc`` pointer: the small text in Git that names bytes by their MD5, as ``dvc add`` writes it."""

from __future__ import annotations

import io
import posixpath
import re
from dataclasses import dataclass
from typing import Any

from provenote.errors import UsageError


@dataclass(frozen=True, slots=True)
class Stored:
    """What names stored bytes.

    Parameters
    ----------
    md5 : str
        MD5 in hex; ends with ``.dir`` for a folder.
    size : int
        Bytes, of all files together for a folder.
    nfiles : int or None
        Number of files of a folder, None for a file.
    executable : bool
        Whether a file may be executed.
    """

    md5: str
    size: int
    nfiles: int | None = None
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Pointer:
    """A pointer as it was read.

    Parameters
    ----------
    path : str
        The data's path from the pointer's folder.
    stored : Stored or None
        What it names; None when it names nothing yet.
    legacy : bool
        Whether DVC 2 wrote it: the MD5 of a text file is then that of its Unix form.
    imported : bool
        Whether it has a source elsewhere (``dvc import``), from where DVC can fetch it.
    remote : str or None
        The remote that this data goes to, when it is not the default one.
    pushed : bool
        Whether it may leave this machine (``push: false`` forbids it).
    """

    path: str
    stored: Stored | None
    legacy: bool = False
    imported: bool = False
    remote: str | None = None
    pushed: bool = True


_CANONICAL = re.compile(
    r"outs:\n- md5: '?(?P<md5>[0-9a-f]{32}(?:\.dir)?)'?\n  size: (?P<size>\d+)\n"
    r"(?:  nfiles: (?P<nfiles>\d+)\n)?(?P<executable>  isexec: true\n)?"
    r"  hash: md5\n  path: (?P<path>[A-Za-z_][A-Za-z0-9_./-]*)\n"
)
# Names and hashes that YAML needs not quote for certain; all others are left to a YAML writer.
_PLAIN_NAME = re.compile(r"(?!(?i:y|n|yes|no|on|off|true|false|null)$)[A-Za-z_][A-Za-z0-9_./-]{0,60}")
_PLAIN_MD5 = re.compile(r"(?!\d*e?\d*$)[0-9a-f]{32}|[0-9a-f]{32}\.dir")


def pointer(name: str, stored: Stored) -> str:
    """Return the text of the pointer to ``stored`` under ``name``, byte for byte as ``dvc add`` writes it.

    Parameters
    ----------
    name : str
        The data's POSIX path from the pointer's folder; for ``dvc add``, its plain name.
    stored : Stored
        What it names.
    """
    if not (_PLAIN_NAME.fullmatch(name) and _PLAIN_MD5.fullmatch(stored.md5)):
        return _dump({"outs": [_out(name, stored)]})
    nfiles = "" if stored.nfiles is None else f"  nfiles: {stored.nfiles}\n"
    executable = "  isexec: true\n" if stored.executable else ""
    body = f"- md5: {stored.md5}\n  size: {stored.size}\n{nfiles}{executable}  hash: md5\n  path: {name}\n"
    return "outs:\n" + body


def renewed(text: str, name: str, stored: Stored) -> str:
    """Return ``text`` naming ``stored`` instead; comments, description and settings of its own stay.

    Raises
    ------
    UsageError
        If the text is no pointer that ``data add`` may rewrite.
    """
    old = read(text)
    fresh = pointer(name, stored)
    if old.stored is not None and text == pointer(old.path, old.stored):
        return fresh
    document = _load(text, "rt")
    document.pop("md5", None)  # a checksum of the pointer itself, of DVC 2
    out, new = document["outs"][0], _out(name, stored)
    for key in ("md5", "size", "nfiles", "isexec", "hash"):
        if key in new and out.get(key) != new[key]:
            out[key] = new[key]
        elif key not in new:
            out.pop(key, None)
    return _dump(document)


def read(text: str) -> Pointer:
    """Read a pointer.

    Raises
    ------
    UsageError
        If the text is no pointer to one file or folder.
    """
    plain = _CANONICAL.fullmatch(text)
    if plain and _PLAIN_NAME.fullmatch(plain["path"]):
        nfiles = None if plain["nfiles"] is None else int(plain["nfiles"])
        stored = Stored(plain["md5"], int(plain["size"]), nfiles, bool(plain["executable"]))
        return Pointer(plain["path"], stored)
    document = _load(text, "safe")
    outs = document.get("outs") if isinstance(document, dict) else None
    if not isinstance(outs, list) or len(outs) != 1 or not isinstance(outs[0], dict) or "path" not in outs[0]:
        raise UsageError("it does not name one file or folder under `outs`")
    out = outs[0]
    path = posixpath.normpath(posixpath.join(str(document.get("wdir") or ""), str(out["path"])))
    more = {
        "imported": bool(document.get("deps")),
        "remote": out.get("remote"),
        "pushed": out.get("push", True),
    }
    md5 = out.get("md5")
    if md5 is None:
        return Pointer(path, None, **more)
    if not re.fullmatch(r"[0-9a-f]{32}(\.dir)?", str(md5)):
        raise UsageError(f"its md5 {md5!r} is no MD5")
    stored = Stored(str(md5), int(out.get("size") or 0), out.get("nfiles"), bool(out.get("isexec")))
    return Pointer(path, stored, legacy=out.get("hash") != "md5", **more)


def _out(name: str, stored: Stored) -> dict[str, Any]:
    out: dict[str, Any] = {"md5": stored.md5, "size": stored.size}
    if stored.nfiles is not None:
        out["nfiles"] = stored.nfiles
    if stored.executable:
        out["isexec"] = True
    return {**out, "hash": "md5", "path": name}


def _load(text: str, kind: str) -> Any:
    from ruamel.yaml import YAML  # the writer that DVC uses, with its settings
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ=kind).load(text)
    except YAMLError as error:
        raise UsageError(f"it is not YAML: {error}") from error


def _dump(document: Any) -> str:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.default_flow_style = False
    stream = io.StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()
