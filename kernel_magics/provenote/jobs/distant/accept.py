"""Take over what a worker published: its run becomes one here, the job's files go into its folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provenote.errors import ProvenoteError, WorldError
from provenote.git import objects, refs
from provenote.jobs.distant import claims
from provenote.jobs.folder import JobFolder
from provenote.jobs.outcome import as_error
from provenote.jobs.recorder import write_whole
from provenote.sharing import transport
from provenote.sharing.transport import Remote
from provenote.stores import runs


def fetch_all(common_dir: Path, remote: Remote, wanted: Mapping[str, str]) -> None:
    """Have these commits here, all in one call.

    Parameters
    ----------
    common_dir : Path
    remote : Remote
    wanted : mapping of str to str
        Commit by the ref that names it there.

    Raises
    ------
    WorldError
        If the remote cannot be reached, or the refs have moved.
    """
    lacking = [ref for ref, oid in wanted.items() if not claims.has(common_dir, oid)]
    try:
        transport.fetch(remote, lacking)
    except transport.Raced as error:
        raise WorldError(f"a job's ref on the remote {remote.name} has just moved", "Try again") from error


def fetch(common_dir: Path, remote: Remote, ref: str, oid: str) -> tuple[dict[str, Any], list[str]]:
    """Return what a job's ref says, and the run that it names; raises as `fetch_all` does."""
    fetch_all(common_dir, remote, {ref: oid})
    return claims.read(common_dir, oid)


def take(common_dir: Path, folder: JobFolder, attempt: int, output: str | None, oid: str) -> dict[str, Any]:
    """Take over a result that is here, and return the event that ends the job.

    Parameters
    ----------
    common_dir : Path
    folder : JobFolder
        The job's own, on the user's side.
    attempt : int
        Whose folder gets the files.
    output : str or None
        Where a copy of the executed notebook goes.
    oid : str
        The result's commit.

    Raises
    ------
    WorldError
        If it is no result, or cannot be written.
    """
    said, parents = claims.read(common_dir, oid)
    if said.get("kind") != "result":
        raise WorldError(f"what came back for job {folder.id[:8]} is no result", "Run it anew")
    event = dict(said["ended"])
    ref = said.get("ref")
    if ref is not None and runs.parse_ref(ref) is not None and parents:
        made = refs.create(common_dir, ref, parents[0])
        if not made and refs.read(common_dir, ref) != parents[0]:
            name = ref.rsplit("/", 1)[1]
            raise WorldError(f"another run has the name {name} here", "See them: `provenote runs`")
    tree = objects.tree_of(common_dir, oid)
    place = folder.attempt(attempt)
    for name in ("log.txt", "out.ipynb"):
        content = objects.blob(common_dir, tree, name)
        if content is None:
            continue
        write_whole(place / name, content)
        if name == "out.ipynb":
            event["output"] = str(place / name)
            if output is not None:
                try:
                    write_whole(Path(output), content)
                    event["output"] = output
                except ProvenoteError as error:  # the run is what it is; only its copy is missing
                    event["error"] = as_error(error)
    return event
