"""Whether a model loads elsewhere and still says the same: in a clean process, about its golden rows."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.checks import golden
from provenote.checks.behaviour import same
from provenote.checks.verdict import Finding
from provenote.errors import ProvenoteError, UsageError

if TYPE_CHECKING:
    import pandas

    from provenote.checks.subject import Examined
    from provenote.workspace import Workspace

PATIENCE = 300.0
"""Seconds that the process may take: a cold import of scikit-learn on a busy machine is slow."""
CLOSE = 1e-6
"""Relative difference that another build of numpy may make."""
NAME = "loads clean"


def loads_clean(
    workspace: Workspace, tested: Examined, features: pandas.DataFrame | None = None, *, build: bool = False
) -> Finding:
    """Load a model in a process of its own and compare its answers with the golden rows.

    The process has the recorded packages where their environment was built here (``provenote env create
    RUN``, or ``build``); else it is a fresh process of this environment, and the finding says how far that
    differs from the recorded one.

    Parameters
    ----------
    workspace : Workspace
    tested : Examined
    features : DataFrame, optional
        Rows of which golden ones are kept now, where the model has none yet.
    build : bool
        Build the recorded environment first, which may need a network.

    Raises
    ------
    UsageError
        If no run kept the model, or its format is opened by its own library only.
    """
    from provenote.registry import model_bytes

    if tested.artifact is None:
        raise UsageError("only a model that a run kept can be loaded elsewhere", "Log it: `run.log_model`")
    if tested.artifact.format != "skops":
        raise UsageError(f"a model of the format {tested.artifact.format} is opened by its own library only")
    kept = golden.of(workspace, tested)
    if kept is None and features is not None:
        golden.first(workspace, tested, features)
        kept = golden.of(workspace, tested)
    if kept is None:
        return Finding(NAME, "not judged", "no golden rows were kept", mend="Log it with `X=X, y=y`")
    python, where, sure = _interpreter(workspace, tested, build)
    with tempfile.TemporaryDirectory(prefix="provenote-") as folder:
        place = Path(folder) / "model.skops"
        place.write_bytes(model_bytes.content(workspace, tested.artifact))
        request = {
            "model": str(place),
            "trusted": sorted(set(tested.trusted)),
            "columns": kept.columns,
            "dtypes": kept.dtypes,
            "rows": kept.rows,
        }
        answer = _asked(python, request, folder)
    evidence = {"where": where, "python": answer.get("python"), "rows": len(kept.rows), "golden": kept.since,
                "recorded_packages": sure}  # fmt: skip
    if "error" in answer:
        mend = f"Build what it was made with: `provenote env create {tested.run}`"
        return Finding(NAME, "failed", f"{answer['error']} (in {where})", mend=mend, evidence=evidence)
    alike = same(answer["said"], kept.said, CLOSE)
    if not alike.all():
        why = f"{int((~alike).sum())} of {len(kept.said)} golden rows get another answer in {where}"
        mend = f"See what differs: `provenote env diff {tested.run}`"
        return Finding(NAME, "failed", why, mend=mend, evidence=evidence)
    return Finding(
        NAME,
        "passed",
        f"{len(kept.said)} golden rows, {kept.since}, get the same answers in {where}",
        evidence=evidence,
    )


def _interpreter(workspace: Workspace, tested: Examined, build: bool) -> tuple[str, str, bool]:
    """Return which Python loads the model, what that is in words, and if its packages are as recorded."""
    from provenote.environments import create, difference, known

    try:
        recorded = known.of_run(workspace, tested.run)
    except ProvenoteError:
        return sys.executable, "a fresh process of this environment; its own was not recorded", False
    if build:
        built = create.create(workspace, recorded)
        return str(built.interpreter), f"an environment with the packages of {tested.run}", not built.skipped
    stands = create.place(workspace, recorded.environment)
    if (stands / create.MARK).exists():
        return str(stands / "bin" / "python"), f"an environment with the packages of {tested.run}", True
    here = known.here(workspace)
    if here.environment.sha256 == recorded.environment.sha256:
        return sys.executable, "a fresh process with the packages that were recorded", True
    many = len(difference.changes(recorded.environment, here.environment))
    words = f"a fresh process of this environment, which differs from the recorded one in {many} packages"
    return sys.executable, words, False


def _asked(python: str, request: dict[str, Any], folder: str) -> dict[str, Any]:
    child = str(Path(__file__).with_name("clean_process.py"))
    try:
        done = subprocess.run(
            [python, "-I", child],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            cwd=folder,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {PATIENCE:.0f} s"}
    except OSError as error:
        return {"error": f"{python} cannot be started: {error.strerror}"}
    try:
        found = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        last = done.stderr.strip().splitlines()
        return {"error": f"it ended with {done.returncode}: {last[-1][:300] if last else 'no word'}"}
    return found if isinstance(found, dict) else {"error": "it answered with no map"}
