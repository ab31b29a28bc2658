"""Who is who in reviews: keys that the policy knows, that Git's allowed signers name, and one's own.

With a trusted ledger its policies alone say whose key it is, those of former members too. Where there is no
ledger, Git's ``gpg.ssh.allowedSignersFile`` and this machine's own keys do. Where there is one that is not
trusted (no root is pinned, or it does not hold), nobody is known and nothing can be said: nothing else may
stand in for a policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provenote.errors import ProvenoteError, Refused
from provenote.git import command
from provenote.registry import names
from provenote.stores.signatures import PublicKey

if TYPE_CHECKING:
    from provenote.registry.reading import Registry
    from provenote.stores.keys import Signer
    from provenote.workspace import Workspace


@dataclass(frozen=True)
class People:
    """Who is known here, and who is at this machine.

    Parameters
    ----------
    known : mapping of PublicKey to str
        Whose key it is.
    registry : Registry or None
        The governance that says so; None: there is none that is trusted here.
    note : str
        What to tell about how people are known.
    untrusted : Refused or None
        Why the ledger that is there is not trusted.
    """

    known: Mapping[PublicKey, str]
    registry: Registry | None
    note: str
    untrusted: Refused | None = None

    def who(self, key: PublicKey) -> str | None:
        """Return whose key it is, None for one that nobody here knows."""
        return self.known.get(key)

    @property
    def project(self) -> str:
        """Id of the governed project, empty where there is none."""
        return self.registry.log.policy.project if self.registry else ""


@dataclass(frozen=True, slots=True)
class Author:
    """The person at this machine: a name, the key to sign with, whether others know it.

    Parameters
    ----------
    name : str
    signer : Signer
    known : bool
    """

    name: str
    signer: Signer
    known: bool


def read(workspace: Workspace) -> People:
    """Find out who is known in this repository."""
    from provenote.registry import reading
    from provenote.stores.ledger import Ledger

    ledger = Ledger(workspace.top)
    if ledger.tip() is None and not ledger.known_elsewhere():
        note = "no policy here: people are known by Git's allowed signers and by your own keys"
        return People({**_allowed(workspace), **_own(workspace)}, None, note)
    try:
        registry = reading.read(workspace)
    except Refused as error:
        return People({}, None, f"nobody is known: {error.line}", error)
    known: dict[PublicKey, str] = {}
    for policy in registry.log.policies:
        known |= {key: person.name for person in policy.people.values() for key in person.keys}
    distrusted = {row.key for policy in registry.log.policies for row in policy.distrust}
    known = {key: name for key, name in known.items() if key.fingerprint not in distrusted}
    return People(known, registry, f"people are known by policy {registry.log.policy.version}")


def me(workspace: Workspace, people: People) -> Author:
    """Return who signs at this machine: the first key that is known here, else the first one.

    Raises
    ------
    Refused
        If there is no key at all, or a ledger that is not trusted.
    """
    if people.untrusted is not None:
        raise people.untrusted
    from provenote.registry.starting import person_here
    from provenote.stores.keys import candidates

    first: Signer | None = None
    for signer in candidates(workspace.top, workspace.home):
        first = first or signer
        if (name := people.who(signer.public)) is not None:
            return Author(name, signer, True)
    if first is None:
        raise Refused("there is no SSH key to sign with here", "Make one: `ssh-keygen -t ed25519`")
    return Author(person_here(workspace)[0], first, False)


def _own(workspace: Workspace) -> dict[PublicKey, str]:
    from provenote.registry.starting import person_here
    from provenote.stores.keys import candidates

    name = person_here(workspace)[0]
    return {signer.public: name for signer in candidates(workspace.top, workspace.home)}


def _allowed(workspace: Workspace) -> dict[PublicKey, str]:
    """Read the people of OpenSSH's ``ALLOWED SIGNERS`` (ssh-keygen(1)): ``principals [options] key``."""
    answer = command.run(workspace.top, "config", "--type=path", "--get", "gpg.ssh.allowedSignersFile")
    given = answer.stdout.decode(errors="replace").strip()
    if not given:
        return {}
    try:
        text = (workspace.top / Path(given)).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    found: dict[PublicKey, str] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) < 3 or line.startswith("#") or "cert-authority" in line:
            continue
        at = next((place for place, word in enumerate(words) if word.startswith(_KINDS)), None)
        if at is None or at + 1 >= len(words):
            continue
        with suppress(ProvenoteError):
            key = PublicKey.parse(" ".join(words[at : at + 2]))
            found[key] = names.person(words[0].strip('"').split(",")[0].partition("@")[0])
    return found


_KINDS = ("ssh-", "ecdsa-", "sk-")
