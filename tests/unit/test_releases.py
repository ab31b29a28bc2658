"""Who may bring what where: each test is a way round the policy that must not work, or a way that must."""

from __future__ import annotations

import pytest
from ledger_world import Key, World, rule, subject

from provenote.registry.audit import COLUMNS, as_csv, rows
from provenote.registry.state import NotReleased
from provenote.registry.tags import Found, check, wanted

DAY = 86_400


def test_the_whole_way():
    world = World()
    asked = world.approved()
    assert world.state().promotion(asked).status == "approved"
    released = world.release(asked)
    assert not world.problems(released)
    assert world.holds() == "v1.0.0"
    assert world.state().promotion(asked).status == "released"


def test_the_next_version_takes_the_stage_over():
    world = World()
    world.released()
    first = world.state().current(("provenote", "churn", "production")).event.id
    world.released(subject("v1.1.0"))
    assert world.holds() == "v1.1.0"
    assert [one.event.id for one in world.state().releases.good()][0] == first


# ---------------------------------------------------------------------- approvals


def test_no_votes():
    world = World()
    asked = world.ask()
    assert world.lacks(asked) == {"approvals", "checks"}
    assert world.problems(world.release(asked)) == {"approvals", "checks"}
    with pytest.raises(NotReleased, match="refused"):
        world.holds()


def test_only_one_of_two_roles():
    world = World()
    asked = world.ask()
    world.vote(asked, "bob")
    world.check(asked)
    assert world.problems(world.release(asked)) == {"approvals"}


def test_self_approval():
    world = World()
    asked = world.ask(by="bob")
    world.vote(asked, "bob")
    world.vote(asked, "carol")
    world.check(asked)
    assert world.lacks(asked) == {"approvals"}


def test_self_approval_with_a_second_key():
    world = World()
    second = Key("bob's phone")
    people = world.document["people"]
    people["bob"]["keys"].append({"key": second.public.line})
    world.amend(people=people)
    asked = world.ask(by="bob")
    world.vote(asked, "bob", key=second)
    world.vote(asked, "carol")
    world.check(asked)
    assert world.lacks(asked) == {"approvals"}


def test_an_author_of_the_run_approves():
    world = World()
    asked = world.ask(authors=["alice", "bob"])
    world.vote(asked, "bob")
    world.vote(asked, "carol")
    world.check(asked)
    assert world.lacks(asked) == {"approvals"}


def test_one_person_twice_is_one_voice():
    world = World(
        rule(approvals=[{"role": "lead", "min": 2}], checks=[]),
        roles={
            "ds": ["alice"],
            "lead": ["bob", "carol"],
            "risk": ["carol"],
            "releaser": ["bob"],
            "ci": ["ci"],
        },
    )
    asked = world.ask()
    world.vote(asked, "bob")
    world.vote(asked, "bob")
    assert world.lacks(asked) == {"approvals"}
    world.vote(asked, "carol")
    assert not world.lacks(asked)


def test_one_person_with_two_roles_fills_one_place():
    both = {"ds": ["alice"], "lead": ["bob"], "risk": ["bob", "carol"], "releaser": ["ci"], "ci": ["ci"]}
    world = World(rule(checks=[]), roles=both)
    asked = world.ask()
    world.vote(asked, "bob")
    assert world.lacks(asked) == {"approvals"}
    world.vote(asked, "carol")
    assert not world.lacks(asked)


def test_a_member_without_the_role():
    world = World()
    asked = world.ask()
    for name in ("alice", "ci", "boss"):
        world.vote(asked, name)
    assert world.lacks(asked) == {"approvals", "checks"}


@pytest.mark.parametrize(
    "other",
    [
        {"subject": subject("v1.1.0")},
        {"subject": subject(sha256="0" * 64)},
        {"subject": subject(kind="folder")},
        {"subject": subject(trusted=("numpy.dtype", "sklearn.tree._tree.Tree"))},
        {"subject": subject(path="other/provenote")},
        {"stage": "staging"},
    ],
)
def test_a_vote_for_something_else(other):
    world = World()
    asked = world.ask()
    world.vote(asked, "bob", **other)
    world.vote(asked, "carol")
    world.check(asked)
    assert world.lacks(asked) == {"approvals"}


