"""A team brings models to stages: each rule with people of their own keys in clones of one bare remote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from clones import git
from ledger_world import subject
from team_desk import Crew, Member

import provenote
from provenote import doctor
from provenote.errors import Refused, UsageError
from provenote.registry import against, news, reading
from provenote.registry.signing import NoPerson
from provenote.registry.state import NotReleased
from provenote.render import terminal
from provenote.stores import keys
from provenote.stores.keys import PlainKey
from provenote.workspace import find

RULES = """\
roles: {ds: [me], lead: [], risk: [], releaser: [me], ci: [], emergency: [me]}
rules:
- model: "*"
  stage: production
  promotes_from: [staging]
  request: ds
  approvals: [{role: lead, min: 1}, {role: risk, min: 1}]
  checks: [model-tests]
  approval_days: 14
  request_days: 30
  release: releaser
  rollback: [releaser]
  recall: [risk]
  override: {role: emergency, hours: 24}
- {model: "*", stage: staging, request: ds, approvals: [], release: ds}
"""


KEY = ("provenote", "churn", "production")


@pytest.fixture
def crew(tmp_path: Path, make_repo) -> Crew:
    return Crew(tmp_path, make_repo)


@pytest.fixture
def team(crew: Crew) -> list[Member]:
    """ada owns, asks, releases and overrides; bob leads; carol is risk; ci checks by a key in a file."""
    ada = crew.member("ada")
    (ada.root / "start.yaml").write_text(RULES)
    root = ada.does("policy start --from start.yaml").data["root"]
    ada.sync()
    keys.make(crew.folder / "ci_ed25519", "ci")
    ada.does(f"admit ci --pub {crew.folder / 'ci_ed25519.pub'} --role ci")
    people = [ada]
    for name, role in (("bob", "lead"), ("carol", "risk")):
        one = crew.member(name)
        one.sync()
        one.does(f"join --root sha256:{root}")
        one.sync()
        ada.sync()
        ada.does(f"admit {name} --role {role}")
        ada.sync()
        people.append(one)
    crew.sync()
    return people


def staged(ada: Member, content: str = "one") -> None:
    ada.runs(content)
    ada.does("promote churn --to staging --why try --release")


def later(one: Member, hours: float) -> reading.Registry:
    """Read a clone's registry as it will be after these hours."""
    import time

    return reading.read(find(one.root), now=time.time() + hours * 3600)


def test_the_whole_way_by_four_people(crew: Crew, team: list[Member]):
    ada, bob, carol = team
    key = crew.folder / "ci_ed25519"
    ada.runs("one")
    with pytest.raises(Refused, match="was not in staging before"):
        ada.does("promote churn --to production --why good")
    ada.does("promote churn --to staging --why try --release")
    ada.does("promote churn --to production --why good")
    crew.sync()
    assert "churn@v1.0.0" in str(bob.does("inbox").parts)
    assert [one["mine"] for one in bob.does("inbox").data["waiting"]] == ["vote"]
    with pytest.raises(Refused, match="you \\(ada\\) may read, not vote|cannot approve"):
        ada.does("approve churn")
    bob.does("reject churn --why worse_at_night")
    bob.sync()
    carol.sync()
    carol.does("approve churn --why risk_is_low")
    crew.sync()
    with pytest.raises(Refused, match="rejected by bob"):
        ada.does("release churn")
    bob.does("approve churn --why mended")
    crew.sync()
    with pytest.raises(Refused, match="check model-tests: not there yet"):
        ada.does("release churn")
    assert bob.does(f"check churn model-tests --key {key} --status fail").data["status"] == "open"
    crew.sync()
    with pytest.raises(Refused, match="check model-tests: failed"):
        ada.does("release churn")
    assert bob.does(f"check churn model-tests --key {key} --status pass").data["status"] == "approved"
    crew.sync()
    with pytest.raises(Refused, match=r"bob may not release there: it takes the role releaser \(ada\)"):
        bob.does("release churn")
    ada.does("release churn")
    crew.sync()
    assert [one.holds() for one in team] == ["v1.0.0"] * 3
    assert bob.does("verify churn --stage production").data["reports"][0]["broken"] in (None, "bytes")


