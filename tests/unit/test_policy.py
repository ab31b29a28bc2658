"""Policies: strict text, and a chain that only its owners can lengthen."""

from __future__ import annotations

from contextlib import suppress

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_world import Key, World, rule

from provenote.registry import chain, policy_file
from provenote.registry.chain import Untrusted
from provenote.registry.policy import BadPolicy
from provenote.registry.starting import solo_policy
from provenote.stores import strict_yaml
from provenote.stores.digest import sha256_bytes
from provenote.stores.strict_yaml import NotStrict

NOBODY: dict[str, object] = {"roles": {}, "rules": []}


def parsed(**changes):
    document = {**World().document, **changes}
    return policy_file.parse(yaml.safe_dump(document).encode())


def test_a_policy_is_read_whole():
    made = parsed(
        rules=[rule(override={"role": "emergency", "hours": 24}, reviews={"notebooks": 1, "role": "ds"})],
        consumers={"dispatch": {"team": "ops"}},
    )
    found = made.rule("provenote", "churn-eu", "production")
    assert found.request == ("ds",) and found.override.hours == 24 and found.reviews.notebooks == 1
    assert [(need.role, need.min) for need in found.approvals] == [("lead", 1), ("risk", 1)]
    assert made.rule("provenote", "other", "production") is None
    assert made.in_role(["lead", "risk"]) == ["bob", "carol"]


def test_a_policy_without_roles_and_rules_can_be_enforced():
    assert parsed(people={"bob": {"keys": []}}, **NOBODY).rule("p", "m", "s") is None


def test_the_first_rule_that_matches_counts():
    made = parsed(rules=[rule(model="churn-eu", request="lead"), rule(), rule(stage="staging")])
    assert made.rule("p", "churn-eu", "production").request == ("lead",)
    assert made.rule("p", "churn-us", "production").request == ("ds",)
    assert made.stages("p", "churn-us") == ["production", "staging"]


@pytest.mark.parametrize(
    "changes",
    [
        {"surprise": 1},
        {"rules": [rule(surprise=1)]},
        {"rules": [{name: value for name, value in rule().items() if name != "formats"}]},
        {"rules": [{name: value for name, value in rule().items() if name != "approvals"}]},
        {"rules": [rule(four_eyes="no")]},
        {"rules": [rule(approvals=[{"role": "lead", "min": 0}])]},
        {"rules": [rule(approvals=[{"role": "nobody", "min": 1}])]},
        {"rules": [rule(release="nobody")]},
        {"rules": [rule(approval_days=1.5)]},
        {"rules": [rule(stage="Prod uction")]},
        {"roles": {"extra": ["nobody"]}, "rules": []},
        {"owners": {"threshold": 4, "keys": [Key("own1").public.line]}},
        {"owners": {"threshold": 1, "keys": [Key("own1").public.line] * 2}},
        {"owners": {"threshold": 1, "keys": ["ssh-ed25519 AAAA"]}},
        {"people": {"Bob": {"keys": []}}, **NOBODY},
        {"people": {"bоb": {"keys": []}}, **NOBODY},
        {"people": {name: {"keys": [{"key": Key("x").public.line}]} for name in "ab"}, **NOBODY},
        {"project": "short"},
        {"version": 0},
        {"version": 2},
        {"version": 2, "previous": "0" * 64, "closes": "HEAD"},
        {"distrust": [{"key": "x", "log": "0" * 40}]},
        {"demo": "yes"},
    ],
)
def test_policies_that_cannot_be_enforced(changes):
    with pytest.raises(BadPolicy):
        parsed(**changes)


def test_one_owner_with_two_keys_is_one_voice():
    people = {"ann": {"keys": [{"key": Key("own1").public.line}, {"key": Key("own2").public.line}]}}
    owners = {"threshold": 2, "keys": [Key("own1").public.line, Key("own2").public.line]}
    with pytest.raises(BadPolicy, match="names 1"):
        parsed(people=people, owners=owners, roles={}, rules=[])


# ---------------------------------------------------------------------- strict YAML


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\na: 2\n",
        "a: &x 1\n",
        "a: *x\n",
        "a: !!str 1\n",
        "a: !python/object:os.system {}\n",
        "%YAML 1.1\n---\na: 1\n",
        "a: 1.5\n",
        "a: 2026-01-01\n",
        "a: yes\n",
        "a: 0x10\n",
        "a: 010\n",
        "a: 1_000\n",
        "a: .inf\n",
        "1: a\n",
        "true: a\n",
        "? [a]\n: b\n",
        "<<: {a: 1}\n",
        "a: {b: 1, b: 2}\n",
        "- a\n",
        "",
        "a",
        "a: 1\n---\nb: 2\n",
        "a: [",
        "[" * 5000,
        "a: " + "{a: " * 40 + "1" + "}" * 40,
        "\ufeff\x00",
        "a: \x01",
    ],
)
def test_yaml_with_more_than_one_meaning(text):
    with pytest.raises(NotStrict):
        strict_yaml.read(text.encode())


def test_yaml_with_one_meaning():
    text = b"a: null\nb:\nc: {d: [1, true, 'yes', x]}\n"
    assert strict_yaml.read(text) == {"a": None, "b": None, "c": {"d": [1, True, "yes", "x"]}}


def test_yaml_that_is_too_large_or_no_unicode():
    with pytest.raises(NotStrict):
        strict_yaml.read(b"a: " + b"x" * strict_yaml.LARGEST)
    with pytest.raises(NotStrict):
        strict_yaml.read(b"a: \xff")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_text_crashes_the_reader(content):
    with suppress(NotStrict):
        strict_yaml.read(content)


# ---------------------------------------------------------------------- the chain


