"""Keys that sign: plain files in process; through ssh-keygen those of an agent, with a passphrase or a touch.

`candidates` lists the keys of the person at this machine in the order in which they are tried:
Git's ``user.signingkey``, the SSH agent, ``~/.ssh/id_ed25519``, ``~/.ssh/provenote_ed25519``,
the repository's own ``.git/provenote/keys``.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from provenote.errors import ProvenoteError, UsageError, WorldError
from provenote.git.command import run
from provenote.stores import signatures
from provenote.stores.signatures import PublicKey

WAIT = 120
"""Seconds that a person gets for a passphrase or a touch."""


class Signer(Protocol):
    """Whoever can sign for one key."""

    @property
    def public(self) -> PublicKey:
        """The public half."""

    @property
    def label(self) -> str:
        """Where the key is, in words for a person."""

    def sign(self, message: bytes, namespace: str) -> bytes:
        """Return the armored SSH signature of ``message`` for ``namespace``, in its canonical form."""


@dataclass(frozen=True, slots=True)
class PlainKey:
    """A private key file without a passphrase; signs in this process.

    Parameters
    ----------
    path : Path
        The private key, in OpenSSH's or PEM form.
    """

    path: Path
    public: PublicKey = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "public", _public(_private(self.path)))

    @property
    def label(self) -> str:
        """Where the key is, in words for a person."""
        return f"{self.public.kind} {self.public.fingerprint} ({self.path})"

    def sign(self, message: bytes, namespace: str) -> bytes:
        """Return the armored SSH signature of ``message`` for ``namespace``."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

        key = _private(self.path)
        if _public(key) != self.public:
            raise UsageError(f"{self.path} has become another key meanwhile", "Run the command again")
        signed = signatures.signed_bytes(message, namespace)
        if isinstance(key, rsa.RSAPrivateKey):
            raw = key.sign(signed, padding.PKCS1v15(), hashes.SHA512())
            return signatures.assemble(self.public, namespace, "rsa-sha2-512", raw)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            digest = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}[key.curve.key_size]
            raw = signatures.ecdsa_raw(key.sign(signed, ec.ECDSA(digest)), key.curve)
            return signatures.assemble(self.public, namespace, self.public.kind, raw)
        return signatures.assemble(self.public, namespace, self.public.kind, key.sign(signed))


@dataclass(frozen=True, slots=True)
class OpenSSHKey:
    """A key that only ssh-keygen can use: in an agent, behind a passphrase, or in a security key.

    Parameters
    ----------
    public : PublicKey
        The public half.
    path : Path or None
        The private key file; None when the agent holds it.
    """

    public: PublicKey
    path: Path | None = None

    @property
    def label(self) -> str:
        """Where the key is, in words for a person."""
        return f"{self.public.kind} {self.public.fingerprint} ({self.path or 'SSH agent'})"

    def sign(self, message: bytes, namespace: str) -> bytes:
        """Return the armored SSH signature of ``message`` for ``namespace``.

        Raises
        ------
        WorldError
            If ssh-keygen is missing, or could not sign: no passphrase, no touch, no agent.
        """
        with tempfile.TemporaryDirectory(prefix="provenote-sign-") as folder:
            path = self.path
            if path is None:  # ssh-keygen takes the private half from the agent
                path = Path(folder) / "key.pub"
                path.write_text(self.public.line + "\n", encoding="ascii")
            command = ["ssh-keygen", "-Y", "sign", "-q", "-n", namespace, "-f", str(path)]
            try:
                answer = subprocess.run(command, input=message, capture_output=True, timeout=WAIT)
            except FileNotFoundError as error:
                raise WorldError(
                    "this key needs ssh-keygen, which is not on the PATH", "Install OpenSSH"
                ) from error
            except subprocess.TimeoutExpired as error:
                late = f"the key gave no signature within {WAIT} s: {self.label}"
                raise WorldError(late, "Try again, and touch it") from error
        if answer.returncode:
            said = answer.stderr.decode(errors="replace").strip().splitlines()
            why = said[-1] if said else "no reason given"
            mend = (
                f"Unlock it for this session: `ssh-add {self.path}`"
                if self.path
                else "See what it holds: `ssh-add -l`"
            )
            raise WorldError(f"ssh-keygen could not sign with {self.label}: {why}", mend)
        armored = signatures.canonical(answer.stdout)
        if signatures.verify(message, armored, namespace) != self.public:
            raise WorldError(f"ssh-keygen signed with another key than {self.label}")
        return armored


