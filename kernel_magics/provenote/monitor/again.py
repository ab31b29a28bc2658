"""Judge again before a person is called: the windows that ring, in a clean process, from the bytes on disk.

``python -m provenote.monitor.again`` reads one JSON request from its standard input: which windows of which
monitor. It reads reference, data, contract and model anew, judges, and answers with one JSON list. What does
not come out the same calls nobody: it is not judged, and says so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from provenote.checks.verdict import Finding, Verdict
from provenote.monitor.record import Record

if TYPE_CHECKING:
    from provenote.workspace import Workspace

NAME = "judged again"
_CODE = "import sys; from provenote.monitor.again import main; sys.exit(main())"


def confirmed(workspace: Workspace, name: str, found: Sequence[Record], now: float) -> list[Record]:
    """Return judgements, those that call a person held against a second one from a clean process.

    Parameters
    ----------
    workspace : Workspace
    name : str
        Of the monitor.
    found : sequence of Record
        Judged just now.
    now : float
        The time to judge by; seconds since 1970.
    """
    ringing = [one for one in found if one.level == "act"]
    if not ringing:
        return list(found)
    second = _asked(workspace, name, ringing, now)
    return [_held(one, second) if one.level == "act" else one for one in found]


def _asked(
    workspace: Workspace, name: str, ringing: Sequence[Record], now: float
) -> dict[tuple[str, int], Mapping[str, Any]] | str:
    """Return the second judgements by part and begin, or why there are none."""
    request = {"monitor": name, "now": now, "windows": [[one.part, one.begin] for one in ringing]}
    inner = ("PROVENOTE_RUN", "PROVENOTE_JOB", "JPY_SESSION_NAME")
    environment = {key: value for key, value in os.environ.items() if key not in inner}
    done = subprocess.run(
        [sys.executable, "-P", "-c", _CODE],
        input=json.dumps(request), capture_output=True, text=True, cwd=workspace.dvc_root, env=environment,
    )  # fmt: skip
    try:
        told = json.loads(done.stdout)
        return {(str(one["part"]), int(one["begin"])): one for one in told}
    except (ValueError, KeyError, TypeError):
        said = done.stderr.strip().splitlines()[-1:] or [f"the process ended with {done.returncode}"]
        return said[0][:200]


def _held(one: Record, second: dict[tuple[str, int], Mapping[str, Any]] | str) -> Record:
    """Return a judgement as it stands after the second one. Pure."""
    if isinstance(second, str):
        return _with(one, Finding(NAME, "skipped", f"could not be judged again: {second}"))
    other = second.get((one.part, one.begin))
    if other is None:
        why = "it rang, and judged again in a clean process its rows are not there"
    elif other["level"] != one.level or _text(other["values"]) != _text(one.values):
        now = other["level"]
        why = f"it rang, and judged again in a clean process it is {now}: data or model changed meanwhile"
    else:
        return _with(one, Finding(NAME, "passed", "judged again in a clean process: the same"))
    finding = Finding(NAME, "not judged", why, mend=f"Look again: `provenote monitor run {one.monitor}`")
    # Without a digest of its rows the next look judges it as if it were new.
    return replace(_with(one, finding), level="not judged", causes=(), digest="")


def _text(values: Any) -> str:
    """Return values as text, in which NaN equals NaN, and sums in another order are the same."""
    if isinstance(values, Mapping):
        return str({name: _text(values[name]) for name in sorted(values)})
    if isinstance(values, (list, tuple)):
        return str([_text(one) for one in values])
    return f"{values:.9g}" if isinstance(values, float) else repr(values)


def _with(one: Record, finding: Finding) -> Record:
    """Return a judgement with one more finding in its verdict."""
    more = Verdict("", {}, (finding,)).plain()["findings"]
    return replace(one, verdict={**one.verdict, "findings": [*one.verdict.get("findings", ()), *more]})


def main() -> int:
    """Serve one request."""
    from provenote import workspace as workspaces
    from provenote.monitor import definition, watching

    request = json.load(sys.stdin)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a model prints does not go to the answer
    place = workspaces.find()
    monitor = definition.read(place.dvc_root)[request["monitor"]]
    wanted = {(str(part), int(begin)) for part, begin in request["windows"]}
    told = [
        {"part": one.part, "begin": one.begin, "level": one.level, "values": one.values}
        for one in watching.judged(place, monitor, float(request["now"]), wanted)
    ]
    answers.write(json.dumps(told))
    answers.close()
    return 0
