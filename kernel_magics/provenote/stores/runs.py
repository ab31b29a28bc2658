"""Finished runs: one Git commit and one ref each, in the form that plain ``dvc exp`` reads.

The commit's tree is the work tree as it was when the run started, plus the *overlay*: a folder (by default
``provenote/`` in the DVC root) with ``dvc.yaml``, ``params.yaml``, ``metrics.json``, ``run.json``,
``plots/*.tsv``, ``executed.ipynb``, ``environment.txt`` and the pointers of artifacts. First parent is the
baseline; the ref is ``refs/exps/<2>/<38>/<name>``. A run commit is never rewritten.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote import masking
from provenote.errors import ProvenoteError, UsageError, WorldError
from provenote.git import objects, refs, snapshot, trees
from provenote.git.command import run as git_run
from provenote.model import SCHEMA
from provenote.stores import live, pointers, values

if TYPE_CHECKING:
    import pygit2

REFS = "refs/exps"
LIVE_REFS = "refs/provenote/live"
TRAILER = "Provenote-Overlay"
LOOSE_LIMIT = 500  # loose refs, beyond which we pack them
_RESERVED = frozenset({"stash", "apply", "celery", "exec", "temp"})


def slug(label: str) -> str:
    """Return the readable part of a run's name: lower-case ASCII letters, digits and hyphens, at most 40."""
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "run"


def names(label: str, run_id: str) -> Iterator[str]:
    """Yield the names a run may get, best first: the slug and four characters of its id, then more."""
    stem = slug(label)
    for length in (4, 6, 8, 12, len(run_id)):
        yield f"{stem}-{run_id[:length]}"


def ref_name(baseline: str, name: str) -> str:
    """Return the ref of a run, as DVC lays it out."""
    return f"{REFS}/{baseline[:2]}/{baseline[2:]}/{name}"


def parse_ref(ref: str) -> tuple[str, str] | None:
    """Return ``(baseline, name)`` of a run's ref, or None for what DVC keeps beside them."""
    parts = ref.split("/")
    if len(parts) != 5 or parts[2] in _RESERVED or len(parts[2]) != 2:
        return None
    return parts[2] + parts[3], parts[4]


def check_overlay(common_dir: Path, taken: snapshot.Snapshot, overlay: str) -> None:
    """Refuse, before anything runs, a folder of the user's that stands where the overlay would.

    Raises
    ------
    UsageError
        If the tree has ``overlay`` and it carries no run of ours.
    """
    root = objects.tree_of(common_dir, taken.tree or taken.baseline)
    if objects.entry(common_dir, root, overlay) is None:
        return
    if _is_ours(objects.blob(common_dir, root, f"{overlay}/run.json")):
        return
    name = overlay.rsplit("/", 1)[-1]
    raise UsageError(
        f"{overlay}/ in this project is not ours, and runs keep their files under that name",
        f'Choose another name in provenote.toml: `overlay = "{name}-runs"`',
    )


def _is_ours(content: bytes | None) -> bool:
    try:
        document = json.loads(content or b"")
    except ValueError:
        return False
    return isinstance(document, dict) and "schema" in document and "id" in document


def keep_snapshot(common_dir: Path, run_id: str, tree: str) -> None:
    """Name a snapshot's tree while its run lives, or ``git gc`` would take it."""
    refs.create(common_dir, f"{LIVE_REFS}/{run_id}", tree)


