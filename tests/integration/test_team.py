"""A team with keys and clones of their own: start, join, admit, change, leave; and who has no right to."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
import yaml
from clones import git
from team_desk import Crew, Member

from provenote.errors import Refused, UsageError
from provenote.events import silent
from provenote.registry import (
    candidate,
    chain,
    event,
    joining,
    reading,
    signing,
    start_solo,
    team_policy,
)
from provenote.registry.plan import Act
from provenote.registry.root import NoRoot
from provenote.registry.signing import NoPerson
from provenote.registry.state import NotReleased
from provenote.stores import keys
from provenote.stores.keys import PlainKey
from provenote.stores.ledger import Ledger
from provenote.workspace import find


@pytest.fixture
def crew(tmp_path: Path, make_repo) -> Crew:
    return Crew(tmp_path, make_repo)


# ---------------------------------------------------------------------- start


def test_a_team_starts_with_one_owner(crew: Crew):
    ada = crew.member("ada")
    with pytest.raises(NoPerson):
        ada.does("policy start", present=False)
    with pytest.raises(UsageError, match="not 'policy'"):
        ada.does("policy start", typed="yes")
    assert Ledger(ada.root).tip() is None, "nothing may be signed before the word was typed"
    root = ada.does("policy start").data["root"]
    assert git(ada.root, "config", "provenote.root").strip() == f"sha256:{root}"
    shown = "\n".join(ada.typist.shown)
    assert root in shown and ada.fingerprint in shown and "lead: ada" in shown
    found = ada.does("policy show").data
    assert (found["owners"], found["threshold"], found["roles"]["ci"]) == (["ada"], 1, [])
    assert found["people"]["ada"]["email"] == "ada@example.org"
    policy = ada.registry.log.policy
    assert not policy.solo and policy.rule("provenote", "churn", "production").four_eyes
    with pytest.raises(UsageError, match="already"):
        ada.does("policy start")


def test_a_key_is_made_only_after_somebody_was_there_to_ask(crew: Crew, home: Path):
    ada = crew.member("ada")
    git(ada.root, "config", "--unset", "user.signingkey")
    with pytest.raises(NoPerson):
        ada.does("policy start", present=False)
    assert not (home / ".ssh").exists()


def test_a_team_starts_from_its_own_file(crew: Crew):
    ada = crew.member("ada")
    ada.does("policy start --write start.yaml --stage test --stage live")
    text = (ada.root / "start.yaml").read_text()
    assert text.index("stage: live") < text.index("stage: test") and "# promotes_from: [test]" in text
    with pytest.raises(UsageError, match="exists already"):
        ada.does("policy start --write start.yaml")
    changed = text.replace("# promotes_from", "promotes_from").replace("lead: [me]", "lead: []")
    (ada.root / "start.yaml").write_text(changed)
    view = ada.does("policy start --from start.yaml")
    policy = ada.registry.log.policy
    assert view.data["person"] == "ada" and policy.roles["lead"] == ()
    assert policy.rule("provenote", "m", "live").promotes_from == ("test",)
    assert "nobody has the role lead: approve * in live" in "\n".join(ada.typist.shown)


@pytest.mark.parametrize(
    "text",
    [
        "roles: {lead: [mallory]}\nrules: []\n",
        "roles: {lead: [me]}\n",
        "rules: []\n",
        "roles: {lead: [me]}\nrules: []\nowners: {threshold: 1, keys: []}\n",
        "roles: {lead: [me]}\nrules: []\npeople: {mallory: {keys: []}}\n",
        "roles: {lead: [me]}\nrules: []\nsolo: true\n",
        "roles: {lead: &a [me], ds: *a}\nrules: []\n",
        "roles: {lead: [me]}\nrules: [x]\n",
        "roles: {lead: [me]}\nrules: []\nsurprise: 1\n",
        "roles: {lead: 3}\nrules: []\n",
        "roles: {lead: [{a: b}]}\nrules: []\n",
        "- a",
        "\x00",
    ],
)
def test_start_files_that_say_too_much_or_too_little(crew: Crew, text: str):
    ada = crew.member("ada")
    (ada.root / "start.yaml").write_text(text)
    with pytest.raises(Refused):
        ada.does("policy start --from start.yaml")
    assert Ledger(ada.root).tip() is None


def test_nobody_starts_a_second_ledger_beside_the_remote_s(crew: Crew):
    ada, bob = crew.member("ada"), crew.member("bob")
    ada.does("policy start")
    ada.sync()
    git(bob.root, "fetch", "-q")
    with pytest.raises(UsageError, match="has a governance ledger already"):
        bob.does("policy start")


# ---------------------------------------------------------------------- join and admit


def test_people_join_and_are_admitted(crew: Crew):
    ada = crew.member("ada")
    root = ada.does("policy start").data["root"]
    ada.sync()
    bob = crew.member("bob")
    bob.sync()
    with pytest.raises(NoRoot):
        bob.does("join")
    with pytest.raises(NoPerson):
        bob.does(f"join --root sha256:{root}", present=False)
    with pytest.raises(NoRoot):
        bob.does("join")
    bob.does(f"join --root sha256:{root}")
    with pytest.raises(UsageError, match="asked already"):
        bob.does("join")
    assert bob.registry.log.policy.person(bob.key.public) is None, "to ask gives no right"
    bob.sync()
    ada.sync()
    asking = ada.does("policy pending").data["joins"]
    assert [(one["person"], one["key"], one["email"]) for one in asking] == [
        ("bob", bob.fingerprint, "bob@example.org")
    ]
    assert ada.does("inbox").data["joins"] == asking
    with pytest.raises(UsageError, match="no role 'boss'"):
        ada.does("admit bob --role boss")
    with pytest.raises(NoPerson):
        ada.does("admit bob --role lead", present=False)
    done = ada.does("admit bob --role lead --role releaser").data
    assert done["in_force"] and done["signed_by"] == ["ada"]
    assert bob.fingerprint in "\n".join(ada.typist.shown)
    assert not ada.does("policy pending").data["joins"]
    ada.sync()
    bob.sync()
    assert bob.does("policy show").data["people"]["bob"]["roles"] == ["lead", "releaser"]
    with pytest.raises(UsageError, match="in the policy already, as bob"):
        bob.does("join")


def test_a_root_that_is_pinned_is_not_replaced_by_joining(crew: Crew):
    (ada,) = crew.started("ada")
    bob = crew.member("bob")
    bob.sync()
    with pytest.raises(Refused, match="does not begin with the pinned"):
        bob.does(f"join --root sha256:{'0' * 64}")
    bob.does(f"join --root sha256:{ada.registry.root}")
    with pytest.raises(UsageError, match="another root is pinned"):
        bob.does(f"join --root sha256:{'0' * 64}")


def test_a_stranger_who_asks_under_another_s_name(crew: Crew):
    ada, bob = crew.started("ada", bob="lead")
    mallory = crew.member("mallory")
    mallory.sync()
    mallory.does(f"join bob --email bob@example.org --root {ada.registry.root}")
    mallory.sync()
    ada.sync()
    with pytest.raises(UsageError, match="asks to be theirs too"):
        ada.does("admit bob --role scientist")
    assert "with another key" in str(ada.does("policy pending").parts)
    with pytest.raises(UsageError, match="has not asked"):
        ada.does(f"admit bob --key {ada.fingerprint} --role lead")
    assert ada.registry.log.policy.people["bob"].keys == (bob.key.public,)


def test_two_who_ask_under_one_name_are_told_apart_by_their_keys(crew: Crew):
    (ada,) = crew.started("ada")
    bob, mallory = crew.member("bob"), crew.member("mallory")
    for one in (bob, mallory):
        one.sync()
        one.does(f"join bob --root {ada.registry.root}")
        one.sync()
    ada.sync()
    with pytest.raises(UsageError, match="2 keys ask to be bob"):
        ada.does("admit bob --role lead")
    ada.does(f"admit bob --key {bob.fingerprint} --role lead")
    assert ada.registry.log.policy.people["bob"].keys == (bob.key.public,)


@pytest.mark.parametrize("name", ["Bob", "bоb", "../x", "a b", "", "x" * 300, "<b>"])
def test_names_that_look_like_others_cannot_ask(crew: Crew, name: str):
    (ada,) = crew.started("ada")
    bob = crew.member("bob")
    bob.sync()
    git(bob.root, "config", "provenote.root", f"sha256:{ada.registry.root}")
    with bob.here(), pytest.raises(UsageError, match="no person's name"):
        joining.join(bob.registry.workspace, name, "", "", confirm=lambda text, word: word)


def test_what_else_lies_among_the_requests_is_passed_over(crew: Crew):
    ada, bob = crew.started("ada", bob="lead")
    log, project = ada.registry.log, ada.registry.log.policy.project
    eve = crew.member("eve")

    def file(line: bytes, key: PlainKey = eve.key) -> dict[str, bytes]:
        path, content = joining.seal(line, key)
        return {path: content}

    good = joining.compose(log, "eve", "Eve", "", 1_790_000_000)
    path, content = joining.seal(good, eve.key)
    elsewhere = good.replace(project.encode(), b"f" * 32)
    files = {
        f"join/{'0' * 64}": content,  # another name than its hash
        "join/readme": b"hello",
        f"join/{'1' * 64}": b"x" * 10_000,
        **file(elsewhere),
        **file(good.replace(b'"eve"', b'"EVE"')),
        **file(good.replace(b'"name":"Eve"', b'"extra":1,"name":"Eve"')),
        **file(joining.compose(log, "ada", "Ada", "", 1), ada.key),  # is in the policy
    }
    stolen_path, stolen = joining.seal(good, eve.key)
    files["join/" + "2" * 64] = stolen.replace(b"-----END", b"\n-----END")
    ada.registry.ledger.append(files, "junk")
    assert not joining.waiting(ada.registry)
    ada.registry.ledger.append({path: content}, "good")
    assert [one.person for one in joining.waiting(ada.registry)] == ["eve"]
    signed_event = event.seal(good, eve.key)[1]
    with pytest.raises(Refused):
        joining.parse(path, signed_event, project)  # a signature made for an event


def test_a_flood_of_requests_hides_nobody(crew: Crew, monkeypatch):
    (ada,) = crew.started("ada")
    monkeypatch.setattr(joining, "LOOKED_AT", 3)
    files = {}
    for number in range(8):
        key = keys.make(crew.folder / f"flood{number}_ed25519", "x")
        path, content = joining.seal(joining.compose(ada.registry.log, f"eve{number}", "", "", number), key)
        files[path] = content
    ada.registry.ledger.append(files, "flood")
    assert len(joining.waiting(ada.registry)) == 3
    ada.does("policy pending")
    for number in range(8):
        assert joining.find(ada.registry, f"eve{number}", None).person == f"eve{number}"


def test_a_policy_for_one_becomes_a_team_s(crew: Crew):
    ada = crew.member("ada")
    with ada.here():
        root = start_solo(find(ada.root)).root
    ada.sync()
    bob = crew.member("bob")
    bob.sync()
    bob.does(f"join --root sha256:{root}")
    bob.sync()
    ada.sync()
    with pytest.raises(UsageError, match="this policy is for one person"):
        ada.does("admit bob --role owner")
    ada.does("policy show --out policy.yaml")
    text = (ada.root / "policy.yaml").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("solo:")]
    (ada.root / "policy.yaml").write_text(
        "\n".join(lines).replace("four_eyes: false", "four_eyes: true") + "\n"
    )
    made = ada.does("policy edit policy.yaml").data
    assert "solo: yes becomes no" in made["changes"]
    ada.does("admit bob --role owner")
    crew.sync()
    ada.runs()
    with pytest.raises(Refused, match="you cannot release"):
        ada.does("promote churn --to production --why good --release")
    ada.does("promote churn --to production --why good")
    crew.sync()
    bob.does("approve churn")
    bob.does("release churn")
    crew.sync()
    assert ada.holds() == "v1.0.0"


def test_hostile_words_in_a_request_are_shown_as_they_are(crew: Crew):
    (ada,) = crew.started("ada")
    line = joining.compose(ada.registry.log, "eve", "\x1b[2JEve\u202e\n<script>", "a\rb", 5)
    path, content = joining.seal(line, crew.member("eve").key)
    ada.registry.ledger.append({path: content}, "asks")
    shown = str(ada.does("policy pending").parts)
    assert "\\u001b[2JEve\\u202e\\u000a" in shown.replace("\\\\", "\\") and "\x1b" not in shown
    ada.does("admit eve --role lead")
    assert "\x1b" not in ada.typist.shown[0] and "\u202e" not in ada.typist.shown[0]


def test_a_machine_is_admitted_by_its_public_key(crew: Crew):
    (ada,) = crew.started("ada")
    made = keys.make(crew.folder / "ci_ed25519", "ci")
    pub = f"{made.path}.pub"
    with pytest.raises(UsageError, match="not SHA256:wrong"):
        ada.does(f"admit ci --pub {pub} --key SHA256:wrong --role ci")
    ada.does(f"admit ci --pub {pub} --role ci")
    assert ada.registry.log.policy.people["ci"].keys == (made.public,)
    with pytest.raises(Refused, match="one key to two people"):
        ada.does(f"admit robot --pub {pub} --role ci")


def test_only_owners_admit_and_others_are_told_who(crew: Crew):
    ada, bob = crew.started("ada", bob="lead")
    eve = crew.member("eve")
    eve.sync()
    eve.does(f"join --root {ada.registry.root}")
    with pytest.raises(Refused, match=r"none of your keys owns policy 2; these do: ada \(SHA256"):
        eve.does("admit eve --role lead")
    eve.sync()
    bob.sync()
    for words in (
        "admit eve --role lead",
        "policy role bob --add releaser",
        "policy owners --add bob",
        "policy remove ada",
        "policy allow x.Y",
    ):
        with pytest.raises(Refused, match="these do: ada"):
            bob.does(words)
    assert bob.registry.log.policy.version == 2


def test_a_policy_that_a_member_signs_alone_counts_for_nothing(crew: Crew):
    ada, bob = crew.started("ada", bob="lead")
    found = bob.registry
    document = yaml.safe_load(found.files[_path(found)])
    document |= {
        "version": 3,
        "previous": found.log.policy.id,
        "closes": found.commit,
        "owners": {"threshold": 1, "keys": [bob.key.public.line]},
    }
    content = team_policy.written(document)
    found.ledger.append(chain.signed(content, 3, [bob.key]), "mine now")
    bob.sync()
    ada.sync()
    assert ada.registry.log.policy.version == 2 and not ada.registry.proposals


def _path(found: reading.Registry) -> str:
    return f"policy/{found.log.policy.version}-{found.log.policy.id[:12]}.yaml"


# ---------------------------------------------------------------------- several owners


@pytest.fixture
def three(crew: Crew) -> list[Member]:
    """ada, bob and carol own the policy, and two of them must sign the next one."""
    people = crew.started("ada", bob="lead", carol="lead")
    people[0].does("policy owners --add bob --add carol --threshold 2")
    crew.sync()
    return people


def test_a_policy_counts_when_enough_owners_have_signed(crew: Crew, three: list[Member]):
    ada, bob, carol = three
    made = ada.does("policy role carol --add releaser").data
    assert not made["in_force"] and made["signed_by"] == ["ada"] and made["needed"] == 2
    assert ada.registry.log.policy.version == 4
    with pytest.raises(UsageError, match="signed policy .* already"):
        ada.does("policy sign")
    crew.sync()
    waiting = bob.does("policy pending").data["policies"]
    assert [(one["id"], one["mine"], one["signed_by"]) for one in waiting] == [(made["id"], True, ["ada"])]
    assert waiting[0]["changes"] == ["carol gets the role releaser"]
    assert bob.does("inbox").data["policies"] == waiting
    with pytest.raises(NoPerson):
        bob.does("policy sign", present=False)
    with pytest.raises(UsageError, match="nothing was signed"):
        bob.does("policy sign", typed="no")
    with pytest.raises(UsageError, match="waits for signatures"):
        bob.does("policy sign ffff")
    done = bob.does(f"policy sign {made['id'][:12]}").data
    assert done["in_force"] and done["signed_by"] == ["ada", "bob"]
    assert "carol gets the role releaser" in bob.typist.shown[0]
    crew.sync()
    assert {one.registry.log.policy.id for one in three} == {made["id"]}
    with pytest.raises(UsageError, match="no policy waits"):
        carol.does("policy sign")


def test_one_owner_with_two_keys_is_one_voice_among_owners(crew: Crew, three: list[Member]):
    ada, bob, _ = three
    second = keys.make(crew.folder / "ada2_ed25519", "ada2")
    for words in (f"admit ada --pub {second.path}.pub --role lead", "policy owners --add ada"):
        ada.does(words)
        crew.sync()
        bob.does("policy sign")
        crew.sync()
    assert second.public in ada.registry.log.policy.owners
    made = ada.does("policy role carol --add releaser").data
    git(ada.root, "config", "user.signingkey", str(second.path))
    with pytest.raises(UsageError, match="you have signed policy"):
        ada.does("policy sign")
    found = ada.registry
    content = found.proposals[0].content
    found.ledger.append(chain.signed(content, made["version"], [second]), "by hand")
    assert ada.registry.log.policy.version == made["version"] - 1
    assert ada.does("policy pending").data["policies"][0]["signed_by"] == ["ada"]


def test_the_one_who_signs_sees_what_the_policies_say_not_what_a_commit_says(crew: Crew, three: list[Member]):
    """The proposer's commit message is not signed and not shown; the difference is computed."""
    ada, bob, _ = three
    found = ada.registry
    document = yaml.safe_load(found.files[_path(found)])
    document |= {"version": 5, "previous": found.log.policy.id, "closes": found.commit}
    document["rules"][0] |= {"four_eyes": False, "approvals": []}
    document["roles"]["releaser"] = ["ada", "carol"]
    content = team_policy.written(document)
    found.ledger.append(chain.signed(content, 5, [ada.key]), "policy 5: fix a typo")
    crew.sync()
    bob.does("policy sign")
    shown = bob.typist.shown[0]
    assert "four_eyes: yes becomes no" in shown and "approvals: role lead min 1 becomes none" in shown
    assert "carol gets the role releaser" in shown and "typo" not in shown