def policies(world: World) -> list[int]:
    return [policy.version for policy in chain.read(world.files, world.root)]


def test_the_chain_grows_with_enough_owners():
    world = World()
    world.amend()
    world.amend("own2", "own3")
    assert policies(world) == [1, 2, 3]


@pytest.mark.parametrize("owners", [("own1",), ("own1", "own1")])
def test_one_of_two_owners_is_not_enough(owners):
    world = World()
    world.amend(*owners)
    assert policies(world) == [1]


def test_outsiders_cannot_lengthen_it():
    world = World()
    world.owners["mallory"] = Key("mallory")
    world.amend("mallory", "own1")
    assert policies(world) == [1]


def test_owners_of_the_new_policy_alone_cannot():
    world = World()
    world.owners |= {"new1": Key("new1"), "new2": Key("new2")}
    keys = [world.owners[name].public.line for name in ("new1", "new2")]
    world.amend("new1", "new2", owners={"threshold": 2, "keys": keys})
    assert policies(world) == [1]
    world = World()
    world.owners |= {"new1": Key("new1"), "new2": Key("new2")}
    world.amend("own1", "own2", owners={"threshold": 2, "keys": keys})
    world.amend("own1", "own2")
    assert policies(world) == [1, 2]  # the old owners are gone
    world.document["version"], world.policy = 2, chain.read(world.files, world.root)[-1].id
    world.amend("new1", "new2")
    assert policies(world) == [1, 2, 3]


def test_what_outsiders_sign_is_never_parsed():
    world = World()
    bomb = b"version: 2\na: &a [x]\n" + b"\n".join(b"b%d: [*a, *a]" % n for n in range(2000))
    name = sha256_bytes(bomb)[:12]
    world.files |= {f"policy/2-{name}.yaml": bomb} | chain.signed(bomb, 2, [Key("mallory")])
    assert policies(world) == [1]


def test_a_policy_that_its_owners_signed_but_nobody_can_read_stops_the_reader():
    world = World()
    world.amend(surprise=1)
    with pytest.raises(BadPolicy, match="does not know"):
        policies(world)


def test_a_policy_does_not_move_to_another_project():
    world = World()
    world.amend(project="f" * 32)
    with pytest.raises(BadPolicy, match="another project"):
        policies(world)


def test_two_policies_for_one_place():
    world = World()
    before = dict(world.document), world.policy
    world.amend(consumers={"a": 1})
    world.document, world.policy = before
    world.amend(consumers={"b": 1})
    with pytest.raises(Untrusted, match="claim to be number 2"):
        policies(world)


def test_a_policy_that_follows_another_one():
    world = World()
    world.policy = "f" * 64
    world.amend()
    assert policies(world) == [1]


def test_a_policy_moved_to_another_number_or_edited():
    world = World()
    world.amend()
    path = next(path for path in world.files if path.startswith("policy/2-") and path.endswith(".yaml"))
    world.files[path] += b"# edited\n"
    assert policies(world) == [1]


def test_another_root():
    world, other = World(), World(threshold=1)
    assert world.root != other.root
    with pytest.raises(Untrusted, match="does not begin"):
        chain.read(other.files, world.root)


def test_one_owner_of_two_forges_a_root():
    """The same owners with a lower threshold: another hash, so not what was pinned."""
    world = World()
    world.document["owners"] = {**world.document["owners"], "threshold": 1}
    content = world.text()
    forged = chain.signed(content, 1, [world.owners["own1"]])
    with pytest.raises(Untrusted):
        chain.read(forged, world.root)


def test_the_pinned_policy_without_its_signatures():
    world = World()
    bare = {path: content for path, content in world.files.items() if path.endswith(".yaml")}
    with pytest.raises(Untrusted, match="not signed"):
        chain.read(bare, world.root)


def test_a_policy_signature_made_for_something_else():
    world = World()
    content = world.text()
    path = next(path for path in world.files if path.endswith(".yaml"))
    files = {path: content}
    for name in ("own1", "own2"):
        key = world.owners[name]
        files[f"{path.removesuffix('.yaml')}.{key.public.short}.abc.sig"] = key.sign(content, "git")
    with pytest.raises(Untrusted, match="not signed"):
        chain.read(files, world.root)


def test_a_flood_of_signatures_hides_none():
    world = World()
    world.amend()
    path = next(p for p in world.files if p.startswith("policy/2-") and p.endswith(".yaml"))
    stem = f"{path.removesuffix('.yaml')}.{world.owners['own1'].public.short}"
    world.files |= {f"{stem}.{number:012}.sig": b"x" for number in range(500)}
    assert policies(world) == [1, 2]


# ---------------------------------------------------------------------- solo


@pytest.mark.parametrize("shown", ["Ada L.", 'a"b: {', "- x\n# y", "漢字 😀", "\\u0000", ""])
def test_a_solo_policy_survives_any_name(shown):
    from provenote.registry.names import visible

    content = solo_policy(Key("ada"), "ada", visible(shown), "a@b", demo=True)
    made = policy_file.parse(content)
    assert made.solo and made.demo and made.people["ada"].shown == visible(shown)
    found = made.rule("provenote", "anything", "production")
    assert not found.four_eyes and "pickle" not in found.formats
    assert made.rule("provenote", "anything", "prod") is None


def test_a_solo_policy_trusts_no_whole_package():
    made = policy_file.parse(solo_policy(Key("ada"), "ada", "Ada", "", demo=False))
    found = made.rule("provenote", "x", "production")
    assert not [name for names in found.formats.values() for name in names if "*" in name]
    assert found.untrusted("skops", ["sklearn.utils._testing.assert_run_python_script_without_output"])
