"""Run Git, and turn what it says into one clear error."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from provenote.errors import UsageError, WorldError

# No lock is taken for a mere look (or `git status` would rewrite the user's index), no prompt, plain English.
_ENVIRONMENT = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
ZERO = "0" * 40


def run(
    folder: Path, *arguments: str, given: bytes | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run ``git -C folder arguments`` and return its answer, whatever the exit status."""
    return subprocess.run(
        _command(folder, arguments),
        input=given,
        stdin=subprocess.DEVNULL if given is None else None,
        capture_output=True,
        env=_environment(env),
    )


def _command(folder: Path, arguments: Iterable[str]) -> list[str]:
    return ["git", "-C", str(folder), *arguments]


def _environment(more: dict[str, str] | None) -> dict[str, str]:
    return {**os.environ, **_ENVIRONMENT, **(more or {})}


@contextlib.contextmanager
def begun(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> Iterator[Callable[[], bytes]]:
    """Start Git and yield what waits for its standard output, so that other work goes on meanwhile.

    What is yielded raises as `git` does.
    """
    with subprocess.Popen(
        _command(folder, arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(env),
    ) as process:

        def output() -> bytes:
            out, said = process.communicate()
            if process.returncode:
                raise failure(arguments, said)
            return out

        yield output


def git(
    folder: Path, *arguments: str, given: bytes | None = None, env: dict[str, str] | None = None
) -> bytes:
    """Run Git and return its standard output.

    Raises
    ------
    UsageError, WorldError
        If Git fails: one line with its last words.
    """
    answer = run(folder, *arguments, given=given, env=env)
    if answer.returncode:
        raise failure(arguments, answer.stderr)
    return answer.stdout


def failure(arguments: Iterable[str], stderr: bytes) -> UsageError | WorldError:
    """Make one clear error of what Git said on its standard error."""
    said = [line for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    last = next(
        (line for line in said if line.startswith(("fatal:", "error:"))),
        said[-1] if said else "no reason given",
    )
    words = " ".join(list(arguments)[:2])
    if "No space left" in " ".join(said):
        return WorldError(
            f"the disk is full (git {words})", "Free some space, then try again: nothing is lost"
        )
    if "Permission denied" in " ".join(said) or "insufficient permission" in " ".join(said):
        return WorldError(
            f"the repository cannot be written (git {words}: {last})", "Check who owns its .git folder"
        )
    return WorldError(f"git {words} failed: {last}")


def resolve(folder: Path, revision: str) -> str | None:
    """Return the commit that ``revision`` names, or None."""
    answer = run(folder, "rev-parse", "--quiet", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    return answer.stdout.decode().strip() or None if answer.returncode == 0 else None


def head(folder: Path) -> str:
    """Return the commit of HEAD.

    Raises
    ------
    UsageError
        If the repository has no commit yet.
    """
    commit = resolve(folder, "HEAD")
    if commit is None:
        raise no_commit()
    return commit


def identity(folder: Path) -> tuple[str | None, str | None]:
    """Return name and mail of who works here, by Git's environment and settings; None for what they lack."""
    given = os.environ.get("GIT_AUTHOR_NAME"), os.environ.get("GIT_AUTHOR_EMAIL")
    if all(given):
        return given
    asked = run(folder, "config", "-z", "--get-regexp", r"^user\.(name|email)$").stdout
    lines = (entry.partition("\n") for entry in asked.decode("utf-8", "replace").split("\0"))
    said = {key: value for key, _, value in lines}  # the last of several counts, as for Git
    return given[0] or said.get("user.name"), given[1] or said.get("user.email")


def no_commit() -> UsageError:
    """Return the error for a repository without a commit: a run needs one as its baseline."""
    return UsageError(
        "this repository has no commit yet, and a run needs one as its baseline",
        'Make the first: `git commit --allow-empty -m "first"`',
    )


def blobs(folder: Path, names: Iterable[str]) -> Iterator[bytes | None]:
    """Read many objects in one process; ``names`` are ids or ``commit:path``. None: not there."""
    asked = list(names)
    if not asked:
        return
    out = git(folder, "cat-file", "--batch", given="".join(f"{name}\n" for name in asked).encode())
    start = 0
    for _ in asked:
        end = out.index(b"\n", start)
        words = out[start:end].split(b" ")
        if words[-1] in (b"missing", b"ambiguous") or not words[-1].isdigit():
            yield None
            start = end + 1
            continue
        size = int(words[-1])
        yield out[end + 1 : end + 1 + size]
        start = end + size + 2