def test_what_falls_when_a_late_policy_comes_into_force_is_told(crew: Crew, three: list[Member]):
    ada, bob, _ = three
    ada.does("policy role carol --add releaser")
    ada.runs()
    ada.does("promote churn --to staging --why later")
    assert "must be signed again" in ada.typist.shown[0]
    crew.sync()
    bob.does("policy sign")
    assert "request of churn@v1.0.0 in staging by ada" in bob.typist.shown[0]
    assert not bob.registry.state.promotions
    assert "arrived" in next(iter(bob.registry.log.refused.values()))


def test_an_owner_signs_one_of_two_rivals(crew: Crew, three: list[Member]):
    """Both together would stop every reader: two policies of one number."""
    ada, bob, carol = three
    first = ada.does("policy role carol --add releaser").data["id"]
    second = bob.does("policy role carol --add scientist").data["id"]
    crew.sync()
    assert len(carol.does("policy pending").data["policies"]) == 2
    with pytest.raises(UsageError, match="2 policies wait"):
        carol.does("policy sign")
    with pytest.raises(Refused, match="two of one number must never count"):
        ada.does(f"policy sign {second[:12]}")
    carol.does(f"policy sign {first[:12]}")
    crew.sync()
    assert {one.registry.log.policy.id for one in three} == {first}
    with pytest.raises(UsageError, match="waits for signatures no more"):
        ada.does(f"policy sign {second[:12]}")


