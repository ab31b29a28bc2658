"""A project with released models, and the remote that guards it: made once, copied for each attack.

Everything is made with Git's plumbing and keys in memory, so that an attack costs milliseconds.
"""

from __future__ import annotations

import atexit
import copy
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

from ledger_world import World, rule, subject

from provenote import workspace
from provenote.registry import hook, reading, tags
from provenote.registry.hook import Findings
from provenote.registry.hook_push import Update
from provenote.registry.subject import Subject
from provenote.stores import digest
from provenote.stores.ledger import GOVERNANCE, Ledger

LEDGER = f"refs/heads/{GOVERNANCE}"
RULE = rule(
    model="*", checks=[], formats={"file": [], "skops": []}, override={"role": "emergency", "hours": 24}
)


def git(folder: Path, *words: str, given: bytes | None = None) -> str:
    identity = ["-c", "user.name=T", "-c", "user.email=t@x"]
    done = subprocess.run(["git", *identity, *words], cwd=folder, input=given, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().strip()


def commit(folder: Path, files: dict[str, bytes | None], *parents: str, mode: str = "100644") -> str:
    """Commit the first parent's files with these changes; None deletes one. No branch moves."""
    lines = [b"commit refs/made/x\nmark :1\ncommitter T <t@x> 1790000000 +0000\ndata 1\nx\n"]
    words = ["from", *["merge"] * len(parents)]
    lines += [f"{word} {parent}\n".encode() for word, parent in zip(words, parents, strict=False)]
    for path, content in files.items():
        if content is None:
            lines.append(f'D "{path}"\n'.encode())
        elif mode == "160000":
            lines.append(f'M {mode} {content.decode()} "{path}"\n'.encode())
        else:
            lines.append(
                b'M %s inline "%s"\ndata %d\n%s\n' % (mode.encode(), path.encode(), len(content), content)
            )
    lines.append(b"reset refs/made/x\nfrom :1\n\nget-mark :1\ndone\n")
    made = git(folder, "fast-import", "--quiet", "--force", "--done", given=b"".join(lines))
    git(folder, "update-ref", "-d", "refs/made/x")
    return made


def artifact(content: bytes, **other: Any) -> dict[str, Any]:
    """What a run's record says of a model file."""
    md5 = hashlib.md5(content).hexdigest()
    found = {"file": "churn.bin", "md5": md5, "sha256": digest.sha256_bytes(content)}
    return {**found, "format": "file", "trusted": [], "size": len(content), "type": "model", **other}


class Desk:
    """A project, its world of people and events, and a bare clone of it."""

    def __init__(self, folder: Path, world: World) -> None:
        self.folder, self.world = folder, world
        self.root, self.remote = folder / "project", folder / "remote.git"

    # ------------------------------------------------------------------ the project

    def cached(self, md5: str) -> Path:
        return self.root / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]

    def keep(self, content: bytes, end: str = "") -> str:
        md5 = hashlib.md5(content).hexdigest() + end
        self.cached(md5).parent.mkdir(parents=True, exist_ok=True)
        self.cached(md5).write_bytes(content)
        return md5

    def run(self, document: dict[str, Any] | bytes) -> str:
        """Return the commit of a run with this record."""
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        return commit(self.root, {"provenote/run.json": content})

    def released(self, model: str, entry: Any, version: str = "v1.0.0", **other: Any) -> Subject:
        """Bring a model to production whose run's record has this entry."""
        facts = {"format": "file", "trusted": (), "sha256": "0" * 64, **other}
        made = facts.pop("commit", None) or self.run({"artifacts": {model: entry}, "reads": []})
        what = subject(version, model, commit=made, **facts)
        self.world.released(what)
        return what

    def publish(self) -> None:
        """Write what the world has made since to the project's ledger."""
        Ledger(self.root).append(self.world.files, "x")

    @property
    def registry(self) -> reading.Registry:
        return reading.read(workspace.find(self.root))

    # ------------------------------------------------------------------ the remote

    @property
    def tip(self) -> str:
        return git(self.remote, "rev-parse", LEDGER)

    def update(self, new: str | None, ref: str = LEDGER, old: str | None = "") -> Update:
        if old == "":
            found = subprocess.run(
                ["git", "rev-parse", "-q", "--verify", ref], cwd=self.remote, capture_output=True
            )
            old = found.stdout.decode().strip() or None
        return Update(old, new, ref)

    def judge(self, *updates: Update, root: str | None = None) -> Findings:
        """Return what the hook says about a push of objects that are there."""
        return hook.check(self.remote, updates, root)

    def push(self, files: dict[str, bytes | None], mode: str = "100644") -> str:
        """Offer a commit that changes files of the ledger; return what is refused."""
        new = commit(self.remote, files, self.tip, mode=mode)
        return "\n".join(self.judge(self.update(new)).refused)

    def send(self) -> str:
        """Offer what the world has made since; what is taken is there afterwards, the rest is forgotten."""
        there = Ledger(self.remote).paths(self.tip)
        new = commit(self.remote, {p: c for p, c in self.world.files.items() if p not in there}, self.tip)
        found = self.judge(self.update(new))
        if found.refused:
            self.world.files = {path: c for path, c in self.world.files.items() if path in there}
        else:
            git(self.remote, "update-ref", LEDGER, new)
        return "\n".join([*found.refused, *found.remarks])

    def amend(self, *owners: str, **changes: Any) -> None:
        """Let owners sign a next policy, which closes the present one where the remote's ledger stands."""
        names = Ledger(self.remote).paths(self.tip)
        self.world.held[self.tip] = frozenset(p[2:4] + p[5:] for p in names if p.startswith("e/"))
        self.world.amend(*owners, closes=self.tip, **changes)