def test_a_vote_for_another_request_of_the_same_bytes():
    world = World(rule(checks=[]), rule(stage="staging", checks=[], approvals=[]))
    staging = world.ask(stage="staging")
    world.vote(staging, "bob")
    world.vote(staging, "carol")
    asked = world.ask()
    assert world.lacks(asked) == {"approvals"}


def test_votes_are_given_again_when_the_policy_changes():
    world = World()
    asked = world.approved()
    world.amend()
    found = world.state().promotion(asked)
    assert found.status == "open" and found.verdict.again == ("bob", "carol")
    assert world.problems(world.release(asked)) == {"approvals"}
    world.vote(asked, "bob")
    world.vote(asked, "carol")
    assert not world.problems(world.release(asked))


def test_an_approval_expires():
    world = World()
    asked = world.approved()
    world.now += 14 * DAY + 1
    assert world.lacks(asked) == {"approvals"}
    assert world.problems(world.release(asked)) == {"approvals"}


def test_what_was_released_in_time_stays():
    world = World()
    world.released()
    world.now += 300 * DAY
    assert world.holds() == "v1.0.0"


def test_a_request_expires():
    world = World(rule(request_days=30, checks=[]))
    asked = world.ask()
    world.now += 31 * DAY
    world.vote(asked, "bob")
    world.vote(asked, "carol")
    assert world.state().promotion(asked).status == "expired"
    assert world.problems(world.release(asked)) == {"expired"}


# ---------------------------------------------------------------------- no


def test_a_rejection_stops_it():
    world = World()
    asked = world.ask()
    world.vote(asked, "bob")
    world.check(asked)
    world.vote(asked, "carol", "reject", why="worse at night")
    found = world.state().promotion(asked)
    assert found.status == "rejected" and "worse at night" in found.verdict.problems[0].text
    assert "rejected" in world.problems(world.release(asked))


def test_a_rejection_by_somebody_without_the_role_does_not():
    world = World()
    asked = world.approved()
    world.vote(asked, "alice", "reject", why="envy")
    assert not world.lacks(asked)


def test_who_rejected_may_approve_after_all():
    world = World()
    asked = world.approved()
    world.vote(asked, "carol", "reject", why="wait")
    world.vote(asked, "carol")
    assert not world.lacks(asked)


def test_of_two_votes_at_once_the_rejection_counts():
    world = World()
    asked = world.approved()
    seen = world.log().heads
    world.vote(asked, "carol", "reject", why="no", prev=seen)
    world.vote(asked, "carol", prev=seen)
    assert "rejected" in world.lacks(asked)


def test_a_rejection_that_the_releaser_leaves_out():
    world = World()
    asked = world.approved()
    seen = world.log().heads
    world.vote(asked, "carol", "reject", why="no")
    released = world.release(asked, prev=seen)
    assert world.problems(released) == {"rejected"}
    with pytest.raises(NotReleased, match="not seen by the releaser"):
        world.holds()


def test_a_rejection_after_the_release_does_not_undo_it():
    world = World()
    asked = world.approved()
    world.release(asked)
    world.vote(asked, "carol", "reject", why="too late")
    assert world.holds() == "v1.0.0"


def test_withdrawn():
    world = World()
    asked = world.approved()
    world.sign("withdraw", "alice", **world.about(asked))
    assert world.problems(world.release(asked)) == {"withdrawn"}


def test_withdrawn_at_once_with_the_release():
    world = World()
    asked = world.approved()
    seen = world.log().heads
    world.sign("withdraw", "alice", **world.about(asked))
    assert world.problems(world.release(asked, prev=seen)) == {"withdrawn"}


def test_somebody_else_withdraws():
    world = World()
    asked = world.approved()
    world.sign("withdraw", "bob", **world.about(asked))
    assert not world.lacks(asked)