def test_a_recall_and_a_rollback_by_those_who_may(crew: Crew, team: list[Member]):
    ada, bob, carol = team
    key = crew.folder / "ci_ed25519"
    for content in ("one", "two"):
        staged(ada, content)
        ada.does("promote churn --to production --why good")
        crew.sync()
        bob.does("approve churn --stage production")
        carol.does("approve churn --stage production")
        crew.sync()
        ada.does(f"check churn model-tests --key {key} --status pass --stage production")
        ada.does("release churn --stage production")
        crew.sync()
    assert carol.holds() == "v1.1.0"
    with pytest.raises(Refused, match=r"\(bob\) may not recall .*the role risk \(carol\)"):
        bob.does("recall churn --why odd")
    carol.does("recall churn --why wrong_data")
    crew.sync()
    with pytest.raises(NotReleased, match="recalled from production by carol"):
        bob.holds()
    with pytest.raises(Refused, match=r"bob may not roll back there: it takes the role releaser \(ada\)"):
        bob.does("rollback churn@v1.0.0 --why back")
    ada.does("rollback churn@v1.0.0 --why back")
    crew.sync()
    assert bob.holds() == "v1.0.0"


def test_an_override_falls_unless_others_ratify_it(crew: Crew, team: list[Member]):
    ada, bob, carol = team
    staged(ada)
    ada.does("promote churn --to production --why good")
    crew.sync()
    with pytest.raises(Refused, match=r"bob may not override there: it takes the role emergency \(ada\)"):
        bob.does("override churn --why now")
    ada.does("override churn --why service_is_down --stage production")
    assert "WITHOUT" in ada.typist.shown[0]
    crew.sync()
    assert bob.holds() == "v1.0.0"
    waits = bob.does("inbox").data["waiting"]
    assert [(one["mine"], one["override_ends"] is not None) for one in waits] == [("vote", True)]
    assert "ratifies it" in str(bob.does("inbox").parts)
    assert [one["mine"] for one in ada.does("inbox").data["waiting"]] == [None]
    with pytest.raises(NotReleased, match="has ended and was not ratified"):
        later(bob, 25).state.current(KEY)
    with pytest.raises(Refused, match="others must ratify"):
        ada.does("approve churn@v1.0.0 --stage production")
    bob.does("approve churn@v1.0.0 --stage production --why right")
    assert "released without the approvals" in bob.typist.shown[0]
    bob.sync()
    carol.sync()
    with pytest.raises(NotReleased):
        later(carol, 25).state.current(KEY)
    carol.does("approve churn@v1.0.0 --stage production")
    carol.does(
        f"check churn@v1.0.0 model-tests --stage production --key {crew.folder / 'ci_ed25519'} --status pass"
    )
    crew.sync()
    assert later(bob, 25).state.current(KEY).subject.version == "v1.0.0"
    assert not bob.does("inbox").data["waiting"]
    with pytest.raises(UsageError, match="released to production already"):
        bob.does("approve churn@v1.0.0 --stage production")


def test_an_override_that_fell_can_be_ratified_late(crew: Crew, team: list[Member]):
    ada, bob, _ = team
    staged(ada)
    ada.does("promote churn --to production --why good")
    ada.does("override churn --why service_is_down --stage production")
    crew.sync()
    bob.does("reject churn@v1.0.0 --stage production --why never")
    assert bob.holds() == "v1.0.0", "within its hours even a rejection is set aside"
    with pytest.raises(NotReleased, match="was not ratified"):
        later(bob, 25).state.current(KEY)


def test_an_approval_and_a_request_end(crew: Crew, team: list[Member]):
    ada, bob, carol = team
    staged(ada)
    ada.does("promote churn --to production --why good")
    crew.sync()
    bob.does("approve churn --stage production")
    crew.sync()
    found = later(carol, 15 * 24).state.promotions[-1]
    assert "approval of bob has expired" in " ".join(one.text for one in found.verdict.problems)
    assert later(carol, 31 * 24).state.promotions[-1].status == "expired"


def test_a_job_and_a_notebook_sign_no_check(crew: Crew, team: list[Member], monkeypatch):
    ada, bob, _ = team
    key = crew.folder / "ci_ed25519"
    staged(ada)
    ada.does("promote churn --to production --why good")
    words = f"check churn model-tests --stage production --status pass --key {key}"
    monkeypatch.setenv("PROVENOTE_RUN", "x")
    with pytest.raises(Refused, match="beside the job"):
        ada.does(words)
    with pytest.raises(Refused, match="beside the job"):
        ada.does(f"checkpoint --key {key}")
    monkeypatch.delenv("PROVENOTE_RUN")
    from provenote.registry import checking

    with pytest.raises(Refused, match="beside the job"):
        checking.machine("notebook", str(key))
    with pytest.raises(UsageError, match="which key"):
        ada.does("check churn model-tests --stage production --status pass")
    with pytest.raises(Refused, match=r"ada signs no checks: it takes the role ci \(ci\)"):
        ada.does(f"check churn model-tests --stage production --status pass --key {ada.key.path}")
    with pytest.raises(Refused, match="ada signs no checkpoints"):
        ada.does(f"checkpoint --key {ada.key.path}")
    with pytest.raises(UsageError, match="Asked are: model-tests"):
        ada.does(words.replace("model-tests", "other"))
    for more in ("--status maybe", "", "--status pass --run fit"):
        with pytest.raises(UsageError, match="verdict"):
            ada.does(f"check churn model-tests --stage production --key {key} {more}")
    assert not [one for one in ada.registry.log.events.values() if one.type == "check"]
    monkeypatch.setenv("PROVENOTE_CI_KEY", str(key))
    ada.does("checkpoint", present=False)
    assert [one.by for one in ada.registry.log.of_type("checkpoint")] == ["ci"]


