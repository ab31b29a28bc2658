"""Fill a folder with an environment: a Python of the run's version, and the packages of its lock."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provenote.environments import pins, uv
from provenote.errors import WorldError
from provenote.events import Progress, Tell

if TYPE_CHECKING:
    from provenote.environments.known import Known


@dataclass(frozen=True, slots=True)
class Builder:
    """Who builds, and for what.

    Parameters
    ----------
    known : Known
        The environment that is wanted.
    lock : int
        Descriptor of the lock, which uv holds, too.
    label : str
        What the progress is called.
    tell : Tell
        Where progress goes.
    """

    known: Known
    lock: int
    label: str
    tell: Tell

    def venv(self, folder: Path) -> str:
        """Make an empty environment with the run's Python, else with another patch of it.

        Returns
        -------
        str
            The version of Python that it has.

        Raises
        ------
        WorldError
            If there is no such Python and uv cannot get one.
        """
        self.tell(Progress(self.label, detail="looking for its Python"))
        found = self.known.environment
        own = ".".join(map(str, sys.version_info[:3]))
        wanted, implementation = found.python or own, found.implementation or sys.implementation.name
        tries = [sys.executable] if (wanted, implementation) == (own, sys.implementation.name) else []
        tries += [f"{implementation}@{wanted}", f"{implementation}@{wanted.rpartition('.')[0]}"]
        said = ""
        for one in tries:
            words = ["venv", "--relocatable", "--no-project", "--python", one, str(folder)]
            try:
                uv.call(words, self.label, self.tell, self.lock)
                return _version(folder) or wanted
            except uv.Failed as error:
                said = error.said
                shutil.rmtree(folder, ignore_errors=True)
        raise WorldError(
            f"Python {wanted} of {self.known.name} is not here and cannot be had ({uv.last_words(said)})",
            f"Get it: `uv python install {wanted}`",
        )

    def install(
        self, folder: Path, *, skip_missing: bool, from_index: bool
    ) -> tuple[list[str], dict[str, str]]:
        """Install all packages or none.

        Parameters
        ----------
        folder : Path
            An environment that `venv` made.
        skip_missing : bool
            Whether those that can be had are installed when others cannot.
        from_index : bool
            As for `provenote.environments.pins.wanted`.

        Returns
        -------
        installed : list of str
            What was asked for, a line for each package.
        skipped : dict of str to str
            What cannot be installed any more, and why. uv names one at a time: it is asked again without it,
            until all are known.

        Raises
        ------
        WorldError
            If the network, the disk or uv itself fails.
        """
        left, skipped = pins.wanted(self.known.environment, from_index=from_index)
        while left:
            words = ["pip", "install", "--no-deps", "--python", str(folder / "bin" / "python")]
            if skipped and not skip_missing:
                words.append("--dry-run")  # only to name all that is missing
            with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
                file.write("".join(f"{line}\n" for line in left))
                file.flush()
                try:
                    uv.call([*words, "-r", file.name], self.label, self.tell, self.lock)
                    break
                except uv.Failed as error:
                    said = error.said
            blamed = uv.blamed(said, left)
            if not blamed:
                raise _broken(said)
            for line in [line for line in left if pins.name_of(line) in blamed]:
                left.remove(line)
                skipped[pins.shown(line)] = blamed[pins.name_of(line)]
        return left, skipped


def _broken(said: str) -> WorldError:
    if uv.offline(said):
        return WorldError(
            "the packages cannot be fetched: the index cannot be reached",
            "Check the network, then try again",
        )
    return WorldError(f"uv cannot build the environment: {uv.last_words(said)}", "See: `uv --version`")


def _version(folder: Path) -> str:
    with contextlib.suppress(OSError):
        for line in (folder / "pyvenv.cfg").read_text(encoding="utf-8").splitlines():
            if line.startswith("version_info"):
                return line.partition("=")[2].strip()
    return ""