# ---------------------------------------------------------------------- checks


def test_a_check_by_somebody_else():
    world = World()
    asked = world.ask()
    world.vote(asked, "bob")
    world.vote(asked, "carol")
    world.check(asked, by="bob")
    assert world.lacks(asked) == {"checks"}


def test_a_failed_check():
    world = World()
    asked = world.approved()
    world.check(asked, status="fail")
    assert world.lacks(asked) == {"checks"}
    world.check(asked)
    assert not world.lacks(asked)


def test_passed_and_failed_at_once():
    world = World()
    asked = world.approved()
    seen = world.log().heads
    world.check(asked, status="fail", prev=seen)
    world.check(asked, prev=seen)
    assert world.lacks(asked) == {"checks"}


def test_a_check_of_something_else():
    world = World()
    asked = world.ask()
    world.vote(asked, "bob")
    world.vote(asked, "carol")
    world.check(asked, subject=subject("v9.0.0"))
    world.check(asked, name="data-tests")
    assert world.lacks(asked) == {"checks"}


def test_reviews_that_this_version_cannot_check_stop_it():
    world = World(rule(reviews={"notebooks": 1, "role": "ds"}))
    assert world.lacks(world.approved()) == {"reviews"}


# ---------------------------------------------------------------------- the request and the rule


def test_no_rule_means_no():
    world = World()
    for what, stage in ((subject(model="other"), "production"), (subject(), "canary")):
        assert world.lacks(world.ask(what, stage=stage)) == {"rule"}


def test_a_release_to_a_stage_without_a_rule():
    world = World()
    assert world.problems(world.release(world.ask(stage="canary"))) == {"rule"}


def test_a_stage_that_lost_its_rule_gives_nothing_out():
    world = World()
    world.released()
    world.amend(rules=[rule(stage="staging")])
    with pytest.raises(NotReleased, match="no rule for churn in production"):
        world.holds()


def test_a_rule_for_another_project_of_the_repository():
    world = World(rule(path="sub/*"))
    assert world.lacks(world.ask()) == {"rule"}


def test_somebody_without_the_role_asks():
    world = World()
    asked = world.ask(by="carol")
    assert "request" in world.lacks(asked)
    assert world.state().promotion(asked).status == "void"


@pytest.mark.parametrize("format", ["pickle", "joblib", "SKOPS"])
def test_a_format_that_the_policy_does_not_list(format):
    world = World()
    assert world.problems(world.released(subject(format=format))) == {"format"}


def test_types_beyond_the_policy():
    world = World()
    bad = subject(trusted=("numpy.dtype", "os.system"))
    assert world.problems(world.released(bad)) == {"trusted"}


def test_a_name_that_ends_in_a_star_means_a_package():
    world = World(rule(formats={"skops": ["numpy.dtype", "mine.*"]}))
    assert not world.problems(world.released(subject(trusted=("mine.models.Scaler", "numpy.dtype"))))
    other = subject("v1.1.0", trusted=("mineral.Scaler", "numpy.dtype"))
    assert world.problems(world.released(other)) == {"trusted"}


def test_the_policy_withdraws_a_type_from_what_is_in_use():
    world = World()
    world.released()
    world.amend(rules=[rule(formats={"skops": []})])
    with pytest.raises(NotReleased, match="numpy.dtype"):
        world.holds()


def test_promotes_from():
    world = World(rule(promotes_from=["staging"], checks=[]), rule(stage="staging", approvals=[], checks=[]))
    early = world.approved()
    assert world.lacks(early) == {"promotes_from"}
    world.release(world.ask(stage="staging"))
    assert not world.lacks(early)
    other = world.approved(subject("v1.0.0", sha256="0" * 64))
    assert "promotes_from" in world.lacks(other)


def test_a_version_is_the_name_of_one_run():
    world = World()
    world.released()
    swapped = subject(commit="1" * 40, sha256="2" * 64)
    asked = world.approved(swapped)
    assert world.lacks(asked) == {"version"}
    assert world.problems(world.release(asked)) == {"version"}