def publish(
    common_dir: Path, folder: Path, status: str, reason: str | None = None, ended: float | None = None
) -> tuple[str, str]:
    """Turn a live folder into a run: one commit, one ref; then remove the folder.

    Idempotent: killed at any moment, it can be called again; a run that has its ref is not written twice.

    Parameters
    ----------
    common_dir : Path
        The repository's common Git folder.
    folder : Path
        The live folder. The caller holds its lease.
    status : {'finished', 'failed', 'killed'}
        How it ended, unless the folder itself already says so (`live.write_end`).
    reason : str, optional
        More about the status.
    ended : float, optional
        When it ended; default: its last event, for a run found dead.

    Returns
    -------
    (name, commit) : tuple of str

    Raises
    ------
    WorldError
        If Git cannot write; the live folder stays, and the next listing tries again.
    """
    meta = json.loads((folder / live.META).read_text(encoding="utf-8"))
    events = live.read_events(folder)
    try:
        capture = json.loads((folder / live.CAPTURE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        capture = meta.get("capture") or {}
    end = live.read_end(folder) or {
        "status": status,
        "reason": reason,
        "ended": ended or events.last or meta["started"],
    }
    base, kept = _base(common_dir, meta)
    _part_files(events.artifacts)
    document = _document(meta, events, capture, end, kept)
    overlay = f"{meta['prefix']}/{meta['overlay']}".lstrip("/")
    changes: dict[str, objects.Change] = {
        f"{overlay}/{path}": content for path, content in _files(document, events, capture, meta).items()
    }
    mask = masking.of_process()
    if mask is not None:
        changes = {path: mask.content(content) for path, content in changes.items()}  # type: ignore[arg-type]
    try:
        if objects.entry(common_dir, base, overlay) is not None:
            base = objects.build(common_dir, base, {overlay: None})
        tree = objects.build(common_dir, base, changes)
        printable = re.sub(r"[\x00-\x1f\x7f]", " ", str(meta["label"]))  # a NUL would end the message for Git
        subject = " ".join(printable.split())[:100] or "run"
        message = f"provenote: {subject}\n\n{TRAILER}: {overlay}\n"
        commit = objects.commit(common_dir, tree, [meta["baseline"]], message)
        name, commit = _name(common_dir, meta, commit)
        if meta.get("tree"):
            refs.delete(common_dir, f"{LIVE_REFS}/{meta['id']}")
    except ProvenoteError:
        raise
    except (OSError, KeyError) as error:
        raise _unwritable(error, meta) from error
    shutil.rmtree(folder, ignore_errors=True)
    _pack(common_dir, meta["baseline"], everywhere=meta["id"].startswith("0"))
    return name, commit


def _unwritable(error: OSError | KeyError, meta: dict[str, Any]) -> WorldError:
    text = " ".join(str(error).split()) if isinstance(error, OSError) else f"it has lost the object {error}"
    why = (
        "the disk is full"
        if "space" in text.lower() or "quota" in text.lower()
        else f"Git cannot write it: {text}"
    )
    return WorldError(
        f"the run {meta['name']} is not yet a commit, {why}",
        "Nothing is lost: mend that, and `provenote runs` finishes it",
    )


def _base(common_dir: Path, meta: dict[str, Any]) -> tuple[str, bool]:
    """Return the tree that the run started from, and whether the snapshot was still there."""
    if meta.get("tree"):
        try:
            return objects.tree_of(common_dir, meta["tree"]), True
        except KeyError:
            return objects.tree_of(common_dir, meta["baseline"]), False
    return objects.tree_of(common_dir, meta["baseline"]), True


def _name(common_dir: Path, meta: dict[str, Any], commit: str) -> tuple[str, str]:
    """Create the run's ref under the first free name; a ref that already holds this run is kept."""
    for name in names(meta["label"], meta["id"]):
        ref = ref_name(meta["baseline"], name)
        try:
            if refs.create(common_dir, ref, commit):
                return name, commit
        except refs.Locked:  # by a process killed in the act: that name is out of reach, the run is not
            continue
        there = refs.read(common_dir, ref)
        if there is not None and run_id(trees.repository(common_dir), there) == meta["id"]:
            return name, there
    raise WorldError(f"no free name for the run {meta['name']}", "Try again: nothing is lost")


def run_id(repo: pygit2.Repository, commit: str) -> str | None:
    """Return the id of the run that a commit holds, or None if it holds none of ours."""
    document = read(repo, commit)
    return document["id"] if document else None


def overlay_of(message: str) -> str | None:
    """Return the overlay folder that a commit message names, from the Git root."""
    start = message.rfind(f"{TRAILER}: ")
    return message[start + len(TRAILER) + 2 :].split("\n", 1)[0].strip() if start >= 0 else None


def read(repo: pygit2.Repository, commit: str) -> dict[str, Any] | None:
    """Return the whole ``run.json`` of a run commit, with its ``overlay``; None if it holds none of ours."""
    try:
        found = trees.commit(repo, commit)
        overlay = overlay_of(found.message)
        if overlay is None:
            return None
        document = json.loads(trees.content(repo, found.tree, f"{overlay}/run.json") or b"")
    except (KeyError, ValueError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("id"), str):
        return None
    document["overlay"] = overlay
    return document


def file(repo: pygit2.Repository, commit: str, path: str) -> bytes | None:
    """Return the bytes of one file of a run's overlay (``plots/loss.tsv``), or None."""
    found = trees.commit(repo, commit)
    return trees.content(repo, found.tree, f"{overlay_of(found.message)}/{path}")


def _document(
    meta: dict[str, Any], events: live.Events, capture: dict[str, Any], end: dict[str, Any], kept: bool
) -> dict[str, Any]:
    """Make ``run.json``. Pure."""
    return {
        "schema": SCHEMA,
        "id": meta["id"],
        "label": meta["label"],
        "status": end["status"],
        "reason": end.get("reason"),
        "started": meta["started"],
        "ended": max(meta["started"], end["ended"]),  # the clock may have gone backwards
        "ended_by": end.get("ended_by"),
        "why": meta.get("why"),
        "params": events.params,
        "metrics": events.metrics,
        "tags": events.tags,
        "notes": events.notes,
        "linearity": capture.get("linearity", "unknown"),
        "evidence": capture.get("evidence"),
        "notebook": capture.get("notebook"),
        "disk": capture.get("disk", "unknown"),
        "stale_modules": capture.get("stale_modules", []),
        "redacted": capture.get("redacted", 0),
        "parent": meta.get("parent"),
        "baseline": meta["baseline"],
        "branch": meta.get("branch"),
        "host": meta["host"],
        "user": meta.get("user"),
        "snapshot": "kept" if kept else "lost",
        "omitted": meta.get("omitted", []),
        "artifacts": events.artifacts,
        "reads": events.reads,
        "environment": meta.get("environment"),
        "python": meta.get("python"),
        "machine": meta.get("machine"),
        "resources": events.resources,
        "kind": meta.get("kind"),
        "job": meta.get("job"),
        "command": meta.get("command"),
        "extra": events.extra,
        "plots": values.plot_files(
            [key for key, points in events.series.items() if len(points) > 1 or key in events.stepped]
        ),
    }


def _part_files(artifacts: dict[str, dict[str, Any]]) -> None:
    """Give artifacts of one run that share a file name names of their own."""
    owners: dict[str, str] = {
        name: "" for name in ("run.json", "params.yaml", "metrics.json", "dvc.yaml", "plots")
    }
    for name, artifact in artifacts.items():
        if owners.setdefault(artifact["file"], artifact["md5"]) != artifact["md5"]:
            artifact["file"] = f"{name.replace('/', '-')}-{artifact['file']}"
            owners[artifact["file"]] = artifact["md5"]


def _files(
    document: dict[str, Any], events: live.Events, capture: dict[str, Any], meta: dict[str, Any]
) -> dict[str, bytes]:
    """Make the files of the overlay. Pure."""
    files = {
        "run.json": (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=True) + "\n").encode(),
        "params.yaml": values.yaml(events.params),
        "metrics.json": (json.dumps(values.dvc_metrics(events.metrics), indent=1) + "\n").encode(),
    }
    dvc: dict[str, Any] = {"params": ["params.yaml"], "metrics": ["metrics.json"]}
    if document["plots"]:
        dvc["plots"] = [{f"plots/{name}": {"x": "step", "y": key}} for key, name in document["plots"].items()]
    for key, name in document["plots"].items():
        files[f"plots/{name}"] = values.tsv(key, events.series[key])
    if events.artifacts:
        dvc["artifacts"] = {}
        for name, artifact in events.artifacts.items():
            dvc["artifacts"][name] = {"path": artifact["file"], "type": artifact["type"]}
            stored = pointers.Stored(artifact["md5"], artifact["size"], artifact.get("nfiles"))
            files[f"{artifact['file']}.dvc"] = pointers.pointer(artifact["file"], stored).encode()
        ignored = sorted({f"/{artifact['file']}\n" for artifact in events.artifacts.values()})
        files[".gitignore"] = "".join(ignored).encode()
    files["dvc.yaml"] = (json.dumps(dvc, indent=1, ensure_ascii=True) + "\n").encode()
    executed = capture.get("executed")
    if executed:  # the kernel's capture writes its text, the job engine hands over the notebook
        text = (
            executed
            if isinstance(executed, str)
            else json.dumps(executed, indent=1, ensure_ascii=False) + "\n"
        )
        files["executed.ipynb"] = text.encode("utf-8", "replace")
    if meta.get("lock"):
        files["environment.txt"] = str(meta["lock"]).encode()
    return files


def _pack(common_dir: Path, baseline: str, *, everywhere: bool) -> None:
    """Pack refs once there are many loose ones: each would cost a file read in every listing.

    Most runs stand on few baselines, so the run's own is looked at; one run in sixteen looks at all of them.
    """
    own = common_dir / REFS / baseline[:2] / baseline[2:]
    if _loose(own) > LOOSE_LIMIT or (everywhere and _loose_anywhere(common_dir) > LOOSE_LIMIT):
        git_run(common_dir, "pack-refs", "--all")


def _loose(folder: Path | str) -> int:
    try:
        return len(os.listdir(folder))
    except OSError:
        return 0


def _loose_anywhere(common_dir: Path) -> int:
    try:
        outer = [entry.path for entry in os.scandir(common_dir / REFS) if entry.is_dir()]
        return sum(_loose(f"{path}/{name}") for path in outer for name in os.listdir(path))
    except OSError:  # somebody packs them just now
        return 0


def close_dead(common_dir: Path, home: Path) -> list[tuple[live.LiveRun, str | None]]:
    """Finish the runs that nobody writes any more; return those still live, each with what is odd about it.

    A run that cannot be finished is returned with the reason and never stops the others.
    """
    still: list[tuple[live.LiveRun, str | None]] = []
    for run in live.listing(home):
        if run.state == "silent":
            still.append((run, f"silent on {run.meta['host']}"))
        elif run.state == "running":
            still.append((run, None))
        else:
            problem = _close(common_dir, run)
            if problem is not None:
                still.append((run, problem))
    return still


def _close(common_dir: Path, run: live.LiveRun) -> str | None:
    """Finish one dead run under its lease; return why it could not be done."""
    try:
        with live.Exclusive(run.folder) as held:
            if held.state != "dead":
                held.wait()
            if not (run.folder / live.META).exists():
                return None  # another reader closed it meanwhile
            reason = "lost" if run.meta.get("kind") == "job" else "its process is gone"
            publish(common_dir, run.folder, "killed", reason)
    except FileNotFoundError:
        return None
    except (ProvenoteError, OSError, ValueError, KeyError) as error:
        return f"cannot be finished: {error}"
    return None


def omitted_as_data(taken: snapshot.Snapshot) -> list[dict[str, Any]]:
    """Return the omissions of a snapshot as they stand in ``run.json``."""
    return [asdict(omitted) for omitted in taken.omitted]
