"""Cells that only look: made of our reading verbs alone, they do not count for linearity."""

from __future__ import annotations

import re

READING = frozenset(
    {
        "runs",
        "compare",
        "show",
        "models",
        "inbox",
        "audit",
        "verify",
        "doctor",
        "jobs",
        "job logs",
        "why",
        "data",
        "data status",
        "data check",
        "data log",
        "data diff",
        "env show",
        "env diff",
        "env check",
        "review list",
        "review show",
        "track status",
    }
)
"""Verbs that change neither the kernel nor the project: a cell made of them alone does not count."""


def reads_only(source: str) -> bool:
    """Whether a cell holds nothing but comments and our reading verbs (``%runs``, ``%pv show a``)."""
    lines = [line.strip() for line in source.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    return all(_reads(line) for line in lines)


def _reads(line: str) -> bool:
    words = line.split()
    if not words[0].startswith("%") or words[0].startswith("%%"):
        return False
    words[0] = words[0][1:]
    if words[0] in ("pv", "provenote"):
        del words[0]
    verb = words[:1] + [word for word in words[1:2] if re.fullmatch(r"[a-z]+", word)]
    return " ".join(verb) in READING or (" ".join(verb[:1]) in READING and verb[0] != "data")
