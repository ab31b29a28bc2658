"""What differs between two environments: Python, platform, packages; imported ones come first. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from provenote.stores.environments import Environment, Package

Kind = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class Change:
    """One package that is not the same.

    Parameters
    ----------
    name : str
        Normalized name.
    before, after : Package or None
        None where it is absent.
    imported : bool
        Whether a run that is compared imported it.
    """

    name: str
    before: Package | None
    after: Package | None
    imported: bool = False

    @property
    def kind(self) -> Kind:
        """Whether it was added, removed or changed."""
        return "added" if self.before is None else "removed" if self.after is None else "changed"


def changes(before: Environment, after: Environment, imported: Iterable[str] = ()) -> tuple[Change, ...]:
    """Return the packages that differ, in version or in where they came from; imported ones first.

    Parameters
    ----------
    before, after : Environment
    imported : iterable of str
        Normalized names of the packages that a run imported: the others can hardly have changed its numbers.
    """
    known = frozenset(imported)
    names = sorted({*before.packages, *after.packages}, key=lambda name: (name not in known, name))
    pairs = ((name, before.packages.get(name), after.packages.get(name)) for name in names)
    return tuple(Change(name, old, new, name in known) for name, old, new in pairs if old != new)


def settings(before: Environment, after: Environment) -> tuple[tuple[str, str, str], ...]:
    """Return ``(what, before, after)`` of what is not a package and differs: Python and platform."""
    found = []
    for what in ("python", "implementation", "platform"):
        old, new = getattr(before, what), getattr(after, what)
        if old != new:
            found.append((what, old, new))
    return tuple(found)
