"""The process that owns one job: ``python -m provenote.jobs.supervisor FOLDER --lease FD``.

It opens the job's run, runs the notebook in a kernel of its own, writes down what happens, and ends the run
with the truth. It leaves with nothing running, however it ends (`provenote.jobs.warden`).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.errors import ProvenoteError, UsageError
from provenote.git.command import blobs
from provenote.jobs import notebook as notebooks
from provenote.jobs.warden import Warden

if TYPE_CHECKING:
    from provenote.jobs.control import Control
    from provenote.jobs.folder import JobFolder
    from provenote.jobs.notebook import Notebook
    from provenote.jobs.outcome import Outcome
    from provenote.jobs.recorder import JobRecorder
    from provenote.jobs.spec import JobSpec
    from provenote.jobs.state import JobState
    from provenote.tracking.active import ActiveRun
    from provenote.tracking.environment import Lock


def main(arguments: list[str] | None = None) -> int:
    """Run one attempt of a job; the exit status is 0 when it succeeded, else 1."""
    parser = argparse.ArgumentParser(prog="provenote.jobs.supervisor")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lease", type=int, default=None)
    options = parser.parse_args(arguments)
    warden = Warden()  # first of all: its fork must inherit nothing, and no thread may run yet

    from provenote.jobs.folder import JobFolder, Tail
    from provenote.jobs.outcome import Outcome, as_error

    folder = JobFolder(options.folder)
    lease = options.lease if options.lease is not None else folder.lease()
    if lease is None:
        return 1  # somebody else works for this job
    os.set_inheritable(lease, False)
    state = Tail(folder).state_as_written()
    try:
        folder.append({"state": "claimed", "attempt": state.attempt, "pid": os.getpid()})
        spec = folder.spec
        if spec.kind == "sweep":
            from provenote.jobs.coordinator import run_sweep

            outcome = run_sweep(folder, spec, state)
        else:
            outcome = run_notebook(folder, spec, state, warden)
    except Exception as error:
        _explain()
        outcome = Outcome("failed", f"{type(error).__name__}: {error}", as_error(error))
    finally:
        warden.close()
    folder.append({
        "state": outcome.state, "reason": outcome.reason, "error": outcome.error, **outcome.facts,
    })  # fmt: skip
    os.close(lease)
    return 0 if outcome.state == "succeeded" else 1


def _explain() -> None:
    """Write the traceback to the log; where the disk has no room for it, the last event tells the reason."""
    with contextlib.suppress(OSError):
        traceback.print_exc()


def run_notebook(folder: JobFolder, spec: JobSpec, state: JobState, warden: Warden) -> Outcome:
    """Run a notebook job as one run.

    Parameters
    ----------
    folder : JobFolder
    spec : JobSpec
    state : JobState
        As it was queued: which attempt, for which parent run.
    warden : Warden

    Raises
    ------
    ProvenoteError
        If the run cannot be opened or the notebook has vanished.
    """
    from provenote import config, workspace
    from provenote.contracts import door
    from provenote.jobs import interpreters
    from provenote.jobs.control import Control
    from provenote.jobs.evidence import Evidence
    from provenote.jobs.outcome import as_error, end_run
    from provenote.jobs.recorder import JobRecorder, write_whole
    from provenote.tracking import evidence as evidence_of
    from provenote.tracking import starting

    folder.append({"state": "preparing"})
    place = workspace.find()
    control = Control(folder, spec.timeout, warden)
    control.start()
    attempt = folder.attempt(state.attempt)
    path = place.dvc_root / spec.notebook
    source = _source(place.top, path, spec)
    inputs = door.before(place, notebooks.sources(source), spec.params, os.path.dirname(spec.notebook))
    recorder = JobRecorder(folder, attempt, control)
    evidence = Evidence(spec, path, recorder, config.load(place.dvc_root))
    evidence_of.set_source(evidence)
    job = {
        "id": folder.id,
        "attempt": state.attempt,
        "notebook": spec.notebook,
        "blob": spec.blob,
        "given": spec.given,
        "kernel": spec.kernel,
        "threads": spec.threads,
        "timeout": spec.timeout,
        "cell_timeout": spec.cell_timeout,
        "hash_seed": os.environ.get("PYTHONHASHSEED"),
        **({"sweep": {"id": spec.nonce, **spec.sweep}} if spec.sweep else {}),
        **({"test": True} if spec.test else {}),
        **({"from": spec.origin} if spec.origin else {}),
    }
    lock = interpreters.lock_of(spec.kernel)
    run = starting.start(spec.label, kind="job", params=spec.params, parent=state.parent, job=job, lock=lock)
    evidence.run_folder = run.folder
    if inputs:
        run.record({"extra": {"inputs": inputs}})
        for line in door.lines(inputs):
            recorder.output(f"provenote: {line}\n")
    folder.append({"state": "starting", "run": run.id})
    try:
        data = notebooks.prepare(source, spec.given)
        write_whole(attempt / "source.ipynb", notebooks.dump(data))
        recorder.total = sum(_counts(cell) for cell in data["cells"])
        outcome = _execute(folder, spec, data, attempt / "source.ipynb", recorder, control, run)
    except BaseException as error:
        control.stop()
        run.end("failed", f"{type(error).__name__}: {error}", ended_by="job")
        raise
    control.stop()
    recorder.close()
    folder.append({"state": "publishing"})
    output = attempt / "out.ipynb"
    if spec.output:
        try:
            write_whole(Path(spec.output), output.read_bytes())
            output = Path(spec.output)
        except (ProvenoteError, OSError) as error:  # the run is what it is; only its copy is missing
            outcome.error = as_error(error)
    outcome.facts["output"] = str(output)
    run.record({"extra": {"cells": recorder.cells, **_imported(run, recorder, lock)}})
    door.watch_end(run, inputs)
    if spec.test:
        run.record({"extra": {"verdict": _judged(run, spec, recorder, data, outcome)}})
    end_run(run, outcome)
    return outcome


def _imported(run: ActiveRun, recorder: JobRecorder, lock: Lock) -> dict[str, Any]:
    """Return the packages that the notebook imported: where its kernel told none, those its cells name."""
    from provenote.stores import live
    from provenote.tracking import builds, environment, imports

    if recorder.executed is None or "imported" in live.read_events(run.folder).extra:
        return {}
    sources = [notebooks.text(cell) for cell in recorder.executed["cells"] if cell["cell_type"] == "code"]
    names, home = imports.named(sources, lock, run.workspace.home), run.workspace.home
    own = lock.sha256 == environment.lock().sha256
    return {"imported": list(names), **({"builds": builds.of(names, lock, home)} if own else {})}


def _judged(
    run: ActiveRun, spec: JobSpec, recorder: JobRecorder, data: dict[str, Any], outcome: Outcome
) -> dict[str, Any]:
    """Return the verdict of a test's cases as JSON; its kernel told what the cells with ``%%test`` found."""
    from provenote.jobs import cases
    from provenote.stores import live

    told = live.read_events(run.folder).extra.get("verdict")
    reason = "" if outcome.state == "succeeded" else outcome.reason or outcome.state
    found = cases.ended(
        recorder.executed or data,
        recorder.cells,
        told if isinstance(told, dict) else {},
        spec.notebook,
        reason,
    )
    return found.plain()


