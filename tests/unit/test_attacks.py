"""More attacks on the verifier, beside those of each room: for each guard that the others would not miss."""

from __future__ import annotations

import base64
import json
import struct

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from ledger_world import Key, World, rule, subject

from provenote.errors import UsageError
from provenote.registry import chain, event
from provenote.registry.policy import BadPolicy
from provenote.registry.state import NotReleased
from provenote.registry.tags import wanted
from provenote.stores import digest, signatures
from provenote.stores.digest import Resource, canonical, sha256_bytes
from provenote.stores.signatures import BadSignature, PublicKey, _put

NS = "x@v1"


def put(world: World, content: bytes) -> str:
    name = sha256_bytes(content)
    world.files[f"e/{name[:2]}/{name[2:]}"] = content
    return name


def resigned(world: World, line: bytes, by: str = "alice") -> str:
    return put(world, line + world.keys[by].sign(line, event.NAMESPACE))


def asked_line(world: World) -> dict:
    return json.loads(
        world.line("request", "alice", subject=subject(), stage="production", why="x", authors=[])
    )


# ---------------------------------------------------------------------- JSON and names of files


@pytest.mark.parametrize(
    "change",
    [
        {"prev": None},
        {"prev": 5},
        {"authors": [1]},
        {"subject": 5},
        {"subject": [{}]},
        {"subject": {**subject().to_json(), "trusted": 5}},
        {"subject": {**subject().to_json(), "version": "v1.0.٠"}},
        {"reviews": "0" * 64},
        {"reviews": [1]},
        {"reviews": [], "why": 5},
        {"reviews": ["x"]},
        {"reviews": ["b" * 64, "a" * 64]},
        {"reviews": [f"{number:064x}" for number in range(501)]},
    ],
)
def test_hostile_json_is_refused_and_stops_nobody(change):
    world = World()
    asked = world.ask()
    bad = resigned(world, canonical({**asked_line(world), **change}))
    assert bad in world.log().refused and asked in world.log().events


def test_an_integer_that_other_readers_would_round():
    world = World()
    line = canonical({**asked_line(world), "n": 0}).replace(b'"n":0', b'"n":9007199254740993')
    assert "canonical" in world.log().refused.get(bad, "") if (bad := resigned(world, line)) else False


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("check", {"name": 5, "status": "pass"}),
        ("release", {"seq": "1", "supersedes": []}),
        ("release", {"seq": 1, "supersedes": [1]}),
        ("recall", {"target": "0" * 64, "why": 5}),
    ],
)
def test_fields_of_another_type(kind, body):
    world = World()
    asked = world.ask()
    assert world.sign(kind, "bob", **{**world.about(asked), **body}) in world.log().refused


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/../x", "/x", "a//b", "a\\b", "a\nb", "\ud800", "x/"]
)
def test_names_that_leave_a_folder(name):
    with pytest.raises(UsageError):
        digest.check_name(name)
    with pytest.raises(UsageError):
        digest.manifest_of([Resource(name, 1, "0" * 64)])


def test_a_folder_that_names_one_file_twice():
    with pytest.raises(UsageError, match="twice"):
        digest.manifest_of([Resource("a", 1, "0" * 64), Resource("a", 2, "1" * 64)])


def test_what_is_built_on_a_damaged_file_still_counts():
    """Somebody pushes garbage that an honest clone had named as seen: the honest event stays."""
    world = World()
    noise = put(world, b"garbage")
    assert world.ask(prev=[noise]) in world.log().events


# ---------------------------------------------------------------------- keys and signatures


def test_a_key_under_another_kind_s_name():
    blob = base64.b64encode(Key("a").public.blob).decode()
    with pytest.raises(UsageError):
        PublicKey.parse(f"ssh-rsa {blob}")


def signature(public: bytes, kind: bytes, raw: bytes, rest: bytes = b"", reserved: bytes = b"") -> bytes:
    blob = signatures.MAGIC + struct.pack(">I", 1) + _put(public) + _put(NS.encode()) + _put(reserved)
    return signatures._armor(blob + _put(b"sha512") + _put(_put(kind) + _put(raw) + rest))


def refused(armored: bytes) -> None:
    for verify in (signatures.verify, signatures.verify_canonical):
        with pytest.raises(BadSignature):
            verify(b"text\n", armored, NS)


def test_a_signature_has_no_room_for_more():
    private = ed25519.Ed25519PrivateKey.generate()
    public = _put(b"ssh-ed25519") + _put(private.public_key().public_bytes_raw())
    raw = private.sign(signatures.signed_bytes(b"text\n", NS))
    good = signature(public, b"ssh-ed25519", raw)
    assert signatures.verify_canonical(b"text\n", good, NS).blob == public
    refused(signature(public, b"ssh-ed25519", raw, rest=b"more"))
    refused(signature(public, b"ssh-ed25519", raw, reserved=b"more"))
    for word in (signatures.BEGIN, signatures.END):
        other = good.replace(word, b"-" * len(word))
        refused(other)
    refused(good.replace(b"\n", b"\n!", 2))


