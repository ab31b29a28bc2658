"""Data under version control: ``provenote.data.path("data/hour.csv", rev="HEAD~3")`` and its friends.

Bytes live in the DVC cache, their small pointers in Git; plain ``dvc`` sees the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from provenote.data.differing import Difference as Difference
    from provenote.data.differing import diff as diff
    from provenote.data.exchange import pull as pull
    from provenote.data.exchange import push as push
    from provenote.data.history import Change as Change
    from provenote.data.history import Version as Version
    from provenote.data.states import State as State
    from provenote.data.states import status as status
    from provenote.data.storing import Added as Added
    from provenote.data.storing import add as add
    from provenote.data.travel import get as get
    from provenote.data.travel import log as log
    from provenote.data.travel import path as path
    from provenote.data.travel import profile as profile

__all__ = ["Added", "Change", "Difference", "State", "Version"]
__all__ += ["add", "diff", "get", "log", "path", "profile", "pull", "push", "status"]

_LATE = {
    "Added": "storing",
    "Change": "history",
    "Difference": "differing",
    "State": "states",
    "Version": "history",
    "add": "storing",
    "diff": "differing",
    "get": "travel",
    "log": "travel",
    "path": "travel",
    "profile": "travel",
    "pull": "exchange",
    "push": "exchange",
    "status": "states",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f"{__name__}.{_LATE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
