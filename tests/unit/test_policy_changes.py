"""What an owner is shown before signing: every difference between two policies; and what waits for owners."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
import yaml
from ledger_world import Key, World, rule

from provenote.registry import chain, policy_file
from provenote.registry.policy import Policy, Rule
from provenote.registry.policy_changes import changes, unfilled
from provenote.registry.team_policy import edited
from provenote.stores.digest import sha256_bytes


def parsed(**other: Any) -> Policy:
    return policy_file.parse(yaml.safe_dump({**World().document, **other}, sort_keys=False).encode())


def told(**other: Any) -> list[str]:
    return changes(parsed(), parsed(**other))


def people(**other: Any) -> dict[str, Any]:
    return {**World().document["people"], **other}


def roles(**other: Any) -> dict[str, Any]:
    return {**World().document["roles"], **other}


def owners(threshold: int, *names: str) -> dict[str, Any]:
    return {"threshold": threshold, "keys": [Key(name).public.line for name in names]}


def test_the_same_policy_changes_nothing() -> None:
    assert told() == []
    assert told(version=2, previous="a" * 64, closes="b" * 40) == []


KEY = Key("dave").public


@pytest.mark.parametrize(
    ("other", "line"),
    [
        (
            {"people": people(dave={"keys": [{"key": KEY.line}]})},
            f"dave is admitted with ssh-ed25519 {KEY.fingerprint}",
        ),
        (
            {"people": people(dave={"name": "Dave", "email": "d@x", "keys": []})},
            "dave is admitted (Dave <d@x>) with no key",
        ),
        (
            {"people": {**people(), "bob": {"email": "bob@x.org", "keys": [{"key": KEY.line}]}}},
            f"bob gets the key {KEY.fingerprint}",
        ),
        (
            {"people": people(bob={"email": "evil@x.org", "keys": people()["bob"]["keys"]})},
            "bob: mail bob@x.org becomes evil@x.org",
        ),
        ({"roles": roles(lead=["bob", "alice"])}, "alice gets the role lead"),
        ({"roles": roles(lead=[])}, "bob loses the role lead"),
        ({"roles": roles(extra=["bob"])}, "new role extra: bob"),
        ({"owners": owners(1, "own1", "own2", "own3")}, "owners who must sign a policy: 2 becomes 1"),
        (
            {"owners": owners(2, "own1", "own2")},
            f"nobody by name ({Key('own3').public.fingerprint}) is an owner no more",
        ),
        (
            {"distrust": [{"key": KEY.fingerprint, "log": "c" * 40}]},
            f"no longer trusts the key {KEY.fingerprint} after ledger commit {'c' * 40}",
        ),
        ({"touched_roles": ["lead"]}, "touched_roles: none becomes lead"),
        ({"consumers": {"a": {"team": "x"}}}, "consumers: none becomes a (team (x))"),
        ({"solo": True}, "solo: no becomes yes"),
        ({"demo": True}, "demo: no becomes yes"),
        ({"rules": []}, "the rule about churn* in production ends"),
        (
            {"rules": [rule(formats={"skops": ["numpy.dtype"], "onnx": []})]},
            "the rule about churn* in production: formats: skops -sklearn.tree._tree.Tree",
        ),
        (
            {"rules": [rule(formats={**rule()["formats"], "pickle": []})]},
            "the rule about churn* in production: formats: also pickle with none",
        ),
    ],
)
def test_each_change_is_told(other: dict[str, Any], line: str) -> None:
    assert line in told(**other)


OTHER: dict[str, Any] = {
    "model": "*",
    "path": "sub/*",
    "stage": "staging",
    "request": ["lead"],
    "approvals": [{"role": "lead", "min": 2}],
    "release": ["ds"],
    "metrics": {"rmse": {"max": 45}},
    "formats": {"pickle": []},
    "rollback": [],
    "recall": ["ds"],
    "four_eyes": False,
    "checks": [],
    "promotes_from": ["staging"],
    "reviews": {"notebooks": 1, "role": "ds"},
    "approval_days": 15,
    "request_days": 3,
    "override": {"role": "emergency", "hours": 1},
    "freshness_hours": 5,
}


@pytest.mark.parametrize("name", [field.name for field in fields(Rule)])
def test_no_field_of_a_rule_slips_in_unseen(name: str) -> None:
    """A field that is added to rules later must be given a value here, and is then told by itself."""
    lines = told(rules=[rule(**{name: OTHER[name]})])
    assert lines, name
    if name not in ("model", "path", "stage"):
        assert any(f"production: {name}: " in line for line in lines)


@pytest.mark.parametrize("name", [field.name for field in fields(Policy)])
def test_no_field_of_a_policy_slips_in_unseen(name: str) -> None:
    other: dict[str, Any] = {
        "owners": {"owners": owners(2, "own1", "own2", "dave")},
        "threshold": {"owners": owners(3, "own1", "own2", "own3")},
        "people": {"people": people(zoe={"keys": []})},
        "roles": {"roles": roles(new=[])},
        "rules": {"rules": [rule(stage="live")]},
        "distrust": {"distrust": [{"key": KEY.fingerprint, "log": "c" * 40}]},
        "touched_roles": {"touched_roles": ["ds"]},
        "consumers": {"consumers": {"a": 1}},
        "solo": {"solo": True},
        "demo": {"demo": True},
    }
    if name in ("id", "version", "project", "previous", "closes"):
        return  # who follows whom: the chain's matter, and shown as the head
    assert told(**other[name]), name


def test_another_order_of_rules_is_told_for_the_first_that_matches_counts() -> None:
    strict, loose = rule(model="churn-eu"), rule(model="*", approvals=[])
    lines = changes(parsed(rules=[strict, loose]), parsed(rules=[loose, strict]))
    assert lines == ["the rules are tried in another order: * in production, churn-eu in production"]
    before = changes(parsed(rules=[strict]), parsed(rules=[loose, strict]))
    assert any(line.startswith("new rule about *") for line in before)
    assert "the rules are tried in this order: * in production, churn-eu in production" in before


def test_two_rules_about_the_same_are_told_apart() -> None:
    lines = changes(parsed(rules=[rule()]), parsed(rules=[rule(), rule(four_eyes=False)]))
    assert len(lines) == 1 and lines[0].startswith("new rule about churn* in production (2): ")


def test_a_forgotten_distrust_is_no_gain_and_a_removed_person_is_told() -> None:
    left = {name: who for name, who in people().items() if name != "boss"}
    lines = told(people=left, roles=roles(emergency=[]))
    assert set(lines) == {"boss is removed", "boss loses the role emergency"}


def test_roles_that_nobody_has_are_told_with_what_is_stuck() -> None:
    assert unfilled(parsed()) == []
    lines = unfilled(parsed(roles=roles(risk=[], ds=[])))
    assert lines == [
        "nobody has the role ds: ask churn* in production",
        "nobody has the role risk: approve churn* in production",
    ]


# ---------------------------------------------------------------------- proposals


def waiting(world: World) -> list[chain.Proposal]:
    return chain.proposals(world.files, chain.read(world.files, world.root)[-1])


def test_what_some_owners_signed_waits_and_what_enough_signed_does_not() -> None:
    world = World()
    assert waiting(world) == []
    before = dict(world.document), world.policy
    world.amend("own1")
    (found,) = waiting(world)
    assert found.policy.version == 2 and found.signed_by == (world.owners["own1"].public,)
    world.document, world.policy = before
    world.amend("own1", "own2", consumers={"a": 1})
    assert waiting(world) == [], "its number is taken"


@pytest.mark.parametrize(
    "change", [{"surprise": 1}, {"project": "f" * 32}, {"previous": "f" * 64}, {"version": 7}]
)
def test_what_could_never_follow_does_not_wait(change: dict[str, Any]) -> None:
    world = World()
    world.amend("own1", **change)
    content = world.text()
    world.files |= chain.signed(content, 2, [world.owners["own1"]])
    assert waiting(world) == []


def test_what_no_owner_signed_is_not_even_read() -> None:
    world = World()
    bomb = b"version: 2\na: &a [x]\n" + b"\n".join(b"b%d: [*a, *a]" % n for n in range(2000))
    name = sha256_bytes(bomb)[:12]
    world.files |= {f"policy/2-{name}.yaml": bomb} | chain.signed(bomb, 2, [Key("mallory")])
    assert waiting(world) == []


def test_an_edited_policy_follows_whatever_it_says() -> None:
    text = b"# a head\r\n\r\nversion: 9\nprevious: x\ncloses: y\nproject: z\nnote: 'version: 5'\n"
    made = edited(text, 3, "p" * 64, "c" * 40).decode()
    chain_lines = f"version: 3\nprevious: {'p' * 64}\ncloses: {'c' * 40}\n"
    assert made == f"# a head\n\n{chain_lines}project: z\nnote: 'version: 5'\n"
