"""The registry: versions of models, and who lets them into which stage. Signed events, one policy, no server.

``policy`` (who may what) -> ``event`` (what was signed) -> ``fold`` (which events count) -> ``releases`` and
``state`` (who holds which stage) are pure; ``reading`` and ``signing`` are their edges to Git and to keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from provenote.registry.starting import Started as Started
    from provenote.registry.starting import start_solo as start_solo

__all__ = ["Started", "start_solo"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from provenote.registry import starting

    return getattr(starting, name)