def _source(top: Path, path: Path, spec: JobSpec) -> Notebook:
    """Return the notebook as it was when the job was made, whatever became of the file since.

    Raises
    ------
    ProvenoteError
        If neither Git nor the disk has it any more.
    """
    content = next(blobs(top, [spec.blob]), None)
    if content is None:
        found = notebooks.read(path)
        if found.blob != spec.blob:
            raise UsageError(
                f"{spec.notebook} has changed since the job was made", "Run it anew: `provenote job run`"
            )
        return found
    return notebooks.parse(path, content)


def _counts(cell: dict[str, Any]) -> bool:
    return cell["cell_type"] == "code" and notebooks.INJECTED not in cell["metadata"].get("tags", [])


def _execute(
    folder: JobFolder,
    spec: JobSpec,
    data: dict[str, Any],
    document: Path,
    recorder: JobRecorder,
    control: Control,
    run: ActiveRun,
) -> Outcome:
    """Run the cells and judge how it went.

    Raises
    ------
    Exception
        A defect of ours or of papermill's; whatever the notebook does is an outcome.
    """
    from provenote import config
    from provenote.jobs import kernels, memory
    from provenote.jobs.control import Stopped
    from provenote.jobs.outcome import Outcome

    kernels.quick_imports()
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    from provenote.jobs import engine
    from provenote.jobs.client import EarlyEnd

    settings = config.load(run.workspace.dvc_root)
    options = {
        "source": spec.notebook,
        "document": document,
        "folder": os.getcwd(),
        "env": {**os.environ, "PROVENOTE_RUN": run.id, "PROVENOTE_JOB": folder.id},
        "cell_timeout": spec.cell_timeout or None,
        "output_limit": settings.output_limit,
        "warm": settings.warm_kernels,
    }
    before = memory.oom_kills()
    broken: Exception | None = None
    try:
        engine.run(data, spec.kernel, recorder, options)
    except EarlyEnd as end:
        return _stopped(recorder, spec, control) or _early(recorder, spec, end.code)
    except (Stopped, CellTimeoutError, DeadKernelError) as error:
        broken = error
    except Exception:
        if control.verdict is None and (recorder.cells or recorder.process is None):
            raise
        _explain()
        broken = RuntimeError()
    stopped = _stopped(recorder, spec, control)
    if stopped is not None:
        return stopped
    where, facts = _where(recorder)
    if isinstance(broken, CellTimeoutError):
        return Outcome("timed_out", f"{where}: {spec.cell_timeout:g} s for one cell", None, facts)
    if broken is not None:
        code = recorder.process.poll() if recorder.process is not None else None
        if code == -signal.SIGKILL and memory.oom_kills() > before:
            return Outcome("oom_killed", f"{where}: out of memory", None, facts)
        if recorder.cells:
            return Outcome("killed", f"{where}: the kernel died ({engine.exit_signal(code)})", None, facts)
        reason = f"the kernel {spec.kernel!r} did not start ({engine.exit_signal(code)})"
        mend = f"See its last words: `provenote job logs {folder.id[:8]}`"
        return Outcome("failed", reason, {"kind": "WorldError", "what": reason, "mend": mend})
    failed = recorder.failed_cell
    if failed:
        words = f"{failed['ename']}: {failed['evalue']}" if failed["evalue"] else str(failed["ename"])
        return Outcome("failed", f"{where}: {words}", None, facts)
    return Outcome("succeeded")


