"""The pinned root: the SHA-256 of the first policy, which this reader trusts because its person said so.

It is kept in ``provenote.root`` of the repository's Git settings, which no clone or pull can write, or given
with ``PROVENOTE_ROOT`` or ``root=``. A hash of the policy pins its owners and how many must sign.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from provenote.errors import Refused, UsageError
from provenote.git import command

SETTING = "provenote.root"
VARIABLE = "PROVENOTE_ROOT"


class NoRoot(Refused):
    """Nothing says which policy this reader trusts."""


def parse(text: str) -> str:
    """Return the 64 hexadecimal digits of a root, written with or without ``sha256:``.

    Raises
    ------
    UsageError
        If it is none.
    """
    digits = text.strip().removeprefix("sha256:").lower()
    if re.fullmatch(r"[0-9a-f]{64}", digits):
        return digits
    raise UsageError(
        f"{ascii(text[:80])} is no root", "It is sha256: and 64 hexadecimal digits, as its owner has them"
    )


def pinned(folder: Path, given: str | None = None) -> str | None:
    """Return the root that this reader trusts: ``given``, ``PROVENOTE_ROOT``, or the repository's setting."""
    for text in (given, os.environ.get(VARIABLE)):
        if text:
            return parse(text)
    answer = command.run(folder, "config", "--local", "--get-all", SETTING)
    lines = answer.stdout.decode(errors="replace").split()
    if len(lines) > 1:
        raise UsageError(
            f"{SETTING} is set {len(lines)} times", f"Look at them: `git config --get-all {SETTING}`"
        )
    return parse(lines[0]) if lines else None


def pin(folder: Path, root: str) -> None:
    """Trust this root in this repository from now on."""
    command.git(folder, "config", "--local", SETTING, f"sha256:{root}")


def check_new(folder: Path, text: str) -> None:
    """Refuse a root that a person was told, where another one is pinned: none is replaced in passing.

    Raises
    ------
    UsageError
        If another one is pinned, or it is none.
    """
    wanted, there = parse(text), pinned(folder)
    if there not in (None, wanted):
        raise UsageError(
            f"another root is pinned here (sha256:{there})",
            f"If that one is wrong: `git config --unset-all {SETTING}`",
        )


def none_pinned(claimed: str | None) -> NoRoot:
    """Return the error for a reader without a root; ``claimed`` is what the ledger says of itself."""
    if claimed is None:
        mend = f"Get it from an owner, then pin it: `git config {SETTING} sha256:...`"
    else:
        mend = f"Compare sha256:{claimed} with what an owner tells you, then pin it: "
        mend += f"`git config {SETTING} sha256:{claimed}`"
    return NoRoot(
        f"no root is pinned here ({SETTING}, {VARIABLE} or root=), so no signature can be trusted", mend
    )
