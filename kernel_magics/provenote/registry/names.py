"""Names and versions as GTO and DVC write them: models, stages, ``NAME@v1.2.3``; a slug for what is no name.

Grammar: https://github.com/iterative/gto (constants.py). A tag is ``<path>=<model>@v1.2.3`` or
``<path>=<model>#<stage>#<n>``.
People's names are ours: lower-case ASCII, so that no two look alike.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import total_ordering

from provenote.errors import UsageError

MODEL = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9/_-]*[a-zA-Z0-9])?")
STAGE = re.compile(r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?")
PERSON = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
_PART = r"(?!\.{1,2}(?:/|\Z))[a-zA-Z0-9_.-]+"  # neither "." nor ".."
PATH = re.compile(rf"{_PART}(?:/{_PART})*")
LONGEST = 100


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """A version of a model: ``v1.2.3``."""

    major: int
    minor: int
    patch: int

    FIRST = "v1.0.0"

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read ``v1.2.3`` (or ``1.2.3``).

        Raises
        ------
        UsageError
            If it is no version.
        """
        found = re.fullmatch(r"v?(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})", text, re.ASCII)
        if not found:
            raise UsageError(f"{visible(text)!r} is no version", "Write it as v1.2.3")
        return cls(int(found[1]), int(found[2]), int(found[3]))

    def bump(self, part: str) -> Version:
        """Return the next version; ``part`` is major, minor or patch.

        Raises
        ------
        UsageError
            If ``part`` is something else.
        """
        if part == "major":
            return Version(self.major + 1, 0, 0)
        if part == "minor":
            return Version(self.major, self.minor + 1, 0)
        if part == "patch":
            return Version(self.major, self.minor, self.patch + 1)
        raise UsageError(f"--bump {part} is none of major, minor, patch")

    def __lt__(self, other: Version) -> bool:
        return (self.major, self.minor, self.patch) < (other.major, other.minor, other.patch)

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}.{self.patch}"


def model(name: str) -> str:
    """Return ``name`` if DVC and GTO can address a model by it.

    Raises
    ------
    UsageError
        If not; the message proposes a slug.
    """
    if MODEL.fullmatch(name) and len(name) <= LONGEST and "//" not in name:
        return name
    mend = f"Use `{slug(name)}`" if slug(name) else "Letters, digits, '-', '_' and '/' make a name"
    raise UsageError(f"{visible(name)!r} is no model name that DVC and GTO can address", mend)


def stage(name: str) -> str:
    """Return ``name`` if it can be a stage.

    Raises
    ------
    UsageError
        If not.
    """
    if STAGE.fullmatch(name) and len(name) <= LONGEST:
        return name
    raise UsageError(f"{visible(name)!r} is no stage name", "Use lower-case letters, digits, '-' and '_'")


def overlay(path: str) -> str:
    """Return the path from the Git root that stands before the model's name in tags, if GTO can read it.

    Raises
    ------
    UsageError
        If it holds characters that GTO's tags don't.
    """
    if PATH.fullmatch(path):
        return path
    raise UsageError(
        f"DVC and GTO cannot address models below the folder {visible(path)!r}",
        "Rename it: letters, digits, '-', '_' and '.' are possible",
    )


def split(reference: str) -> tuple[str, Version | None]:
    """Read ``NAME`` or ``NAME@v1.2.3``.

    Raises
    ------
    UsageError
        If it is neither.
    """
    name, at, version = reference.partition("@")
    return model(name), Version.parse(version) if at else None


def slug(text: str) -> str:
    """Return the nearest model name to ``text``, or ``""`` if nothing of it can stay."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    plain = re.sub(r"/{2,}", "/", re.sub(r"[^a-zA-Z0-9/_-]+", "-", plain))
    return plain[:LONGEST].strip("-_/")


def person(text: str) -> str:
    """Return the nearest name of a person in a policy (``Ada L.`` becomes ``ada-l``), at worst ``me``."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9._-]+", "-", plain)[:40].strip("-._") or "me"


def check_person(name: str) -> str:
    """Return ``name`` if it can be a person's in a policy.

    Raises
    ------
    UsageError
        If not; the message proposes one.
    """
    if PERSON.fullmatch(name) and len(name) <= LONGEST:
        return name
    raise UsageError(
        f"{visible(name)!r} is no person's name",
        f"Use lower-case letters, digits, '.', '-' and '_', as `{person(name)}`",
    )


def visible(text: str) -> str:
    """Return ``text`` on one line, with control, direction and other unseen characters as their code."""
    shown = []
    for character in text:
        unseen = character != " " and unicodedata.category(character)[0] in "CZ"
        shown.append(f"\\u{ord(character):04x}" if unseen else character)
    return "".join(shown)
