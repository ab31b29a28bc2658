"""What the tests of teams share: people with a key and a clone of their own, one bare remote, typed words."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clones import git
from registry_desk import Typist, run_with_model

from provenote import cli, sharing, workspace
from provenote.commands.tree import Context
from provenote.registry import reading
from provenote.registry.reading import Registry
from provenote.stores import keys
from provenote.stores.keys import PlainKey
from provenote.view import View


@dataclass
class Member:
    """One person: a clone of the team's remote, and a key that Git's settings name."""

    name: str
    root: Path
    key: PlainKey
    typist: Typist

    @contextmanager
    def here(self) -> Iterator[None]:
        """Stand in the clone."""
        old = os.getcwd()
        os.chdir(self.root)
        try:
            yield
        finally:
            os.chdir(old)

    def does(self, words: str, typed: str | None = None, present: bool = True) -> View:
        """Call a verb as a face does; a word with spaces is written with ``_``."""
        self.typist = Typist(typed)
        confirm = self.typist if present else None
        with self.here():
            view, _ = cli.run(words.split(), Context(face="terminal", confirm=confirm))
        return view

    def runs(self, content: str = "weights", model: str = "churn") -> str:
        with self.here():
            return run_with_model(content, model)

    def sync(self) -> sharing.Account:
        return sharing.sync(workspace.find(self.root))

    @property
    def registry(self) -> Registry:
        return reading.read(workspace.find(self.root))

    @property
    def fingerprint(self) -> str:
        return self.key.public.fingerprint

    def holds(self, stage: str = "production", model: str = "churn") -> str:
        """Return the version that this person would load; raises what they would see."""
        found = self.registry
        return found.state.current((found.path, model, stage)).subject.version


class Crew:
    """A bare remote, and whoever clones it."""

    def __init__(self, folder: Path, make_repo: Callable[[Path], Path]) -> None:
        self.folder = folder
        self.remote = folder / "team.git"
        first = make_repo(folder / "first")
        git(folder, "init", "-q", "--bare", "-b", "main", "team.git")
        git(first, "remote", "add", "origin", str(self.remote))
        git(first, "push", "-q", "-u", "origin", "main")
        self.members: dict[str, Member] = {}

    def member(self, name: str, key: PlainKey | None = None) -> Member:
        """Let somebody clone the remote."""
        root = self.folder / name
        git(self.folder, "clone", "-q", str(self.remote), name)
        made = key or keys.make(self.folder / "keys" / f"{name}_ed25519", name)
        git(root, "config", "user.name", name)
        git(root, "config", "user.email", f"{name}@example.org")
        git(root, "config", "user.signingkey", str(made.path))
        self.members[name] = Member(name, root, made, Typist())
        return self.members[name]

    def sync(self, *names: str) -> None:
        """Exchange until everybody holds the same."""
        people = [self.members[name] for name in names] or list(self.members.values())
        for one in (*people, *people):
            one.sync()

    def started(self, owner: str, **others: str) -> list[Member]:
        """Start with an owner, and let others in with a role each (``a+b`` for two)."""
        first = self.member(owner)
        root = first.does("policy start").data["root"]
        first.sync()
        people = [first]
        for name, roles in others.items():
            one = self.member(name)
            one.sync()
            one.does(f"join --root sha256:{root}")
            one.sync()
            first.sync()
            first.does(f"admit {name} {' '.join(f'--role {role}' for role in roles.split('+'))}")
            people.append(one)
        self.sync()
        return people
