"""SSH signatures (SSHSIG): who made these bytes, told in process by `verify`, without ssh-keygen.

- A signature covers the message's SHA-512 together with a namespace, so that one made for another
  purpose (a Git commit, another kind of our files) never counts here.
- `verify` answers with the public key that made it; whether that key may do anything is the policy's matter.
- Accepted: ed25519, RSA of at least 3072 bits, ECDSA on the NIST curves, and ed25519 on a security key
  (``sk-``, with its touch). The same as ``ssh-keygen -Y verify`` accepts, less what is weak.
- One signature can be armored in many ways, and an ECDSA signature has a twin. `canonical` gives the one
  form that a ledger stores, so that nobody can make a second event out of another's signature.

Format: https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.sshsig and PROTOCOL.u2f.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from provenote.errors import Refused, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

MAGIC = b"SSHSIG"
BEGIN = b"-----BEGIN SSH SIGNATURE-----"
END = b"-----END SSH SIGNATURE-----"
SECURITY_KEY = "sk-ssh-ed25519@openssh.com"
ECDSA = {"ecdsa-sha2-nistp256": 256, "ecdsa-sha2-nistp384": 384, "ecdsa-sha2-nistp521": 521}
KINDS = ("ssh-ed25519", "ssh-rsa", *ECDSA, SECURITY_KEY)
"""Kinds of keys whose signatures count."""

RSA_BITS = 3072
TOUCHED = 0x01
"""Flag of a security key: its user was present (PROTOCOL.u2f)."""

# Orders n of the curves' groups (FIPS 186-4, appendix D.1.2): of (r, s) and (r, n - s) we keep the smaller.
_ORDER = {
    256: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    384: 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    521: (1 << 521) - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7,
}


class BadSignature(Refused):
    """The signature does not hold: damaged, made for another purpose, or by a key of a weak kind."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key as OpenSSH writes it.

    Parameters
    ----------
    kind : str
        ``ssh-ed25519``, ``ssh-rsa``, ...
    blob : bytes
        The key in the wire format of RFC 4253.
    """

    kind: str
    blob: bytes

    @classmethod
    def parse(cls, line: str) -> PublicKey:
        """Read a line of a ``.pub`` file: kind, base64, and perhaps a comment.

        Raises
        ------
        UsageError
            If it is no such line, or a kind whose signatures don't count.
        """
        words = line.split()
        try:
            blob = base64.b64decode(words[1], validate=True)
            kind = _take(blob, 0)[0].decode("ascii")
            if kind != words[0] or kind not in KINDS:
                raise ValueError
            key = cls(kind, blob)
            _check_key(blob)
        except (IndexError, ValueError, UnicodeDecodeError, BadSignature) as error:
            mend = f"Use one of these kinds: {', '.join(KINDS)} (RSA of at least {RSA_BITS} bits)"
            raise UsageError(f"{ascii(line[:60])} is no public SSH key that we accept", mend) from error
        return key

    @property
    def line(self) -> str:
        """The key as a line of ``allowed_signers`` or ``.pub``, without a comment."""
        return f"{self.kind} {base64.b64encode(self.blob).decode()}"

    @property
    def fingerprint(self) -> str:
        """Its SHA-256 as ``ssh-keygen -l`` prints it: ``SHA256:`` and 43 characters."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    @property
    def short(self) -> str:
        """Sixteen hexadecimal digits of the same hash, for file names."""
        return hashlib.sha256(self.blob).hexdigest()[:16]

    @property
    def hardware(self) -> bool:
        """Whether the private half lives in a security key that asks for a touch."""
        return self.kind.startswith("sk-")


@dataclass(frozen=True, slots=True)
class _Parsed:
    """The fields of one SSHSIG blob."""

    public: bytes
    namespace: bytes
    hash: bytes
    kind: bytes
    raw: bytes
    rest: bytes


def signed_bytes(message: bytes, namespace: str, hash_name: str = "sha512") -> bytes:
    """Return what the key really signs for ``message`` in ``namespace``."""
    digest = hashlib.new(hash_name, message).digest()
    return MAGIC + _put(namespace.encode()) + _put(b"") + _put(hash_name.encode()) + _put(digest)


