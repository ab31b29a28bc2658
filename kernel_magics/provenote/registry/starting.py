"""Start the governance of a repository: the first policy, signed, and its root pinned here.

A team starts with one owner and the roles and rules of a small file; others join and are admitted. Solo mode
is honest about being alone: one person has every role and approves what they asked for, and every page that
shows a promotion says so. The verbs, events and checks are those of a team, so a team's policy can follow
later.
"""

from __future__ import annotations

import getpass
import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from provenote.errors import ProvenoteError, UsageError
from provenote.git import command
from provenote.registry import chain, names, policy_file, root, team_policy
from provenote.registry.known_types import NUMERIC
from provenote.registry.policy_changes import unfilled
from provenote.registry.signing import Confirm, NoPerson
from provenote.stores import keys
from provenote.stores.digest import sha256_bytes
from provenote.stores.keys import Signer
from provenote.stores.ledger import Ledger
from provenote.workspace import Workspace

STAGES = ("production", "staging")
WORD = "policy"
FORMATS: dict[str, tuple[str, ...]] = {"skops": NUMERIC, "onnx": (), "file": ()}
"""Model formats of a solo policy, each with the types that may be trusted."""


@dataclass(frozen=True, slots=True)
class Started:
    """A governance that was started.

    Parameters
    ----------
    root : str
        SHA-256 of the first policy: what others pin.
    person : str
        The owner's name in it.
    signer : Signer
        The owner's key.
    made_key : Path or None
        The key file, if one was made.
    lines : tuple of str
        What was done, for a person.
    """

    root: str
    person: str
    signer: Signer
    made_key: Path | None
    lines: tuple[str, ...]


def start_solo(workspace: Workspace, key: Signer | Path | None = None, demo: bool = False) -> Started:
    """Start with one person who has every role.

    Parameters
    ----------
    workspace : Workspace
    key : Signer or Path, optional
        The owner's key. By default the first of: Git's ``user.signingkey``, the SSH agent, ``~/.ssh``;
        without any a new one in ``~/.ssh/provenote_ed25519``. A demonstration makes its own inside the
        repository's Git folder.
    demo : bool
        Mark the policy as a demonstration's.

    Raises
    ------
    UsageError
        If the repository, or a remote that it has fetched from, has a ledger already.
    """
    ledger = _no_ledger(workspace)
    signer, made_key = _key(workspace, key, demo)
    person, shown, email = ("demo", "Demonstration", "") if demo else person_here(workspace)
    content = solo_policy(signer, person, shown, email, demo)
    policy_file.parse(content)  # what we write, we can read
    first = sha256_bytes(content)
    ledger.append(chain.signed(content, 1, [signer]), f"policy 1 ({person})")
    root.pin(workspace.top, first)
    lines = [f"key made: {made_key}, without a passphrase"] if made_key else [f"key: {signer.label}"]
    kind = "demonstration" if demo else "solo mode"
    lines += [
        f"policy 1 signed by {person} ({kind}): you have every role, so nobody else checks you",
        f"root pinned here; give it to whoever loads your models: sha256:{first}",
    ]
    return Started(first, person, signer, made_key, tuple(lines))


def start_team(
    workspace: Workspace,
    text: bytes,
    *,
    confirm: Confirm | None,
    person: str | None = None,
    email: str | None = None,
    key: Signer | Path | None = None,
) -> Started:
    """Start with the roles and rules of a file, and this person as the first owner.

    Parameters
    ----------
    workspace : Workspace
    text : bytes
        The start file, as `provenote.registry.team_policy.example` writes one.
    confirm : Confirm or None
        How to ask the person.
    person : str, optional
        Their name in the policy; by default Git's ``user.name``, in lower case.
    email : str, optional
        Their mail address; by default Git's ``user.email``.
    key : Signer or Path, optional
        Their key; by default as in solo mode.

    Raises
    ------
    UsageError
        If there is a ledger already, or the typed word is another one.
    NoPerson
        If nobody can be asked.
    BadPolicy
        If the file cannot be used.
    """
    ledger = _no_ledger(workspace)
    if confirm is None:
        raise NoPerson("a policy takes a signature, and nobody is here to be asked", "Do it in a terminal")
    guessed, shown, mail = person_here(workspace)
    name = names.check_person(person or guessed)
    signer, made_key = _key(workspace, key, demo=False)
    content = team_policy.first(text, name, shown, mail if email is None else email, signer.public, FORMATS)
    made = policy_file.parse(content)
    first = made.id
    pairs = [
        ("policy", f"1 ({first})"),
        ("owner", f"{name}, alone until you make others owners"),
        *(("role", f"{role}: {', '.join(members) or 'nobody yet'}") for role, members in made.roles.items()),
        *(("rule", f"{rule.model} in {rule.stage}") for rule in made.rules),
        *(("then", line) for line in unfilled(made)),
        ("key", signer.label),
    ]
    width = max(len(left) for left, _ in pairs)
    listed = [f"  {left:<{width}}  {names.visible(right)}" for left, right in pairs]
    if confirm("\n".join(["You sign exactly this:", *listed]), WORD).strip() != WORD:
        raise UsageError(f"that is not {WORD!r}, so nothing was signed")
    ledger.append(chain.signed(content, 1, [signer]), f"policy 1 ({name})")
    root.pin(workspace.top, first)
    lines = [f"key made: {made_key}, without a passphrase"] if made_key else [f"key: {signer.label}"]
    lines += [
        f"policy 1 signed by {name}, its only owner",
        f"root pinned here; give it to everybody by another way than this repository: sha256:{first}",
    ]
    return Started(first, name, signer, made_key, tuple(lines))


