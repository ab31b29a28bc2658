"""What the tests of promotions share: runs with a model, a person who types, a promotion in one call."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import provenote
from provenote import workspace
from provenote.registry import acting, reading, start_solo
from provenote.registry.reading import Registry
from provenote.registry.starting import Started


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=T", "-c", "user.email=t@x"]
    done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def plain(folder: Path, *words: str) -> str:
    """Run a command that is not ours."""
    return subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True).stdout


class Typist:
    """A person who reads what is shown and types the word (or something else)."""

    def __init__(self, types: str | None = None) -> None:
        self.types = types
        self.shown: list[str] = []

    def __call__(self, text: str, word: str) -> str:
        self.shown.append(text)
        return word if self.types is None else self.types


def run_with_model(content: bytes | str = b"weights", name: str = "churn", label: str = "fit") -> str:
    """Track a run that keeps a model file; return the run's name."""
    source = Path(f"{name.replace('/', '-')}.bin")
    source.write_bytes(content.encode() if isinstance(content, str) else content)
    with provenote.track(label) as run:
        run.log(rmse=1.0)
        run.log_model(source, name)
    source.unlink()
    return str(run.name)


def solo(**more: Any) -> Started:
    return start_solo(workspace.find(), **more)


def promote(model: str = "churn", to: str = "production", **more: Any) -> Any:
    """Promote all the way by default."""
    settings = {"why": "better", "confirm": Typist(), "release": True, **more}
    return acting.promote(workspace.find(), model, to=to, **settings)


def registry(root: str | None = None) -> Registry:
    return reading.read(workspace.find(), root)


def cached(model_file: bytes | str) -> Path:
    """Return the object of these bytes in the cache, writable."""
    import hashlib

    content = model_file.encode() if isinstance(model_file, str) else model_file
    md5 = hashlib.md5(content).hexdigest()
    path = workspace.find().cache_dir / "files" / "md5" / md5[:2] / md5[2:]
    path.chmod(0o644)
    return path


def head(model: str = "churn", stage: str = "production") -> str:
    """Return the version that holds a stage; raises what a reader would see."""
    found = registry()
    return found.state.current((found.path, model, stage)).subject.version
