"""Where an object lies in the DVC cache."""

from __future__ import annotations

from pathlib import Path


def object_path(cache_dir: Path, md5: str) -> Path:
    """Return where the object ``md5`` lies (or would lie) in the cache."""
    return cache_dir / "files" / "md5" / md5[:2] / md5[2:]


def waiting_room(cache_dir: Path) -> Path:
    """Return where objects wait until they are complete; on the same disk, so that a rename suffices."""
    return cache_dir / "tmp" / "provenote"


def is_md5(text: str) -> bool:
    """Whether a text is the name of an object: 32 hexadecimal digits, ``.dir`` behind those of a folder."""
    plain = text.removesuffix(".dir")
    return len(plain) == 32 and not plain.strip("0123456789abcdef")