def test_owners_who_are_at_odds_can_agree_on_the_same_one_only(crew: Crew, three: list[Member]):
    ada, bob, carol = three
    carol.does("policy owners --drop carol")
    crew.sync()
    ada.does("policy sign")
    crew.sync()  # two owners are left, and both must sign
    ids = {
        ada.does("policy role carol --add releaser").data["id"]: ada,
        bob.does("policy role carol --add scientist").data["id"]: bob,
    }
    crew.sync()
    small, large = sorted(ids)
    with pytest.raises(Refused, match=f"policy sign {small[:12]}"):
        ids[small].does(f"policy sign {large[:12]}")
    ids[large].does(f"policy sign {small[:12]}")
    crew.sync()
    assert {one.registry.log.policy.id for one in three} == {small}


def test_a_proposal_that_closes_what_is_not_here_is_not_signed(crew: Crew, three: list[Member]):
    """Its owner could otherwise make everything that was signed under the present policy fall."""
    ada, bob, _ = three
    found = ada.registry
    document = yaml.safe_load(found.files[_path(found)])
    document |= {"version": 5, "previous": found.log.policy.id, "closes": "0" * 40, "consumers": {"a": 1}}
    found.ledger.append(chain.signed(team_policy.written(document), 5, [ada.key]), "x")
    crew.sync()
    assert bob.does("inbox").data["policies"][0]["changes"] == ["consumers: none becomes a (1)"]
    with pytest.raises(Refused, match="closes commit 000000000000 of the ledger, which is not here"):
        bob.does("policy sign")