def test_a_security_key_s_signature_has_one_form():
    private = ed25519.Ed25519PrivateKey.generate()
    kind = signatures.SECURITY_KEY.encode()
    public = _put(kind) + _put(private.public_key().public_bytes_raw()) + _put(b"ssh:")

    def signed(rest: bytes) -> bytes:
        framed = digest.hashlib.sha256(signatures.signed_bytes(b"text\n", NS)).digest()
        return private.sign(digest.hashlib.sha256(b"ssh:").digest() + rest + framed)

    touched = b"\1\0\0\0\7"
    assert signatures.verify(b"text\n", signature(public, kind, signed(touched), touched), NS).hardware
    refused(signature(public, b"ssh-ed25519", signed(touched), touched))
    refused(signature(public, kind, signed(touched + b"x"), touched + b"x"))
    # The key of a plain ed25519 signature passes for no security key, and the other way round.
    plain = private.sign(signatures.signed_bytes(b"text\n", NS))
    refused(signature(public, b"ssh-ed25519", plain))
    refused(signature(public, kind, plain))


@pytest.mark.parametrize(
    "public",
    [
        _put(b"ssh-ed25519") + _put(b"x" * 31),
        _put(b"ssh-ed25519") + _put(b"x" * 33),
        _put(b"ssh-rsa") + _put(b"\1") + _put(b"\1"),
        _put(b"ecdsa-sha2-nistp256") + _put(b"nistp384") + _put(b"\4" + b"x" * 64),
        _put(b"ssh-dss") + _put(b"x"),
        b"",
    ],
)
def test_damaged_keys_are_refused_and_crash_nothing(public):
    refused(signature(public, b"ssh-ed25519", b"x" * 64))


def test_an_ecdsa_signature_has_no_room_for_more():
    private = ec.generate_private_key(ec.SECP256R1())
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    line = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    public = PublicKey.parse(line)
    raw = signatures.ecdsa_raw(
        private.sign(signatures.signed_bytes(b"text\n", NS), ec.ECDSA(hashes.SHA256())), private.curve
    )
    kind = public.kind.encode()
    assert signatures.verify(b"text\n", signature(public.blob, kind, raw), NS) == public
    refused(signature(public.blob, kind, raw + _put(b"\1")))


# ---------------------------------------------------------------------- policies


def proposed(world: World) -> list[int]:
    policies = chain.read(world.files, world.root)
    return [one.policy.version for one in chain.proposals(world.files, policies[-1])]


def test_which_policies_wait_for_owners():
    world = World()
    world.files["policy/README"] = b"no policy"
    world.amend("own1")
    assert proposed(world) == [2]
    content = world.text()
    mark = sha256_bytes(content)[:12]
    for path in (f"policy/3-{mark}.yaml", "policy/2-000000000000.yaml"):
        other = World()
        key = other.owners["own1"]
        other.files |= {
            path: content,
            f"{path[:-5]}.{key.public.short}.x.sig": key.sign(content, chain.NAMESPACE),
        }
        assert not proposed(other), path
    nobody, enough = World(), World()
    nobody.amend("own1")
    nobody.files = {
        path: text for path, text in nobody.files.items() if "policy/2" not in path or path[-1] == "l"
    }
    assert not proposed(nobody)
    enough.amend("own1", "own2", previous="0" * 64)
    assert not proposed(enough)


def test_a_root_that_is_no_first_policy():
    world = World()
    world.document |= {"version": 2, "previous": "0" * 64, "closes": "0" * 40}
    content = world.text()
    files = chain.signed(content, 1, [world.owners["own1"], world.owners["own2"]])
    with pytest.raises(chain.Untrusted):
        chain.read(files, sha256_bytes(content))


def test_a_policy_of_another_number_than_its_file():
    world = World()
    content = {**world.document, "version": 3, "previous": world.root, "closes": "0" * 40}
    world.document = content
    world.files |= chain.signed(world.text(), 2, [world.owners["own1"], world.owners["own2"]])
    assert [one.version for one in chain.read(world.files, world.root)] == [1]


def test_only_owners_count_as_owners():
    policy = World().log().policy
    assert policy.owner_count([Key("mallory").public, Key("own1").public, Key("alice").public]) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"rules": [1]},
        {"owners": [1]},
        {"owners": {"threshold": True, "keys": [Key("own1").public.line]}},
        {"rules": [rule(release=[1])]},
        {"rules": [rule(formats={"skops": [1]})]},
        {"rules": [rule(stage="Production")]},
        {"rules": [rule(stage="ｐroduction")]},
        {"people": {"bоb": {"keys": [{"key": Key("b").public.line}]}}},
        {"people": {"Bob": {"keys": [{"key": Key("b").public.line}]}}},
    ],
)
def test_policies_of_another_form(changes):
    world = World()
    world.amend(**{"roles": {}, "rules": [], **changes} if "people" in changes else changes)
    with pytest.raises(BadPolicy):
        world.log()


def test_a_type_that_only_begins_like_an_allowed_one():
    world = World()
    near = subject(trusted=("numpy.dtype_evil", "numpy.dtypes.Evil"))
    assert world.problems(world.released(near)) == {"trusted"}


