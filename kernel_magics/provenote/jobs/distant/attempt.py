"""The process beside a worker that makes one attempt: ``python -m provenote.jobs.distant.attempt``.

It reads its order, one line of JSON, from standard input, and answers with lines of JSON: ``{"claim": oid}``,
``{"folder": path}`` of the job's folder while it runs, and in the end one ``{"verdict": word}``:

- ``published``: the run and the job's files are on the remote (``at``: the result's commit);
- ``taken``: the job's ref was elsewhere (``at``), so nothing ran;
- ``superseded``: while it ran, the job was given to somebody else or stopped: what it did was thrown away;
- ``stale``: the code is not on the remote any more, nobody waits for this job;
- ``cancelled``: it was told to stop before the notebook began;
- ``broken``: it could not be done here (``error``).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from provenote.jobs.distant.leash import Leash

if TYPE_CHECKING:
    from provenote.jobs.distant.checkout import Store
    from provenote.jobs.folder import JobFolder
    from provenote.jobs.state import JobState

_FOR_EVER = 1e8  # seconds
_SETTLE = 5.0  # seconds for the kernel of a killed supervisor to end


class _Cancelled(BaseException):
    """The worker was told to stop this attempt."""


def main() -> int:
    """Make one attempt."""
    order = json.loads(_line())
    name = f"{order['job'][:16]}-{order['attempt']}-{os.getpid()}"
    from provenote.jobs.distant.checkout import Store

    store = Store(order["url"])
    leash = Leash(store.attempt(name))
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever prints must not answer

    def tell(**facts: Any) -> None:
        os.write(answers, (json.dumps(facts) + "\n").encode())

    signal.signal(signal.SIGTERM, _cancel)
    try:
        verdict = _attempt(order, store, name, tell)
    except _Cancelled:
        verdict = {"verdict": "cancelled"}
    except Exception as error:
        from provenote.jobs.outcome import as_error

        traceback.print_exc()
        verdict = {"verdict": "broken", "error": as_error(error)}
    leash.close()
    tell(**verdict)
    return 0


def _line() -> bytes:
    """Return the first line of standard input, and read nothing behind it."""
    line = b""
    while not line.endswith(b"\n"):
        chunk = os.read(0, 65536)
        if not chunk:
            sys.exit(1)
        line += chunk
    return line


def _cancel(number: int, frame: FrameType | None) -> None:
    raise _Cancelled


def _attempt(order: Mapping[str, Any], store: Store, name: str, tell: Any) -> dict[str, Any]:
    from provenote.jobs.distant import claims, publish
    from provenote.sharing.transport import Raced

    code, expect, job = order["code"], order["expect"], order["job"]
    who = order["who"]
    for variable in ("AUTHOR", "COMMITTER"):
        if all(who):
            os.environ[f"GIT_{variable}_NAME"], os.environ[f"GIT_{variable}_EMAIL"] = who
    try:
        store.fetch(code["ref"], code["commit"])
    except Raced:
        return {"verdict": "stale"}
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
        state, folder = _run(order, place, tell)
        kept = publish.keep_artifacts(place / order["prefix"], state)
        missed = lacking if state.state != "succeeded" else None
        result = publish.result(place, folder, state, [missed, kept, order["note"]])
        return publish.publish(store, place, order, claim, result)


def _bring_data(order: Mapping[str, Any], store: Store, place: Path) -> str | None:
    """Fetch what the project tracks, as far as it is to be had; return what is missing, in words."""
    from provenote.errors import ProvenoteError

    root = place / order["prefix"]
    store.settle(place, order["prefix"], order["dvc"])
    os.chdir(root)
    from provenote.data import tracked
    from provenote.workspace import find

    if not tracked.everything(find(root)):
        return None
    from provenote.data import exchange

    try:
        lacking = exchange.pull().lacking
    except ProvenoteError as error:
        return f"its data could not be fetched: {error.what}"
    return f"{', '.join(lacking[:3])} is not on the remote: `provenote data push`" if lacking else None


def _run(order: Mapping[str, Any], place: Path, tell: Any) -> tuple[JobState, JobFolder]:
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
    code = _supervised(folder, place / order["prefix"])
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is done is published
    state = folders.Tail(folder).state_as_written()
    if not state.over:
        _close(folder, place, code)
        state = folders.Tail(folder).state_as_written()
    return state, folder


def _supervised(folder: JobFolder, root: Path) -> int:
    """Have the job worked for: by a supervisor with its imports behind it, else in this process.

    Returns
    -------
    int
        How that process ended.
    """
    from provenote import config
    from provenote.jobs import warm
    from provenote.jobs.spec import THREAD_VARIABLES
    from provenote.jobs.wish import Wish

    lease = folder.lease()
    assert lease is not None  # nobody else knows of this folder
    env = dict(os.environ)
    of_zygote = {name: value for name, value in env.items() if name not in THREAD_VARIABLES}
    # Owned: when this process is killed, the zygote kills it, and its warden the kernel.
    request = {"folder": str(folder.path), "cwd": os.getcwd(), "env": env, "owned": True}
    hears, says = os.pipe()
    try:
        if not config.load(root).warm_kernels:
            raise warm.NotWarm("the setting warm_kernels is off")
        line, pid = warm.fork(
            Wish("supervisor", (sys.executable, "-P"), of_zygote), request, [1, 2, lease, hears]
        )
    except warm.NotWarm as error:
        from provenote.jobs import supervisor

        os.close(says)
        print(f"This job's supervisor was started cold: {error}.", file=sys.stderr, flush=True)
        return supervisor.main([str(folder.path), "--lease", str(lease)])
    finally:
        os.close(hears)

    def pass_on(number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    signal.signal(signal.SIGTERM, pass_on)
    os.write(says, b"1")
    os.close(says)
    os.close(lease)
    try:
        return int(line.hear(_FOR_EVER).get("exit", 1))
    except warm.NotWarm:  # somebody killed the zygote; the supervisor ends by itself
        while not folder.abandoned():
            time.sleep(0.1)
        return 1


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
