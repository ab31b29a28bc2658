"""Attacks where the ledger meets Git, at the hook, at reading, at load: each is refused by its guard."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import subprocess
from pathlib import Path

import pytest
from gate_desk import LEDGER, RULE, Desk, artifact, commit, desk, git
from ledger_world import Key, subject

from provenote import workspace
from provenote.errors import ProvenoteError, Refused, UsageError, WorldError
from provenote.registry import (
    chain,
    checking,
    event,
    hook,
    hook_ledger,
    joining,
    model_bytes,
    root,
    tags,
    verifying,
)
from provenote.registry.hook_push import Push, Update
from provenote.registry.load import load
from provenote.registry.root import NoRoot
from provenote.registry.state import NotReleased
from provenote.stores import digest
from provenote.stores.digest import sha256_bytes
from provenote.stores.ledger import Ledger, Moved

VERSION, STAGE = "refs/tags/provenote=churn@v1.0.0", "refs/tags/provenote=churn#production#1"


def some_event(made: Desk) -> str:
    return sorted(path for path in made.world.files if path.startswith("e/"))[0]


def refused(made: Desk, new: str | None, ref: str = LEDGER, **more: str) -> str:
    (line,) = made.judge(made.update(new, ref, **more)).refused
    return line


# ---------------------------------------------------------------------- the hook: the branch


def test_what_is_honest_passes(tmp_path):
    made = desk(tmp_path)
    asked = made.world.ask(subject("v2.0.0", format="file", trusted=()))
    assert made.send() == ""
    made.world.vote(asked, "bob")
    made.world.vote(asked, "carol")
    made.world.release(asked)
    assert made.send() == "" and made.world.holds() == "v2.0.0"
    assert made.judge(made.update(git(made.remote, "rev-parse", VERSION), VERSION)).refused == []


def test_the_ledger_is_not_deleted_rewound_or_replaced(tmp_path):
    made = desk(tmp_path)
    made.world.ask(subject("v2.0.0", format="file", trusted=()))
    made.send()
    tip = made.tip
    assert "never deleted" in refused(made, None)
    assert "leave out what the remote holds" in refused(made, git(made.remote, "rev-parse", f"{tip}~1"))
    assert "leave out" in refused(made, commit(made.remote, dict(made.world.files)))
    blob = git(made.remote, "rev-parse", f"{tip}:{some_event(made)}")
    assert "not to a commit" in refused(made, blob)
    new = commit(made.remote, {some_event(made): None}, tip)
    back = commit(made.remote, {some_event(made): made.world.files[some_event(made)]}, new)
    assert "tampered" in refused(made, back)


def test_files_of_the_ledger_are_plain_known_small_and_new(tmp_path, monkeypatch):
    made = desk(tmp_path)
    path = some_event(made)
    assert "deletes" in made.push({path: None})
    assert "changes" in made.push({path: b"x"})
    assert "no file of the ledger" in made.push({"README.md": b"x"})
    for mode in ("120000", "100755"):
        assert "no plain file" in made.push({f"e/ab/{'0' * 62}": b"/etc/passwd"}, mode)
    assert "no plain file" in made.push({f"e/ab/{'0' * 62}": made.tip.encode()}, "160000")
    assert "larger than" in made.push({f"e/ab/{'0' * 62}": b"x" * (hook_ledger.LARGEST + 1)})
    assert "nothing rests on it" in made.push({f"reviews/ab/{'0' * 62}": b"x"})
    assert "larger than" in made.push({f"join/{'0' * 64}": b"x" * (hook_ledger.LARGEST_JOIN + 1)})
    monkeypatch.setattr(hook_ledger, "EVENTS", 2)
    monkeypatch.setattr(hook_ledger, "JOINS", 2)
    for start in ("e/ab/", "join/00"):
        flood = {f"{start}{number:062x}": b"x" for number in range(3)}
        assert "3 " in (told := made.push(flood)) and "in one push" in told
    assert "changes .gitattributes" in made.push({".gitattributes": b"* text\n"})


def test_the_first_push_is_read_too(tmp_path, monkeypatch):
    made = desk(tmp_path)
    monkeypatch.setattr(hook_ledger, "EVENTS", 2)
    files = {".gitattributes": b"* -text\n", **made.world.files}
    whole = commit(made.remote, files)
    git(made.remote, "update-ref", "-d", LEDGER)
    assert made.judge(made.update(whole)).refused == []
    assert ".gitattributes is not" in refused(
        made, commit(made.remote, {**files, ".gitattributes": b"* text\n"})
    )
    assert "no file of the ledger" in refused(made, commit(made.remote, {**files, "x": b"x"}))
    other = next(path for path in files if chain.number(path) == 1)
    content = files[other] + b"# two\n"
    two = {f"policy/1-{sha256_bytes(content)[:12]}.yaml": content}
    assert "does not begin with one policy" in refused(made, commit(made.remote, {**files, **two}))
    large = b"x: " + b"x" * hook_ledger.LARGEST
    path = f"policy/1-{sha256_bytes(large)[:12]}.yaml"
    monkeypatch.setattr(hook_ledger, "_check_files", lambda *words, **more: None)
    assert "does not begin with one policy" in refused(made, commit(made.remote, {path: large}))
    assert "does not begin with the pinned" in "".join(made.judge(made.update(whole), root="0" * 64).refused)


def test_a_shallow_push(tmp_path, monkeypatch):
    made = desk(tmp_path)
    monkeypatch.setenv("GIT_SHALLOW_FILE", "x")
    assert "no history" in made.push({f"e/ab/{'0' * 62}": b"x"})


# ---------------------------------------------------------------------- the hook: events


def test_events_that_do_not_count(tmp_path):
    made = desk(tmp_path)
    world, what = made.world, subject("v2.0.0", format="file", trusted=())
    world.keys["mallory"] = Key("mallory")
    world.ask(what, by="mallory")
    assert "belongs to nobody" in made.send()
    content = world.files[some_event(made)].replace(b"\n", b"\r\n")
    name = sha256_bytes(content)
    assert "does not count" in made.push({f"e/{name[:2]}/{name[2:]}": content})
    asked = world.ask(what)
    world.release(asked)
    assert "does not hold" in (told := made.send()) and "approvals" in told
    world.ask(what)
    world.vote(world.log().heads[0], "carol")
    asked = world.log().of_type("request")[-1].id
    world.vote(asked, "bob")
    world.release(asked, by="alice")
    assert "alice may not release" in made.send()
    asked = world.ask(what)
    world.vote(asked, "bob")
    world.vote(asked, "carol")
    world.release(asked, seq=9)
    assert "number 9" in made.send()
    asked = world.ask(what)
    world.release(asked, by="boss", override=True, why="down")
    assert made.send() == ""
    early = {"at": world.now - 3 * 86_400}  # an override that has ended when it arrives lied about nothing
    asked = world.ask(subject("v1.0.0", "late", format="file", trusted=()), prev=[], **early)
    world.release(asked, by="boss", override=True, why="down", prev=[asked], **early)
    assert made.send() == ""
    asked = world.approved(what)
    seen = world.log().heads
    world.vote(asked, "carol", "reject", why="no", prev=seen)
    world.release(asked, prev=seen)
    assert made.send() == ""  # neither had seen the other's
    old = world.state().releases.good()[0].event.promotion
    assert old and world.release(old, rollback=True, why="back") and made.send() == ""


def test_what_comes_after_its_policy_ended(tmp_path):
    made = desk(tmp_path)
    world, first, people = made.world, made.world.policy, dict(made.world.document["people"])
    del people["alice"]
    stolen = [{"key": world.keys["carol"].public.fingerprint, "log": made.tip}]
    made.amend(people=people, roles={**world.document["roles"], "ds": ["bob"]}, distrust=stolen)
    assert made.send() == ""
    what = subject("v2.0.0", format="file", trusted=())
    for by in ("alice", "carol"):
        world.ask(what, by=by, policy=first)
        assert "nobody has any more" in made.send()
    world.ask(what, by="bob", policy=first)
    assert "1 event came after" in made.send()
    git(made.root, "fetch", "-q", str(made.remote), f"{LEDGER}:{LEDGER}")
    assert made.registry.log.policy.version == 2 and load("churn", folder=made.root)
    # Who closed the policy at a commit that this reader has not in its ledger: nothing of that time counts.
    git(made.root, "update-ref", LEDGER, commit(made.root, dict(world.files)))
    with pytest.raises(NotReleased):
        load("churn", folder=made.root)


# ---------------------------------------------------------------------- the hook: policies and newcomers


def test_policies_that_owners_did_not_sign(tmp_path):
    made = desk(tmp_path)
    world = made.world
    unsigned = world.text() + b"# more\n"
    mark = sha256_bytes(unsigned)[:12]
    assert "not signed by an owner" in made.push({f"policy/2-{mark}.yaml": unsigned})
    for number, keys in ((2, ["mallory"]), (7, ["own1", "own2"]), (1, ["own1"])):
        signers = [Key(name) for name in keys]
        told = made.push(chain.signed(unsigned, number, signers))
        assert "policy" in told and "REFUSED" not in told, (number, told)
    path = next(path for path in world.files if path.startswith("policy/1") and path.endswith(".yaml"))
    own, stem = Key("own3"), path.removesuffix(".yaml")
    good = own.sign(world.files[path], chain.NAMESPACE)
    assert made.push({f"{stem}.{own.public.short}.{sha256_bytes(good)[:12]}.sig": good}) == ""
    for key, content, name in (
        (own, own.sign(b"other", chain.NAMESPACE), None),
        (own, own.sign(world.files[path], "git"), None),
        (Key("mallory"), Key("mallory").sign(world.files[path], chain.NAMESPACE), None),
        (Key("own1"), good, None),
        (own, good, "0" * 12),
        (own, b"garbage", None),
    ):
        name = name or sha256_bytes(content)[:12]
        assert "no owner's signature" in made.push({f"{stem}.{key.public.short}.{name}.sig": content})
    for elsewhere in ("policy/1-000000000000", "policy/9-000000000000"):
        told = made.push({f"{elsewhere}.{own.public.short}.{sha256_bytes(good)[:12]}.sig": good})
        assert "no owner's signature" in told
    made.world.amend(closes="c" * 40)
    assert "at a commit that is not here" in made.send()


def test_a_proposal_is_taken_and_counts_when_enough_have_signed(tmp_path):
    made = desk(tmp_path)
    made.amend("own1", roles={**made.world.document["roles"], "lead": ["alice"]})
    assert made.send() == ""
    assert len(hook_ledger.judge(Push(made.remote, ()), None).log.policies) == 1
    content = made.world.text()
    made.world.files |= chain.signed(content, 2, [made.world.owners["own2"]])
    assert made.send() == ""
    assert len(hook_ledger.judge(Push(made.remote, ()), None).log.policies) == 2


def test_newcomers_ask_in_their_one_form(tmp_path):
    made = desk(tmp_path)
    log, key = made.world.log(), Key("dora")

    def asks(change: dict | None = None, namespace: str = joining.NAMESPACE, person: str = "dora") -> str:
        body = {**json.loads(joining.compose(log, person, "Dora", "d@x", made.world.now)), **(change or {})}
        line = digest.canonical({name: value for name, value in body.items() if value is not None})
        content = line + key.sign(line, namespace)
        return made.push({f"join/{sha256_bytes(content)}": content})

    assert asks() == ""
    nothing = "by nothing that holds"
    assert nothing in asks(namespace=event.NAMESPACE)
    for change in (
        {"project": "f" * 32},
        {"more": "x"},
        {"email": None},
        {"name": 5},
        {"person": "Dora"},
        {"person": "dоra"},
        {"person": "d" * 101},
        {"person": "d", "at": "today"},
    ):
        assert nothing in asks(change), change
    assert nothing in made.push({f"join/{'0' * 64}": b"garbage"})
    with pytest.raises(Refused):
        joining.parse("join/x", b"x", log.policy.project)
    path, content = joining.seal(joining.compose(log, "dora", "D" * joining.LARGEST, "", made.world.now), key)
    with pytest.raises(Refused, match="no request"):
        joining.parse(path, content, log.policy.project)


# ---------------------------------------------------------------------- the hook: tags and other refs


def test_tags_are_exactly_what_the_ledger_says(tmp_path):
    made = desk(tmp_path)
    tag = git(made.remote, "rev-parse", STAGE)
    head = git(made.remote, "rev-parse", f"{STAGE}^{{}}")

    def forged(text: str) -> str:
        return git(made.remote, "hash-object", "-t", "tag", "-w", "--stdin", given=text.encode())

    text = git(made.remote, "cat-file", "tag", STAGE) + "\n"
    assert "it stays" in refused(made, None, STAGE)
    assert "it points to" in refused(made, forged(text.replace(head, made.tip)), STAGE)
    assert "no annotated tag" in refused(made, head, STAGE)
    assert "calls itself" in refused(made, forged(text.replace("#production#1", "#production#2")), STAGE)
    assert "its time" in refused(made, forged(text.replace("> 1", "> 2")), STAGE)
    for name in (
        "provenote=churn#production#2",
        "provenote=churn@v9.0.0",
        "provenote=churn#x#1!",
        "Provenote=x@v1.0.0",
        "sub/provenote=churn@v1.0.0",
    ):
        assert "nothing in the ledger backs" in refused(made, tag, f"refs/tags/{name}"), name
        assert made.judge(made.update(None, f"refs/tags/{name}", old=tag)).refused == []
    for name in ("v1.0.0", "provenote", "other=churn@v1.0.0", "a=b"):
        assert made.judge(made.update(tag, f"refs/tags/{name}")).refused == []
    git(made.remote, "update-ref", "-d", LEDGER)
    assert "no ledger that holds" in refused(made, tag, VERSION)
    assert made.judge(made.update(None, VERSION)).refused == []
    assert made.judge(made.update(tag, "refs/tags/x=y@v1.0.0")).refused == []


def test_tags_below_paths_of_the_policy_and_of_requests(tmp_path):
    made = desk(tmp_path)
    tag = git(made.remote, "rev-parse", STAGE)
    made.world.ask(subject("v1.0.0", "other", path="of/a/request", format="file", trusted=()))
    assert made.send() == ""
    assert "backs" in refused(made, tag, "refs/tags/of/a/request=churn#production#7")
    rules = copy.deepcopy(made.world.document["rules"])
    made.amend(rules=[{**copy.deepcopy(rules[0]), "path": "teams/*"}, *rules])
    assert made.send() == ""
    assert "backs" in refused(made, tag, "refs/tags/teams/one=churn#production#7")


def test_refs_in_disguise_and_what_else_only_grows(tmp_path):
    made = desk(tmp_path)
    tip = made.tip
    for ref in (
        "refs/heads/Provenote-Governance",
        "refs/heads/provenote-governance/x",
        "refs/heads/PROVENOTE-REVIEWS",
        "refs/Provenote/notes",
        "refs/Exps/x",
        "refs/TAGS/provenote=churn@v1.0.0",
    ):
        assert "would pass for one that is guarded" in refused(made, tip, ref), ref
    assert "another object" in refused(made, tip, "refs/replace/" + "0" * 40)
    assert made.judge(made.update(None, "refs/replace/" + "0" * 40, old=tip)).refused == []
    run = f"refs/exps/ab/{'0' * 38}/fit-1"
    assert "nobody has told" in refused(made, None, run, old=tip)
    assert "never rewritten" in refused(made, git(made.remote, "rev-parse", f"{VERSION}^{{}}"), run, old=tip)
    assert made.judge(made.update(tip, run)).refused == []
    stray = commit(made.remote, {"x": b"x"})
    assert "no file of a review" in refused(made, stray, "refs/heads/provenote-reviews")
    reviews = "refs/heads/provenote-reviews"
    assert "never deleted" in refused(made, None, reviews, old=stray)
    first = commit(made.remote, {".gitattributes": b"* -text\n"})
    git(made.remote, "update-ref", reviews, first)
    changed = commit(made.remote, {".gitattributes": b"* text\n"}, first)
    assert "changes .gitattributes" in refused(made, changed, reviews)
    gone = commit(made.remote, {".gitattributes": None}, first)
    back = commit(made.remote, {".gitattributes": b"* -text\n"}, gone)
    assert "tampered" in refused(made, back, reviews)


def test_what_the_hook_is_given(tmp_path):
    made = desk(tmp_path)
    zero, one = "0" * 40, "1" * 40
    assert hook.parse(f"{zero} {one} refs/heads/x\n\n") == [Update(None, one, "refs/heads/x")]
    for line in (f"{zero} {one}", f"{zero} {one} heads/x", "x", f"{zero[:39]} {one} refs/x"):
        with pytest.raises(Refused):
            hook.parse(f"{line}\n")
    git(made.remote, "config", "--add", "provenote.root", "0" * 64)
    git(made.remote, "config", "--add", "provenote.root", "1" * 64)
    with pytest.raises(Refused, match="2 times"):
        hook.pinned(made.remote)


# ---------------------------------------------------------------------- reading


def test_a_ledger_that_lost_or_changed_something_is_not_read(tmp_path, monkeypatch):
    made = desk(tmp_path)
    ledger = Ledger(made.root)
    tip, path = str(ledger.tip()), some_event(made)
    content = made.world.files[path]
    gone = commit(made.root, {path: None}, tip)
    theirs = commit(made.root, {"e/aa/theirs": b"recall"}, tip)
    ours = commit(made.root, {"e/aa/ours": b"x"}, tip)
    both = commit(made.root, {"e/aa/theirs": None}, ours, theirs)
    for bad in (gone, commit(made.root, {path: content}, gone), commit(made.root, {path: b"x"}, tip), both):
        for act in (lambda bad=bad: ledger.read(bad), lambda bad=bad: ledger.check_history(bad)):
            with pytest.raises(Refused, match="tampered"):
                act()
        with pytest.raises(Refused, match="tampered"):
            ledger.unite(bad)
    assert ledger.tip() == tip
    git(made.root, "update-ref", LEDGER, ours)
    united = ledger.unite(theirs)
    assert {"e/aa/ours", "e/aa/theirs", path} <= set(ledger.paths(united))
    other = commit(made.root, {"e/aa/ours": b"y"}, tip)
    with pytest.raises(Refused, match="different contents"):
        ledger.unite(other)
    with pytest.raises(Refused, match="already holds another"):
        ledger.append({"e/aa/ours": b"z"}, "x")
    with pytest.raises(Moved):
        ledger.append({"e/aa/new": b"z"}, "x", onto=tip)
    with monkeypatch.context() as patch:
        patch.setattr("provenote.stores.ledger.TRIES", 0)
        for act in (lambda: ledger.append({"e/aa/new": b"z"}, "x"), lambda: ledger.unite(other)):
            with pytest.raises(WorldError, match="all the time"):
                act()
    git(made.root, "update-ref", "-d", LEDGER)
    with pytest.raises(Refused, match="no governance ledger"):
        ledger.read()


def test_a_shallow_clone_says_what_it_lacks(tmp_path):
    made = desk(tmp_path)
    made.world.ask(subject("v2.0.0", format="file", trusted=()))
    made.publish()
    git(tmp_path, "clone", "-q", "--depth", "1", "-b", "provenote-governance", made.root.as_uri(), "shallow")
    shallow = Ledger(tmp_path / "shallow")
    for act in (lambda: shallow.read(), lambda: shallow.check_history(str(shallow.tip()))):
        with pytest.raises(Refused, match="only a part.*git fetch --unshallow"):
            act()


def test_a_file_of_the_ledger_that_is_not_here(tmp_path):
    made = desk(tmp_path)
    oid = Ledger(made.root).paths(str(Ledger(made.root).tip()))[some_event(made)]
    packs = made.root / ".git" / "objects" / "pack"
    contents = [one.read_bytes() for one in packs.glob("*.pack")]
    for one in packs.glob("*"):
        one.unlink()
    for content in contents:
        subprocess.run(["git", "unpack-objects", "-q"], cwd=made.root, input=content, check=True)
    (made.root / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
    with pytest.raises(WorldError, match="is missing here"):
        Ledger(made.root).read()


def test_the_root_is_pinned_once_and_rightly(tmp_path, monkeypatch):
    made = desk(tmp_path)
    monkeypatch.delenv("PROVENOTE_ROOT", raising=False)
    assert load("churn", folder=made.root)
    with pytest.raises(UsageError, match="another root is pinned"):
        root.check_new(made.root, "0" * 64)
    for bad in ("x", "0" * 63, "sha256:", "--help"):
        with pytest.raises(UsageError, match="no root"):
            load("churn", root=bad, folder=made.root)
    with pytest.raises(Refused, match="does not begin with the pinned"):
        load("churn", root="0" * 64, folder=made.root)
    git(made.root, "config", "--add", "provenote.root", "0" * 64)
    with pytest.raises(UsageError, match="2 times"):
        load("churn", folder=made.root)
    git(made.root, "config", "--unset-all", "provenote.root")
    with pytest.raises(NoRoot, match=f"sha256:{made.world.root}"):
        load("churn", folder=made.root)


# ---------------------------------------------------------------------- bytes


def test_bytes_and_folders_are_those_that_were_approved(tmp_path):
    made = desk(tmp_path)
    assert Path(str(load("churn", folder=made.root))).read_bytes() == b"weights"
    copied = Path(str(load("net", folder=made.root)))
    assert sorted(path.name for path in copied.rglob("*")) == ["config", "deep", "one"]
    weights = made.cached(artifact(b"weights")["md5"])
    weights.write_bytes(b"Weights")
    with pytest.raises(model_bytes.BadBytes, match="differs from what was approved"):
        load("churn", folder=made.root)
    weights.unlink()
    with pytest.raises(ProvenoteError, match="not in the cache|neither in|no remote"):
        load("churn", folder=made.root)
    weights.mkdir()
    with pytest.raises(ProvenoteError):
        load("churn", folder=made.root)
    one = made.cached(artifact(b"1")["md5"])
    one.write_bytes(b"2")
    with pytest.raises(model_bytes.BadBytes, match="differs from what was approved"):
        load("net", folder=made.root)
    one.unlink()
    with pytest.raises(ProvenoteError):
        load("net", folder=made.root)


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "a\\b", "a\nb", "config", "config/x", "deep"])
def test_lists_of_files_that_leave_the_folder_or_name_a_place_twice(tmp_path, path):
    made = desk(tmp_path)
    entry = made.registry.state.releases.holder(("provenote", "net", "production"))
    assert entry is not None
    kept = model_bytes.approved(workspace.find(made.root), entry.subject)
    place = made.cached(kept.md5)
    rows = json.loads(place.read_bytes())
    evil = made.keep(b"evil")
    place.write_text(json.dumps([*rows, {"relpath": path, "md5": evil}]))
    before = set(Path(tmp_path).rglob("x"))
    with pytest.raises(ProvenoteError):
        load("net", folder=made.root)
    assert set(Path(tmp_path).rglob("x")) == before
    place.write_text(json.dumps([{**rows[0], "md5": "../../../../etc/passwd"}, *rows[1:]]))
    with pytest.raises((ProvenoteError, ValueError)):
        load("net", folder=made.root)


def test_a_folder_that_is_swapped_between_hash_and_load(tmp_path, monkeypatch):
    """The copy holds the bytes that were hashed, whatever happens to the files meanwhile."""
    made = desk(tmp_path)
    hashed = digest.sha256_bytes
    places = {content: made.cached(artifact(content)["md5"]) for content in (b"{}", b"1")}

    def swap(content: bytes) -> str:
        if content in places:
            places[content].write_bytes(b"evil")
        return hashed(content)

    monkeypatch.setattr(digest, "sha256_bytes", swap)
    copied = Path(str(load("net", folder=made.root)))
    assert (copied / "config").read_bytes() == b"{}" and (copied / "deep" / "one").read_bytes() == b"1"
    assert places[b"1"].read_bytes() == b"evil"


def test_links_in_the_cache_do_not_widen_a_folder(tmp_path):
    """What the cache shows under a name is hashed, wherever it comes from."""
    made = desk(tmp_path)
    (tmp_path / "secret").write_text("secret")
    one = made.cached(artifact(b"1")["md5"])
    one.unlink()
    one.symlink_to(tmp_path / "secret")
    with pytest.raises(ProvenoteError):
        load("net", folder=made.root)


def test_records_that_do_not_name_what_was_approved(tmp_path):
    made = desk(tmp_path)
    good, place = artifact(b"weights"), workspace.find(made.root)
    sha256 = good["sha256"]

    def says(entry: object, commit: str | None = None, **facts: object) -> str:
        at = commit or made.run({"artifacts": {"churn": entry}})
        what = subject(commit=at, format="file", trusted=(), **{"sha256": sha256, **facts})
        with pytest.raises((Refused, WorldError)) as caught:
            model_bytes.content(place, model_bytes.approved(place, what))
        return caught.value.what

    assert "names other bytes" in says(good, sha256="1" * 64)
    assert "names other bytes" in says(good, kind="folder")
    assert "names other bytes" in says({**good, "md5": f"{good['md5']}.dir"})
    for entry in (None, "weights", [good]):
        assert "no artifact" in says(entry)
    for md5 in ("abc", good["md5"].upper(), "../" * 10 + "ab", f"{good['md5']}\n", "\u0661" * 32):
        assert "no MD5" in says({**good, "md5": md5})
    for change in ({"file": "../x"}, {"size": None}, {"file": 5, "md5": None}):
        says({**good, **change})
    for record in (b"{", b"[]", b"[" * 100_000):
        assert "holds no run" in says(None, commit=made.run(record))
    assert "not in this clone" in says(None, commit="0" * 40)


def test_a_folder_is_no_file_of_a_format_and_is_written_whole(tmp_path, monkeypatch):
    made = desk(tmp_path)
    net = made.registry.state.releases.holders(("provenote", "net", "production"))[0].subject
    made.world.released(dataclasses.replace(net, version="v2.0.0", format="skops"))
    kept = model_bytes.approved(workspace.find(made.root), net)
    made.publish()
    with pytest.raises(Refused, match="is a folder"):
        load("net", folder=made.root)

    def full(*words: object) -> object:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(model_bytes, "open", full, raising=False)
        with pytest.raises(WorldError, match="cannot be written"):
            model_bytes.folder(workspace.find(made.root), kept)
    monkeypatch.setattr(Path, "read_bytes", full)
    with pytest.raises(WorldError, match="cannot be read"):
        model_bytes.content(workspace.find(made.root), model_bytes.Artifact.read(artifact(b"weights")))


# ---------------------------------------------------------------------- verify names the first broken link


def broken(made: Desk, model: str = "churn") -> tuple[str | None, dict[str, str]]:
    registry = made.registry
    (key,) = verifying.keys(registry, model)
    report = verifying.verify(registry, key)
    found = report.broken.name if report.broken else None
    return found, {link.name: link.state for link in report.links}


def test_each_link_that_breaks_is_named(tmp_path):
    made = desk(tmp_path)
    assert broken(made)[0] is None and set(broken(made)[1].values()) == {"ok"}
    data = made.cached(artifact(b"a,b\n1,2\n")["md5"])
    one = made.cached(artifact(b"1")["md5"])
    one.write_bytes(b"2")
    assert broken(made)[0] == "data"
    one.unlink()
    assert broken(made)[1]["data"] == "unknown"
    made.keep(b"1")
    data.write_bytes(b"a,b\n1,3\n")
    assert broken(made)[0] == "data"
    data.unlink()
    assert broken(made) == (None, {**broken(made)[1], "data": "unknown"})
    made.keep(b"a,b\n1,2\n")
    weights = made.cached(artifact(b"weights")["md5"])
    weights.write_bytes(b"evil")
    assert broken(made)[0] == "bytes"
    made.keep(b"weights")
    head = git(made.root, "rev-parse", LEDGER)
    git(made.root, "tag", "-f", "-a", "-m", "x", "provenote=churn#production#1", head)
    assert broken(made)[0] == "tag"
    git(made.root, "tag", "-d", "provenote=churn#production#1")
    assert broken(made) == (None, {**broken(made)[1], "tag": "unknown"})
    tags.project(made.root, tags.wanted(made.registry.state))
    assert broken(made)[0] is None
    reads = [5, {"path": "a", "md5": "zz"}, {"path": "b", "md5": "../" * 10 + "ab"}, {"md5": "0" * 32}]
    odd = made.run({"artifacts": {"odd": artifact(b"weights")}, "reads": reads})
    made.released("odd", None, commit=odd, sha256=artifact(b"weights")["sha256"])
    made.released("churn", None, commit=odd, path="elsewhere/provenote")
    made.publish()
    assert broken(made, "odd")[1]["data"] == "unknown"
    made.world.released(subject("v2.0.0", commit="0" * 40, format="file", trusted=()))
    made.publish()
    assert broken(made)[0] == "run"
    holder = made.world.state().releases.holders(("provenote", "churn", "production"))[0]
    made.world.sign(
        "recall", "carol", subject=holder.subject, stage="production", target=holder.event.id, why="x"
    )
    made.publish()
    assert broken(made)[0] == "release"
    assert len(verifying.keys(made.registry)) == 3 and len(verifying.keys(made.registry, None, "x")) == 0


def test_signed_figures_are_held_to_what_the_runs_logged(tmp_path):
    made = desk(tmp_path)
    ask = {"rmse": {"max": 45, "not_worse_than_holder": 0.5}}
    made.world.amend(closes=git(made.root, "rev-parse", LEDGER), rules=[{**RULE, "metrics": ask}])

    def released(version: str, signed: object, logged: object, against: str = "", **proof: object) -> str:
        """Release a version whose check of metrics was signed with a figure; return its run's commit."""
        document = {"artifacts": {"m": artifact(version.encode())}, "reads": [], "metrics": logged}
        made.keep(version.encode())
        run = made.run(document)
        facts = {"format": "file", "trusted": (), "sha256": digest.sha256_bytes(version.encode())}
        asked = made.world.ask(subject(version, "m", commit=run, **facts))
        made.world.vote(asked, "bob")
        made.world.vote(asked, "carol")
        rows = {"rmse": {"value": signed, **({"holder": "44.0"} if against else {})}}
        evidence = {"commit": run, "metrics": rows, **({"holder": against} if against else {}), **proof}
        if signed:
            made.world.check(asked, name="metrics", evidence=evidence)
        true = {**evidence, "metrics": {"rmse": {"value": "43.5", "holder": "44.0"}}}
        if version == "v1.1.0":  # true figures, of what was not released
            other = subject("v1.1.1", "m", commit=run, **facts)
            made.world.check(asked, name="metrics", evidence=true, subject=other)
        made.world.release(asked, **({"by": "boss", "override": True, "why": "x"} if proof else {}))
        if version == "v1.1.0":
            made.world.check(asked, name="metrics", evidence=true)  # too late
        made.publish()
        return run

    def link() -> verifying.Link:
        registry = made.registry
        (key,) = verifying.keys(registry, "m")
        return next(one for one in verifying.verify(registry, key).links if one.name == "figures")

    first = released("v1.0.0", "44.0", {"rmse": 44, "odd": "<b>"})
    assert (link().state, link().text) == ("ok", "rmse: as the run logged")
    second = released("v1.1.0", "43.0", {"rmse": 43.5}, first)
    assert link().text == "rmse 43.0 was signed by ci, and the run logged 43.5"
    assert broken(made, "m")[0] == "figures"
    third = released("v1.2.0", "42.0", {"rmse": 42.0}, second)
    assert link().text == f"rmse 44.0 was signed by ci, and the holder's run {second[:12]} logged 43.5"
    released("v1.3.0", "41.0", [5], third)
    assert link().text.endswith("the run logged no finite value") and len(link().more) == 1
    for proof, says in (
        ({"commit": "HEAD\n"}, "another run than"),
        ({"holder": "HEAD\nx"}, "names no run"),
        ({"holder": 5}, "compared with 5, which"),
        ({"holder": "0" * 40}, "runs that are not here: 000000000000; rmse: as the run logged"),
    ):
        number = len(made.world.state().releases.all)
        released(f"v2.{number}.0", "41.0", {"rmse": 41}, third, **proof)
        assert says in link().text
        assert link().state == ("unknown" if "not here" in says else "broken")
    released("v3.0.0", None, {}, override=True)
    assert link().text == "not looked at: no check of metrics was signed for it"


# ---------------------------------------------------------------------- who signs by machine


def test_no_machine_signs_where_a_notebook_s_code_runs(tmp_path, monkeypatch):
    key = tmp_path / "key"
    for inside, face, given, error in (
        ("", "notebook", str(key), Refused),
        ("x", "terminal", str(key), Refused),
        ("", "terminal", None, UsageError),
    ):
        monkeypatch.setenv(checking.INSIDE, inside)
        monkeypatch.delenv(checking.KEY, raising=False)
        with pytest.raises(error, match="beside the job|which key"):
            checking.machine(face, given)
    assert not os.path.exists(key)