def test_an_outsider_does_not_take_a_version_away():
    world = World()
    world.ask(subject(commit="1" * 40), by="carol")
    assert not world.problems(world.released())


def test_two_runs_asked_for_at_once_under_one_version():
    world = World(rule(checks=[]), rule(stage="staging", checks=[]))
    one = world.ask()
    two = world.ask(subject(commit="1" * 40, sha256="2" * 64), stage="staging", prev=[])
    for asked in (one, two):
        world.vote(asked, "bob")
        world.vote(asked, "carol")
        world.release(asked)
    with pytest.raises(NotReleased, match="two different models"):
        world.holds()


# ---------------------------------------------------------------------- releases


def test_a_release_by_somebody_without_the_role():
    world = World()
    asked = world.approved()
    assert "role" in world.problems(world.release(asked, by="carol"))


def test_a_release_of_other_bytes_than_were_approved():
    world = World()
    asked = world.approved()
    assert "subject" in world.problems(world.release(asked, subject=subject(sha256="0" * 64)))


def test_a_release_to_another_stage():
    world = World(rule(), rule(stage="staging"))
    asked = world.approved()
    assert "subject" in world.problems(world.release(asked, stage="staging"))


@pytest.mark.parametrize("promotion", ["f" * 64, "vote"])
def test_a_release_of_no_request(promotion):
    world = World()
    asked = world.approved()
    target = world.vote(asked, "bob") if promotion == "vote" else promotion
    assert world.problems(world.release(asked, promotion=target)) == {"promotion"}


def test_a_release_that_has_not_seen_its_request():
    world = World()
    asked = world.approved()
    assert "promotion" in world.problems(world.release(asked, prev=[]))


@pytest.mark.parametrize("seq", [2, 99])
def test_a_number_that_does_not_follow(seq):
    world = World()
    assert world.problems(world.release(world.approved(), seq=seq)) == {"seq"}


def test_an_outsider_does_not_use_numbers_up():
    world = World()
    asked = world.approved()
    world.release(asked, by="carol", seq=1)
    assert not world.problems(world.release(asked, seq=1, supersedes=[]))


def test_two_releases_at_once_contest_the_stage():
    world = World()
    world.released()
    two, three = world.approved(subject("v1.1.0")), world.approved(subject("v1.2.0"))
    seen, follows = world.log().heads, {"seq": 2, "supersedes": [world.state().releases.good()[0].event.id]}
    world.release(two, prev=seen, **follows)
    world.release(three, by="ci", prev=seen, **follows)
    with pytest.raises(NotReleased, match="contested"):
        world.holds()
    assert len(world.state().releases.holders(("provenote", "churn", "production"))) == 2
    assert not [name for name in wanted(world.state()) if name.endswith("#production#2")]
    world.released(subject("v1.3.0"))  # replaces both
    assert world.holds() == "v1.3.0"


def test_a_release_that_replaces_nothing_contests():
    world = World()
    world.released()
    world.release(world.approved(subject("v1.1.0")), supersedes=[])
    with pytest.raises(NotReleased, match="contested"):
        world.holds()


def test_a_release_that_replaces_what_is_no_release():
    world = World()
    asked = world.approved()
    assert world.problems(world.release(asked, supersedes=[asked])) == {"supersedes"}
    assert "supersedes" in world.problems(world.release(asked, supersedes=["f" * 64]))


def test_the_same_request_again_without_a_rollback():
    world = World()
    asked = world.approved()
    world.release(asked)
    world.released(subject("v1.1.0"))
    assert world.problems(world.release(asked)) == {"again"}
    assert world.holds() == "v1.1.0"


def test_rollback():
    world = World()
    asked = world.approved()
    world.release(asked)
    world.released(subject("v1.1.0"))
    world.now += 60 * DAY  # the approvals have expired, the release has not
    assert not world.problems(world.release(asked, rollback=True, why="v1.1.0 fails at night"))
    assert world.holds() == "v1.0.0"