@cache
def _template() -> Desk:
    folder = Path(tempfile.mkdtemp(prefix="gate-desk-"))
    owner = os.getpid()
    atexit.register(lambda: os.getpid() == owner and shutil.rmtree(folder, ignore_errors=True))
    world = World(RULE)
    world.now = int(time.time()) - 3600
    desk = Desk(folder, world)
    git(folder, "init", "-q", "-b", "main", "project")
    (desk.root / ".dvc").mkdir()
    (desk.root / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    data = desk.keep(b"a,b\n1,2\n")
    rows = [
        {"md5": desk.keep(text), "relpath": path} for path, text in (("config", b"{}"), ("deep/one", b"1"))
    ]
    listed = desk.keep(json.dumps(rows).encode(), ".dir")
    desk.keep(b"weights")
    reads = [{"path": "data.csv", "md5": data}, {"path": "net", "md5": listed}]
    first = desk.run({"artifacts": {"churn": artifact(b"weights")}, "reads": reads})
    desk.released("churn", None, commit=first, sha256=digest.sha256_bytes(b"weights"))
    pairs = [("config", b"{}"), ("deep/one", b"1")]
    manifest = digest.manifest_of(
        digest.Resource(path, len(text), digest.sha256_bytes(text)) for path, text in pairs
    )
    sha256 = digest.sha256_bytes(manifest)
    desk.released("net", artifact(b"", md5=listed, sha256=sha256, file="net"), sha256=sha256, kind="folder")
    desk.publish()
    git(desk.root, "config", "provenote.root", f"sha256:{world.root}")
    tags.project(desk.root, tags.wanted(world.state()))
    git(folder, "clone", "-q", "--mirror", "project", "remote.git")
    return desk


def desk(folder: Path) -> Desk:
    """Return a desk of one's own."""
    made = _template()
    shutil.copytree(made.folder, folder / "desk", symlinks=True)
    world = copy.copy(made.world)
    world.files, world.held, world.document = dict(world.files), dict(world.held), dict(world.document)
    return Desk(folder / "desk", world)