# ---------------------------------------------------------------------- votes and releases


def test_who_has_rejected_and_who_asked_are_named_as_no_approvers():
    world = World()
    asked = world.ask(by="bob")
    seen = world.log().heads
    world.vote(asked, "carol", prev=seen)
    world.vote(asked, "carol", "reject", why="no", prev=seen)
    found = world.state().promotion(asked)
    lead, risk = found.verdict.needs
    assert lead.got == risk.got == () and lead.could == () and not found.verdict.approvers
    world.vote(asked, "carol", why="after all")
    assert world.state().promotion(asked).verdict.needs[1].could == ()


def test_a_refused_release_of_the_same_name_contests_nothing():
    world = World()
    world.released()
    swapped = world.ask(subject(commit="1" * 40, sha256="2" * 64))
    assert world.problems(world.release(swapped))
    assert world.holds() == "v1.0.0"


def two_stages(**more) -> World:
    return World(
        rule(promotes_from=["staging"], checks=[]),
        rule(stage="staging", approvals=[], checks=[], **more),
    )


def test_a_stage_before_that_the_releaser_had_not_seen():
    world = two_stages()
    early = world.approved()
    seen = world.log().heads
    staged = world.release(world.ask(stage="staging"))
    late = world.after(staged, lambda: world.release(early, prev=seen))
    assert world.problems(late) == {"promotes_from"}


def test_a_stage_before_from_which_the_version_was_recalled():
    world = two_stages()
    staged = world.release(world.ask(stage="staging"))
    early = world.approved()
    good = world.release(early)
    assert not world.problems(good)
    about = {"subject": subject(), "stage": "staging", "why": "biased"}
    world.sign("recall", "carol", target=staged, **about)
    assert not world.problems(good)  # what was released before its recall stays
    world = two_stages()
    staged = world.release(world.ask(stage="staging"))
    early = world.approved()
    world.sign("recall", "carol", target=staged, **about)
    assert "promotes_from" in world.lacks(early)
    assert "promotes_from" in world.problems(world.release(early))


def test_a_rollback_without_reason_uses_its_number_up():
    world = World()
    asked = world.approved()
    world.release(asked)
    world.released(subject("v1.1.0"))
    world.release(asked, rollback=True, why="")
    assert world.state().releases.next_seq(("provenote", "churn", "production")) == 4


def test_a_release_that_replaces_another_stage_s_or_what_it_had_not_seen():
    world = two_stages()
    staged = world.release(world.ask(stage="staging"))
    early = world.approved()
    assert "supersedes" in world.problems(world.release(early, supersedes=[staged]))
    world = World()
    asked, seen = world.approved(), world.log().heads
    other = world.released(subject("v1.1.0"))
    late = world.after(other, lambda: world.release(asked, prev=seen, seq=1, supersedes=[other]))
    assert "supersedes" in world.problems(late)


def test_a_rollback_to_what_the_releaser_had_not_seen():
    world = World()
    asked, seen = world.approved(), world.log().heads
    released = world.release(asked)
    again = {"rollback": True, "why": "x", "prev": seen, "seq": 1, "supersedes": []}
    late = world.after(released, lambda: world.release(asked, **again))
    assert "rollback" in world.problems(late)


@pytest.mark.parametrize("target", ["nothing", "request"])
def test_a_recall_of_no_release(target):
    world = World()
    world.released()
    asked = world.log().of_type("request")[0].id
    named = asked if target == "request" else "f" * 64
    world.sign("recall", "carol", subject=subject(), stage="production", target=named, why="x")
    assert world.holds() == "v1.0.0" and not world.state().releases.recalled


# ---------------------------------------------------------------------- tags


def test_no_tag_for_who_may_not_ask():
    world = World()
    world.ask(by="carol")
    assert wanted(world.state()) == {}
    world = World(rule(stage="staging"))
    world.ask(by="carol")  # before there was any rule about production
    world.amend(rules=[rule()])
    assert wanted(world.state()) == {}


def test_no_tag_where_two_claim_it():
    world = World(rule(checks=[]))
    world.ask()
    world.ask(subject(commit="1" * 40, sha256="2" * 64), prev=[])
    world.ask(subject(commit="3" * 40, sha256="4" * 64))  # this one knew
    assert "provenote=churn@v1.0.0" not in wanted(world.state())
    world = World()
    world.released()
    world.release(world.approved(subject("v1.1.0")), supersedes=[])
    assert not [name for name in wanted(world.state()) if "#" in name]
    with pytest.raises(NotReleased, match="contested"):
        world.holds()
    world.released(subject("v1.2.0"))
    assert [name for name in wanted(world.state()) if "#" in name] == [
        f"provenote=churn#production#{number}" for number in (1, 2, 3)
    ]
    world = World()
    two, three = world.approved(), world.approved(subject("v1.1.0"))
    seen = world.log().heads
    world.release(two, prev=seen, seq=1, supersedes=[])
    world.release(three, prev=seen, seq=1, supersedes=[])
    world.released(subject("v1.2.0"))
    assert [name for name in wanted(world.state()) if "#" in name] == ["provenote=churn#production#2"]
