"""Move bytes between the cache and the project's DVC remotes.

DVC does the carrying (`provenote.stores.courier`, a process of its own), so every remote that DVC knows
works: folders, SSH, S3, Google, Azure. What is not carried stays safe where it is, and the error says so.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provenote.errors import UsageError, WorldError
from provenote.events import Tell, silent
from provenote.stores import cache, dvc_config
from provenote.stores.dvc_config import Remote
from provenote.stores.gauge import Gauge
from provenote.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Carried:
    """What a transfer did.

    Parameters
    ----------
    remote : str
        Name of the remote.
    files : int
        Files that were carried.
    size : int
        Their bytes, as far as the remote's driver counts them.
    lacking : tuple of str
        MD5s that are on neither side.
    """

    remote: str
    files: int
    size: int
    lacking: tuple[str, ...] = ()


def push(
    workspace: Workspace, md5s: Iterable[str], *, remote: str | None = None, tell: Tell = silent
) -> Carried:
    """Copy objects, and the files of folders, from the cache to a remote.

    Parameters
    ----------
    workspace : Workspace
        The project.
    md5s : iterable of str
        The objects; what the remote has already is not carried again.
    remote : str, optional
        Its name; the default remote otherwise.
    tell : Tell
        Where progress goes.

    Raises
    ------
    UsageError
        If no such remote is set up.
    WorldError
        If the remote cannot be reached or refuses; everything is still in the cache then.
    """
    wanted = sorted(set(md5s))
    target = dvc_config.remote(workspace, remote)
    if not wanted:
        return Carried(target.name, 0, 0)
    lacking = [one for one in wanted if cache.missing(workspace.cache_dir, one)]
    ready = [one for one in wanted if one not in set(lacking)]
    done = _carry(workspace, "push", ready, target, tell) if ready else Carried(target.name, 0, 0)
    _remember(workspace, target, ready)
    return Carried(target.name, done.files, done.size, tuple(lacking))


def pull(
    workspace: Workspace, md5s: Iterable[str], *, remote: str | None = None, tell: Tell = silent
) -> Carried:
    """Copy objects, and the files of folders, from a remote to the cache; see `push`.

    Raises
    ------
    UsageError
        If no such remote is set up.
    WorldError
        If the remote cannot be reached or refuses; the cache is as it was, or has more.
    """
    wanted = sorted({one for one in md5s if cache.missing(workspace.cache_dir, one)})
    if not wanted:
        return Carried("", 0, 0)
    source = dvc_config.remote(workspace, remote)
    if source.folder is not None and not source.folder.is_dir():
        why = "its folder is not there (is its disk mounted, was anything pushed to it?)"
        raise _refused(workspace, "pull", source, why, wanted)
    done = _carry(workspace, "pull", wanted, source, tell)
    lacking = tuple(one for one in wanted if cache.missing(workspace.cache_dir, one))
    _remember(workspace, source, [one for one in wanted if one not in lacking])
    return Carried(source.name, done.files, done.size, lacking)


def absent(workspace: Workspace, md5s: Iterable[str], *, remote: str | None = None) -> set[str]:
    """Ask a remote which objects it lacks; a folder counts when its list or one of its files does."""
    wanted = sorted(set(md5s))
    if not wanted:
        return set()
    target = dvc_config.remote(workspace, remote)
    missing = set(_ask(workspace, "absent", wanted, target, silent)[0])
    for md5 in wanted:
        whole = md5.endswith(".dir") and not cache.missing(workspace.cache_dir, md5)
        if whole and any(entry.md5 in missing for entry in cache.entries(workspace.cache_dir, md5)):
            missing.add(md5)
    return missing & set(wanted)


def erase(
    workspace: Workspace, md5s: Iterable[str], *, remote: str | None = None, tell: Tell = silent
) -> list[str]:
    """Delete objects from a remote, and return those that were there.

    Parameters
    ----------
    workspace : Workspace
    md5s : iterable of str
        The very objects: the files of a folder are named by whoever asks.
    remote : str, optional
        Its name; the default remote otherwise.
    tell : Tell
        Where progress goes.

    Raises
    ------
    UsageError
        If no such remote is set up.
    WorldError
        If the remote cannot be reached or refuses.
    """
    wanted = sorted(set(md5s))
    target = dvc_config.remote(workspace, remote)
    if not wanted:
        return []
    gone, _ = _ask(workspace, "erase", wanted, target, tell)
    with suppress(OSError):
        record = _record(workspace, target)
        kept = [md5 for md5 in record.read_text().split() if md5 not in set(wanted)]
        record.write_text("".join(f"{md5}\n" for md5 in kept))
    return gone


def known_there(workspace: Workspace, md5s: Iterable[str], *, remote: str | None = None) -> set[str]:
    """Return the objects that the remote has, as far as can be told without asking the network.

    A remote that is a folder of this machine is looked at; of others counts what this clone carried.
    """
    target = dvc_config.remote(workspace, remote)
    if target.folder is not None:
        place = target.folder / "files" / "md5"
        return {md5 for md5 in md5s if (place / md5[:2] / md5[2:]).is_file()}
    try:
        carried = set(_record(workspace, target).read_text().split())
    except OSError:
        return set()
    return carried & set(md5s)


def _carry(workspace: Workspace, verb: str, md5s: list[str], remote: Remote, tell: Tell) -> Carried:
    failed, files, size, said = _ask_counted(workspace, verb, md5s, remote, tell)
    if failed and said:
        raise _refused(workspace, verb, remote, said[-1], md5s)
    return Carried(remote.name, files, size)


def _ask(
    workspace: Workspace, verb: str, md5s: list[str], remote: Remote, tell: Tell
) -> tuple[list[str], int]:
    failed, files, _, _ = _ask_counted(workspace, verb, md5s, remote, tell)
    return failed, files


def _ask_counted(
    workspace: Workspace, verb: str, md5s: list[str], remote: Remote, tell: Tell
) -> tuple[list[str], int, int, list[str]]:
    request = {
        "verb": verb,
        "root": str(workspace.dvc_root),
        "cache_dir": str(workspace.cache_dir),
        "remote": remote.name,
        "md5s": md5s,
    }
    words = {
        "push": f"push to {remote.name}",
        "pull": f"pull from {remote.name}",
        "absent": f"ask {remote.name}",
        "erase": f"delete from {remote.name}",
    }
    gauge = Gauge(tell, words[verb], "files", at_once=True)
    files = size = 0
    result: dict[str, Any] = {}
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1", "DVC_TEST": "0", "PYTHONUNBUFFERED": "1"}
    with tempfile.TemporaryFile() as errors:
        command = [sys.executable, "-m", "provenote.stores.courier"]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=environment
        )
        try:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(json.dumps(request).encode())
            process.stdin.close()
            for line in process.stdout:
                event = json.loads(line)
                if "files_total" in event:
                    gauge.total = (gauge.total or 0) + event["files_total"]
                elif "files" in event:
                    files += event["files"]
                    gauge.add(event["files"])
                elif "bytes" in event:
                    size += event["bytes"]
                    gauge.add(0)
                else:
                    result = event
            process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        errors.seek(0)
        last = errors.read().decode(errors="replace").strip().splitlines()[-1:]
    if "result" not in result:
        gauge.end("failed")
        why = result.get("error") or (last[0] if last else f"the carrier ended with {process.returncode}")
        raise _refused(workspace, verb, remote, why, md5s)
    gauge.end()
    return result["result"], files, size, result["said"]


def _refused(workspace: Workspace, verb: str, remote: Remote, why: str, md5s: list[str]) -> WorldError:
    """Say what waits, what is safe, and what mends it."""
    why = _without_passwords(" ".join(why.split())[:300].rstrip("."))
    address = _without_passwords(remote.url)
    count = f"{len(md5s)} version{'s' if len(md5s) > 1 else ''}"
    if verb == "push":
        what = f"the remote {remote.name} ({address}) refused: {why}"
        what += f"; {count} wait{'' if len(md5s) > 1 else 's'} in the cache, nothing is lost"
        mend = "When it answers again: `provenote data push`"
    else:
        what = f"the remote {remote.name} ({address}) refused: {why}; {count} could not be fetched"
        mend = "When it answers again: `provenote data pull`"
    if "dvc-" in why or "not installed" in why or "missing dependencies" in why:
        scheme = remote.url.split("://", 1)[0]
        mend = f"Install its driver: `pip install 'dvc[{scheme}]'`"
    return WorldError(what, mend)


def _without_passwords(text: str) -> str:
    """Return ``text`` without the ``user:password@`` that an address may carry."""
    return re.sub(r"(\w+://)[^/@\s]*@", r"\1", text)


def _record(workspace: Workspace, remote: Remote) -> Path:
    """Return the file that lists what this clone carried to or from a remote; disposable."""
    address = hashlib.sha256(remote.url.encode()).hexdigest()[:16]
    return workspace.home / "carried" / address


def _remember(workspace: Workspace, remote: Remote, md5s: list[str]) -> None:
    if remote.folder is not None or not md5s:
        return
    file = _record(workspace, remote)
    try:
        known = set(file.read_text().split())
    except OSError:
        known = set()
    new = [md5 for md5 in md5s if md5 not in known]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(file, "a") as stream:
            stream.write("".join(f"{md5}\n" for md5 in new))
    except OSError:
        pass  # without the record `data status` says "not pushed" until it asks


def require(workspace: Workspace, md5: str, tell: Tell = silent) -> None:
    """Fetch an object that the cache lacks.

    Raises
    ------
    UsageError, WorldError
        If no remote has it, or none is set up.
    """
    lacking = cache.missing(workspace.cache_dir, md5)
    if not lacking:
        return
    try:
        source = dvc_config.remote(workspace)
    except UsageError as error:
        what = f"{md5} is not in the cache and there is nowhere to fetch it: {error.what}"
        raise UsageError(what, error.mend) from error
    pull(workspace, [md5], tell=tell)
    if cache.missing(workspace.cache_dir, md5):
        what = f"{md5} is neither in the cache nor on the remote {source.name}"
        raise WorldError(what, "Ask who made it to run: `provenote data push`")
