"""The environment of a run: which packages, which Python, and the settings that change its numbers.

- `lock` lists every installed distribution from the *names* of its metadata folders: no metadata is
  opened, except the small ``direct_url.json`` of packages that did not come from an index.
- The text of a lock depends on what is installed alone, so equal environments have equal locks and
  one file is kept for each (`keep`). It is a requirements file that pip reads.
- `facts` are settings that a lock cannot hold: thread counts, hash seed, GPU driver.
- Which of the packages a process really imported: `provenote.tracking.imports`; which builds of them:
  `provenote.tracking.builds`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provenote.errors import UsageError
from provenote.stores.environments import normalized as normalized
from provenote.stores.environments import packages as packages

_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
)
_GPU_DRIVER = "/proc/driver/nvidia/version"
_ASK = (
    "import json, os, sys; print(json.dumps([sys.path, os.path.dirname(os.__file__), "
    "'.'.join(map(str, sys.version_info[:3])), sys.implementation.name, sys.platform]))"
)


@dataclass(frozen=True, slots=True)
class Lock:
    """The packages of one environment.

    Parameters
    ----------
    text : str
        The lock: a heading with Python and platform, then one line a distribution, sorted by name.
    sha256 : str
        SHA-256 of ``text`` in UTF-8, hexadecimal; it names the environment.
    python : str
        Version of Python, as ``3.11.7``.
    packages : mapping of str to str
        Version of each distribution by its normalized name (PEP 503).
    places : mapping of str to str
        Where the metadata of each lies on this machine; no part of the text.
    """

    text: str
    sha256: str
    python: str
    packages: Mapping[str, str]
    places: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """What must be known of a Python to lock its environment."""

    path: tuple[str, ...]
    library: str
    python: str
    implementation: str
    platform: str


_locks: dict[object, Lock] = {}


def lock(executable: str | os.PathLike[str] | None = None) -> Lock:
    """Lock the environment of this process, or of another Python.

    Parameters
    ----------
    executable : path, optional
        Another interpreter, which is started once to ask for its search path.

    Returns
    -------
    Lock
        The same object again while no package was installed or removed.

    Raises
    ------
    UsageError
        If ``executable`` cannot be started.
    """
    interpreter = this() if executable is None else _other(executable)
    folders = [folder for folder in interpreter.path if folder != interpreter.library]
    key = (interpreter, tuple(_changed(folder) for folder in folders))
    known = _locks.get(key)
    if known is None:
        known = _locks[key] = _lock(interpreter, folders)
    return known


def keep(locked: Lock, home: Path) -> Path:
    """Write a lock once into ``home/environments/<sha256>.txt`` and return that path."""
    path = home / "environments" / f"{locked.sha256}.txt"
    if not path.exists():
        write(path, locked.text)
    return path


def facts(*, libraries: bool = False) -> dict[str, Any]:
    """Return the settings of this process that can change a result and that no lock holds.

    Parameters
    ----------
    libraries : bool
        Also look at each loaded BLAS and OpenMP library (10 ms the first time, 3 ms later), where
        scikit-learn has brought threadpoolctl.

    Returns
    -------
    dict
        ``platform`` (system, release and machine), ``cpus`` this process may use, ``threads`` (the
        thread variables that are set), ``libc``, ``blas`` (as `blas` gives it), ``hash_seed``
        (``random`` or the fixed number), and ``gpu_driver`` where an NVIDIA driver is loaded.
    """
    system = os.uname()
    found: dict[str, Any] = {
        "platform": f"{system.sysname} {system.release} {system.machine}",
        "cpus": cpus(),
        "threads": {name: os.environ[name] for name in _THREADS if name in os.environ},
        "hash_seed": os.environ.get("PYTHONHASHSEED", "random") if sys.flags.hash_randomization else "0",
    }
    libc = _libc()
    if libc:
        found["libc"] = libc
    if libraries and (pools := blas()):
        found["blas"] = pools
    try:
        with open(_GPU_DRIVER, encoding="utf-8") as file:
            first = file.readline()
    except OSError:
        return found
    version = re.search(r"\s(\d+(?:\.\d+)+)\s", first)
    found["gpu_driver"] = version[1] if version else first.strip()
    return found


def blas() -> list[dict[str, Any]]:
    """Return the BLAS and OpenMP libraries that are loaded, where threadpoolctl has been imported.

    Returns
    -------
    list of dict
        ``library``, its ``version`` where it tells it, and its ``threads``.
    """
    pools = sys.modules.get("threadpoolctl")
    if pools is None:
        return []
    return [
        {"library": pool["internal_api"], "version": pool.get("version"), "threads": pool["num_threads"]}
        for pool in pools.threadpool_info()
    ]


def _libc() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, OSError, ValueError):
        return ""


def cpus() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# ---------------------------------------------------------------------- interpreters


def this() -> Interpreter:
    """Return what must be known of the Python that runs this process."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    # The user's own folder heads the search path. It holds data, not packages, and may be huge.
    own = {"", ".", os.getcwd(), os.path.dirname(os.path.abspath(main)) if main else ""}
    return Interpreter(
        tuple(folder for folder in sys.path if folder not in own),
        os.path.dirname(os.__file__),
        ".".join(map(str, sys.version_info[:3])),
        sys.implementation.name,
        f"{sys.platform}-{os.uname().machine}",
    )


