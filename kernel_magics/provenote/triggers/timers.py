"""Let something call ``provenote tick``: a line of the user's crontab, or a workflow of GitHub Actions."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from provenote.errors import Refused, UsageError, WorldError
from provenote.triggers import rules

if TYPE_CHECKING:
    from provenote.workspace import Workspace

WORKFLOW = ".github/workflows/provenote-tick.yml"
_MARK = "# made by provenote tick install"

_GITHUB = """\
{mark}
# Start what the rules of {file} ask for. Times are UTC here; a rule's own time zone counts for the rule.
name: provenote tick
on:
  schedule:
    - cron: "{cron}"
  workflow_dispatch:
permissions:
  contents: write # the claims of rules and the runs are refs of this repository
concurrency: provenote-tick
jobs:
  tick:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with:
          fetch-depth: 0
      - uses: actions/setup-python@v5
        with:
          python-version: "{python}"
      - run: pip install {requirements}
      - run: |
          git config user.name provenote-tick
          git config user.email provenote-tick@users.noreply.github.com
          provenote sync
          provenote data pull
          provenote tick --wait
          provenote sync --data
"""


def line(workspace: Workspace) -> str:
    """Return the shell line that any timer may call, as often as it likes."""
    program = f"{shlex.quote(sys.executable)} -m provenote.cli tick"
    home = shlex.quote(str(workspace.home))
    return f"cd {shlex.quote(str(workspace.dvc_root))} && mkdir -p {home} && {program} >>{home}/tick.log 2>&1"


def install_cron(workspace: Workspace, minutes: int) -> str:
    """Put the line into the user's crontab, or replace the one that is there; return it.

    Raises
    ------
    UsageError
        If no timer can have that interval.
    WorldError
        If there is no crontab, or it refuses.
    """
    _check(workspace)
    entry = f"{_every(minutes)} {_escaped(line(workspace))} {_own(workspace)}"
    kept = [one for one in _crontab() if not one.endswith(_own(workspace))]
    _write([*kept, entry])
    return entry


def _check(workspace: Workspace) -> None:
    """Refuse a timer with nothing to do: neither rules nor monitors, or rules that cannot be read."""
    from provenote.monitor import turns

    if not turns.there(workspace) or (workspace.dvc_root / rules.FILE).exists():
        rules.read(workspace.dvc_root)


def remove_cron(workspace: Workspace) -> bool:
    """Take the line out of the user's crontab; False if there was none."""
    there = _crontab()
    kept = [one for one in there if not one.endswith(_own(workspace))]
    if len(kept) == len(there):
        return False
    _write(kept)
    return True


def install_github(workspace: Workspace, minutes: int) -> Path:
    """Write the workflow, and return its path; one that was written before is replaced.

    Raises
    ------
    UsageError
        If there are no rules, or no timer can have that interval.
    Refused
        If the file there is somebody else's.
    """
    _check(workspace)
    path = workspace.top / WORKFLOW
    if path.exists() and not path.read_text(encoding="utf-8").startswith(_MARK):
        raise Refused(f"{WORKFLOW} is not ours", "Move it away, then install again")
    text = _GITHUB.format(
        mark=_MARK,
        file=rules.FILE,
        cron=_every(max(minutes, 5)),
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        requirements=_requirements(workspace),
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise WorldError(f"{WORKFLOW} cannot be written: {error.strerror}", "Check who owns it") from error
    return path


def _requirements(workspace: Workspace) -> str:
    """Return what the workflow installs: what the project says it needs, and ourselves."""
    if (workspace.dvc_root / "requirements.txt").exists():
        return "provenote -r requirements.txt"
    return "provenote ." if (workspace.dvc_root / "pyproject.toml").exists() else "provenote"


def _every(minutes: int) -> str:
    """Return the five fields of a timer that calls every so many minutes."""
    if minutes == 1:
        return "* * * * *"
    if 1 < minutes < 60:
        return f"*/{minutes} * * * *"
    if minutes % 60 == 0 and 60 <= minutes < 24 * 60:
        return f"0 */{minutes // 60} * * *" if minutes > 60 else "0 * * * *"
    raise UsageError(f"no timer calls every {minutes} minutes", "Give 1 to 59, or whole hours: `--every 60`")


def _own(workspace: Workspace) -> str:
    """Return the comment by which the line of this project is known."""
    return f"# provenote tick {_escaped(str(workspace.dvc_root))}"


def _escaped(text: str) -> str:
    """Return ``text`` for a crontab, in which a percent sign ends the command."""
    return text.replace("%", "\\%")


def _crontab() -> list[str]:
    answer = _run(["crontab", "-l"])
    if answer.returncode == 0:
        return answer.stdout.splitlines()
    if "no crontab for" in answer.stderr:
        return []
    raise WorldError(f"crontab -l fails: {' '.join(answer.stderr.split()) or 'no reason given'}")


def _write(lines: list[str]) -> None:
    answer = _run(["crontab", "-"], "".join(f"{one}\n" for one in lines))
    if answer.returncode:
        raise WorldError(f"crontab refuses the line: {' '.join(answer.stderr.split())}")


def _run(words: list[str], given: str | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(words, input=given, capture_output=True, text=True)
    except FileNotFoundError:
        raise WorldError(
            "there is no crontab on this machine",
            "Install cron, or let another timer call the line of `provenote tick line`",
        ) from None