def assemble(public: PublicKey, namespace: str, kind: str, raw: bytes) -> bytes:
    """Return the armored signature file of ``raw``, a signature by ``public`` of kind ``kind``."""
    blob = MAGIC + struct.pack(">I", 1) + _put(public.blob) + _put(namespace.encode()) + _put(b"")
    blob += _put(b"sha512") + _put(_put(kind.encode()) + _put(raw))
    return _armor(blob)


def verify(message: bytes, armored: bytes, namespace: str) -> PublicKey:
    """Return the public key that signed ``message`` for ``namespace``.

    Parameters
    ----------
    message : bytes
        What was signed.
    armored : bytes
        The signature as ``ssh-keygen -Y sign`` writes it.
    namespace : str
        The purpose that it must have been made for.

    Raises
    ------
    BadSignature
        If it does not hold.
    """
    return _verified(message, _parse(_unarmor(armored)), namespace)


def verify_canonical(message: bytes, armored: bytes, namespace: str) -> PublicKey:
    """Like `verify`, for a signature in its one form (see `canonical`); any other writing is refused."""
    blob = _unarmor(armored)
    parsed = _parse(blob)
    if _canonical(blob, parsed) != armored:
        raise BadSignature("the signature is not written in the one form")
    return _verified(message, parsed, namespace)


def _verified(message: bytes, parsed: _Parsed, namespace: str) -> PublicKey:
    from cryptography.exceptions import InvalidSignature

    if parsed.namespace != namespace.encode():
        made_for = ascii(parsed.namespace.decode(errors="replace"))
        raise BadSignature(f"the signature was made for {made_for}, not {namespace}")
    if parsed.hash not in (b"sha512", b"sha256"):
        raise BadSignature("the signature uses a hash that we don't accept")
    signed = signed_bytes(message, namespace, parsed.hash.decode())
    try:
        _verify_raw(parsed, signed)
    except InvalidSignature:
        raise BadSignature("the signature does not match the text") from None
    return PublicKey(_take(parsed.public, 0)[0].decode("ascii"), parsed.public)


def canonical(armored: bytes) -> bytes:
    """Return the one form of a signature: lines of 70 characters, and of an ECDSA signature the smaller twin.

    Raises
    ------
    BadSignature
        If it is no SSH signature.
    """
    blob = _unarmor(armored)
    return _canonical(blob, _parse(blob))


def _canonical(blob: bytes, parsed: _Parsed) -> bytes:
    bits = ECDSA.get(parsed.kind.decode("latin-1"))
    if bits:
        r, s = _twin(parsed.raw)
        raw = _put(_integer(r)) + _put(_integer(min(s, _ORDER[bits] - s)))
        head = blob[: len(blob) - len(_put(_put(parsed.kind) + _put(parsed.raw)))]
        blob = head + _put(_put(parsed.kind) + _put(raw))
    return _armor(blob)


def _verify_raw(parsed: _Parsed, signed: bytes) -> None:
    key = _check_key(parsed.public)
    kind, kind_end = _take(parsed.public, 0)
    if kind == SECURITY_KEY.encode():
        _, end = _take(parsed.public, kind_end)
        application, _ = _take(parsed.public, end)
        if parsed.kind != kind or len(parsed.rest) != 5 or not parsed.rest[0] & TOUCHED:
            raise BadSignature("the security key was not touched for this signature")
        framed = hashlib.sha256(application).digest() + parsed.rest + hashlib.sha256(signed).digest()
        key.verify(parsed.raw, framed)
        return
    if parsed.rest:
        raise BadSignature("the signature has more bytes than it should")
    if kind == parsed.kind == b"ssh-ed25519":
        key.verify(parsed.raw, signed)
    else:
        _verify_other(key, kind, parsed, signed)