def _where(recorder: JobRecorder) -> tuple[str, dict[str, Any]]:
    """Return the cell that the notebook ended in, in words and as facts for the last event."""
    failed = recorder.failed_cell
    if failed:
        return f"cell {failed['number']}", {"failed_cell": failed}
    return f"after cell {recorder.number}" if recorder.number else "before the first cell", {}


def _stopped(recorder: JobRecorder, spec: JobSpec, control: Control) -> Outcome | None:
    """Return the outcome of a job that was stopped from outside, else None."""
    from provenote.jobs.outcome import Outcome

    if control.verdict is None:
        return None
    where, facts = _where(recorder)
    limit = f": {spec.timeout:g} s for the whole notebook" if control.verdict == "timed_out" else ""
    return Outcome(control.verdict, f"{where}{limit}", None, facts)


def _early(recorder: JobRecorder, spec: JobSpec, code: Any) -> Outcome:
    """Return the outcome of a notebook that ended itself."""
    from provenote.jobs.outcome import Outcome

    where, facts = _where(recorder)
    if code != 0:
        return Outcome("failed", f"{where}: SystemExit: {code}", None, facts)
    left = recorder.total - recorder.number
    if not left:
        return Outcome("succeeded")
    cells = "1 cell" if left == 1 else f"{left} cells"
    if spec.test:
        return Outcome("failed", f"cell {recorder.number} ended the test; {cells} did not run", None, facts)
    return Outcome("succeeded", f"cell {recorder.number} ended the notebook on purpose; {cells} did not run")


if __name__ == "__main__":
    sys.exit(main())