def test_rollback_without_reason_or_role_or_past():
    world = World()
    asked = world.approved()
    assert world.problems(world.release(asked, rollback=True, why="x")) == {"rollback"}
    world = World()
    asked = world.approved()
    world.release(asked)
    world.released(subject("v1.1.0"))
    assert world.problems(world.release(asked, rollback=True, why=" ")) == {"why"}
    assert "role" in world.problems(world.release(asked, rollback=True, why="x", by="carol"))
    assert world.holds() == "v1.1.0"


def test_recall():
    world = World()
    released = world.released()
    world.sign("recall", "carol", subject=subject(), stage="production", target=released, why="biased")
    with pytest.raises(NotReleased, match="biased"):
        world.holds()
    asked = world.state().releases.all[released].event.promotion
    assert "recalled" in world.problems(world.release(asked, rollback=True, why="x"))
    world.released(subject("v1.1.0"))
    assert world.holds() == "v1.1.0"


@pytest.mark.parametrize("change", [{"by": "alice"}, {"why": ""}, {"subject": subject("v9.9.9")}])
def test_recalls_that_do_not_count(change):
    world = World()
    released = world.released()
    body = {"by": "carol", "subject": subject(), "why": "x", **change}
    world.sign("recall", body.pop("by"), stage="production", target=released, **body)
    assert world.holds() == "v1.0.0"


def test_a_releaser_who_left_names_the_old_policy():
    world = World()
    old, asked = world.policy, world.approved()
    roles = {**world.document["roles"], "releaser": ["ci"]}
    world.amend(roles=roles)
    late = world.release(asked, policy=old)
    assert late not in world.state().releases.all
    assert "role" in world.problems(world.release(asked))


def test_the_old_release_of_somebody_who_left_holds():
    world = World()
    world.released()
    people = {name: one for name, one in world.document["people"].items() if name != "bob"}
    left = {"ds": ["alice"], "lead": ["carol"], "releaser": ["ci"]}
    world.amend(people=people, roles={**world.document["roles"], **left})
    assert world.holds() == "v1.0.0"


def test_a_release_that_rests_on_a_stolen_key_falls_back():
    world = World()
    world.released()
    good = world.commit()
    world.released(subject("v6.6.6"))  # carol's key was stolen and voted
    assert world.holds() == "v6.6.6"
    world.amend(distrust=[{"key": world.keys["carol"].public.fingerprint, "log": good}])
    assert world.holds() == "v1.0.0"


# ---------------------------------------------------------------------- override


def overriding(**other) -> World:
    return World(rule(override={"role": "emergency", "hours": 24}, **other))


def test_override_holds_for_its_hours():
    world = overriding()
    world.released()
    asked = world.ask(subject("v1.1.0"))
    assert not world.problems(world.release(asked, by="boss", override=True, why="v1.0.0 is down"))
    assert world.holds() == "v1.1.0"
    world.now += 24 * 3600 + 1
    assert world.holds() == "v1.0.0"


def test_override_is_ratified():
    world = overriding()
    asked = world.ask(subject("v1.1.0"))
    world.release(asked, by="boss", override=True, why="down")
    world.vote(asked, "bob")
    world.vote(asked, "carol")
    world.check(asked)
    world.now += 400 * DAY
    assert world.holds() == "v1.1.0"


def test_override_by_an_outsider_or_without_reason_or_rule():
    world = overriding()
    asked = world.ask()
    assert "role" in world.problems(world.release(asked, by="bob", override=True, why="x"))
    assert "why" in world.problems(world.release(asked, by="boss", override=True))
    world = World()
    assert "role" in world.problems(world.release(world.ask(), by="boss", override=True, why="x"))


def test_override_does_not_widen_what_may_be_trusted():
    world = overriding()
    asked = world.ask(subject(trusted=("os.system",)))
    assert world.problems(world.release(asked, by="boss", override=True, why="x")) == {"trusted"}


