"""Jobs on this machine: one supervisor process for each, in a session of its own, warm or cold."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from provenote import masking
from provenote.errors import WorldError
from provenote.jobs import folder as folders
from provenote.jobs.kinds import Secret
from provenote.jobs.spec import THREAD_VARIABLES, JobSpec
from provenote.jobs.state import JobState
from provenote.workspace import Workspace

# What belongs to the notebook or job that we are called from, and not to the one that we start.
_OUTER = ("PROVENOTE_RUN", "PROVENOTE_JOB", "PROVENOTE_DOC", "JPY_SESSION_NAME", "JPY_PARENT_PID")


class LocalExecutor:
    """Start each job's supervisor as a process that outlives this one.

    Parameters
    ----------
    workspace : Workspace
        Whose jobs these are.
    address : str
        Not used: there is only one local machine.
    """

    def __init__(self, workspace: Workspace, address: str = "") -> None:
        self._workspace = workspace
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._tails: dict[str, folders.Tail] = {}

    def submit(self, spec: JobSpec) -> str:
        """Start the job and return its id; one that runs or has succeeded is not started again."""
        folder, lease = folders.create(self._workspace.home, spec)
        if lease is None:
            return folder.id
        attempt = folder.attempt(folders.Tail(folder).state_as_written().attempt)
        try:
            with (attempt / "log.txt").open("ab") as log:
                if not self._forked(spec, folder, log.fileno(), lease):
                    self._children[folder.id] = self._started(spec, folder, log.fileno(), lease)
        except OSError as error:
            folder.append({"state": "failed", "reason": f"its supervisor could not start: {error.strerror}"})
            raise WorldError(
                f"the job's supervisor could not start ({error.strerror})", "Try again"
            ) from error
        finally:
            os.close(lease)
        return folder.id

    def _forked(self, spec: JobSpec, folder: folders.JobFolder, log: int, lease: int) -> bool:
        """Fork the supervisor from a process that has its imports behind it, if there is such a way."""
        from provenote import config
        from provenote.jobs import warm
        from provenote.jobs.wish import Wish

        if not warm.possible() or not config.load(self._workspace.dvc_root).warm_kernels:
            return False
        env = environment(spec)
        of_zygote = {name: value for name, value in env.items() if name not in THREAD_VARIABLES}
        request = {"folder": str(folder.path), "cwd": str(self._place(spec)), "env": env, "owned": False}
        # It begins when it has read a byte that is sent once: were two asked for, because the answer of the
        # first was lost, one of them would find the end of the pipe and leave.
        hears, says = os.pipe()
        try:
            wish = Wish("supervisor", (sys.executable, "-P"), of_zygote)
            line, _ = warm.fork(wish, request, [log, log, lease, hears])
            os.write(says, b"1")
        except warm.NotWarm as error:
            os.write(log, f"This job's supervisor was started cold: {error}.\n".encode())
            return False
        finally:
            os.close(says)
            os.close(hears)
        line.close()
        return True

    def _started(
        self, spec: JobSpec, folder: folders.JobFolder, log: int, lease: int
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "provenote.jobs.supervisor",
                str(folder.path),
                "--lease",
                str(lease),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=self._place(spec),
            env=environment(spec),
            pass_fds=[lease],
            start_new_session=True,  # Ctrl-C in the terminal reaches us only, and we ask it to stop
        )

    def _place(self, spec: JobSpec) -> Path:
        return (self._workspace.dvc_root / spec.notebook).parent

    def status(self, job: str) -> JobState:
        """Return how far it is; a job that nobody works for any more is ``lost``."""
        child = self._children.get(job)
        if child is not None:
            child.poll()  # no zombies
        tail = self._tails.setdefault(job, folders.Tail(self._folder(job)))
        return tail.state()

    def cancel(self, job: str) -> None:
        """Ask it to stop: its kernel is interrupted, then killed. Returns at once."""
        self._folder(job).ask_cancel()

    def logs(self, job: str, start: int = 0) -> str:
        """Return what it printed, from character ``start`` on."""
        folder = self._folder(job)
        path = folder.attempt(folder.state().attempt) / "log.txt"
        try:
            return path.read_text(encoding="utf-8", errors="replace")[start:]
        except FileNotFoundError:
            return ""

    def _folder(self, job: str) -> folders.JobFolder:
        return folders.JobFolder(self._workspace.home / "jobs" / job)


def environment(spec: JobSpec) -> dict[str, str]:
    """Return the environment of a job: ours, without what belongs to an outer notebook, and its threads.

    The hash seed is fixed unless the user fixed another: a set must not change its order from run to run.
    """
    env = {name: value for name, value in os.environ.items() if name not in _OUTER}
    if spec.kind == "notebook":  # a sweep's own process computes nothing, and its jobs set theirs
        env.update({name: str(spec.threads) for name in THREAD_VARIABLES if name not in os.environ})
    env.setdefault("PYTHONHASHSEED", "0")
    names = [value.variable for value in spec.given.values() if isinstance(value, Secret)]
    if names:
        env[masking.VARIABLE] = ",".join(dict.fromkeys([*filter(None, [env.get(masking.VARIABLE)]), *names]))
    return {**env, **spec.env}


def cores() -> int:
    """Return how many processors this process may use: affinity and the container's quota."""
    from provenote.tracking import limits

    return limits.cores()
