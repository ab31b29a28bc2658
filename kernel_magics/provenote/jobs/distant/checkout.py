"""What a worker's host keeps: a bare clone for each Git remote, a DVC cache, a folder for each attempt.

All lie in ``$PROVENOTE_WORKER_FOLDER``, else in the user's cache folder::

    <remote>/clone.git        what was fetched; attempts borrow its objects
    <remote>/attempts/<name>  one attempt: a repository of its own, removed when it ends
    cache/                    the DVC cache

An attempt's folder is locked while it is used; one that nobody locks was left by a killed attempt and goes.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from provenote.errors import WorldError
from provenote.git import command, refs
from provenote.jobs.distant import claims
from provenote.sharing import transport
from provenote.sharing.transport import Remote

VARIABLE = "PROVENOTE_WORKER_FOLDER"
_KEPT = 100  # snapshots that the clone names


def root() -> Path:
    """Return the folder of this host."""
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given).absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("provenote")) / "worker"


class Store:
    """The part of the host's folder that belongs to one Git remote.

    Parameters
    ----------
    url : str
        Address of the remote.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.folder = root() / hashlib.sha256(url.encode()).hexdigest()[:16]
        self.clone = self.folder / "clone.git"
        self.cache = root() / "cache"

    @property
    def remote(self) -> Remote:
        """The remote, spoken to from the clone."""
        return Remote(self.clone, self.url, transport.without_password(self.url), False)

    def attempt(self, name: str) -> Path:
        """Return the folder of an attempt."""
        return self.folder / "attempts" / name

    def fetch(self, ref: str, commit: str) -> None:
        """Have the code in the clone.

        Raises
        ------
        WorldError
            If the remote cannot be reached, or the disk refuses.
        Raced
            If the ref is gone.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with _locked(self.folder / "lock", wait=True):
                self._sweep()
                if not (self.clone / "HEAD").exists():
                    shutil.rmtree(self.clone, ignore_errors=True)
                    command.git(self.folder, "init", "--quiet", "--bare", str(self.clone))
                if refs.read(self.clone, ref) != commit and not claims.has(self.clone, commit):
                    # Under a ref of its own: what is fetched next need not bring it again.
                    transport.fetch(self.remote, [f"+{ref}:{ref}"])
                    self._forget()
        except OSError as error:
            raise self._unwritable(error) from error

    def check_out(self, name: str, code: str, baseline: str) -> Path:
        """Make an attempt's repository: HEAD at the baseline, index and files as in the code.

        Raises
        ------
        WorldError
            If it cannot be written.
        """
        place = self.attempt(name)
        git = place / ".git"
        try:
            for inside in ("info", "objects/info", "objects/pack", "refs/heads"):
                (git / inside).mkdir(parents=True)
            told = (self.clone / "config").read_text(encoding="utf-8")  # what Git found out about this disk
            (git / "config").write_text(told.replace("bare = true", "bare = false"), encoding="utf-8")
            (git / "objects" / "info" / "alternates").write_text(f"{self.clone / 'objects'}\n")
            (git / "HEAD").write_text(f"{baseline}\n")
        except OSError as error:
            raise self._unwritable(error) from error
        command.git(place, "read-tree", "--reset", "-u", code)
        return place

    def settle(self, place: Path, prefix: str, dvc: Mapping[str, Any]) -> None:
        """Let the attempt's project use this host's DVC cache, and the user's remotes.

        Parameters
        ----------
        place : Path
        prefix : str
            The DVC root from the Git root.
        dvc : mapping
            ``default``: name of the default remote or None; ``remotes``: address by name.
        """
        lines = ["[cache]", f"    dir = {self.cache}"]
        if dvc.get("default"):
            lines += ["[core]", f"    remote = {dvc['default']}"]
        for name, url in dvc.get("remotes", {}).items():
            lines += [f"['remote \"{name}\"']", f"    url = {url}"]
        local = place / prefix / ".dvc" / "config.local"
        local.write_text("\n".join(lines) + "\n", encoding="utf-8")
        with (place / ".git" / "info" / "exclude").open("a") as file:
            file.write(f"/{local.relative_to(place)}\n")

    @contextlib.contextmanager
    def using(self, name: str) -> Iterator[Path]:
        """Hold an attempt's folder, and remove it in the end.

        Raises
        ------
        WorldError
            If it cannot be written.
        """
        place = self.attempt(name)
        mark = place.with_name(f"{name}.lock")
        with contextlib.ExitStack() as held:
            try:
                mark.parent.mkdir(parents=True, exist_ok=True)
                with _locked(self.folder / "lock", wait=True):  # or the broom might take it for a left one
                    held.enter_context(_locked(mark, wait=True))
            except OSError as error:
                raise self._unwritable(error) from error
            try:
                yield place
            finally:
                shutil.rmtree(place, ignore_errors=True)
                mark.unlink(missing_ok=True)

    def _unwritable(self, error: OSError) -> WorldError:
        return WorldError(
            f"the worker's folder {self.folder} cannot be written ({error.strerror})",
            f"Give its workers another one: `export {VARIABLE}=/scratch/provenote`",
        )

    def _forget(self) -> None:
        """Drop the oldest refs; their objects stay, as attempts may borrow them: the clone is not swept."""
        words = ["for-each-ref", "--sort=-creatordate", "--format=%(refname)", claims.CODE]
        for ref in os.fsdecode(command.git(self.clone, *words)).split()[_KEPT:]:
            command.run(self.clone, "update-ref", "-d", ref)

    def _sweep(self) -> None:
        """Remove what killed attempts left."""
        for mark in self.folder.glob("attempts/*.lock"):
            with contextlib.suppress(BlockingIOError, FileNotFoundError), _locked(mark, wait=False):
                shutil.rmtree(mark.with_suffix(""), ignore_errors=True)
                mark.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(path: Path, wait: bool) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)
