"""Build the environment of a run again: a virtual environment with the very packages of its lock.

- It is built beside its place under a hidden name and renamed when it is whole: at its place stands nothing
  or all of it. What a killed process left under the hidden name goes away with the next build.
- Who builds holds a lock, and so does uv while it works: two builds of one environment follow each other, and
  the second finds the first's.
- Every package is pinned (`provenote.environments.pins`) and none is resolved: the lock is complete.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.environments import kernels, uv
from provenote.environments.building import Builder
from provenote.errors import Refused, UsageError, WorldError
from provenote.events import Progress, Tell, silent
from provenote.model import SCHEMA
from provenote.stores.environments import Environment
from provenote.travel import restored

if TYPE_CHECKING:
    from provenote.environments.known import Known
    from provenote.workspace import Workspace

FOLDER = ".envs"
MARK = "provenote-environment.json"
"""File in the root of an environment that we built: of which lock, and what is not in it."""
FEW = 6


@dataclass(frozen=True, slots=True)
class Built:
    """An environment that stands.

    Parameters
    ----------
    folder : Path
    python : str
        Its version of Python.
    packages : int
        How many packages of the lock are in it.
    skipped : mapping of str to str
        Packages of the lock that are not in it, as ``name==version``, and why.
    made : bool
        False when it stood there already.
    kernel : str or None
        Name of the kernel that was registered.
    """

    folder: Path
    python: str
    packages: int
    skipped: Mapping[str, str] = field(default_factory=dict)
    made: bool = True
    kernel: str | None = None

    @property
    def interpreter(self) -> Path:
        """Its Python."""
        return self.folder / "bin" / "python"


def place(workspace: Workspace, found: Environment) -> Path:
    """Return where an environment stands when nobody says: once for all runs that had it."""
    return workspace.main_root / restored.FOLDER / FOLDER / found.sha256[:12]


def create(
    workspace: Workspace,
    known: Known,
    path: str | os.PathLike[str] | None = None,
    *,
    skip_missing: bool = False,
    from_index: bool = False,
    kernel: str | None = None,
    tell: Tell = silent,
) -> Built:
    """Build an environment, or find it built.

    Parameters
    ----------
    workspace : Workspace
    known : Known
    path : path, optional
        Where; default: `place`.
    skip_missing : bool
        Leave out the packages that cannot be installed any more.
    from_index : bool
        Take packages that came from a local file or folder from the index, by name and version.
    kernel : str, optional
        Also register it for Jupyter as a kernel of this name.
    tell : Tell
        Where progress goes.

    Raises
    ------
    UsageError
        If uv is missing, something else stands in the place, or a kernel is asked for without ipykernel.
    Refused
        If packages cannot be installed any more; nothing is made then.
    WorldError
        If the disk, the network or uv fails; nothing is made then.
    """
    found = known.environment
    uv.find()
    if kernel is not None:
        kernels.check(kernel, known)
    folder = Path(os.path.abspath(path)) if path is not None else place(workspace, found)
    label = f"environment of {known.name}"
    if path is None:
        restored.hide(workspace)
    try:
        with _alone(workspace, found, label, tell) as lock:
            built = _standing(folder, found)
            if built is None:
                builder = Builder(known, lock, label, tell)
                built = _build(folder, builder, skip_missing=skip_missing, from_index=from_index)
    except BaseException:
        tell(Progress(label, state="failed"))
        raise
    if kernel is not None:
        tell(Progress(label, detail=f"registering the kernel {kernel}"))
        kernels.register(built.interpreter, kernel, known.name)
        built = dataclasses.replace(built, kernel=kernel)
    tell(Progress(label, state="done", detail=os.path.relpath(folder)))
    return built


def _missing(known: Known, skipped: Mapping[str, str]) -> Refused:
    few = "; ".join(f"{name}: {why}" for name, why in list(skipped.items())[:FEW])
    more = f"; and {len(skipped) - FEW} more" if len(skipped) > FEW else ""
    return Refused(
        f"{len(skipped)} of {len(known.environment.packages)} packages of {known.name} cannot be installed "
        f"({few}{more}), and nothing was made",
        f"Build it without them, and add them by hand: `provenote env create {known.name} --skip-missing`",
    )


# ---------------------------------------------------------------------- building


@contextlib.contextmanager
def _alone(workspace: Workspace, found: Environment, label: str, tell: Tell) -> Iterator[int]:
    """Hold the lock of one environment; its descriptor is what is given."""
    path = workspace.home / "environments" / f"{found.sha256}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise WorldError(f"{path} cannot be written ({error.strerror})", "Check the disk of .git") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(Progress(label, detail="another process builds it, waiting"))
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _standing(folder: Path, found: Environment) -> Built | None:
    """Return the environment that stands in a place, or None where there is nothing.

    Raises
    ------
    UsageError
        If something else stands there.
    """
    if not os.path.lexists(folder) or (folder.is_dir() and not any(folder.iterdir())):
        return None
    try:
        mark = json.loads((folder / MARK).read_text(encoding="utf-8"))
        if mark["environment"] == found.sha256:
            return Built(folder, mark["python"], mark["packages"], mark["skipped"], made=False)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    where = os.path.relpath(folder)
    raise UsageError(
        f"{where} holds something else", f"Move it away: `mv {where} OTHER`, or name another place"
    )


def _build(folder: Path, builder: Builder, *, skip_missing: bool, from_index: bool) -> Built:
    known = builder.known
    found = known.environment
    nascent = folder.with_name(f".{folder.name}-{found.sha256[:12]}.new")
    shutil.rmtree(nascent, ignore_errors=True)  # of one that was killed
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        python = builder.venv(nascent)
        requirements, skipped = builder.install(nascent, skip_missing=skip_missing, from_index=from_index)
        if skipped and not skip_missing:
            raise _missing(known, skipped)
        built = Built(folder, python, len(requirements), skipped)
        mark = {
            "schema": SCHEMA,
            "environment": found.sha256,
            "python": python,
            "packages": len(requirements),
            "skipped": skipped,
        }
        (nascent / MARK).write_text(json.dumps(mark, indent=1) + "\n", encoding="utf-8")
        if folder.is_dir():
            folder.rmdir()  # an empty one
        nascent.rename(folder)
    except OSError as error:
        raise WorldError(
            f"{os.path.relpath(folder)} cannot be written ({error.strerror})", "Check the disk and its rights"
        ) from error
    finally:
        shutil.rmtree(nascent, ignore_errors=True)
    return built


def to_json(built: Built) -> dict[str, Any]:
    """Return it as plain data."""
    return {
        "schema": SCHEMA,
        "folder": str(built.folder),
        "interpreter": str(built.interpreter),
        "python": built.python,
        "packages": built.packages,
        "skipped": dict(built.skipped),
        "made": built.made,
        "kernel": built.kernel,
    }
