"""Examine the project and its surroundings: what is in force, what is wrong, and what mends it."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from provenote import config, doctor_room, workspace
from provenote.doctor_room import Finding
from provenote.errors import ProvenoteError
from provenote.git.command import resolve
from provenote.git.command import run as git_run

_SECRET_KEYS = re.compile(r"^\s*(?:\w*(?:password|secret|token|account_key|access_key)\w*)\s*=", re.I | re.M)


def examine(folder: Path) -> Iterator[Finding]:
    """Yield the findings for the project at ``folder``, cheap ones first."""
    yield from _programs()
    try:
        place = workspace.find(folder)
    except ProvenoteError as error:
        yield Finding(error.what, "failed", error.mend or "")
        return
    yield Finding(f"project {place.dvc_root}" + (f" in the repository {place.top}" if place.prefix else ""))
    yield from _settings(place.dvc_root)
    yield from _repository(place)
    yield from _runs(place)
    yield from _requests(place)
    yield from _reviews(place)
    yield from _data(place)
    yield from _space(place)
    yield from _monitors(place)
    yield from doctor_room.disk(place)
    yield from doctor_room.advisories(place)
    yield from _kernels()
    yield from _warm()


def settings(folder: Path) -> dict[str, Any]:
    """Return every setting in force with where it is set."""
    place = workspace.find(folder)
    told = config.explain(place.dvc_root)
    now = config.load(place.dvc_root)
    return {
        name: {"value": _plain(getattr(now, name)), "from": told[name][1] if name in told else "default"}
        for name in config.Settings.__dataclass_fields__
    }


def _plain(value: Any) -> Any:
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value  # type: ignore[arg-type]


def _programs() -> Iterator[Finding]:
    yield Finding(f"provenote {_version('provenote')}, Python {sys.version.split()[0]}, {sys.executable}")
    git = shutil.which("git")
    if git is None:
        yield Finding("git is not on the PATH", "failed", "Install Git 2.31 or newer")
    else:
        said = subprocess.run([git, "--version"], capture_output=True, text=True).stdout.strip()
        numbers = tuple(int(part) for part in re.findall(r"\d+", said)[:2])
        old = numbers < (2, 31)
        yield Finding(said, "failed" if old else "ok", "Install Git 2.31 or newer" if old else "")
    for name in ("dvc", "papermill", "jupyterlab", "scikit-learn"):
        version = _version(name)
        yield (
            Finding(f"{name} {version}")
            if version
            else Finding(f"{name} is missing", "failed", f"`pip install {name}`")
        )
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        yield Finding(
            "PYTHONDONTWRITEBYTECODE is set: each job compiles its imports again, twice as slow",
            "warn",
            f"Compile once: `{Path(sys.executable).name} -m compileall -q {_site_packages()}`",
        )


def _site_packages() -> str:
    import sysconfig

    return sysconfig.get_path("purelib")


def _settings(root: Path) -> Iterator[Finding]:
    try:
        for name, (value, where) in config.explain(root).items():
            yield Finding(f"setting {name} = {_plain(value)!r} from {where}")
    except ProvenoteError as error:
        yield Finding(error.what, "failed", error.mend or "Mend the file by hand")


def _repository(place: workspace.Workspace) -> Iterator[Finding]:
    if resolve(place.top, "HEAD") is None:
        yield Finding(
            "no commit yet, and a run needs one as its baseline",
            "failed",
            '`git commit --allow-empty -m "first"`',
        )
    if git_run(place.top, "config", "user.email").returncode:
        yield Finding(
            "Git does not know who you are; runs are written as provenote@localhost",
            "warn",
            '`git config user.email "you@example.org"`',
        )
    if not os.access(place.common_dir, os.W_OK):
        yield Finding(
            f"{place.common_dir} cannot be written: runs can be read, not made", "failed", "Check who owns it"
        )
    remotes = git_run(place.top, "remote").stdout.decode().split()
    yield Finding(
        f"Git remote {', '.join(remotes)}" if remotes else "no Git remote: runs live in this clone only",
        "ok" if remotes else "warn",
        "" if remotes else "`git remote add origin URL`",
    )


def _runs(place: workspace.Workspace) -> Iterator[Finding]:
    from provenote.stores import index, runs

    try:
        rows, hidden = index.rows(place)
    except ProvenoteError as error:
        yield Finding(error.what, "failed", error.mend or "")
        return
    yield Finding(f"{len(rows)} runs, {hidden} more on other branches")
    for run, problem in runs.close_dead(place.common_dir, place.home):
        if problem:
            yield Finding(
                f"run {run.meta['name']}: {problem}", "warn", "It is shown by `provenote track status`"
            )


def _requests(place: workspace.Workspace) -> Iterator[Finding]:
    from provenote.registry import news, reading

    if not reading.there(place):
        return
    try:
        registry = reading.read(place)
    except ProvenoteError as error:
        yield Finding(error.what, "failed", error.mend or "")
        return
    mine, waiting = news.remember(registry)
    told = f"{waiting} request{'' if waiting == 1 else 's'} for stages, {mine} of them for you"
    yield Finding(told, "ok", "See them: `provenote inbox`" if waiting else "")


def _reviews(place: workspace.Workspace) -> Iterator[Finding]:
    from provenote.reviews import turns

    try:
        found = turns.waiting(place)
    except ProvenoteError as error:
        yield Finding(error.what, "failed", error.mend or "")
        return
    if found is None:
        return
    book, mine = found.desk.book, len(found.reviews)
    told = f"{len(book.reviews)} reviews, {mine} wait for you"
    yield Finding(told, "ok", "See them: `provenote inbox`" if mine else "")
    if book.refused:
        why = "Read why: `provenote review list --json`"
        yield Finding(f"{len(book.refused)} event files of reviews do not count", "warn", why)


def _data(place: workspace.Workspace) -> Iterator[Finding]:
    import configparser

    remote = None
    for name in ("config", "config.local"):
        path = place.dvc_root / ".dvc" / name
        try:
            text = path.read_text(encoding="utf-8")
        except OSError:
            continue
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(text)
        except configparser.Error:
            yield Finding(
                f".dvc/{name} is not readable", "failed", "Mend it by hand, or `git checkout .dvc/config`"
            )
            continue
        remote = parser.get("core", "remote", fallback=remote)
        if name == "config" and _SECRET_KEYS.search(text):
            yield Finding(
                ".dvc/config is in Git and holds a secret",
                "failed",
                "Move it: `dvc remote modify --local NAME KEY VALUE`, and change the secret",
            )
        if name == "config.local" and _SECRET_KEYS.search(text) and path.stat().st_mode & 0o077:
            yield Finding(
                ".dvc/config.local holds a secret that others can read",
                "warn",
                "`chmod 600 .dvc/config.local`",
            )
    yield Finding(
        f"DVC remote {remote}" if remote else "no DVC remote: data and models live in this clone only",
        "ok" if remote else "warn",
        "" if remote else "`dvc remote add -d NAME URL`",
    )
    yield Finding(f"DVC cache {place.cache_dir}")
    dvc_yaml = place.dvc_root / "dvc.yaml"
    if dvc_yaml.exists():
        import yaml

        try:
            yaml.safe_load(dvc_yaml.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            yield Finding(
                f"dvc.yaml is not valid YAML ({str(error).splitlines()[0]}): plain `dvc` shows no run",
                "failed",
                "Mend dvc.yaml, or take it back: `git checkout dvc.yaml`",
            )


def _monitors(place: workspace.Workspace) -> Iterator[Finding]:
    """Tell which monitors nobody looked with: their silence is no good news."""
    if not (place.dvc_root / "provenote.monitors.yaml").exists():
        return
    from provenote.monitor import watching

    try:
        for monitor, why in watching.silent_monitors(place):
            mend = f"`provenote monitor run {monitor.name}`, and a timer: `provenote tick install cron`"
            yield Finding(f"monitor {monitor.name}: {why}", "warn", mend)
    except ProvenoteError as error:
        yield Finding(error.what, "failed", error.mend or "")


def _space(place: workspace.Workspace) -> Iterator[Finding]:
    """Tell what a plain ``dvc gc`` would delete though runs need it."""
    from provenote.compare.numbers import counted, size
    from provenote.keeping.forecast import forecast

    try:
        found = forecast(place)
    except ProvenoteError as error:
        yield Finding(f"what `dvc gc` would delete is not known: {error.what}", "warn", error.mend or "")
        return
    if found.unheld:
        yield Finding(
            f"{counted(found.unheld, 'object')} of pinned, archived or promoted runs: not held, or gone",
            "warn",
            "Hold them, and bring back what is held: `provenote gc`",
        )
    dangers = []
    if found.objects:
        needed = (
            f"{counted(found.objects, 'object')} ({size(found.size)}) that {counted(found.runs, 'run')} need"
        )
        dangers.append(needed.replace("1 run need", "1 run needs"))
    if found.versions:
        dangers.append(f"{counted(found.versions, 'object')} ({size(found.versions_size)}) of older data")
    held = (
        f"; {counted(found.held, 'object')} of pinned and archived runs would come back" if found.held else ""
    )
    if dangers:
        yield Finding(
            f"`dvc gc --workspace` would delete {' and '.join(dangers)}{held}",
            "warn",
            "Free space with `provenote gc`; DVC keeps them with "
            "`dvc gc --workspace --all-branches --all-tags --all-experiments`",
        )
    elif held:
        yield Finding(f"`dvc gc --workspace` would delete nothing that is needed for good{held}")


def _kernels() -> Iterator[Finding]:
    """Tell which Jupyter kernels do not have this version of us."""
    from jupyter_client.kernelspec import KernelSpecManager

    for name, found in KernelSpecManager().get_all_specs().items():
        spec = found["spec"]
        if spec.get("language") != "python" or not spec.get("argv"):
            continue
        python = spec["argv"][0]
        if os.path.realpath(shutil.which(python) or python) == os.path.realpath(sys.executable):
            yield Finding(f"kernel {name} runs in this environment")
            continue
        try:
            code = "from importlib.metadata import version; print(version('provenote'))"
            answer = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=20)
            theirs = answer.stdout.strip()
        except (OSError, subprocess.TimeoutExpired):
            theirs = ""
        if not theirs:
            yield Finding(
                f"kernel {name} ({python}) has no Provenote", "warn", f"`{python} -m pip install provenote`"
            )
        elif theirs != _version("provenote"):
            yield Finding(
                f"kernel {name} has Provenote {theirs}, here it is {_version('provenote')}",
                "warn",
                f"`{python} -m pip install provenote=={_version('provenote')}`",
            )


def _warm() -> Iterator[Finding]:
    """Tell which processes linger so that jobs start quickly, and for how long."""
    from provenote.jobs import warm

    try:
        living = warm.lingering()
    except ProvenoteError as error:
        yield Finding(error.what, "warn", error.mend or "")
        return
    for one in living:
        packages = {name.partition(".")[0] for name in one.facts.get("preloaded", ())}
        imported = f" with {', '.join(sorted(packages))}" if packages else ""
        yield Finding(
            f"warm process for {one.role}s{imported}, number {one.facts.get('pid', 'unknown')}: "
            "`provenote jobs --stop-warm` ends it"
        )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
