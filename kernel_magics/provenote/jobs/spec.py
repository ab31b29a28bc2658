"""What a job is to do: frozen, canonical, and named by its own content.

Two specifications with the same content are the same job, so submitting one twice starts it once: a sweep
that goes on after a crash finds its finished jobs. ``nonce`` tells apart what is meant to run again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass, field
from typing import Any, Literal

from provenote.errors import WorldError
from provenote.jobs.kinds import Secret
from provenote.model import SCHEMA

THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS", "LOKY_MAX_CPU_COUNT",
)  # fmt: skip

# Fields that older specifications lack: left out while empty, so that what names a job stays the same.
_LATER = ("origin", "sweep", "until", "test")

_QUEUED = ("parent", "on")  # said when a job is queued: another time it may be otherwise
LOCAL = "local"


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A notebook with its parameters, or a sweep of them.

    Parameters
    ----------
    notebook : str
        POSIX path of the notebook from the DVC root.
    blob : str
        Git blob id of its bytes when the job was made.
    given : dict
        The parameters that are injected: values of JSON, NaN and infinity included, tuples, and secrets by
        reference.
    params : dict
        All parameters of the run: the notebook's defaults and those given.
    commit : str or None
        HEAD when the job was made.
    kernel : str
        Name of the kernel specification.
    label : str
        Name of the run.
    timeout : float
        Seconds the whole notebook may take; 0 means no limit.
    cell_timeout : float
        Seconds one cell may take; 0 means no limit.
    threads : int
        Threads of OpenMP and BLAS.
    output : str or None
        Absolute path that gets a copy of the executed notebook.
    env : dict
        Environment variables the kernel gets on top of the submitter's.
    parent : str or None
        Id of the sweep, or of the run, that this job's run belongs to. It is said when the job is queued, and
        is no part of what names it.
    on : str
        Where it runs, as ``--on`` says it. Said when the job is queued too, and no part of what names it.
    sweep : dict
        For a job of a sweep, what names the sweep in the run: ``label``, ``axes``, ``size``.
    nonce : str
        What tells apart two jobs that are otherwise equal.
    origin : str or None
        Id of the past run that it starts from: the job works in the folder where that run is restored.
    kind : {'notebook', 'sweep'}
    jobs : tuple of dict
        For a sweep, what each job gives: parameter values.
    parallel : int
        For a sweep, how many jobs run at once.
    until : str
        For a sweep, a query: once the run of a job matches, no further job is started.
    test : bool
        Whether the notebook is a test: then each of its cells must run, and its asserts are its result.
    """

    notebook: str
    blob: str
    kernel: str
    label: str
    nonce: str
    given: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    commit: str | None = None
    timeout: float = 0
    cell_timeout: float = 0
    threads: int = 1
    output: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    parent: str | None = None
    kind: Literal["notebook", "sweep"] = "notebook"
    jobs: tuple[dict[str, Any], ...] = ()
    parallel: int = 1
    origin: str | None = None
    on: str = LOCAL
    sweep: dict[str, Any] = field(default_factory=dict)
    until: str = ""
    test: bool = False

    @property
    def id(self) -> str:
        """SHA-256 of the canonical form, in hex: no time, no machine is in it."""
        return hashlib.sha256(self.canonical()).hexdigest()

    def canonical(self) -> bytes:
        """Return the canonical JSON form: sorted keys, no spaces, ASCII, one trailing line break."""
        names = [field.name for field in dataclasses.fields(self) if field.name not in _QUEUED]
        plain = {"schema": SCHEMA, **{name: _encode(getattr(self, name)) for name in names}}
        for name in _LATER:
            if not plain[name]:
                del plain[name]
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return text.encode() + b"\n"


def parse(content: bytes) -> JobSpec:
    """Read a specification.

    Raises
    ------
    WorldError
        If it is damaged, or written by a newer version.
    """
    try:
        plain = json.loads(content)
        schema = plain.pop("schema")
        if schema > SCHEMA:
            raise WorldError(
                "this job was made by a newer version of provenote", "Upgrade: `pip install -U provenote`"
            )
        known = {f.name for f in dataclasses.fields(JobSpec)}
        values = {name: _decode(value) for name, value in plain.items() if name in known}
        values["jobs"] = tuple(values.get("jobs", ()))
        return JobSpec(**values)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WorldError(
            f"a job's spec.json is damaged ({error})", "Remove its folder: `provenote jobs` lists them"
        ) from error


def _encode(value: Any) -> Any:
    """Return ``value`` as JSON has it; what JSON lacks becomes a tagged map."""
    if isinstance(value, Secret):
        return {"$secret": str(value)}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    if isinstance(value, tuple):
        return {"$tuple": [_encode(item) for item in value]}
    if isinstance(value, list):
        return [_encode(item) for item in value]
    if isinstance(value, dict):
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: _encode(item) for key, item in value.items()}
        return {"$dict": [[_encode(key), _encode(item)] for key, item in value.items()]}
    return value


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if isinstance(value, dict):
        if set(value) == {"$float"}:
            return float(value["$float"])
        if set(value) == {"$secret"}:
            return Secret(value["$secret"])
        if set(value) == {"$tuple"}:
            return tuple(_decode(item) for item in value["$tuple"])
        if set(value) == {"$dict"}:
            return {_decode(key): _decode(item) for key, item in value["$dict"]}
        return {key: _decode(item) for key, item in value.items()}
    return value
