"""Changes of people, roles and owners: each takes the document of a policy and changes it in place.

What a change may not do (name an unknown role, leave fewer owners than must sign) is refused here with its
mending command; `provenote.registry.policy_file` checks the outcome again, as every reader does.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from provenote.errors import UsageError
from provenote.git import command
from provenote.registry import names
from provenote.registry.amending import Change
from provenote.registry.reading import Registry
from provenote.stores.signatures import PublicKey


def admit(person: str, shown: str, email: str, key: PublicKey, roles: Sequence[str]) -> Change:
    """Let somebody in with one key and these roles; for one who is in already it is a further key.

    Parameters
    ----------
    person, shown, email : str
        Name in the policy, name in full, mail address.
    key : PublicKey
    roles : sequence of str
    """

    def change(document: dict[str, Any]) -> None:
        if document.get("solo"):
            raise UsageError(
                "this policy is for one person, who approves what they asked for",
                "Give it the rules of a team first: `provenote policy show --out policy.yaml`, edit it "
                "(leave `solo` out), `provenote policy edit policy.yaml`",
            )
        there = document["people"].get(person)
        if there is None:
            who = {"name": shown, "email": email}
            document["people"][person] = {
                **{name: value for name, value in who.items() if value},
                "keys": [{"key": key.line}],
            }
        else:
            there["keys"] = [*there["keys"], {"key": key.line}]
        _give(document, person, roles)

    return change


def remove(person: str, key: str | None = None, distrust: str | None = None) -> Change:
    """Take somebody, or one of their keys, out of the policy.

    Parameters
    ----------
    person : str
    key : str, optional
        Fingerprint of the key that goes; by default the person goes with all of them.
    distrust : str, optional
        The last commit of the ledger until which what these keys signed still counts: for a stolen key.
    """

    def change(document: dict[str, Any]) -> None:
        there = _person(document, person)
        keys = [PublicKey.parse(row["key"]) for row in there["keys"]]
        going = [one for one in keys if key in (None, one.fingerprint)]
        if not going and key is not None:
            held = ", ".join(one.fingerprint for one in keys) or "none"
            raise UsageError(f"{person} has no key {names.visible(key)}", f"Their keys: {held}")
        if key is not None and len(going) < len(keys):
            there["keys"] = [row for row in there["keys"] if PublicKey.parse(row["key"]) not in going]
        else:
            del document["people"][person]
            for role, members in document["roles"].items():
                document["roles"][role] = [name for name in _list(members) if name != person]
        lines = {one.line for one in going}
        _own(document, [line for line in _owners(document) if _line(line) not in lines], None)
        if distrust is not None:
            rows = [{"key": one.fingerprint, "log": distrust} for one in going]
            document["distrust"] = [*(document.get("distrust") or []), *rows]

    return change


def roles(person: str, add: Sequence[str], take: Sequence[str]) -> Change:
    """Give a person roles and take some."""

    def change(document: dict[str, Any]) -> None:
        _person(document, person)
        for role in take:
            members = _list(document["roles"].get(role) or [])
            if person not in members:
                raise UsageError(f"{person} has not the role {names.visible(role)!r}", _known(document))
            document["roles"][role] = [name for name in members if name != person]
        _give(document, person, add)

    return change


def owners(add: Sequence[str], drop: Sequence[str], threshold: int | None) -> Change:
    """Make people owners, with all their keys, or not any more; and say how many must sign a policy."""

    def change(document: dict[str, Any]) -> None:
        lines = _owners(document)
        for name in drop:
            keys = _keys(document, name)
            if not any(_line(line) in keys for line in lines):
                raise UsageError(f"{name} is no owner", "See: `provenote policy show`")
            lines = [line for line in lines if _line(line) not in keys]
        for name in add:
            keys = [one for one in _keys(document, name) if one not in map(_line, lines)]
            if not keys:
                raise UsageError(f"{name} is an owner already, or has no key", "See: `provenote policy show`")
            lines = [*lines, *keys]
        _own(document, lines, threshold)

    return change


def public(path: Path, fingerprint: str | None) -> PublicKey:
    """Return the public key in a file, if its fingerprint is the one that was told.

    Raises
    ------
    UsageError
        If there is none, or it is another one.
    """
    try:
        key = PublicKey.parse(path.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if fingerprint not in (None, key.fingerprint):
        raise UsageError(f"the key in {path} is {key.fingerprint}, not {names.visible(str(fingerprint))}")
    return key


def last_good(registry: Registry, commit: str) -> str:
    """Return the full id of a commit of the ledger, as a policy names it.

    Raises
    ------
    UsageError
        If the ledger has no such commit.
    """
    place, ledger = registry.workspace.top, registry.ledger
    asked = command.run(place, "rev-parse", "--quiet", "--verify", "--end-of-options", f"{commit}^{{commit}}")
    full = asked.stdout.decode(errors="replace").strip()
    if asked.returncode or not ledger.holds(full, registry.commit):
        raise UsageError(
            f"the ledger has no commit {names.visible(commit)}", f"See them: `git log --stat {ledger.branch}`"
        )
    return full


def _own(document: dict[str, Any], lines: list[str], threshold: int | None) -> None:
    """Set the owners, if as many are left as must sign."""
    least = document["owners"]["threshold"] if threshold is None else threshold
    if least < 1:
        raise UsageError("at least one owner must sign a policy")
    of_person = {
        _line(row["key"]): name for name, person in document["people"].items() for row in person["keys"]
    }
    count = len({of_person.get(_line(line), line) for line in lines})
    if count < least:
        raise UsageError(
            f"{count} owner{'' if count == 1 else 's'} would be left, and {least} must sign a policy",
            "Change both at once: `provenote policy owners --add NAME --threshold N`",
        )
    document["owners"] = {"threshold": least, "keys": lines}


def _give(document: dict[str, Any], person: str, given: Sequence[str]) -> None:
    for role in given:
        if role not in document["roles"]:
            raise UsageError(f"the policy has no role {names.visible(role)!r}", _known(document))
        members = _list(document["roles"][role])
        if person not in members:
            document["roles"][role] = [*members, person]


def _known(document: dict[str, Any]) -> str:
    return f"Its roles: {', '.join(document['roles'])}; new ones come by `provenote policy edit`"


def _person(document: dict[str, Any], name: str) -> dict[str, Any]:
    found = document["people"].get(name)
    if not isinstance(found, dict):
        known = ", ".join(document["people"])
        raise UsageError(f"the policy knows no {names.visible(name)!r}", f"It knows {known}")
    return found


def _keys(document: dict[str, Any], name: str) -> list[str]:
    return [_line(row["key"]) for row in _person(document, name)["keys"]]


def _owners(document: dict[str, Any]) -> list[str]:
    return list(_list(document["owners"]["keys"]))


def _line(line: str) -> str:
    """Return a key as it is compared: without its comment."""
    return PublicKey.parse(line).line


def _list(value: str | list[str]) -> list[str]:
    """Return a list; the policy's reader takes a single text for a list of one."""
    return [value] if isinstance(value, str) else list(value)
