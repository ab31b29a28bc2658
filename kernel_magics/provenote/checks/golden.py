"""Golden rows, and traces of what a model learned from: kept with its run, or at its first test here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from provenote.errors import UsageError
from provenote.tracking.learned import Kept, hashes, make

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    import pandas

    from provenote.checks.subject import Examined
    from provenote.workspace import Workspace


def learned_rows(kept: Kept, features: pandas.DataFrame, answers: Any) -> Any:
    """Return for each row whether the model learned from it; None where nobody can tell of every row."""
    import numpy as np

    if kept.traces is None or kept.every != 1 or any(name not in features.columns for name in kept.columns):
        return None
    return np.isin(hashes(features[kept.columns], answers if kept.answer else None), kept.traces)


def share_known(kept: Kept, features: pandas.DataFrame, answers: Any) -> float | None:
    """Return the share of rows among those that the model learned from; None where nobody can tell."""
    import numpy as np

    if kept.traces is None or any(name not in features.columns for name in kept.columns):
        return None
    asked = hashes(features[kept.columns], answers if kept.answer else None)
    asked = asked[asked % np.uint64(kept.every) == 0]
    return float(np.isin(asked, kept.traces).mean()) if len(asked) else None


def of(workspace: Workspace, tested: Examined) -> Kept | None:
    """Return what was kept beside a model: with its run, else at its first test here; None for nothing."""
    from provenote.registry import model_bytes

    entry = (tested.document.get("artifacts") or {}).get(f"{tested.name}-rows")
    if isinstance(entry, Mapping) and entry.get("type") == "rows":
        content = model_bytes.content(workspace, model_bytes.Artifact.read(entry))
        return _read(content, f"kept with run {tested.run}")
    try:
        content = _beside(workspace, tested).read_bytes()
    except OSError:
        return None
    return _read(content, "kept at its first test in this clone")


def first(workspace: Workspace, tested: Examined, features: pandas.DataFrame) -> Kept | None:
    """Keep golden rows of a model that has none, in this clone: what it said at its first test."""
    import os

    if not tested.sha256:
        return None
    made = make(tested.model, features, learned=False)
    place = _beside(workspace, tested)
    place.parent.mkdir(parents=True, exist_ok=True)
    waiting = place.with_name(f".{place.name}-{os.getpid()}")
    waiting.write_text(json.dumps(made.plain()), encoding="utf-8")
    os.replace(waiting, place)
    return made


def _beside(workspace: Workspace, tested: Examined) -> Path:
    return workspace.home / "golden" / f"{tested.sha256}.json"


def _read(content: bytes, since: str) -> Kept:
    try:
        plain = json.loads(content)
    except ValueError as error:
        raise UsageError(f"the rows kept beside the model are no JSON: {error}") from error
    return Kept.read(plain, since)
