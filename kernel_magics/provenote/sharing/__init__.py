"""Sharing: what two clones exchange through a Git remote, so that both hold the same and nothing is lost.

`sync` is the journey, `pushed` tells what is where. What is to be done is decided in `plan` (pure), Git is
spoken to in `transport`, what a clone remembers between two exchanges is in `memory`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from provenote.sharing.account import Account as Account
    from provenote.sharing.journey import sync as sync
    from provenote.sharing.memory import pushed as pushed

__all__ = ["Account", "pushed", "sync"]
_LATE = {"Account": "account", "pushed": "memory", "sync": "journey"}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_LATE[name]}"), name)