def make(path: Path, comment: str) -> PlainKey:
    """Make an ed25519 key without a passphrase and write it as ssh-keygen would: 0600, and its ``.pub``.

    Raises
    ------
    UsageError
        If the file exists: a key is never overwritten.
    WorldError
        If it cannot be written.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    key = ed25519.Ed25519PrivateKey.generate()
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(secret)
            stream.flush()
            os.fsync(descriptor)
        line = f"{_public(key).line} {' '.join(comment.split())}\n"
        path.with_name(path.name + ".pub").write_text(line, encoding="utf-8")
    except FileExistsError as error:
        raise UsageError(f"the key {path} exists already", "Name that one, or another file") from error
    except OSError as error:
        raise WorldError(f"the key {path} cannot be written: {error.strerror}") from error
    return PlainKey(path)


def open_key(path: str | os.PathLike[str]) -> Signer:
    """Return the signer of a private key file (or of a ``.pub`` file whose private half an agent holds).

    Raises
    ------
    UsageError
        If it is no key that can sign.
    """
    given = Path(path).expanduser()
    private = given.with_suffix("") if given.suffix == ".pub" else given
    if private.is_file():
        try:
            return PlainKey(private)
        except _Locked:
            pub = private.with_name(private.name + ".pub")
            if pub.is_file():
                return OpenSSHKey(PublicKey.parse(_text(pub)), private)
            raise UsageError(
                f"{private} has a passphrase and no {pub.name} beside it",
                f"Write one: `ssh-keygen -y -f {private} > {pub}`",
            ) from None
    if given.is_file():
        return OpenSSHKey(PublicKey.parse(_text(given)))
    raise UsageError(f"there is no key {given}", "Make one: `ssh-keygen -t ed25519`")


def candidates(folder: Path, home: Path | None = None) -> Iterator[Signer]:
    """Yield the keys that the person at this machine may sign with, best first, each once.

    Parameters
    ----------
    folder : Path
        A folder of the repository, whose Git settings count.
    home : Path, optional
        The repository's own folder, `Workspace.home`; its ``keys`` come last.
    """
    seen: set[bytes] = set()
    for signer in _all(folder, home):
        if signer.public.blob not in seen:
            seen.add(signer.public.blob)
            yield signer


def _all(folder: Path, home: Path | None) -> Iterator[Signer]:
    agent = _agent()
    configured = run(folder, "config", "--get", "user.signingkey").stdout.decode(errors="replace").strip()
    literal = configured.removeprefix("key::")
    if literal.startswith(("ssh-", "ecdsa-", "sk-")):
        yield from (OpenSSHKey(key) for key in agent if key.line == " ".join(literal.split()[:2]))
    elif configured.startswith(("/", "~", ".")):
        yield from _maybe(Path(configured).expanduser())
    yield from (OpenSSHKey(key) for key in agent)
    own = Path.home() / ".ssh"
    for name in ("id_ed25519", "id_ed25519_sk", "id_ecdsa", "id_rsa", "provenote_ed25519"):
        yield from _maybe(own / name)
    if home is not None:
        for path in sorted((home / "keys").glob("*_ed25519")):
            yield from _maybe(path)


def _maybe(path: Path) -> Iterator[Signer]:
    """Yield the signer of a key file that is there and of a kind that counts."""
    with suppress(ProvenoteError, OSError):
        yield open_key(path)


def _agent() -> list[PublicKey]:
    """Return the keys that the SSH agent holds; none when there is no agent."""
    if not os.environ.get("SSH_AUTH_SOCK"):
        return []
    try:
        answer = subprocess.run(["ssh-add", "-L"], capture_output=True, timeout=5, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return []
    found = []
    for line in answer.stdout.decode(errors="replace").splitlines() if answer.returncode == 0 else ():
        with suppress(ProvenoteError):
            found.append(PublicKey.parse(line))
    return found


class _Locked(UsageError):
    """The key cannot be used in process: it has a passphrase, or lives in a security key."""


def _private(path: Path) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"the key {path} cannot be read: {error.strerror}") from error
    try:
        if b"OPENSSH PRIVATE KEY" in content:
            return serialization.load_ssh_private_key(content, None)
        return serialization.load_pem_private_key(content, None)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise _Locked(f"the key {path} cannot be used without ssh-keygen: {error}") from error


def _public(private: Any) -> PublicKey:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    line: bytes = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return PublicKey.parse(line.decode("ascii"))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
