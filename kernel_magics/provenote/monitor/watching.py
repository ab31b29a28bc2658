"""Look at what came since the reference: judge each new window, and keep each judgement as a run.

A look may be asked for at any time, by any timer: windows that were judged and have the same rows are left
alone. One look of a monitor at a time in a repository; a second one says so.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provenote.checks.verdict import Finding
from provenote.errors import ProvenoteError, WorldError
from provenote.events import Progress, Tell, silent
from provenote.monitor import again, alerts, definition, judging, performance, reading, record, references
from provenote.monitor.alerts import Standing
from provenote.monitor.definition import Monitor
from provenote.monitor.reading import File
from provenote.monitor.record import Record
from provenote.monitor.references import Taught
from provenote.statistics import windows as cutting
from provenote.statistics.frame import Frame
from provenote.statistics.windows import Window

if TYPE_CHECKING:
    from provenote.workspace import Workspace

KIND = "monitor"


@dataclass(frozen=True, slots=True)
class Look:
    """What a look found.

    Parameters
    ----------
    standing : Standing
        After it.
    new : tuple of Record
        Judged now.
    unread : tuple of File
        Files that could not be read.
    unscored : str
        Why no performance was judged; empty where it was, or nobody asked.
    """

    standing: Standing
    new: tuple[Record, ...]
    unread: tuple[File, ...]
    unscored: str = ""


def standing(workspace: Workspace, monitor: Monitor, now: float | None = None) -> Standing:
    """Return how a monitor stands by what was judged so far; nothing is read or judged anew."""
    found = list(records(workspace, monitor.name))
    seen = _last(workspace, monitor.name)
    runs = max((one.at for one in found), default=None)
    last = max((one for one in (seen, runs) if one is not None), default=None)
    return alerts.fold(monitor, found, last, time.time() if now is None else now, here=seen is not None)


def records(workspace: Workspace, name: str) -> Iterator[Record]:
    """Yield every judgement of a monitor that the runs of this clone hold."""
    from provenote.stores import index

    rows, _ = index.rows(workspace, everything=True)
    for row in rows:
        if row.commit is None or row.params.get("monitor") != name:
            continue
        document = index.document(workspace, row.commit)
        if document.get("kind") == KIND:
            found = record.parse((document.get("extra") or {}).get("monitor"), row.name)
            if found is not None:
                yield found


def due(workspace: Workspace, now: float | None = None) -> list[tuple[Monitor, bool]]:
    """Return every monitor, and whether a look is due."""
    moment = time.time() if now is None else now
    found = []
    for monitor in definition.read(workspace.dvc_root).values():
        last = _last(workspace, monitor.name)
        found.append((monitor, last is None or moment - last >= monitor.every))
    return found


def silent_monitors(workspace: Workspace, now: float | None = None) -> list[tuple[Monitor, str]]:
    """Return the monitors that nobody looked with for two intervals, and what to say of each."""
    found = []
    for monitor in definition.read(workspace.dvc_root).values():
        why = standing(workspace, monitor, now).silent
        if why:
            found.append((monitor, why))
    return found


def look(workspace: Workspace, monitor: Monitor, *, now: float | None = None, tell: Tell = silent) -> Look:
    """Judge what came since the last look.

    Parameters
    ----------
    workspace : Workspace
    monitor : Monitor
    now : float, optional
        Seconds since 1970.
    tell : Tell

    Raises
    ------
    UsageError
        If the reference is no table, or another look goes on.
    WorldError
        If bytes are neither here nor on the remote, or a run cannot be written.
    """
    moment = time.time() if now is None else now
    with _alone(workspace, monitor):
        label = f"monitor {monitor.name}"
        tell(Progress(label, detail="learn from the reference"))
        new, files, unscored = _judged(workspace, monitor, moment, set(), tell)
        new = again.confirmed(workspace, monitor.name, new, moment)
        _keep(workspace, monitor, new, files)
        _looked(workspace, monitor.name, moment)
        tell(Progress(label, state="done", detail=f"{len(new)} judged"))
        unread = tuple(one for one in files if one.problem)
        return Look(standing(workspace, monitor, moment), tuple(new), unread, unscored)


def judged(
    workspace: Workspace, monitor: Monitor, now: float, wanted: Collection[tuple[str, int]]
) -> list[Record]:
    """Judge some windows once more, and keep nothing of it.

    Parameters
    ----------
    workspace : Workspace
    monitor : Monitor
    now : float
        Seconds since 1970.
    wanted : collection of (str, int)
        Part and begin of each.
    """
    found, _, _ = _judged(workspace, monitor, now, wanted, silent)
    return [one for one in found if (one.part, one.begin) in wanted]


def _judged(
    workspace: Workspace, monitor: Monitor, now: float, anew: Collection[tuple[str, int]], tell: Tell
) -> tuple[list[Record], Sequence[File], str]:
    """Judge what is not judged yet, and what is asked for anew; also return the files, and what lacked."""
    taught = references.learn(workspace, monitor, tell)
    frame, files = reading.files(workspace, monitor.data, monitor.time, _start(taught))
    cuts = _ready(frame, taught, monitor, now)
    known = {
        (one.part, one.begin): one
        for one in sorted(records(workspace, monitor.name), key=lambda one: one.at)
        if (one.part, one.begin) not in anew
    }
    new = list(_data(workspace, monitor, taught, frame, cuts, files, known, tell))
    scored, unscored = _performance(workspace, monitor, taught, frame, cuts, known, now)
    return [*new, *scored], files, unscored


def _start(taught: Taught) -> int:
    """Return where the windows to watch begin: at the first whole day (or hour) after the reference."""
    times = taught.whole.times
    if times is None or not len(times):
        return 0
    last = int(times[-1].astype("datetime64[s]").astype(np.int64))
    edge = cutting.unit(taught.reference.length)
    return (last // edge + 1) * edge


def _ready(frame: Frame, taught: Taught, monitor: Monitor, now: float) -> list[Window]:
    """Return the windows that are over: by the clock, or since later rows are there."""
    if frame.times is None or not len(frame):
        return []
    latest = int(frame.times[-1].astype("datetime64[s]").astype(np.int64))
    step = taught.reference.step or 0
    return [
        one
        for one in cutting.cut(frame, monitor.window, start=_start(taught))
        if one.end <= now or latest + step >= one.end
    ]


def _data(
    workspace: Workspace,
    monitor: Monitor,
    taught: Taught,
    frame: Frame,
    cuts: Sequence[Window],
    files: Sequence[File],
    known: dict[tuple[record.Part, int], Record],
    tell: Tell,
) -> Iterator[Record]:
    contract = _contract(workspace, monitor, files, tell)
    before: set[str] = set()
    for place, window in enumerate(cuts):
        rows = frame.take(window.rows)
        old = known.get(("data", window.begin))
        digest = judging.digest(rows.without(monitor.apart))
        mine = {one.path: one.md5 for one in files if one.last >= window.begin and one.first < window.end}
        told = [
            finding
            for path, findings in contract.items()
            for finding in findings
            if path in mine and place == _last_of(path, cuts, files)
        ]
        if (
            old is not None
            and old.digest == digest
            and old.reference == monitor.md5
            and not _newer(told, old)
        ):
            before = _over(old)
            continue
        if not len(rows):
            made = judging.empty(monitor, taught.reference, window)
        else:
            made = judging.judge(
                monitor, taught.reference, rows, window, before=before, contract=told, files=mine
            )
        before = _over(made)
        tell(Progress(f"monitor {monitor.name}", place + 1, len(cuts), "windows", detail=window.name))
        yield made


def _over(one: Record) -> set[str]:
    return {name for name, value in one.values.items() if name.startswith("marginal:") and value[2]}


def _newer(told: Sequence[Finding], old: Record) -> bool:
    """Whether the contract says something else than it said of this window before."""
    said = {
        one["name"]: one["why"]
        for one in old.verdict.get("findings", ())
        if str(one.get("name", "")).startswith("contract") and one.get("outcome") != "skipped"
    }
    return {one.name: one.why for one in told} != said


def _last_of(path: str, cuts: Sequence[Window], files: Sequence[File]) -> int:
    """Return the newest window that a file has rows in: what the contract says of the file is told there."""
    last = next(one.last for one in files if one.path == path)
    return max((place for place, one in enumerate(cuts) if one.begin <= last), default=-1)


def _contract(
    workspace: Workspace, monitor: Monitor, files: Sequence[File], tell: Tell
) -> dict[str, list[Finding]]:
    """Return what the contract says of each file, where the monitor has one."""
    if not monitor.contract:
        return {}
    from provenote.contracts import checking, contract_file, told

    contract = contract_file.read(contract_file.file_of(workspace.dvc_root / monitor.contract))
    if contract is None:
        finding = Finding("contract", "not judged", f"{monitor.contract} has no contract any more")
        return {one.path: [finding] for one in files if not one.problem}
    given = [(one.path, one.md5, one.place) for one in files if not one.problem]
    reports, _ = checking.check_files(workspace, contract, given, tell=tell, label=monitor.name)
    made: dict[str, list[Finding]] = {}
    for (path, md5, _), report in zip(given, reports, strict=True):
        checked = checking.Checked(path, False, md5, contract, (replace(report, file=""),))
        findings = [one for one in told.verdict(checked).findings if one.outcome != "passed"]
        # Widening a rule would not help: it is inferred from the reference, which keeps it.
        named = [
            replace(one, name=f"contract {path}: {one.name}", mend=one.mend.partition("; if it is right")[0])
            for one in findings
        ]
        made[path] = named or [Finding(f"contract {path}", "passed", "the contract holds")]
    return made


def _performance(
    workspace: Workspace,
    monitor: Monitor,
    taught: Taught,
    frame: Frame,
    cuts: Sequence[Window],
    known: dict[tuple[record.Part, int], Record],
    now: float,
) -> tuple[list[Record], str]:
    """Judge the windows whose labels must be there by now, and keep those that are new or differ."""
    if not monitor.label:
        return [], ""
    after = monitor.labels_after or 0
    ripe = [(one, frame.take(one.rows)) for one in cuts if len(one) and one.end + after <= now]
    if not ripe:
        return [], ""
    predictor = performance.Predictor(workspace, monitor)
    shape = (monitor.md5, monitor.until, monitor.window, monitor.label, monitor.prediction)
    key = " ".join(map(str, (*shape, _holder(workspace, monitor))))
    file = _folder(workspace) / f"{monitor.name}.history.json"
    past = performance.remembered(
        file, key, lambda: performance.history(predictor, monitor, taught.reference, taught.whole)
    )
    accepted = [one.window for one in monitor.accepted]
    made = []
    scored, unscored = performance.judge(monitor, ripe, predictor, past, accepted)
    for one in scored:
        old = known.get(("performance", one.begin))
        if old is None or old.values != json.loads(json.dumps(one.values)) or old.level != one.level:
            made.append(one)
    return made, unscored


def _holder(workspace: Workspace, monitor: Monitor) -> str:
    """Return which version predicts, so that a history is not kept beyond it."""
    if monitor.prediction:
        return ""
    try:
        from provenote.registry import reading as registry_reading

        registry = registry_reading.read(workspace)
        return str(registry.state.current((registry.path, monitor.model, monitor.stage)).subject.reference)
    except ProvenoteError:
        return ""


def _keep(workspace: Workspace, monitor: Monitor, new: Sequence[Record], files: Sequence[File]) -> None:
    """Write each judgement as a run; of several at once the newest is the parent of the others."""
    from provenote.tracking import starting

    parent: str | None = None
    for one in reversed(new):
        with _outside_jobs():
            run = starting.start(
                f"{monitor.name} {one.window}" + (" performance" if one.part == "performance" else ""),
                kind=KIND,
                params={"monitor": monitor.name, "model": monitor.model, "window": one.window},
                parent=parent,
                folder=workspace.dvc_root,
            )
        with run:
            numbers = {
                name: value[0]
                for name, value in one.values.items()
                if isinstance(value[0], float) and not name.startswith("error_")
            }
            run.log({"rows": one.rows, **numbers})
            for file in files:
                if not file.problem and file.last >= one.begin and file.first < one.end:
                    run.record({"read": {"path": file.path, "md5": file.md5, "size": file.size, "rev": None}})
            plain = one.plain()
            run.record({"extra": {"monitor": plain}})
            run.tag("monitor", one.level)
            verdict = run.folder / "verdict.json"
            verdict.write_text(json.dumps(plain["verdict"], indent=1) + "\n", encoding="utf-8")
            run.log_artifact(verdict, "verdict", type="verdict")
        parent = parent or run.id


@contextlib.contextmanager
def _outside_jobs() -> Iterator[None]:
    """Let a look inside a job make runs of its own, instead of joining the job's."""
    from provenote.tracking.active import RUN_VARIABLE

    kept = os.environ.pop(RUN_VARIABLE, None)
    try:
        yield
    finally:
        if kept is not None:
            os.environ[RUN_VARIABLE] = kept