def _other(executable: str | os.PathLike[str]) -> Interpreter:
    try:
        answer = subprocess.run(
            [os.fspath(executable), "-c", _ASK], capture_output=True, check=True, timeout=60
        )
        path, library, python, implementation, platform = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise UsageError(
            f"{executable} cannot be asked for its packages: {error}", "Check the path of that Python"
        ) from error
    folders = tuple(folder for folder in path if folder not in ("", os.getcwd()))
    return Interpreter(folders, library, python, implementation, f"{platform}-{os.uname().machine}")


def _changed(folder: str) -> int:
    """Return when the entries of a folder changed last, in ns; 0 where there is none."""
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0


# ---------------------------------------------------------------------- distributions


def _lock(interpreter: Interpreter, folders: Iterable[str]) -> Lock:
    packages: dict[str, str] = {}
    lines: dict[str, str] = {}
    places: dict[str, str] = {}
    for folder in folders:
        for name, version, path in distributions(folder):
            if name not in packages:  # the first on the search path is the one that is imported
                packages[name] = version
                lines[name] = f"{name}=={version}{_origin(path)}"
                places[name] = path
    heading = (
        "# provenote environment 1\n"
        f"# python {interpreter.python} {interpreter.implementation}\n"
        f"# platform {interpreter.platform}\n"
    )
    text = heading + "".join(f"{lines[name]}\n" for name in sorted(lines))
    ordered = {name: packages[name] for name in sorted(packages)}
    return Lock(text, hashlib.sha256(text.encode()).hexdigest(), interpreter.python, ordered, places)


def distributions(folder: str) -> list[tuple[str, str, str]]:
    """Return ``(name, version, path of the metadata)`` of each distribution in a folder."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.endswith((".dist-info", ".egg-info"))]
    except OSError:
        return []
    found = []
    for entry in sorted(names):
        path = os.path.join(folder, entry)
        name, dash, rest = entry.rpartition(".")[0].partition("-")
        version = rest.partition("-py")[0] if entry.endswith(".egg-info") else rest
        if not dash:  # a development install of the old kind keeps its version inside
            version = _version_inside(path)
        if version and not name.startswith("~"):  # pip renames what it failed to remove to ~ame
            found.append((normalized(name), version, path))
    return found


def _version_inside(path: str) -> str:
    try:
        with open(os.path.join(path, "PKG-INFO"), encoding="utf-8") as file:
            return next((line[8:].strip() for line in file if line.startswith("Version:")), "")
    except OSError:
        return ""


def _origin(path: str) -> str:
    """Return a comment for a distribution that no index gave (PEP 610), else nothing.

    A local path is not written down: it names a person's folders and differs between equal environments.
    """
    try:
        with open(os.path.join(path, "direct_url.json"), encoding="utf-8") as file:
            direct = json.load(file)
        url = re.sub(r"//[^/@]*@", "//", str(direct["url"]))  # no credentials in a record that travels
        if direct.get("dir_info", {}).get("editable"):
            return "  # editable"
        if "vcs_info" in direct:
            return f"  # {direct['vcs_info']['vcs']}+{url}@{direct['vcs_info']['commit_id']}"
        if url.startswith("file:"):
            hashes = direct.get("archive_info", {}).get("hashes", {})
            return f"  # local, sha256 {hashes['sha256']}" if "sha256" in hashes else "  # local"
        return f"  # {url}"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""


def write(path: Path, text: str) -> None:
    """Write a file of ``home/environments`` whole or not at all.

    Such a file can be made anew at any time, so a full disk is no error here.
    """
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