def test_two_owners_who_change_the_policy_at_once_do_not_stop_the_readers(crew: Crew):
    ada, bob = crew.started("ada", bob="lead")
    ada.does("policy owners --add bob")
    crew.sync()
    ada.does("policy role bob --add releaser")
    bob.does("policy role bob --add scientist")
    ada.sync()
    (problem,) = bob.sync().problems
    assert "two owners changed the policy at once: policy 4" in problem
    assert bob.registry.log.policy.roles["scientist"] == ("ada", "bob"), "his clone still works"
    ada.sync()
    assert ada.registry.log.policy.roles["releaser"] == ("ada", "bob")
    git(bob.root, *problem.rsplit("`", 2)[1].split()[1:])
    bob.does("policy role bob --add scientist")
    crew.sync()
    assert ada.registry.log.policy.id == bob.registry.log.policy.id
    assert ada.registry.log.policy.version == 5


def test_there_are_always_enough_owners(crew: Crew, three: list[Member]):
    ada, bob, _ = three
    for words in (
        "policy owners --threshold 4",
        "policy owners --drop ada --drop bob",
        "policy owners --threshold 0",
    ):
        with pytest.raises(UsageError, match="owner"):
            ada.does(words)
    with pytest.raises(UsageError, match="is an owner already"):
        ada.does("policy owners --add bob")
    ada.does("policy owners --drop carol")
    crew.sync()
    bob.does("policy sign")
    crew.sync()
    with pytest.raises(UsageError, match="1 owner would be left, and 2 must sign"):
        ada.does("policy remove bob")