def _no_ledger(workspace: Workspace) -> Ledger:
    """Return the place of the ledger, or refuse where there is one."""
    ledger = Ledger(workspace.top)
    if ledger.tip():
        raise UsageError("this repository has a governance ledger already", "See it: `provenote policy show`")
    if remotes := ledger.known_elsewhere():
        take = f"Take it: `git branch {ledger.branch} {remotes[0]}/{ledger.branch}`"
        raise UsageError(f"the remote {remotes[0]} has a governance ledger already", take)
    return ledger


def solo_policy(signer: Signer, person: str, shown: str, email: str, demo: bool) -> bytes:
    """Return the text of a policy in which one person has every role."""

    def word(text: str) -> str:
        return json.dumps(text, ensure_ascii=False)  # a JSON text is a YAML text

    who = {"name": shown, "email": email}
    lines = [
        "# Who may bring which model where. Changed only by a next version, signed by the owners.",
        "version: 1",
        f"project: {word(secrets.token_hex(16))}",
        "solo: true # one person has every role: no separation of duty",
        *(["demo: true # a throw-away key: nobody vouches for these models"] if demo else []),
        "owners:",
        "  threshold: 1",
        f"  keys: [{word(signer.public.line)}]",
        "people:",
        f"  {word(person)}:",
        *(f"    {name}: {word(value)}" for name, value in who.items() if value),
        f"    keys: [{{key: {word(signer.public.line)}}}]",
        f"roles: {{owner: [{word(person)}]}}",
        "rules: # the first that matches counts; nothing matches: no",
    ]
    for stage in STAGES:
        lines += [
            f'- model: "*"\n  stage: {stage}\n  request: [owner]\n  approvals: [{{role: owner, min: 1}}]',
            "  four_eyes: false\n  release: [owner]\n  rollback: [owner]\n  recall: [owner]\n  formats:",
        ]
        for name, trusted in FORMATS.items():
            lines.append(f"    {name}:" if trusted else f"    {name}: []")
            lines += [f"    - {word(entry)}" for entry in trusted]
    return ("\n".join(lines) + "\n").encode()


def _key(workspace: Workspace, key: Signer | Path | None, demo: bool) -> tuple[Signer, Path | None]:
    """Return the owner's signer, and the path of its key if it was made now."""
    if isinstance(key, Path):
        return keys.open_key(key), None
    if key is not None:
        return key, None
    if demo:
        path = workspace.home / "keys" / "demo_ed25519"
        return keys.make(path, "provenote demo"), path
    for signer in keys.candidates(workspace.top, workspace.home):
        return signer, None
    path = Path.home() / ".ssh" / "provenote_ed25519"
    try:
        return keys.make(path, "provenote"), path
    except ProvenoteError:  # no home that can be written: the key lives with the repository
        path = workspace.home / "keys" / "solo_ed25519"
        return keys.make(path, "provenote"), path


def person_here(workspace: Workspace) -> tuple[str, str, str]:
    """Return the name in a policy, name in full and e-mail address of the person here, as Git knows them."""
    said = [
        command.run(workspace.top, "config", "--get", name).stdout.decode(errors="replace").strip()
        for name in ("user.name", "user.email")
    ]
    try:
        login = getpass.getuser()
    except (KeyError, OSError):
        login = "me"
    return names.person(said[0] or login), names.visible(said[0]), names.visible(said[1])