# What this clone remembers of its looks ---------------------------------------------------------


def _folder(workspace: Workspace) -> Path:
    return workspace.home / "monitors"


def _last(workspace: Workspace, name: str) -> float | None:
    try:
        told = json.loads((_folder(workspace) / f"{name}.json").read_text(encoding="utf-8"))
        return float(told["looked"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _looked(workspace: Workspace, name: str, now: float) -> None:
    file = _folder(workspace) / f"{name}.json"
    waiting = file.with_name(f".{name}.{os.getpid()}")
    try:
        waiting.write_text(json.dumps({"schema": 1, "looked": now}), encoding="utf-8")
        waiting.replace(file)
    except OSError as error:
        raise WorldError(f"{file} cannot be written: {error.strerror}", "Check who owns it") from error


@contextlib.contextmanager
def _alone(workspace: Workspace, monitor: Monitor) -> Iterator[None]:
    """Hold the lock of a monitor's looks."""
    folder = _folder(workspace)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / f"{monitor.name}.lock", "w")  # noqa: SIM115 - held by the `with` below
    except OSError as error:
        raise WorldError(f"{folder} cannot be written: {error.strerror}", "Check who owns it") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise WorldError(
                f"another look of {monitor.name} goes on in this repository", "Wait for its end"
            ) from None
        yield


def stamp(now: float | None = None) -> str:
    """Return the present as it stands in the file of monitors."""
    moment = datetime.fromtimestamp(time.time() if now is None else now, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S+00:00")


def plain(one: Standing) -> dict[str, Any]:
    """Return how a monitor stands as plain JSON."""
    return {
        "schema": 1,
        "monitor": one.monitor.name,
        "model": one.monitor.model,
        "level": one.level,
        "silent": one.silent,
        "last": one.last,
        "alerts": [alert.plain() for alert in one.alerts],
        "windows": [
            {
                "window": each.window,
                "part": each.part,
                "level": each.level,
                "rows": each.rows,
                "run": each.run,
                "verdict": dict(each.verdict),
            }
            for each in (*one.data, *one.performance)
        ],
    }
