"""Two clones of one bare remote, for tests of what they exchange."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import provenote
from provenote import sharing, workspace
from provenote.model import Row
from provenote.stores import annotating, index, notes, runs
from provenote.workspace import Workspace


def git(folder: Path, *arguments: str, given: str | None = None) -> str:
    answer = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, input=given, check=True
    )
    return answer.stdout


@dataclass
class Clone:
    """A clone of somebody's, and what this person does in it."""

    root: Path

    @property
    def place(self) -> Workspace:
        return workspace.find(self.root)

    def log(self, label: str, **metrics: Any) -> str:
        """Finish a run and return its name."""
        old = os.getcwd()
        os.chdir(self.root)
        try:
            with provenote.track(label) as run:
                run.log(metrics or {"acc": 1})
            return str(run.name)
        finally:
            os.chdir(old)

    def rows(self) -> dict[str, Row]:
        return {row.name: row for row in index.rows(self.place, everything=True)[0]}

    def ref(self, name: str) -> str:
        row = self.rows()[name]
        return runs.ref_name(row.baseline, name)

    def commit(self, label: str) -> str:
        """Finish a run and return its commit."""
        name = self.log(label)
        return str(self.rows()[name].commit)

    def remove(self, name: str) -> None:
        git(self.root, "update-ref", "-d", self.ref(name))

    def rename(self, name: str, to: str) -> None:
        row, ref = self.rows()[name], self.ref(name)
        git(self.root, "update-ref", runs.ref_name(row.baseline, to), str(row.commit))
        git(self.root, "update-ref", "-d", ref)

    def say(self, word: Any, name: str, **body: Any) -> None:
        annotating.say(self.place, word, [self.rows()[name].id], **body)

    def sync(self, remote: str | None = None, **options: Any) -> sharing.Account:
        return sharing.sync(self.place, remote, **options)

    def refs(self) -> dict[str, str]:
        return refs_of(self.root)

    def tree(self) -> str:
        return git(self.root, "rev-parse", f"{notes.REF}^{{tree}}").strip()


def refs_of(folder: Path) -> dict[str, str]:
    out = git(folder, "for-each-ref", "--format=%(refname) %(objectname)", "refs/exps")
    return dict(line.split() for line in out.splitlines())


@dataclass
class Team:
    """Two clones, ada's and bob's, and their bare remote."""

    ada: Clone
    bob: Clone
    remote: Path

    def settle(self) -> None:
        for clone in (self.ada, self.bob, self.ada, self.bob):
            clone.sync()

    def assert_equal(self) -> None:
        assert self.ada.refs() == self.bob.refs() == refs_of(self.remote)
        if notes.tip(self.remote):
            assert self.ada.tree() == self.bob.tree()
            assert git(self.remote, "rev-parse", f"{notes.REF}^{{tree}}").strip() == self.ada.tree()
        ours, theirs = self.ada.rows(), self.bob.rows()
        assert ours == theirs


def make_team(folder: Path, make_repo: Callable[[Path], Path]) -> Team:
    """Make two clones of one bare remote; its address is relative, so that the folder can be copied."""
    folder.mkdir(exist_ok=True)
    one = make_repo(folder / "ada")
    git(folder, "init", "-q", "--bare", "-b", "main", "team.git")
    git(one, "remote", "add", "origin", "../team.git")
    git(one, "push", "-q", "-u", "origin", "main")
    git(folder, "clone", "-q", "team.git", "bob")
    git(folder / "bob", "remote", "set-url", "origin", "../team.git")
    for name in ("ada", "bob"):
        git(folder / name, "config", "user.name", name)
        git(folder / name, "config", "user.email", f"{name}@example.org")
    return team_in(folder)


def team_in(folder: Path) -> Team:
    return Team(Clone(folder / "ada"), Clone(folder / "bob"), folder / "team.git")


def hook(remote: Path, name: str, script: str) -> None:
    file = remote / "hooks" / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
