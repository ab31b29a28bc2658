"""SSH signatures: made and checked in process, and what must not hold."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
import struct

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from ledger_world import Key

from provenote.errors import UsageError
from provenote.stores import keys, signatures
from provenote.stores.signatures import BadSignature, PublicKey

NS = "provenote-event@v1"
OPENSSH = serialization.PrivateFormat.OpenSSH


def write(folder, private, name="key", secret=None):
    lock = serialization.BestAvailableEncryption(secret) if secret else serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8 if secret else OPENSSH
    path = folder / name
    path.write_bytes(private.private_bytes(serialization.Encoding.PEM, form, lock))
    public = private.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    path.with_name(name + ".pub").write_bytes(public + b" me\n")
    return path


@pytest.fixture(scope="module")
def privates():
    return {
        "ed25519": ed25519.Ed25519PrivateKey.generate(),
        "p256": ec.generate_private_key(ec.SECP256R1()),
        "p384": ec.generate_private_key(ec.SECP384R1()),
        "p521": ec.generate_private_key(ec.SECP521R1()),
        "rsa": rsa.generate_private_key(65537, 3072),
    }


@pytest.mark.parametrize("kind", ["ed25519", "p256", "p384", "p521", "rsa"])
def test_signed_and_verified(kind, privates, tmp_path):
    signer = keys.PlainKey(write(tmp_path, privates[kind]))
    armored = signer.sign(b"text\n", NS)
    assert signatures.verify(b"text\n", armored, NS) == signer.public
    assert signatures.canonical(armored) == armored
    for message, namespace in ((b"text", NS), (b"text\n", "git"), (b"", NS)):
        with pytest.raises(BadSignature):
            signatures.verify(message, armored, namespace)


def test_every_flipped_byte_breaks_it(tmp_path):
    key = Key("a")
    armored = key.sign(b"text\n", NS)
    lines = armored.split(b"\n")
    blob = base64.b64decode(b"".join(lines[1:-2]))
    for place in range(len(blob)):
        flipped = bytearray(blob)
        flipped[place] ^= 1
        other = signatures._armor(bytes(flipped))
        try:
            # A flip in the public key gives another key, whose signature this is not.
            assert signatures.verify(b"text\n", other, NS) != key.public
        except BadSignature:
            continue
        pytest.fail(f"byte {place} does not matter")


def test_cut_and_grown_signatures(tmp_path):
    armored = Key("a").sign(b"text\n", NS)
    blob = base64.b64decode(b"".join(armored.split(b"\n")[1:-2]))
    for other in (b"", blob[:-1], blob + b"\0", blob[:50]):
        with pytest.raises(BadSignature):
            signatures.verify(b"text\n", signatures._armor(other), NS)
    for text in (b"", b"x", signatures.BEGIN + signatures.END, armored.replace(b"U", b"!"), armored[:-10]):
        with pytest.raises(BadSignature):
            signatures.verify(b"text\n", text, NS)


def test_the_twin_of_an_ecdsa_signature_has_the_same_form(privates, tmp_path):
    """(r, n - s) verifies too; without one form anybody could make a second event of a vote."""
    signer = keys.PlainKey(write(tmp_path, privates["p256"]))
    armored = signer.sign(b"text\n", NS)
    parsed = signatures._parse(signatures._unarmor(armored))
    r, s = signatures._twin(parsed.raw)
    raw = signatures._put(signatures._integer(r)) + signatures._put(
        signatures._integer(signatures._ORDER[256] - s)
    )
    twin = signatures.assemble(signer.public, NS, signer.public.kind, raw)
    assert twin != armored and signatures.verify(b"text\n", twin, NS) == signer.public
    assert signatures.canonical(twin) == armored


def test_weak_rsa_is_refused(tmp_path):
    private = rsa.generate_private_key(65537, 2048)
    path = write(tmp_path, private)
    with pytest.raises(UsageError, match="no public SSH key"):
        PublicKey.parse(path.with_name("key.pub").read_text())
    with pytest.raises(UsageError):
        keys.PlainKey(path)


def security_key(flags: int, application: bytes = b"ssh:", counter: int = 7) -> tuple[bytes, bytes]:
    """Sign as a security key does (PROTOCOL.u2f); return (public blob, armored signature)."""
    private = ed25519.Ed25519PrivateKey.generate()
    put = signatures._put
    kind = signatures.SECURITY_KEY.encode()
    point = private.public_key().public_bytes_raw()
    public = put(kind) + put(point) + put(application)
    rest = bytes([flags]) + struct.pack(">I", counter)
    signed = signatures.signed_bytes(b"text\n", NS)
    raw = private.sign(hashlib.sha256(application).digest() + rest + hashlib.sha256(signed).digest())
    blob = (
        signatures.MAGIC + struct.pack(">I", 1) + put(public) + put(NS.encode()) + put(b"") + put(b"sha512")
    )
    return public, signatures._armor(blob + put(put(kind) + put(raw) + rest))


def test_a_security_key_with_its_touch():
    public, armored = security_key(flags=1)
    key = signatures.verify(b"text\n", armored, NS)
    assert key.blob == public and key.hardware
    assert PublicKey.parse(key.line) == key


@pytest.mark.parametrize(("flags", "application"), [(0, b"ssh:"), (4, b"ssh:"), (1, b"https://evil")])
def test_a_security_key_without_touch_or_for_something_else(flags, application):
    with pytest.raises(BadSignature):
        signatures.verify(b"text\n", security_key(flags, application)[1], NS)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 !!!",
        "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAA",
        "ssh-dss AAAAB3NzaC1kc3M=",
        "x y",
    ],
)
def test_no_public_keys(line):
    with pytest.raises(UsageError):
        PublicKey.parse(line)


def test_bytes_to_spare_make_no_second_key():
    public = Key("a").public
    line = f"ssh-ed25519 {base64.b64encode(public.blob + b'x').decode()}"
    with pytest.raises(UsageError):
        PublicKey.parse(line)


# ---------------------------------------------------------------------- key files


def test_a_key_is_made_for_its_owner_alone_and_never_over_another(tmp_path):
    path = tmp_path / "new" / "key"
    made = keys.make(path, "a  comment\nhere")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.with_name("key.pub").read_text() == f"{made.public.line} a comment here\n"
    with pytest.raises(UsageError, match="exists"):
        keys.make(path, "x")
    assert keys.PlainKey(path).public == made.public


def test_a_key_that_was_swapped_meanwhile_does_not_sign(privates, tmp_path):
    path = write(tmp_path, privates["ed25519"])
    signer = keys.PlainKey(path)
    write(tmp_path, privates["p256"])
    with pytest.raises(UsageError, match="another key"):
        signer.sign(b"x", NS)


def test_keys_of_this_machine_in_order(repo, home, privates):
    ssh = home / ".ssh"
    ssh.mkdir()
    write(ssh, privates["ed25519"], "id_ed25519")
    write(ssh, privates["p256"], "provenote_ed25519")
    chosen = write(repo / ".git", privates["p384"], "chosen")
    (repo / ".git" / "provenote" / "keys").mkdir(parents=True)
    write(repo / ".git" / "provenote" / "keys", privates["p521"], "demo_ed25519")
    os.system(f"git config user.signingkey {chosen}.pub")
    found = [signer.public.kind for signer in keys.candidates(repo, repo / ".git" / "provenote")]
    assert found == ["ecdsa-sha2-nistp384", "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp521"]


def test_a_locked_key_is_left_to_ssh_keygen(privates, tmp_path):
    path = write(tmp_path, privates["ed25519"], secret=b"secret")
    signer = keys.open_key(path)
    assert isinstance(signer, keys.OpenSSHKey) and signer.path == path
    path.with_name("key.pub").unlink()
    with pytest.raises(UsageError, match="passphrase"):
        keys.open_key(path)