# ---------------------------------------------------------------------- leaving


def test_who_is_removed_cannot_act_or_date_back(crew: Crew):
    ada, bob = crew.started("ada", bob="lead+releaser+scientist")
    bob.runs("one")
    bob.does("promote churn --to production --why good")
    bob.sync()
    ada.sync()
    ada.does("approve churn")
    ada.sync()
    bob.sync()
    bob.does("release churn")
    bob.sync()
    bob.runs("two")
    bob.does("promote churn --to production --why better")  # signed in time, but never shared before
    ada.sync()
    made = ada.does("policy remove bob").data
    assert "bob is removed" in made["changes"] and "bob loses the role lead" in made["changes"]
    ada.sync()
    bob.sync()
    assert ada.holds() == bob.holds() == "v1.0.0", "what he released stays"
    assert [one.subject.version for one in ada.registry.state.promotions] == ["v1.0.0"]
    ada.sync()
    assert any("before the event arrived" in why for why in ada.registry.log.refused.values())
    with pytest.raises(Refused, match="none of your keys"):
        bob.does("promote churn --to production --why again")
    assert not joining.waiting(ada.registry), "his old request does not wait again"
    bob.does("join")
    assert [one.person for one in joining.waiting(bob.registry)] == ["bob"]


def test_what_somebody_asked_for_before_they_left_keeps_its_name(crew: Crew):
    ada, bob = crew.started("ada", bob="scientist")
    bob.runs("one")
    bob.does("promote churn --to staging --why good")
    bob.sync()
    ada.sync()
    ada.does("policy remove bob")
    assert ada.registry.state.promotions[0].status == "void"
    assert ada.does("verify --tags").data["tags"] == {}
    ada.runs("two")
    assert ada.does("promote churn --to staging --why better").data["version"] == "v1.1.0"


