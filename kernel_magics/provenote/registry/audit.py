"""The audit trail: every event, policy and newcomer of the ledger as a row, refused ones with their reason.

Of what does not count the row says what it claims of itself, as far as it has the form of an event: it is in
nobody's name, whatever it says.
"""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from provenote.errors import Refused, WorldError
from provenote.registry import chain, event, joining
from provenote.registry.event import Event
from provenote.registry.fold import Log
from provenote.registry.policy_changes import changes

COLUMNS = (
    *("id", "at", "who", "key", "what", "decision", "model", "version", "stage", "sha256", "why"),
    *("policy", "prev", "counts", "reason"),
)
"""Columns of a row, in order."""


def rows(log: Log, files: Mapping[str, bytes] | None = None) -> list[dict[str, Any]]:
    """Return the events, each after those that its author had seen, then the refused ones. Pure.

    Parameters
    ----------
    log : Log
    files : mapping of str to bytes, optional
        The ledger's files: what refused events claim of themselves is read from them.

    Returns
    -------
    list of dict
        With the keys of `COLUMNS`. ``counts`` says whether the event's form, signature and author hold;
        ``reason`` says why not.
    """
    found = [
        {**_claims(item), "policy": log.policy_of(item).version, "counts": True}
        for item in log.events.values()
    ]
    for name, reason in log.refused.items():
        content = (files or {}).get(f"e/{name[:2]}/{name[2:]}")
        claims: dict[str, Any] = {}
        if content is not None:
            with contextlib.suppress(Refused):
                claims = _claims(event.parse(name, content))
        found.append({**dict.fromkeys(COLUMNS, ""), **claims, "id": name, "counts": False, "reason": reason})
    return found


def _claims(item: Event) -> dict[str, Any]:
    subject, body = item.subject, item.body
    decision = body.get("decision") or body.get("status") or ""
    for word in ("rollback", "override"):
        decision = word if body.get(word) else decision
    return {
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
        "policy": "",
        "prev": " ".join(item.prev),
        "counts": False,
        "reason": "",
    }


def newcomers(files: Mapping[str, bytes], log: Log) -> list[dict[str, Any]]:
    """Return who asked to be let in, by time, then the files among the requests that are none. Pure.

    Returns
    -------
    list of dict
        ``id``, ``at``, ``person``, ``name``, ``email``, ``key``, ``reason``: why it is no request, or "".
    """
    found = []
    for path, content in files.items():
        if not path.startswith("join/"):
            continue
        row = {**dict.fromkeys(("at", "person", "name", "email", "key", "reason"), ""), "id": path[5:]}
        try:
            one = joining.parse(path, content, log.policy.project)
        except Refused as error:
            found.append({**row, "reason": error.what})
            continue
        said = {"at": event.timestamp(one.at), "person": one.person, "name": one.name, "email": one.email}
        found.append({**row, **said, "key": one.key.fingerprint})
    return sorted(found, key=lambda one: (bool(one["reason"]), one["at"], one["id"]))


def whole(
    files: Mapping[str, bytes], log: Log, old: frozenset[str] = frozenset()
) -> dict[str, list[dict[str, Any]]]:
    """Return ``events``, ``policies`` and ``joins`` whose files are not among ``old``. Pure."""
    return {
        "events": [one for one in rows(log, files) if f"e/{one['id'][:2]}/{one['id'][2:]}" not in old],
        "policies": [
            one for one in policies(files, log) if f"policy/{one['version']}-{one['id'][:12]}.yaml" not in old
        ],
        "joins": [one for one in newcomers(files, log) if f"join/{one['id']}" not in old],
    }


def flat(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return all of `whole` as rows of one table, policies first. Pure."""
    empty = dict.fromkeys(COLUMNS, "")
    table = [
        {
            **empty,
            "id": one["id"],
            "who": ", ".join(one["signed_by"]),
            "what": "policy",
            "decision": "in force",
            "why": "; ".join(one["changes"]),
            "policy": one["version"],
            "counts": True,
        }
        for one in found["policies"]
    ]
    for one in found["joins"]:
        mail = f" <{one['email']}>" if one["email"] else ""
        row = {"id": one["id"], "at": one["at"], "who": one["person"], "key": one["key"], "what": "join"}
        more = {"why": f"{one['name']}{mail}", "counts": not one["reason"], "reason": one["reason"]}
        table.append({**empty, **row, **more})
    return [*table, *map(dict, found["events"])]


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
