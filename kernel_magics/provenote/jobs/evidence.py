"""What ran in a job, as its engine knows it: evidence for the run, and the executed notebook it keeps."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote import config
from provenote.git import secrets
from provenote.jobs.notebook import blob, text

if TYPE_CHECKING:
    from provenote.jobs.recorder import JobRecorder
    from provenote.jobs.spec import JobSpec


class Evidence:
    """Tells `provenote.tracking.active` what ran, at the start and at the end of the run.

    Parameters
    ----------
    spec : JobSpec
    path : Path
        The notebook on disk.
    recorder : JobRecorder
    settings : Settings
    """

    def __init__(self, spec: JobSpec, path: Path, recorder: JobRecorder, settings: config.Settings) -> None:
        self._spec = spec
        self._path = path
        self._recorder = recorder
        self._settings = settings
        self.run_folder: Path | None = None

    def __call__(self) -> dict[str, Any]:
        """Return the evidence as ``capture.json`` keeps it."""
        kernel = self._of_kernel()
        own: dict[str, Any] = {"notebook": self._spec.notebook, "disk": self._disk()}
        if kernel.get("linearity", "unknown") == "unknown":
            # Our engine sends each cell once, in the order of the document: there is no other way through it.
            own["linearity"] = "linear"
            own["evidence"] = {"job": [[cell["id"], cell["status"]] for cell in self._recorder.cells]}
        if self._recorder.executed is not None:
            own["executed"], own["redacted"] = stored(self._recorder.executed, self._settings)
        return {**kernel, **own}

    def _of_kernel(self) -> dict[str, Any]:
        """Return what the kernel's own capture wrote, if the notebook loads the extension."""
        if self.run_folder is None:
            return {}
        try:
            found = json.loads((self.run_folder / "capture.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _disk(self) -> str:
        try:
            return "same" if blob(self._path.read_bytes()) == self._spec.blob else "differs"
        except OSError:
            return "unknown"


def stored(executed: dict[str, Any], settings: config.Settings) -> tuple[dict[str, Any], int]:
    """Return the executed notebook as a run keeps it: outputs limited, without certain secrets. Pure.

    Returns
    -------
    notebook : dict
    redacted : int
        How many secrets were taken out.
    """
    from provenote.tracking.outputs import Outputs, lines

    count = 0

    def redact(words: str) -> str:
        nonlocal count
        clean, found = secrets.redact(words)
        count += found
        return clean

    notebook = copy.deepcopy(executed)
    for cell in notebook["cells"]:
        cell["source"] = lines(redact(text(cell)))
        if cell["cell_type"] != "code":
            continue
        status = cell["metadata"].get("papermill", {}).get("status")
        ok = {"completed": True, "failed": False}.get(status)  # None: it did not run
        cell["metadata"]["provenote"] = {"cell": cell["id"], "ok": ok}
        outputs = Outputs()
        for output in cell["outputs"]:
            kind = output["output_type"]
            if kind == "stream":
                outputs.stream(output["name"], "".join(output["text"]))
            elif kind == "error":
                outputs.error(output["ename"], output["evalue"], output["traceback"])
            else:
                outputs.display(kind, output["data"], output["metadata"])
        limit, number = settings.output_limit, cell["execution_count"]
        cell["outputs"] = outputs.stored(limit, redact, number) if settings.store_outputs else []
    return notebook, count