def test_who_never_had_the_right_to_ask_names_no_version(crew: Crew):
    ada, bob = crew.started("ada", bob="lead")
    bob.runs("one")
    found = bob.registry
    me = signing.find_me(found, [bob.key])
    with bob.here():
        asked = candidate.find(found.workspace, "churn", None, silent).subject("v1.0.0")
    body = {"subject": asked, "stage": "staging", "why": "mine", "authors": ["bob"]}
    act = Act("request", "ask", body)
    path, content = event.seal(signing._line(found, me, act, []), bob.key)
    found.ledger.append({path: content}, "by hand")
    git(bob.root, "tag", "-m", "x", "provenote=churn@v1.0.0", asked.commit)
    assert "provenote=churn@v1.0.0" in bob.does("verify --tags").data["tags"]


def test_a_stolen_key_falls_back_to_the_last_good_commit(crew: Crew):
    ada, bob = crew.started("ada", bob="lead+releaser")
    ada.runs("one")
    ada.does("promote churn --to production --why good")
    ada.sync()
    bob.sync()
    bob.does("approve churn")
    good = bob.registry.commit
    bob.does("release churn")
    bob.sync()
    ada.sync()
    assert ada.holds() == "v1.0.0"
    with pytest.raises(UsageError, match="no commit"):
        ada.does("policy remove bob --stolen main")
    with pytest.raises(UsageError, match="no commit"):
        ada.does(
            "policy remove bob --stolen --help-me" if False else f"policy remove bob --stolen {'0' * 40}"
        )
    ada.does(f"policy remove bob --stolen {good}")
    assert "no longer trusts the key" in ada.typist.shown[0]
    with pytest.raises(NotReleased):
        ada.holds()


