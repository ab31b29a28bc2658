"""The process beside a worker that makes one attempt.

Forked (`provenote.jobs.distant.started`), else ``python -m provenote.jobs.distant.attempt``. It reads its
order, one line of JSON, and answers with lines of JSON: ``{"claim": oid}``, ``{"folder": path}`` of the job's
folder while it runs, and in the end one ``{"verdict": word}``:

- ``published``: the run and the job's files are on the remote (``at``: the result's commit);
- ``taken``: the job's ref was elsewhere (``at``), so nothing ran;
- ``superseded``: while it ran, the job was given to somebody else or stopped: what it did was thrown away;
- ``stale``: the code is not on the remote any more, nobody waits for this job;
- ``cancelled``: it was told to stop before the notebook began;
- ``broken``: it could not be done here (``error``).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from provenote.jobs.distant import apart
from provenote.jobs.distant.leash import Leash

if TYPE_CHECKING:
    from provenote.jobs.distant.checkout import Store
    from provenote.jobs.folder import JobFolder
    from provenote.jobs.state import JobState

_SETTLE = 5.0  # seconds for the kernel of a killed supervisor to end


class _Cancelled(BaseException):
    """The worker was told to stop this attempt."""


def main(hears: int = 0, answers: int = 1) -> int:
    """Make one attempt.

    Parameters
    ----------
    hears : int
        Descriptor that the order comes from; its end means that the worker is gone.
    answers : int
        Descriptor that the answers go to.
    """
    order = json.loads(_line(hears))
    name = f"{order['job'][:16]}-{order['attempt']}-{os.getpid()}"
    from provenote.jobs.distant.checkout import Store

    store = Store(order["url"])
    leash = Leash(store.attempt(name), hears)
    if answers == 1:
        answers = os.dup(1)
        os.dup2(2, 1)  # whatever prints must not answer
    pipes = [hears, answers]

    def tell(**facts: Any) -> None:
        os.write(answers, (json.dumps(facts) + "\n").encode())

    signal.signal(signal.SIGTERM, _cancel)
    try:
        verdict = _attempt(order, store, name, tell, pipes)
    except _Cancelled:
        _end_group()
        verdict = {"verdict": "cancelled"}
    except Exception as error:
        from provenote.jobs.outcome import as_error

        traceback.print_exc()
        verdict = {"verdict": "broken", "error": as_error(error)}
    leash.close()
    tell(**verdict)
    return 0


def main_forked(request: dict[str, Any], connection: Any, descriptors: list[int]) -> None:
    """Make one attempt as a zygote's child.

    Parameters
    ----------
    request : dict
        Not used.
    connection : socket
        Closed: the zygote tells the worker how this process ended.
    descriptors : list of int
        Where the order comes from and where the answers go.
    """
    connection.close()
    status = main(*descriptors)
    sys.stderr.flush()
    os._exit(status)  # to take apart what the zygote had imported would copy all its pages


def _line(hears: int) -> bytes:
    """Return the first line, and read nothing behind it."""
    line = b""
    while not line.endswith(b"\n"):
        chunk = os.read(hears, 65536)
        if not chunk:
            sys.exit(1)
        line += chunk
    return line


def _cancel(number: int, frame: FrameType | None) -> None:
    raise _Cancelled


def _end_group() -> None:
    """End what still works for this attempt, as a fetch."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGTERM)


def _attempt(
    order: Mapping[str, Any], store: Store, name: str, tell: Any, pipes: list[int]
) -> dict[str, Any]:
    from provenote.errors import WorldError
    from provenote.jobs.distant import claims, publish
    from provenote.sharing.transport import Raced, Unreachable

    if shutil.which("git") is None:
        mend = "Install Git 2.31 or newer there, and start its workers anew"
        raise WorldError(f"git is not on the PATH of the worker on {os.uname().nodename}", mend)
    code, expect, job = order["code"], order["expect"], order["job"]
    who = order["who"]
    for variable in ("AUTHOR", "COMMITTER"):
        if all(who):
            os.environ[f"GIT_{variable}_NAME"], os.environ[f"GIT_{variable}_EMAIL"] = who
    try:
        store.fetch(code["ref"], code["commit"])
    except Raced:
        return {"verdict": "stale"}
    except Unreachable as error:
        raise WorldError(error.what, "Workers need access of their own to the Git remote") from error
    facts = {"job": job, "attempt": order["attempt"], "by": order["by"], "worker": order["worker"]}
    claim = claims.write(store.clone, "claim", {**facts, "host": os.uname().nodename, "at": time.time()})
    ref = claims.job_ref(job)
    here = claims.Move(code["ref"], code["commit"], code["commit"])
    for _ in range(3):
        if claims.push(store.remote, [here, claims.Move(ref, expect, claim)]):
            break
        found = claims.look(store.remote, [ref, code["ref"]])
        if code["ref"] not in found:
            return {"verdict": "stale"}
        if found.get(ref) != expect:
            return {"verdict": "taken", "at": found.get(ref)}
    else:
        return {"verdict": "taken", "at": expect}
    tell(claim=claim)
    with store.using(name) as place:
        store.check_out(name, code["commit"], code["baseline"])
        lacking = _bring_data(order, store, place)
        state, folder = _run(order, place, tell, pipes)
        kept = publish.keep_artifacts(place / order["prefix"], state)
        missed = lacking if state.state != "succeeded" else None
        remarks = [missed, kept, order["note"]]
        result = publish.result(place, folder, state, remarks)
        try:
            return publish.publish(store, place, order, claim, result)
        except claims.Declined:  # of runs, as it seems: it took the claim
            remarks.append("the remote takes no run (refs/exps/*): this one is in your repository only")
            result = publish.result(place, folder, state, remarks)
            return publish.publish(store, place, order, claim, result, named=False)


