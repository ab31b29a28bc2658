"""A small world of people, keys, policies and events in memory: what the tests of governance act in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from provenote.registry import chain, event
from provenote.registry.fold import Log, fold
from provenote.registry.state import State
from provenote.registry.subject import Subject
from provenote.stores import signatures
from provenote.stores.digest import sha256_bytes
from provenote.stores.signatures import PublicKey

NOW = 1_790_000_000
PROJECT = "0123456789abcdef0123456789abcdef"


class Key:
    """An ed25519 key in memory; the same seed makes the same key."""

    def __init__(self, seed: str) -> None:
        self._private = ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed.encode()).digest())
        line = self._private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        self.public = PublicKey.parse(line.decode())
        self.label = seed

    def sign(self, message: bytes, namespace: str) -> bytes:
        raw = self._private.sign(signatures.signed_bytes(message, namespace))
        return signatures.assemble(self.public, namespace, "ssh-ed25519", raw)


def subject(version: str = "v1.0.0", model: str = "churn", **other: Any) -> Subject:
    """A subject whose commit and digest follow from its version, unless they are given."""
    facts: dict[str, Any] = {
        "path": "provenote",
        "commit": hashlib.sha1(f"{model}{version}".encode()).hexdigest(),
        "sha256": hashlib.sha256(f"{model}{version}".encode()).hexdigest(),
        "kind": "file",
        "format": "skops",
        "trusted": ("numpy.dtype",),
    }
    return Subject(model=model, version=version, **{**facts, **other})


def rule(**other: Any) -> dict[str, Any]:
    """The rule of most tests: one lead and one risk approve, two people see every release."""
    return {
        "model": "churn*",
        "stage": "production",
        "request": "ds",
        "approvals": [{"role": "lead", "min": 1}, {"role": "risk", "min": 1}],
        "checks": ["model-tests"],
        "approval_days": 14,
        "release": "releaser",
        "rollback": ["releaser"],
        "recall": ["risk"],
        "formats": {"skops": ["numpy.dtype", "sklearn.tree._tree.Tree"], "onnx": []},
        **other,
    }


class World:
    """People, a chain of policies, and the files of a ledger.

    alice asks, bob leads and may release, carol is risk, ci tests and releases, boss overrides; own1, own2
    and own3 own.
    """

    def __init__(self, *rules: dict[str, Any], threshold: int = 2, **policy: Any) -> None:
        self.keys = {name: Key(name) for name in ("alice", "bob", "carol", "ci", "boss", "mallory")}
        self.owners = {name: Key(name) for name in ("own1", "own2", "own3")}
        self.files: dict[str, bytes] = {}
        self.held: dict[str, frozenset[str]] = {}
        self.now = NOW
        self.document: dict[str, Any] = {
            "version": 1,
            "project": PROJECT,
            "owners": {"threshold": threshold, "keys": [key.public.line for key in self.owners.values()]},
            "people": {
                name: {"email": f"{name}@x.org", "keys": [{"key": self.keys[name].public.line}]}
                for name in ("alice", "bob", "carol", "ci", "boss")
            },
            "roles": {
                "ds": ["alice", "bob"],
                "lead": ["bob"],
                "risk": ["carol"],
                "releaser": ["bob", "ci"],
                "ci": ["ci"],
                "emergency": ["boss"],
            },
            "rules": list(rules) or [rule()],
            **policy,
        }
        self.root = self._publish(("own1", "own2"))
        self.policy = self.root

    # ------------------------------------------------------------------ policies

    def text(self) -> bytes:
        return yaml.safe_dump(self.document, sort_keys=False).encode()

    def _publish(self, owners: tuple[str, ...]) -> str:
        content = self.text()
        self.files |= chain.signed(content, self.document["version"], [self.owners[name] for name in owners])
        return sha256_bytes(content)

    def amend(self, *owners: str, closes: str | None = None, **changes: Any) -> str:
        """Publish the next policy; it closes the one before at the ledger as it is now."""
        self.document = {
            **self.document,
            "version": self.document["version"] + 1,
            "previous": self.policy,
            "closes": closes or self.commit(),
            **changes,
        }
        self.policy = self._publish(owners or ("own1", "own2"))
        return self.policy

    def commit(self) -> str:
        """Remember which events the ledger holds now, under the id of a commit."""
        ids = frozenset(name for path in self.files if (name := event.event_id(path)))
        name = hashlib.sha1(repr(sorted(ids)).encode()).hexdigest()
        self.held[name] = ids
        return name

    # ------------------------------------------------------------------ events

    def sign(self, kind: str, by: str, key: Key | None = None, **body: Any) -> str:
        """Add an event and return its id. By default it names all heads as seen."""
        line = self.line(kind, by, **body)
        path, content = event.seal(line, key or self.keys[by])
        self.files[path] = content
        return str(event.event_id(path))

    def after(self, earlier: str, make: Callable[[], str]) -> str:
        """Sign a second later: it is judged after an event that it has not seen."""
        self.now += 1
        made, order = make(), list(self.log().events)
        assert made not in order or order.index(made) > order.index(earlier)
        return made

    def line(self, kind: str, by: str, **body: Any) -> bytes:
        at = body.pop("at", self.now)
        project = body.pop("project", PROJECT)
        policy = body.pop("policy", self.policy)
        prev = body.pop("prev", None)
        if prev is None:
            prev = self.log().heads
        return event.compose(by, at, project, policy, prev, type=kind, **body)

    def ask(
        self, what: Subject | None = None, by: str = "alice", stage: str = "production", **body: Any
    ) -> str:
        more = {"why": "better", "authors": [by], **body}
        return self.sign("request", by, subject=what or subject(), stage=stage, **more)

    def vote(self, promotion: str, /, by: str, decision: str = "approve", **body: Any) -> str:
        return self.sign("vote", by, decision=decision, **{**self.about(promotion), **body})

    def check(
        self, promotion: str, /, by: str = "ci", status: str = "pass", name: str = "model-tests", **body: Any
    ) -> str:
        return self.sign("check", by, name=name, status=status, **{**self.about(promotion), **body})

    def release(self, promotion: str, /, by: str = "bob", **body: Any) -> str:
        about = self.about(promotion)
        key = (about["subject"].path, about["subject"].model, about["stage"])
        releases = self.state().releases
        follows = {
            "seq": releases.next_seq(key),
            "supersedes": sorted(one.event.id for one in releases.holders(key)),
        }
        return self.sign("release", by, **{**about, **follows, **body})

    def approved(self, what: Subject | None = None, **body: Any) -> str:
        """Ask, and give all that the rule of most tests wants."""
        asked = self.ask(what, **body)
        self.vote(asked, "bob")
        self.vote(asked, "carol")
        self.check(asked)
        return asked

    def released(self, what: Subject | None = None, **body: Any) -> str:
        """Ask, approve and release; return the release's id."""
        return self.release(self.approved(what), **body)

    def about(self, promotion: str) -> dict[str, Any]:
        asked = self.log().events[promotion]
        return {"promotion": promotion, "subject": asked.subject, "stage": asked.stage}

    # ------------------------------------------------------------------ what a reader sees

    def log(self, root: str | None = None) -> Log:
        return fold(self.files, root or self.root, self.now, self.held.get)

    def state(self) -> State:
        return State(self.log())

    def holds(self, stage: str = "production", model: str = "churn") -> str:
        """Return the version that a reader would load; raises what the reader would see."""
        return self.state().current(("provenote", model, stage)).subject.version

    def problems(self, release: str) -> set[str]:
        """Return the kinds of problems of a release."""
        return {problem.code for problem in self.state().releases.all[release].problems}

    def lacks(self, promotion: str) -> set[str]:
        """Return the kinds of problems of a request."""
        found = self.state().promotion(promotion)
        assert found is not None
        return {problem.code for problem in found.verdict.problems}