def test_a_run_of_a_test_job_gives_the_verdict(crew: Crew, team: list[Member]):
    ada = team[0]
    key = crew.folder / "ci_ed25519"
    staged(ada)
    ada.does("promote churn --to production --why good")
    with ada.here():
        with provenote.track("tests") as good:
            good.log(passed=3)
        with pytest.raises(ZeroDivisionError), provenote.track("broken") as bad:
            bad.log(n=1 / 0)
    (ada.root / "report.txt").write_text("3 passed")
    view = ada.does(
        f"check churn model-tests --stage production --key {key} --run {bad.name} --report report.txt"
    )
    event = ada.registry.log.events[view.data["events"][0]["id"]]
    assert event.body["status"] == "fail" and set(event.body["evidence"]) == {"run", "report"}
    ada.does(f"check churn model-tests --stage production --key {key} --run {good.name}")
    assert dict(ada.registry.state.promotions[-1].verdict.checks) == {"model-tests": "pass"}


def test_a_machine_s_way_signs_nothing_that_takes_a_person(crew: Crew, team: list[Member]):
    from provenote.registry import promotion, signing

    ada, bob, _ = team
    staged(ada)
    ada.does("promote churn --to production --why good")
    crew.sync()
    found = bob.registry
    request = found.state.promotions[-1]
    me = signing.find_me(found, [bob.key])
    with pytest.raises(NoPerson, match="a machine cannot sign"):
        signing.by_machine(found, me, lambda now, who: promotion.vote(request, "approve", "", now, who))
    assert bob.registry.commit == found.commit


def test_a_machine_releases_what_was_approved_where_the_rule_lets_it(
    crew: Crew, team: list[Member], monkeypatch
):
    ada, bob, carol = team
    key = crew.folder / "ci_ed25519"
    staged(ada)
    ada.does("promote churn --to production --why good")
    words = f"release churn --stage production --key {key}"
    with pytest.raises(Refused, match="ci may not release there"):
        ada.does(words)
    ada.does("policy role ci --add releaser")
    crew.sync()
    with pytest.raises(Refused, match="0 of 1 approvals"):
        ada.does(words)
    bob.does("approve churn --stage production")
    carol.does("approve churn --stage production")
    crew.sync()
    ada.does(f"check churn model-tests --stage production --status pass --key {key}")
    with pytest.raises(NoPerson, match="ada is asked before signing"):
        ada.does(f"release churn --stage production --key {ada.key.path}")
    monkeypatch.setenv("PROVENOTE_RUN", "x")
    with pytest.raises(Refused, match="beside the job"):
        ada.does(words)
    monkeypatch.delenv("PROVENOTE_RUN")
    ada.does(words, present=False)
    crew.sync()
    assert bob.holds() == "v1.0.0" and bob.registry.state.releases.holder(KEY).event.by == "ci"


def test_a_machine_overrides_and_rolls_back_nothing(crew: Crew, team: list[Member]):
    from provenote.registry import releasing, signing

    ada = team[0]
    machine = PlainKey(crew.folder / "ci_ed25519")
    ada.does("policy role ci --add emergency --add releaser")
    staged(ada)
    ada.does("promote churn --to production --why good")
    found = ada.registry
    request = found.state.promotions[-1]
    me = signing.find_me(found, [machine])
    with pytest.raises(NoPerson, match="WITHOUT"):
        signing.by_machine(
            found, me, lambda now, who: releasing.release(request, "x", now, who, override=True)
        )
    assert ada.registry.commit == found.commit


def test_a_stale_ledger_is_not_used_where_the_rule_wants_it_fresh(crew: Crew, team: list[Member]):
    ada, bob, _ = team
    ada.does("policy show --out policy.yaml")
    file = ada.root / "policy.yaml"
    text = file.read_text()
    file.write_text(text.replace("  stage: staging\n", "  stage: staging\n  freshness_hours: 24\n"))
    ada.does("policy edit policy.yaml")
    staged(ada)
    crew.sync()
    with pytest.raises(NotReleased, match="checkpoint is older"):
        bob.holds("staging")
    ada.does(f"checkpoint --key {crew.folder / 'ci_ed25519'}")
    crew.sync()
    assert bob.holds("staging") == "v1.0.0"
    with pytest.raises(NotReleased, match="checkpoint is older"):
        later(bob, 25).state.current(("provenote", "churn", "staging"))