def _bring_data(order: Mapping[str, Any], store: Store, place: Path) -> str | None:
    """Have what the project tracks, as far as it is to be had; return what is missing, in words."""
    root = place / order["prefix"]
    store.settle(place, order["prefix"], order["dvc"])
    os.chdir(root)
    from provenote.data import tracked
    from provenote.stores import cache
    from provenote.workspace import find

    workspace = find(root)
    listed = tracked.everything(workspace)
    if not listed:
        return None
    if any(one.stored and cache.missing(workspace.cache_dir, one.stored.md5) for one in listed):
        try:
            return apart.said(_pull)  # DVC starts threads, and a process that has some must not fork
        except ChildProcessError as error:
            return f"its data could not be fetched: {error}"
    return _pull()


def _pull() -> str | None:
    from provenote.data import exchange
    from provenote.errors import ProvenoteError

    try:
        lacking = exchange.pull().lacking
    except ProvenoteError as error:
        return f"its data could not be fetched: {error.what}"
    except Exception as error:
        traceback.print_exc()
        return f"its data could not be fetched: {type(error).__name__}: {error}"
    return f"{', '.join(lacking[:3])} is not on the remote: `provenote data push`" if lacking else None


def _run(order: Mapping[str, Any], place: Path, tell: Any, pipes: list[int]) -> tuple[JobState, JobFolder]:
    """Run the job's supervisor, and return how it ended."""
    from provenote.jobs import folder as folders
    from provenote.jobs import kernels, local
    from provenote.jobs import spec as specs

    spec = specs.parse(order["spec"].encode())
    spec = replace(spec, output=None, threads=order["threads"], parent=order["parent"])
    notebook = place / order["prefix"] / spec.notebook
    kernels.resolve(notebook, spec.kernel, None)
    os.chdir(notebook.parent)
    os.environ.update(local.environment(spec))
    # Under the job's true name, though what it is to do differs in what is said above.
    folder = folders.JobFolder(place / ".git" / "provenote" / "jobs" / order["job"])
    folder.path.mkdir(parents=True)
    (folder.path / "spec.json").write_bytes(spec.canonical())
    folders.queue(folder, spec, order["attempt"])
    tell(folder=str(folder.path))
    with (folder.attempt(order["attempt"]) / "log.txt").open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    code = _supervised(folder, pipes)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is done is published
    state = folders.Tail(folder).state_as_written()
    if not state.over:
        _close(folder, place, code)
        state = folders.Tail(folder).state_as_written()
    return state, folder


def _supervised(folder: JobFolder, pipes: list[int]) -> int:
    """Have the job worked for by a process of its own, which is killed when this one is.

    Returns
    -------
    int
        How that process ended.
    """
    from provenote.jobs import supervisor

    lease = folder.lease()
    assert lease is not None  # nobody else knows of this folder

    def supervise() -> int:
        empty = os.open(os.devnull, os.O_RDWR)
        for pipe in pipes:
            os.dup2(empty, pipe)  # the worker must see that the attempt has ended
        arguments = [str(folder.path), "--lease", str(lease)]
        sys.argv = [supervisor.__file__, *arguments]
        return supervisor.main(arguments)

    child = apart.Child(supervise)

    def pass_on(number: int, frame: FrameType | None) -> None:
        child.send(number)

    signal.signal(signal.SIGTERM, pass_on)
    os.close(lease)
    return child.wait()


def _close(folder: JobFolder, place: Path, code: int) -> None:
    """End a job whose supervisor was killed: all that its run was told so far is kept."""
    from provenote.jobs.folder import Tail
    from provenote.stores import runs
    from provenote.workspace import find

    how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    facts: dict[str, Any] = {}
    if Tail(folder).state_as_written().run is not None:
        workspace = find(os.getcwd())
        until = time.monotonic() + _SETTLE
        while runs.close_dead(workspace.common_dir, workspace.home) and time.monotonic() < until:
            time.sleep(0.05)  # its kernel, which the warden is ending, may still hold the run
        words = ["for-each-ref", "--format=%(objectname) %(refname:lstrip=4)", runs.REFS]
        from provenote.git.command import git

        for line in os.fsdecode(git(place, *words)).splitlines():
            facts["commit"], _, facts["name"] = line.partition(" ")
    reason = f"its supervisor on {os.uname().nodename} was killed ({how})"
    folder.append({"state": "killed", "reason": reason, **facts})


if __name__ == "__main__":
    sys.exit(main())
