"""Which policies are in force: a chain from the pinned root, each signed by owners of the one before. Pure.

- The root is the SHA-256 of the first policy. It pins its owners *and* how many of them must sign.
- A signature is checked before a byte of the file is parsed.
- Files: ``policy/<n>-<first 12 digits of its SHA-256>.yaml`` and, beside it, for each signature
  ``.<key>.<first 12 digits of the signature's SHA-256>.sig``: nobody can occupy another's place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provenote.errors import Refused
from provenote.registry import policy_file
from provenote.registry.policy import BadPolicy, Policy
from provenote.stores import signatures
from provenote.stores.digest import sha256_bytes
from provenote.stores.signatures import BadSignature, PublicKey

if TYPE_CHECKING:
    from provenote.stores.keys import Signer

NAMESPACE = "provenote-policy@v1"
_FILE = re.compile(r"policy/([1-9][0-9]{0,5})-([0-9a-f]{12})\.yaml")


class Untrusted(Refused):
    """The ledger's policies don't lead back to the pinned root."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A next policy that some owners have signed, but not yet enough of them.

    Parameters
    ----------
    policy : Policy
    content : bytes
        Its file.
    signed_by : tuple of PublicKey
        The owners' keys that signed it.
    """

    policy: Policy
    content: bytes
    signed_by: tuple[PublicKey, ...]


def read(files: Mapping[str, bytes], root: str) -> list[Policy]:
    """Return the policies in force, oldest first; the last one counts now.

    Parameters
    ----------
    files : mapping of path to content
        The files of the ledger.
    root : str
        SHA-256 of the first policy, 64 hexadecimal digits.

    Raises
    ------
    Untrusted
        If the first policy is not the pinned one, lacks signatures, or two have equal right to one place.
    BadPolicy
        If a policy is signed by its owners but cannot be enforced by this reader.
    """
    by_number: dict[int, list[tuple[str, bytes]]] = {}
    for path, content in sorted(files.items()):
        found = _FILE.fullmatch(path)
        if found and sha256_bytes(content)[:12] == found[2]:
            by_number.setdefault(int(found[1]), []).append((path, content))
    chain = [_first(files, by_number.get(1, []), root)]
    while following := [
        policy
        for path, content in by_number.get(len(chain) + 1, [])
        if (policy := _next(files, chain[-1], path, content))
    ]:
        if len(following) > 1:
            raise Untrusted(f"two policies claim to be number {len(chain) + 1}, both signed by enough owners")
        chain.append(following[0])
    return chain


def proposals(files: Mapping[str, bytes], last: Policy) -> list[Proposal]:
    """Return the policies that would rightly follow ``last`` if more owners signed them, by id.

    What no owner has signed is not read; what one has signed and nobody can enforce is left out.
    """
    found = []
    for path, content in files.items():
        at = _FILE.fullmatch(path)
        if not at or int(at[1]) != last.version + 1 or sha256_bytes(content)[:12] != at[2]:
            continue
        signers = _signers(last, files, path, content)
        if not signers or last.owner_count(signers) >= last.threshold:
            continue
        try:
            policy = policy_file.parse(content)
        except BadPolicy:
            continue
        if (policy.version, policy.previous, policy.project) == (last.version + 1, last.id, last.project):
            found.append(Proposal(policy, content, tuple(signers)))
    return sorted(found, key=lambda one: one.policy.id)


def signed_by(files: Mapping[str, bytes], policies: Sequence[Policy]) -> list[list[PublicKey]]:
    """Return for each policy of a chain the owners' keys that signed it; of the first its own owners'."""
    judges = [policies[0], *policies[:-1]]
    found = []
    for judge, policy in zip(judges, policies, strict=True):
        path = f"policy/{policy.version}-{policy.id[:12]}.yaml"
        found.append(_signers(judge, files, path, files[path]))
    return found


def number(path: str) -> int | None:
    """Return the number of the policy that a path of the ledger claims to hold, or None."""
    found = _FILE.fullmatch(path)
    return int(found[1]) if found else None


def signed(content: bytes, version: int, signers: list[Signer]) -> dict[str, bytes]:
    """Return the files of a policy with these signatures."""
    path = f"policy/{version}-{sha256_bytes(content)[:12]}.yaml"
    files = {path: content}
    for signer in signers:
        signature = signer.sign(content, NAMESPACE)
        stem = f"{path.removesuffix('.yaml')}.{signer.public.short}"
        files[f"{stem}.{sha256_bytes(signature)[:12]}.sig"] = signature
    return files


def _first(files: Mapping[str, bytes], found: list[tuple[str, bytes]], root: str) -> Policy:
    for path, content in found:
        if sha256_bytes(content) == root:
            policy = policy_file.parse(content)  # pinned, so nobody else's text can get here
            if policy.version != 1 or not _enough(policy, files, path, content):
                raise Untrusted("the pinned first policy is not signed by its owners")
            return policy
    raise Untrusted(
        f"the ledger does not begin with the pinned policy {root[:12]}",
        "Compare the root with its owner's: `git config provenote.root`",
    )


def _next(files: Mapping[str, bytes], last: Policy, path: str, content: bytes) -> Policy | None:
    """Return the policy in this file if it rightly follows ``last``."""
    if not _enough(last, files, path, content):
        return None
    policy = policy_file.parse(content)
    if policy.version != last.version + 1 or policy.previous != last.id:
        return None
    if policy.project != last.project:
        raise BadPolicy(f"policy {policy.version} is about another project than policy {last.version}")
    return policy


def _enough(judge: Policy, files: Mapping[str, bytes], path: str, content: bytes) -> bool:
    """Whether enough owners of ``judge`` signed the file."""
    return judge.owner_count(_signers(judge, files, path, content)) >= judge.threshold


def _signers(judge: Policy, files: Mapping[str, bytes], path: str, content: bytes) -> list[PublicKey]:
    """Return the owners' keys that signed the file; only signatures that bear their names are tried."""
    signers = []
    for owner in judge.owners:
        stem = f"{path.removesuffix('.yaml')}.{owner.short}."
        for name in sorted(name for name in files if name.startswith(stem) and name.endswith(".sig")):
            try:
                if signatures.verify(content, files[name], NAMESPACE) == owner:
                    signers.append(owner)
                    break
            except BadSignature:
                continue
    return signers
