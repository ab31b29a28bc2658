"""What differs between the environments of runs: packages added, removed, changed. Pure, on locks.

The packages that a run imported come first: the others can hardly have changed its numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provenote.compare.differences import Item, Section, section
from provenote.compare.sides import Side
from provenote.tracking.environment import normalized, packages


@dataclass(frozen=True, slots=True)
class Environments:
    """The packages of the runs that kept their lock.

    Parameters
    ----------
    section : Section
        A row for each package, imported ones first; None for a run without a lock.
    imported : frozenset of str
        Packages that one of the runs imported.
    unknown : tuple of str
        Letters of the runs that kept no lock.
    """

    section: Section
    imported: frozenset[str] = frozenset()
    unknown: tuple[str, ...] = ()

    @property
    def differing(self) -> tuple[Item, ...]:
        """The packages in which the known environments differ."""
        return tuple(item for item in self.section.items if not self.same(item))

    @property
    def identical(self) -> int:
        """How many packages are the same in all known environments."""
        return len(self.section.items) - len(self.differing)

    def same(self, item: Item) -> bool:
        """Tell whether a package is the same wherever that is known."""
        known = [value for value in item.values if value is not None]
        return all(value == known[0] for value in known[1:])


def environments(sides: Sequence[Side]) -> Environments:
    """Compare the locks of runs."""
    imported = frozenset(name for side in sides for name in _imported(side.document))
    locks = [None if side.lock is None else packages(side.lock) for side in sides]
    names = sorted({name for lock in locks for name in lock or {}}, key=lambda n: (n not in imported, n))
    unknown = dict.fromkeys(names)
    found = section([unknown if lock is None else lock for lock in locks], names)
    return Environments(found, imported, tuple(side.letter for side in sides if side.lock is None))


def _imported(document: Mapping[str, Any]) -> list[str]:
    extra = document.get("extra")
    names = extra.get("imported") if isinstance(extra, Mapping) else None
    return [normalized(str(name)) for name in names] if isinstance(names, list) else []