def test_an_override_that_lapsed_uses_its_number_up():
    world = overriding()
    world.release(world.ask(), by="boss", override=True, why="down")
    world.now += 2 * DAY
    released = world.released(subject("v1.1.0"))
    assert world.state().releases.all[released].seq == 2 and not world.problems(released)


# ---------------------------------------------------------------------- keys by role, freshness


def test_a_role_that_asks_for_a_security_key():
    world = World(touched_roles=["risk"])
    assert world.lacks(world.approved()) == {"approvals"}
    world = World(touched_roles=["releaser", "ds", "ci"])
    asked = world.ask()
    world.check(asked)
    assert world.lacks(asked) >= {"request", "checks"}
    released = world.release(asked)
    late = world.state().releases.all[released]
    for problem in late.problems:
        if problem.code in ("role", "request"):
            assert "and a security key (sk-ssh-ed25519) for it" in problem.text
    assert "role" in {problem.code for problem in late.problems}


def test_a_stale_ledger():
    world = World(rule(freshness_hours=24))
    world.released()
    with pytest.raises(NotReleased, match="checkpoint"):
        world.holds()
    world.sign("checkpoint", "alice")
    with pytest.raises(NotReleased, match="checkpoint"):
        world.holds()
    world.sign("checkpoint", "ci")
    assert world.holds() == "v1.0.0"
    world.now += 25 * 3600
    with pytest.raises(NotReleased, match="checkpoint"):
        world.holds()


# ---------------------------------------------------------------------- tags and the audit trail


def test_tags_that_the_ledger_wants():
    world = World()
    world.released()
    world.released(subject("v1.1.0"))
    tags = wanted(world.state())
    assert set(tags) == {
        "provenote=churn@v1.0.0",
        "provenote=churn#production#1",
        "provenote=churn@v1.1.0",
        "provenote=churn#production#2",
    }
    assert tags["provenote=churn@v1.1.0"].commit == subject("v1.1.0").commit
    assert tags["provenote=churn#production#1"].at < tags["provenote=churn#production#2"].at
    assert tags["provenote=churn@v1.1.0"].at < tags["provenote=churn#production#2"].at


def test_tags_that_are_wrong():
    world = World()
    world.released()
    tags = wanted(world.state())
    there = {name: Found(tag.commit, True) for name, tag in tags.items()}
    assert not check("provenote", tags, there)
    forged = {
        **there,
        "provenote=churn#production#2": Found("9" * 40, True),
        "provenote=other@v1.0.0": Found("9" * 40, True),
        "elsewhere=churn#production#7": Found("9" * 40, True),
    }
    assert set(check("provenote", tags, forged)) == {"provenote=churn#production#2", "provenote=other@v1.0.0"}
    moved = {**there, "provenote=churn#production#1": Found("9" * 40, True)}
    assert "moved" in check("provenote", tags, moved)["provenote=churn#production#1"]
    light = {**there, "provenote=churn@v1.0.0": Found(subject().commit, False)}
    assert "annotated" in check("provenote", tags, light)["provenote=churn@v1.0.0"]
    lost = {"provenote=churn@v1.0.0": there["provenote=churn@v1.0.0"]}
    assert check("provenote", tags, lost) == {"provenote=churn#production#1": "missing"}


def test_the_audit_trail_names_everybody_and_everything():
    world = World()
    asked = world.approved()
    world.vote(asked, "carol", "reject", why='=HYPERLINK("http://x")')
    bad = world.ask(by="mallory")
    table = rows(world.log())
    assert [row["what"] for row in table if row["counts"]] == ["request", "vote", "vote", "check", "vote"]
    assert {row["id"] for row in table if not row["counts"]} == {bad}
    assert all(row["reason"] for row in table if not row["counts"])
    text = as_csv(table)
    assert text.splitlines()[0] == ",".join(COLUMNS)
    assert "'=HYPERLINK" in text and ",=HYPERLINK" not in text
    assert text.count("\n") == len(table) + 1