def test_two_who_act_at_once_lose_nothing(crew: Crew, team: list[Member]):
    ada, bob, carol = team
    staged(ada)
    ada.does("promote churn --to production --why good")
    crew.sync()
    bob.does("approve churn --stage production")
    carol.does("approve churn --stage production")
    ada.does("comment churn --stage production --text soon")
    crew.sync()
    counts = {len(one.registry.log.events) for one in team}
    assert counts == {6} and {one.registry.log.refused == {} for one in team} == {True}
    assert bob.registry.state.promotions[-1].verdict.approvers == ("bob", "carol")


# ---------------------------------------------------------------------- what an approver sees


def differing(one: Member) -> dict[str, str]:
    """Return what the inbox says of the one request that waits, by kind."""
    (found,) = one.does("inbox").data["waiting"]
    return {row["kind"]: row["text"] for row in found["against"]["differs"]}


def fitted(ada: Member, content: str, depth: int, rmse: float) -> None:
    with ada.here():
        Path("model.bin").write_text(content)
        with provenote.track("fit") as run:
            run.log_params(depth=depth, loss="squared")
            run.log(rmse=rmse)
            run.log_model("model.bin", "churn")
        Path("model.bin").unlink()


def test_the_inbox_shows_how_a_request_differs_from_the_holder(crew: Crew, team: list[Member]):
    ada, bob, _ = team
    (ada.root / "train.py").write_text("x = 1\n")
    fitted(ada, "one", 4, 2.5)
    ada.does("promote churn --to staging --why try --release")
    assert not ada.does("inbox").data["waiting"]
    (ada.root / "train.py").write_text("x = 2\ny = 3\n")
    fitted(ada, "two", 6, 1.5)
    ada.does("promote churn --to staging --why better")
    crew.sync()
    for one in (ada, bob):
        found = differing(one)
        assert found["params"] == "depth 4 → 6" and "train.py changed (+2 −1)" in found["code"]
    # How much waits is told when a notebook starts, and by the doctor.
    ada.does("inbox")
    told = "1 request waits for you: `%inbox`"
    ipython = [
        sys.executable,
        "-m",
        "IPython",
        "--no-banner",
        "--colors=NoColor",
        "-c",
        "%load_ext provenote",
    ]
    assert told in subprocess.run(ipython, cwd=ada.root, capture_output=True, text=True).stdout
    (finding,) = doctor._requests(find(ada.root))
    assert finding.what == "1 request for stages, 1 of them for you"
    view = bob.does("inbox")
    assert news.told(bob.root) is None  # it is not bob's turn
    waiting = view.data["waiting"][0]
    assert waiting["metrics"]["rmse"] == {"before": 2.5, "after": 1.5}
    assert waiting["against"]["version"] == "v1.0.0"
    command = waiting["against"]["command"].removeprefix("provenote ")
    assert bob.does(command).data["params"][0]["values"] == [4, 6]
    text = terminal.render(view)
    assert "depth 4 → 6" in text and "Against v1.0.0" in text


def test_types_to_trust_beyond_the_holder_s_are_all_named():
    many = tuple(sorted(f"package.Type{number}" for number in range(40)))
    lines = against._types(subject(trusted=("numpy.dtype",)), subject(trusted=many))
    assert lines[0][0] == "trusts" and all(f"+{name}" in lines[0][1] for name in many)
    assert "−numpy.dtype" in lines[0][1]
    assert not against._types(subject(), subject("v2.0.0"))


def test_a_run_that_is_not_here_is_told_and_not_taken_for_equal(crew: Crew, team: list[Member]):
    ada, bob, _ = team
    fitted(ada, "one", 4, 2.5)
    ada.does("promote churn --to staging --why try --release")
    fitted(ada, "two", 6, 1.5)
    ada.does("promote churn --to staging --why better")
    crew.sync()
    for ref in git(bob.root, "for-each-ref", "--format=%(refname)", "refs/exps").split():
        git(bob.root, "update-ref", "-d", ref)
    waiting = bob.does("inbox").data["waiting"][0]
    assert waiting["against"]["unknown"] == "the run of v1.0.0 is not in this clone: `provenote sync`"
    assert waiting["against"]["command"] is None and not waiting["against"]["differs"]
