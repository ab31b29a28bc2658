"""Reviews of a run's notebook, in memory: a branch of them, and a policy whose rule asks for them."""

from __future__ import annotations

import hashlib
from typing import Any

from ledger_world import NOW, PROJECT, Key, World, rule, subject

from provenote.registry.fold import fold as ledger_fold
from provenote.reviews import assembling, event, fold
from provenote.reviews.fold import Book
from provenote.reviews.threads import Review, Version

KEYS = {name: Key(name) for name in ("alice", "bob", "carol", "mallory")}
KNOWN = {KEYS[name].public: name for name in ("alice", "bob", "carol")}


def version(
    content: bytes = b"one", path: str = "provenote/executed.ipynb", commit: str = "a" * 40
) -> Version:
    return Version(
        path, commit, hashlib.sha1(content).hexdigest(), hashlib.sha256(content).hexdigest(), "r1", "fit-a1"
    )


class Talk:
    """The files of a branch of reviews, and what is said in it."""

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files: dict[str, bytes] = dict(files or {})

    def book(self) -> Book:
        return fold.fold(self.files, KNOWN.get, NOW)

    def say(
        self, kind: str, by: str, review: str | None = None, *, key: Key | None = None, at: int = NOW,
        prev: list[str] | None = None, project: str = PROJECT, **body: Any,
    ) -> str:  # fmt: skip
        if prev is None:
            prev = self.book().heads(review) if review else []
        line = event.compose(by, at, project, prev, type=kind, review=review, **body)
        path, content = event.seal(line, key or KEYS[by])
        self.files[path] = content
        return str(event.event_id(path))

    def start(self, by: str = "alice", of: Version | None = None, **more: Any) -> str:
        return self.say("review", by, title="Fit", path="train.ipynb", version=of or version(), **more)

    def thread(self, review: str, by: str, text: str = "why?", **more: Any) -> str:
        return self.say("comment", by, review, **{"anchor": {}, "text": text, **more})

    def vote(
        self, review: str, by: str, decision: str = "approve", of: Version | None = None, **more: Any
    ) -> str:
        return self.say("vote", by, review, decision=decision, version=of or version(), **more)

    def review(self, name: str) -> Review:
        return assembling.review(self.book(), name, None)

    def why_not(self, name: str) -> str:
        return self.book().refused[name]


class Governed(World):
    """A world whose rule asks for one review by a ds, and the branch of reviews beside it."""

    def __init__(self, **reviews: Any) -> None:
        super().__init__(
            rule(reviews={"notebooks": 1, "role": "ds", **reviews}, checks=[],
                 override={"role": "emergency", "hours": 24}),
        )  # fmt: skip
        for name in ("alice", "bob", "carol", "mallory"):
            self.keys[name] = KEYS[name]
        self.talk = Talk()

    def log(self, root: str | None = None) -> Any:
        return ledger_fold(self.files, root or self.root, self.now, self.held.get, lambda: self.talk.files)

    def of(self, **other: Any) -> Version:
        return version(commit=subject().commit, **other)

    def rests(self, **body: Any) -> dict[str, Any]:
        """Name the heads as seen, and copy what they rest on, as signing does."""
        heads = body.pop("reviews", None)
        log = self.log()
        heads = log.reviewed.heads(log, subject()) if heads is None else heads
        self.files |= log.reviewed.copies(heads)
        return {**body, **({"reviews": heads} if heads else {})}

    def asked(self) -> str:
        asked = self.ask()
        self.vote(asked, "bob")
        self.vote(asked, "carol")
        return asked
