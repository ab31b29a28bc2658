"""A team with keys and clones of their own through a guarded remote: all that they rightly do passes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from clones import git
from team_desk import Crew, Member

from provenote.registry import hook_file
from provenote.stores.ledger import GOVERNANCE

RULES = """\
roles: {ds: [me], lead: [], releaser: [me], ci: [], emergency: []}
rules:
- model: "*"
  stage: production
  request: ds
  approvals: [{role: lead, min: 1}]
  release: releaser
  rollback: [releaser]
  recall: [lead]
"""


@pytest.fixture
def crew(tmp_path: Path, make_repo) -> Crew:
    """A remote that is told its root before anybody pushes a ledger."""
    made = Crew(tmp_path, make_repo)
    ada = made.member("ada")
    (ada.root / "start.yaml").write_text(RULES)
    root = ada.does("policy start --from start.yaml").data["root"]
    hook_file.install(str(made.remote), root)
    well(ada)
    for name, roles in (("bob", "--role lead"), ("carol", "--role lead --role ds")):
        one = made.member(name)
        one.sync()
        one.does(f"join --root {root if root.startswith('sha256:') else 'sha256:' + root}")
        well(one)
        well(ada)
        ada.does(f"admit {name} {roles}")
        well(ada)
    for one in made.members.values():
        well(one)
    return made


def well(*people: Member) -> None:
    """Exchange; the remote takes all of it."""
    for one in people:
        account = one.sync()
        assert not account.waiting and not account.problems, (one.name, account)


def refs(crew: Crew) -> set[str]:
    return set(git(crew.remote, "for-each-ref", "--format=%(refname:short)").split())


def test_ask_reject_approve_release_roll_back_recall(crew):
    ada, bob = crew.members["ada"], crew.members["bob"]
    ada.runs("one")
    ada.does("promote churn --to production --why try")
    well(ada, bob)
    bob.does("reject churn@v1.0.0 --why no")
    well(bob, ada)
    for number in (1, 2):
        ada.runs(f"better {number}")
        ada.does("promote churn --to production --why better")
        well(ada, bob)
        bob.does(f"approve churn@v1.{number}.0")
        well(bob, ada)
        ada.does(f"release churn@v1.{number}.0")
        well(ada, bob)
    assert bob.holds() == "v1.2.0"
    ada.does("rollback churn@v1.1.0 --why worse")
    well(ada, bob)
    assert bob.holds() == "v1.1.0"
    bob.does("recall churn --why broken")
    well(bob, ada)
    stages = {f"provenote=churn#production#{number}" for number in (1, 2, 3)}
    assert stages | {"provenote=churn@v1.2.0"} <= refs(crew)
    assert ada.does("verify --tags --remote origin").data["tags"] == {}


def test_people_who_act_at_once(crew):
    """Pushes at once: Git takes one, the others take it in and push again; nothing is lost."""
    ada, people = crew.members["ada"], list(crew.members.values())
    ada.runs("one")
    ada.does("promote churn --to production --why try")
    well(ada, *people)
    for one in people:
        one.does(f"comment churn@v1.0.0 --text by-{one.name}")
    failed: list[object] = []

    def exchange(one: Member) -> None:
        try:
            well(one)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=exchange, args=(one,)) for one in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    well(*people)
    texts = {one.text("text") for one in ada.registry.log.of_type("comment")}
    assert texts == {f"by-{one.name}" for one in people}
    assert len({git(one.root, "rev-parse", GOVERNANCE) for one in people}) == 1


def test_a_vote_under_a_policy_that_changed_meanwhile(crew):
    """It came too late and counts for nothing, but the clone that holds it is not shut out."""
    ada, bob, carol = crew.members.values()
    carol.runs("one")
    carol.does("promote churn --to production --why try")
    well(carol, bob, ada)
    bob.does("approve churn@v1.0.0")
    dora = crew.member("dora")
    dora.sync()
    dora.does(f"join --root sha256:{ada.registry.root}")
    well(dora, ada)
    ada.does("admit dora --role ds")
    well(ada, bob, ada)
    assert len(ada.registry.log.late) == 1
    bob.does("comment churn@v1.0.0 --text again")
    well(bob)