def test_one_key_of_two_goes(crew: Crew):
    ada, bob = crew.started("ada", bob="lead")
    laptop = keys.make(crew.folder / "laptop_ed25519", "bob")
    ada.does(f"admit bob --pub {laptop.path}.pub --role releaser")
    assert set(ada.registry.log.policy.people["bob"].keys) == {bob.key.public, laptop.public}
    with pytest.raises(UsageError, match="has no key"):
        ada.does(f"policy remove bob --key {ada.fingerprint}")
    ada.does(f"policy remove bob --key {bob.fingerprint}")
    policy = ada.registry.log.policy
    assert policy.people["bob"].keys == (laptop.public,) and policy.roles["lead"] == ("ada", "bob")


def test_a_role_is_given_and_taken(crew: Crew):
    ada, bob = crew.started("ada", bob="lead")
    made = ada.does("policy role bob --add scientist --take lead").data
    assert set(made["changes"]) == {"bob gets the role scientist", "bob loses the role lead"}
    for words, why in (
        ("policy role bob --take lead", "has not the role"),
        ("policy role nobody --add lead", "knows no 'nobody'"),
        ("policy role bob", "which role"),
        ("policy role bob --add scientist", "nothing of the policy would change"),
        ("policy role bob --add boss", "no role 'boss'"),
        ("policy owners", "what shall change"),
    ):
        with pytest.raises(UsageError, match=why):
            ada.does(words)


def test_the_whole_policy_is_edited_as_text(crew: Crew):
    ada, bob = crew.started("ada", bob="lead")
    ada.does("policy show --out policy.yaml")
    file = ada.root / "policy.yaml"
    text = file.read_text()
    with pytest.raises(UsageError, match="nothing of the policy would change"):
        ada.does("policy edit policy.yaml")
    changed = text.replace("approval_days: 30", "approval_days: 7 # short", 1).replace("\n", "\r\n")
    file.write_bytes(changed.encode())
    assert ada.does("policy edit policy.yaml").data["changes"] == [
        "the rule about * in production: approval_days: 30 becomes 7"
    ]
    kept = ada.does("policy show").data["text"]
    assert "# short" in kept and kept.startswith("version: 3\n") and kept.count("previous:") == 1
    project = ada.registry.log.policy.project
    for text, kind in ((kept.replace(project, "f" * 32), UsageError), (kept + "surprise: 1\n", Refused)):
        file.write_text(text)
        with pytest.raises(kind):
            ada.does("policy edit policy.yaml")
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="no UTF-8"):
        ada.does("policy edit policy.yaml")
    with pytest.raises(UsageError, match="cannot be read"):
        ada.does("policy edit nowhere.yaml")


# ---------------------------------------------------------------------- without us


