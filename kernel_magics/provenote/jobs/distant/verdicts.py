"""What the verdict of an attempt, or an error of Dask's, means for a job. Pure."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Mapping
from typing import Any

from provenote.errors import WorldError
from provenote.jobs.outcome import as_error


def event(answer: Mapping[str, Any], asked: bool) -> dict[str, Any] | None:
    """Return the last event of a job by its attempt's verdict; None if the attempt counts as lost.

    Parameters
    ----------
    answer : mapping
        What `provenote.jobs.distant.task.work` returned.
    asked : bool
        Whether somebody asked to stop the job.
    """
    verdict = answer["verdict"]
    if verdict == "cancelled" or (verdict == "died" and asked):
        return {"state": "cancelled", "reason": "before the notebook began"}
    if verdict == "died":
        reason = f"its attempt on {answer['host']} was killed ({how(answer['code'])})"
        said = f": {answer['said'][0]}" if answer["said"] else ""
        return {"state": "killed", "reason": reason + said}
    if verdict == "broken":
        what, host = answer["error"]["what"], answer["host"]
        what = what if host in what else f"{what}, says the worker on {host}"
        return {"state": "failed", "reason": what, "error": {**answer["error"], "what": what}}
    return None


def why_lost(answer: Mapping[str, Any]) -> str:
    """Return how an attempt was lost whose verdict is no end of the job."""
    if answer["verdict"] == "left":
        return f"the worker {answer['worker']} left"
    return f"its refs on the remote were moved ({answer['verdict']})"


def of_error(error: BaseException, scheduler: str, version: str | None) -> dict[str, Any]:
    """Return the last event of a job whose task broke off with an error of Dask's.

    Parameters
    ----------
    error : BaseException
    scheduler : str
        Its address.
    version : str or None
        Our own, which the worker should have.
    """
    what, mend = " ".join(f"{type(error).__name__}: {error}".split()), None
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (ImportError, AttributeError)) and "provenote" in str(cause):
            what = f"a worker of {scheduler} has no provenote, or an older one"
            exact = f"=={version}" if version else ""
            mend = f"Install it there: `pip install 'provenote[dask]{exact}'`"
        cause = cause.__cause__ or cause.__context__
    return {"state": "failed", "reason": what, "error": as_error(WorldError(what, mend))}


def how(code: int | None) -> str:
    """Return how a process ended, in words."""
    if code is None or code >= 0:
        return f"exit status {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