def _verify_other(key: Any, kind: bytes, parsed: _Parsed, signed: bytes) -> None:
    """Verify an RSA or ECDSA signature; apart, since most ledgers never import what this needs."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

    if isinstance(key, rsa.RSAPublicKey) and parsed.kind in (b"rsa-sha2-512", b"rsa-sha2-256"):
        digest = hashes.SHA512() if parsed.kind.endswith(b"512") else hashes.SHA256()
        key.verify(parsed.raw, signed, padding.PKCS1v15(), digest)
    elif isinstance(key, ec.EllipticCurvePublicKey) and parsed.kind == kind:
        size = key.curve.key_size
        by_size = hashes.SHA256() if size == 256 else hashes.SHA384() if size == 384 else hashes.SHA512()
        key.verify(utils.encode_dss_signature(*_twin(parsed.raw)), signed, ec.ECDSA(by_size))
    else:
        raise BadSignature("the signature and its key are of different kinds")


@lru_cache(maxsize=512)
def _check_key(blob: bytes) -> Any:
    """Load a public key (of a security key: what is in it); refuse what is weak or has bytes to spare."""
    from cryptography.hazmat.primitives.asymmetric import ed25519

    kind, end = _take(blob, 0)
    name = kind.decode("latin-1")
    if name not in KINDS:
        raise BadSignature(f"keys of kind {ascii(name)} are not accepted")
    if name not in ("ssh-ed25519", SECURITY_KEY):
        return _other_key(kind, blob)
    point, end = _take(blob, end)
    application = b"ssh:"
    if name == SECURITY_KEY:
        application, end = _take(blob, end)
    if end != len(blob) or len(point) != 32 or not application.startswith(b"ssh:"):
        raise BadSignature("the public key in the signature is damaged")
    return ed25519.Ed25519PublicKey.from_public_bytes(point)


def _other_key(kind: bytes, blob: bytes) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    try:
        key: Any = load_ssh_public_key(kind + b" " + base64.b64encode(blob))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadSignature("the public key in the signature is damaged") from error
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < RSA_BITS:
        raise BadSignature(f"the RSA key has {key.key_size} bits; at least {RSA_BITS} are asked")
    return key


def _parse(blob: bytes) -> _Parsed:
    if blob[:6] != MAGIC or blob[6:10] != b"\0\0\0\1":
        raise BadSignature("the file is no SSH signature of version 1")
    public, end = _take(blob, 10)
    namespace, end = _take(blob, end)
    reserved, end = _take(blob, end)
    hash_name, end = _take(blob, end)
    signature, end = _take(blob, end)
    if end != len(blob) or reserved:
        raise BadSignature("the signature has more bytes than it should")
    kind, end = _take(signature, 0)
    raw, end = _take(signature, end)
    return _Parsed(public, namespace, hash_name, kind, raw, signature[end:])


def _unarmor(armored: bytes) -> bytes:
    text = armored.strip()
    if not (text.startswith(BEGIN) and text.endswith(END)):
        raise BadSignature("there is no SSH signature")
    try:
        return base64.b64decode(b"".join(text[len(BEGIN) : -len(END)].split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadSignature("the signature's text is damaged") from error


def _armor(blob: bytes) -> bytes:
    text = base64.b64encode(blob)
    lines = [text[start : start + 70] for start in range(0, len(text), 70)]
    return b"\n".join([BEGIN, *lines, END, b""])


def _take(buffer: bytes, start: int) -> tuple[bytes, int]:
    """Read one length-prefixed string (RFC 4251, section 5) and where it ends."""
    if start + 4 > len(buffer):
        raise BadSignature("the signature is cut short")
    (size,) = struct.unpack_from(">I", buffer, start)
    end = start + 4 + size
    if end > len(buffer):
        raise BadSignature("the signature is cut short")
    return buffer[start + 4 : end], end


def _put(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def _twin(raw: bytes) -> tuple[int, int]:
    r, end = _take(raw, 0)
    s, end = _take(raw, end)
    if end != len(raw):
        raise BadSignature("the signature has more bytes than it should")
    return int.from_bytes(r, "big"), int.from_bytes(s, "big")


def _integer(value: int) -> bytes:
    """Write a positive multiple precision integer (RFC 4251, section 5)."""
    return value.to_bytes(value.bit_length() // 8 + 1, "big")


def ecdsa_raw(signature: bytes, curve: ec.EllipticCurve) -> bytes:
    """Return a DER signature on ``curve`` in SSH's form, the smaller of the twins."""
    from cryptography.hazmat.primitives.asymmetric import utils

    r, s = utils.decode_dss_signature(signature)
    return _put(_integer(r)) + _put(_integer(min(s, _ORDER[curve.key_size] - s)))
