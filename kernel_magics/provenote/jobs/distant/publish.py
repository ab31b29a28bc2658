"""Bring back what an attempt made: its artifacts by DVC, its run and the job's files by Git."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from provenote.errors import ProvenoteError, WorldError
from provenote.git import objects
from provenote.jobs.distant import claims
from provenote.jobs.distant.checkout import Store
from provenote.jobs.folder import JobFolder
from provenote.jobs.state import JobState
from provenote.stores import runs
from provenote.workspace import find

_LOG_KEPT = 2_000_000  # bytes of the log's end that travel with the result
_TRIES = (1.0, 4.0, 15.0, 60.0, 240.0)  # seconds between tries to publish, where the remote does not answer


def keep_artifacts(root: Path, state: JobState) -> str | None:
    """Push what the run kept to the DVC remote; return what could not be, in words."""
    if state.commit is None:
        return None
    place = find(root)
    kind, content = objects.read(place.common_dir, state.commit)
    overlay = runs.overlay_of(content.decode("utf-8", "replace"))
    document = objects.blob(
        place.common_dir, objects.tree_of(place.common_dir, state.commit), f"{overlay}/run.json"
    )
    artifacts = json.loads(document or b"{}").get("artifacts", {})
    if not artifacts:
        return None
    from provenote.stores import remotes

    try:
        remotes.push(place, [artifact["md5"] for artifact in artifacts.values()])
    except ProvenoteError as error:
        return f"what it kept ({', '.join(artifacts)}) stays on {os.uname().nodename}: {error.what}"
    return None


def result(place: Path, folder: JobFolder, state: JobState, remarks: list[str | None]) -> str:
    """Write the commit that tells how the job ended, and return its id."""
    files = {"events.jsonl": (folder.path / "events.jsonl").read_bytes()}
    attempt = folder.attempt(state.attempt)
    for name in ("log.txt", "out.ipynb"):
        if (attempt / name).exists():
            content = (attempt / name).read_bytes()
            files[name] = content[-_LOG_KEPT:] if name == "log.txt" else content
    at_last = [event for event in folder.events() if event.get("state") == state.state]
    last: dict[str, Any] = at_last[-1] if at_last else {}
    ended = {key: value for key, value in last.items() if key not in ("t", "output")}
    said = [remark for remark in remarks if remark]
    if said:
        ended["reason"] = "; ".join([*([ended["reason"]] if ended.get("reason") else []), *said])
    facts: dict[str, Any] = {"ended": ended, "attempt": state.attempt}
    if state.commit and state.name:
        facts["ref"] = runs.ref_name(_parent(place, state.commit), state.name)
    parents = [state.commit] if state.commit else []
    return claims.write(place / ".git", "result", facts, files, parents)


def _parent(place: Path, commit: str) -> str:
    """Return the first parent of a run's commit: its baseline."""
    content = objects.read(place / ".git", commit)[1]
    return next(line for line in content.split(b"\n") if line.startswith(b"parent "))[7:].decode()


def publish(
    store: Store, place: Path, order: Mapping[str, Any], claim: str, result: str, named: bool = True
) -> dict[str, Any]:
    """Push the run and the result, if the claim still holds; return the verdict.

    Parameters
    ----------
    store, place, order
    claim, result : str
        Commits: where the job's ref is, and where it goes.
    named : bool
        Whether the run gets its ref on the remote. It travels with the result anyway.

    Raises
    ------
    Declined
        If the remote refuses.
    WorldError
        If it does not answer.
    """
    facts, parents = claims.read(place / ".git", result)
    moves = [claims.Move(claims.job_ref(order["job"]), claim, result)]
    if named:
        moves += [claims.Move(facts["ref"], None, commit) for commit in parents]
    remote = replace(store.remote, folder=place)
    for pause in (*_TRIES, None):
        try:
            if claims.push(remote, moves):
                return {"verdict": "published", "at": result}
            found = claims.look(remote, [moves[0].ref]).get(moves[0].ref)
            if found == result:  # an answer was lost on the way, the push was not
                return {"verdict": "published", "at": result}
            if found != claim:
                return {"verdict": "superseded", "at": found}
            refused = WorldError(f"the remote did not take the run of job {order['job'][:8]}")
        except claims.Declined:
            raise
        except WorldError as error:
            refused = error
        if pause is not None:
            time.sleep(pause)
    raise refused
