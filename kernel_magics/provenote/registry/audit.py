"""The audit trail: every event of the ledger as a row, refused ones with their reason."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from provenote.errors import WorldError
from provenote.registry import chain, event
from provenote.registry.fold import Log
from provenote.registry.policy_changes import changes

COLUMNS = (
    *("id", "at", "who", "key", "what", "decision", "model", "version", "stage", "sha256", "why"),
    *("policy", "prev", "counts", "reason"),
)
"""Columns of a row, in order."""


def rows(log: Log) -> list[dict[str, Any]]:
    """Return the events, each after those that its author had seen, then the refused ones. Pure.

    Returns
    -------
    list of dict
        With the keys of `COLUMNS`. ``counts`` says whether the event's form, signature and author hold;
        ``reason`` says why not.
    """
    found = []
    for item in log.events.values():
        subject, body = item.subject, item.body
        decision = body.get("decision") or body.get("status") or ""
        for word in ("rollback", "override"):
            decision = word if body.get(word) else decision
        found.append({
            "id": item.id,
            "at": event.timestamp(item.at),
            "who": item.by,
            "key": item.key.fingerprint,
            "what": item.type,
            "decision": str(decision),
            "model": subject.model if subject else "",
            "version": subject.version if subject else "",
            "stage": item.stage or "",
            "sha256": subject.sha256 if subject else "",
            "why": item.why or item.text("text"),
            "policy": log.policy_of(item).version,
            "prev": " ".join(item.prev),
            "counts": True,
            "reason": "",
        })  # fmt: skip
    for name, reason in log.refused.items():
        found.append({**dict.fromkeys(COLUMNS, ""), "id": name, "counts": False, "reason": reason})
    return found


def policies(files: Mapping[str, bytes], log: Log) -> list[dict[str, Any]]:
    """Return the policies in force, oldest first: who signed each, and what it changed. Pure.

    Returns
    -------
    list of dict
        ``version``, ``id``, ``signed_by`` (people, or fingerprints of owners who are none), ``changes``.
    """
    found = []
    before = None
    for policy, keys in zip(log.policies, chain.signed_by(files, log.policies), strict=True):
        judge = before or policy
        names = {person.name if (person := judge.person(key)) else key.fingerprint for key in keys}
        found.append({
            "version": policy.version,
            "id": policy.id,
            "signed_by": sorted(names),
            "changes": changes(before, policy) if before else ["the first policy"],
        })  # fmt: skip
        before = policy
    return found


def as_csv(table: Sequence[dict[str, Any]]) -> str:
    """Return the rows as CSV; a text that a spreadsheet would take for a formula gets an apostrophe."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in table:
        writer.writerow({name: _harmless(value) for name, value in row.items()})
    return out.getvalue()


def write_csv(table: Sequence[dict[str, Any]], path: Path) -> None:
    """Write the rows to a CSV file.

    Raises
    ------
    WorldError
        If it cannot be written.
    """
    try:
        path.write_text(as_csv(table), encoding="utf-8")
    except OSError as error:
        raise WorldError(f"{path} cannot be written: {error.strerror}") from error


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