def shell(folder: Path, script: str) -> str:
    """Run a script that knows git and OpenSSH alone."""
    done = subprocess.run(["sh", "-ec", script], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout


def verified(
    root: Path, scratch: Path, signers: str, content: bytes, signature: bytes, namespace: str
) -> str:
    """Return the principal whose signature OpenSSH finds good, or an empty text."""
    (scratch / "signers").write_text(signers)
    (scratch / "sig").write_bytes(signature)
    for principal in dict.fromkeys(line.split()[0] for line in signers.splitlines()):
        command = ["ssh-keygen", "-Y", "verify", "-f", str(scratch / "signers"), "-I", principal]
        command += ["-n", namespace, "-s", str(scratch / "sig")]
        if subprocess.run(command, input=content, capture_output=True, cwd=root).returncode == 0:
            return principal
    return ""


def test_a_team_is_audited_with_git_and_openssh_alone(crew: Crew, three: list[Member], tmp_path: Path):
    """The chain of policies by m of n, what each closes, and who signed which event; all from plain tools."""
    ada, bob, carol = three
    ada.runs()
    ada.does("promote churn --to staging --why good")
    crew.sync()
    bob.does("approve churn")
    crew.sync()
    ada.does("policy role carol --add releaser")
    crew.sync()
    bob.does("policy sign")
    crew.sync()
    branch, root = "provenote-governance", carol.root
    assert shell(root, f"git log -m --diff-filter=a --name-only --format=%H {branch}") == ""
    paths = shell(root, f"git ls-tree -r --name-only {branch}").split()

    def show(path: str) -> bytes:
        return subprocess.run(
            ["git", "show", f"{branch}:{path}"], cwd=root, check=True, capture_output=True
        ).stdout

    texts = {int(path[7:].split("-")[0]): path for path in paths if path.endswith(".yaml")}
    documents = {number: yaml.safe_load(show(path)) for number, path in texts.items()}
    assert sorted(documents) == [1, 2, 3, 4, 5]
    pinned = shell(root, "git config provenote.root").strip()
    assert shell(root, f"git show {branch}:{texts[1]} | sha256sum").split()[0] == pinned.removeprefix(
        "sha256:"
    )
    for number in range(2, 6):
        judge, content = documents[number - 1], show(texts[number])
        before = shell(root, f"git show {branch}:{texts[number - 1]} | sha256sum").split()[0]
        assert documents[number]["previous"] == before
        names = {row["key"]: name for name, person in judge["people"].items() for row in person["keys"]}
        signers = "".join(f"{names[key]} {key}\n" for key in judge["owners"]["keys"])
        stem = texts[number].removesuffix(".yaml") + "."
        sigs = [show(path) for path in paths if path.startswith(stem) and path.endswith(".sig")]
        good = {verified(root, tmp_path, signers, content, sig, "provenote-policy@v1") for sig in sigs}
        assert len(good - {""}) >= judge["owners"]["threshold"], number
    assert len(documents[4]["owners"]["keys"]) == 3 and documents[4]["owners"]["threshold"] == 2
    joins = [path for path in paths if path.startswith("join/")]
    seen = set()
    for path in [one for one in paths if one.startswith(("e/", "join/"))]:
        line, _, signature = show(path).partition(b"\n")
        body = json.loads(line)
        policy = next(
            number
            for number, text in texts.items()
            if hashlib.sha256(show(text)).hexdigest() == body["policy"]
        )
        assert hashlib.sha256(show(path)).hexdigest() == path.removeprefix("e/").removeprefix(
            "join/"
        ).replace("/", "")
        if path in joins:
            people, namespace = documents[5]["people"], "provenote-join@v1"
        else:
            people, namespace = documents[policy]["people"], "provenote-event@v1"
            assert path in shell(root, f"git ls-tree -r --name-only {documents[policy + 1]['closes']}")
        signers = "".join(f"{name} {row['key']}\n" for name, who in people.items() for row in who["keys"])
        who = verified(root, tmp_path, signers, line + b"\n", signature, namespace)
        assert who == body.get("by", body.get("person"))
        seen.add(who)
    assert seen == {"ada", "bob", "carol"} and len(joins) == 2
    trail = carol.does("audit").data
    assert {row["who"] for row in trail["events"]} == {"ada", "bob"}
    assert [one["signed_by"] for one in trail["policies"]] == [["ada"]] * 4 + [["ada", "bob"]]
    assert trail["policies"][-1]["changes"] == ["carol gets the role releaser"]
