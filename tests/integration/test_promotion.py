"""Promotion in a real project: the whole way, alone, with the real tools beside."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from registry_desk import Typist, git, head, plain, promote, registry, run_with_model, solo

import provenote
from provenote import cli, workspace
from provenote.commands.tree import Context
from provenote.errors import Refused, UsageError
from provenote.registry import acting, event, reading
from provenote.registry.load import DemoWarning
from provenote.registry.signing import NoPerson
from provenote.stores import keys
from provenote.stores.digest import canonical


@pytest.fixture
def started(repo: Path):
    run_with_model()
    return solo()


def verb(words: str, typed: str | None = None, present: bool = True):
    """Call a verb as a face does; return its view."""
    typist = Typist(typed) if present else None
    view, _ = cli.run(words.split(), Context(face="terminal", confirm=typist))
    return view


def test_solo_starts_with_a_key_of_its_own(repo, home):
    made = solo()
    assert made.made_key == home / ".ssh" / "provenote_ed25519" and made.person == "test"
    assert git(repo, "config", "provenote.root") == f"sha256:{made.root}"
    found = registry()
    assert found.log.policy.solo and not found.log.policy.demo
    with pytest.raises(UsageError, match="already"):
        solo()


def test_solo_takes_the_key_that_is_there(repo, home):
    there = keys.make(home / ".ssh" / "id_ed25519", "mine")
    made = solo()
    assert made.signer.public == there.public and made.made_key is None


def test_solo_without_a_home_to_write_in(repo, home, monkeypatch):
    monkeypatch.setenv("HOME", "/proc/nobody")
    made = solo()
    assert made.made_key == repo / ".git" / "provenote" / "keys" / "solo_ed25519"
    run_with_model()
    promote()
    assert head() == "v1.0.0"


def test_solo_where_the_remote_has_a_ledger(started, repo, tmp_path, monkeypatch):
    git(tmp_path, "clone", "-q", str(repo), "other")
    monkeypatch.chdir(tmp_path / "other")
    with pytest.raises(UsageError, match="git branch provenote-governance origin/provenote-governance"):
        solo()


def test_a_demo_says_so_everywhere(repo, home):
    run_with_model()
    made = solo(demo=True)
    assert made.made_key == repo / ".git" / "provenote" / "keys" / "demo_ed25519"
    assert not (home / ".ssh").exists()
    typist = Typist()
    promote(signers=[made.signer], confirm=typist)
    assert ", demo" in typist.shown[0]
    with pytest.warns(DemoWarning):
        provenote.load("churn")
    view = verb("verify")
    assert view.data["demo"] and "Demo policy" in view.parts[-1].text


def test_the_whole_way_step_by_step(started, repo):
    asked = verb("promote churn --to production --why good")
    assert asked.data["status"] == "open" and asked.data["version"] == "v1.0.0"
    assert git(repo, "tag") == "provenote=churn@v1.0.0"
    with pytest.raises(Refused, match="asked for in production, but not released"):
        provenote.load("churn")
    waiting = verb("inbox").data["waiting"]
    assert [one["mine"] for one in waiting] == ["vote"] and waiting[0]["why"] == "good"
    with pytest.raises(Refused, match="0 of 1 approvals of the role owner"):
        verb("release churn")
    assert verb("approve churn --why fine").data["status"] == "approved"
    assert verb("inbox").data["waiting"][0]["mine"] == "release"
    assert verb("release churn@v1.0.0").data["status"] == "released"
    assert Path(str(provenote.load("churn"))).read_bytes() == b"weights"
    assert verb("inbox").data["waiting"] == []
    (model,) = verb("models").data["models"]
    assert (model["version"], model["stage"], model["verified"]) == ("v1.0.0", "production", True)
    report = verb("verify churn --tags")
    assert report.status == 0 and report.data["tags"] == {}
    assert [link["state"] for link in report.data["reports"][0]["links"]] == ["ok"] * 6
    events = verb("audit").data["events"]
    assert [(one["what"], one["decision"]) for one in events] == [
        ("request", ""),
        ("vote", "approve"),
        ("release", ""),
    ]


def test_all_in_one_confirmation_is_three_signed_events(started):
    typist = Typist()
    done = promote(confirm=typist)
    assert len(typist.shown) == 1 and len(done.ids) == 3
    for number, words in enumerate(("ask for", "approve", "release"), 1):
        assert f"{number}. {words} churn@v1.0.0" in typist.shown[0]
    log = registry().log
    assert [log.events[id].type for id in done.ids] == ["request", "vote", "release"]


def test_the_person_sees_the_whole_subject(started):
    typist = Typist()
    promote(why="line\nbreak \u202e", confirm=typist)
    subject = registry().state.promotions[0].subject
    text = typist.shown[0]
    for value in (*subject.to_json().values(), registry().log.policy.id, "solo mode"):
        assert value == [] or str(value) in text
    assert "\u202e" not in text and "line\\u000abreak" in text


@pytest.mark.parametrize("typed", ["", "chur", "Churn", "yes", "churn@v1.0.0"])
def test_another_word_signs_nothing(started, typed):
    before = registry().commit
    with pytest.raises(UsageError, match="nothing was signed"):
        promote(confirm=Typist(typed))
    assert registry().commit == before and git(Path.cwd(), "tag") == ""


@pytest.mark.parametrize(
    "words",
    ["promote churn --to production --why x", "approve churn", "reject churn --why x", "withdraw churn"],
)
def test_nobody_there_signs_nothing(started, words):
    if not words.startswith("promote"):
        verb("promote churn --to production --why x")
    before = registry().commit
    with pytest.raises(NoPerson, match="nobody is here"):
        verb(words, present=False)
    assert registry().commit == before


def test_a_job_cannot_sign(started):
    code = "from provenote.cli import main; raise SystemExit(main())"
    words = ["promote", "churn", "--to", "production", "--why", "x"]
    done = subprocess.run(
        [os.sys.executable, "-c", code, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "nobody is here" in done.stderr
    assert not registry().log.events


# ---------------------------------------------------------------------- versions


def test_versions_grow(started):
    promote()
    for bump, version in ((None, "v1.1.0"), ("patch", "v1.1.1"), ("major", "v2.0.0")):
        run_with_model(f"weights {version}")
        promote(bump=bump)
        assert head() == version


def test_one_run_has_one_version(started):
    promote(to="staging")
    with pytest.raises(UsageError, match="keeps that version"):
        promote(bump="major")
    promote()
    assert head(stage="staging") == head() == "v1.0.0"


def test_a_version_that_gto_gave_is_kept(started, repo):
    commit = git(repo, "for-each-ref", "--format=%(objectname)", "refs/exps")
    git(repo, "tag", "-a", "-m", "x", "provenote=churn@v3.1.4", commit)
    promote()
    assert head() == "v3.1.4"
    run_with_model("more")
    promote()
    assert head() == "v3.2.0"


def test_the_newest_run_with_the_model_is_taken(started):
    run_with_model("second", label="second")
    run_with_model("other", name="other", label="third")
    promote()
    assert Path(str(provenote.load("churn"))).read_bytes() == b"second"


def test_a_run_by_name(started, repo):
    run_with_model("second")
    first = git(
        repo, "for-each-ref", "--sort=committerdate", "--format=%(refname)", "refs/exps"
    ).splitlines()[0]
    promote(run=first.rpartition("/")[2])
    assert Path(str(provenote.load("churn"))).read_bytes() in (b"weights", b"second")


def test_the_reason_of_the_run_is_kept(started):
    with provenote.track("again", reason="new data") as run:
        Path("w.bin").write_bytes(b"w")
        run.log_model(Path("w.bin"), "churn")
    promote()
    assert registry().state.promotions[-1].request.text("reason") == "new data"
    with pytest.raises(UsageError, match="seven reasons"):
        promote(reason="because")


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ("promote nothing --to production --why x", "models here: churn"),
        ("promote chürn --to production --why x", "Use `churn`"),
        ("promote churn --to prod --why x", "it has rules for production, staging"),
        ("promote churn --to Prod! --why x", "no stage name"),
        ("promote churn --to production --why x --run nope", "not in this repository"),
        ("promote churn --to production --why x --bump huge", "major, minor"),
        ("promote churn --to production --why=", "takes a reason"),
        ("approve churn", "nobody has asked"),
        ("approve churn@1", "no version"),
        ("release deadbeef", "nobody has asked"),
        ("rollback churn --why x", "which version"),
        ("rollback churn@v1.0.0 --why x", "never held"),
        ("recall churn --why x", "nothing holds"),
    ],
)
def test_mistakes_get_one_line_with_its_mend(started, words, match):
    promote_first = words.endswith("huge")
    if promote_first:
        promote()
        run_with_model("next")
    with pytest.raises((UsageError, Refused), match=match) as caught:
        verb(words)
    assert "\n" not in caught.value.line


def test_a_failed_run_is_not_promoted(started):
    with pytest.raises(RuntimeError), provenote.track("broken") as run:
        Path("w.bin").write_bytes(b"w")
        run.log_model(Path("w.bin"), "churn")
        raise RuntimeError("no")
    with pytest.raises(UsageError, match="only a finished run"):
        promote(run=run.name)


def test_what_is_asked_for_is_not_asked_for_again(started):
    promote(release=False)
    with pytest.raises(UsageError, match="asked for in production already"):
        promote(release=False)
    verb("withdraw churn --why oops")
    promote()
    with pytest.raises(UsageError, match="holds production already"):
        promote()


# ---------------------------------------------------------------------- no, back, out


def test_rejected_and_approved_after_all(started):
    promote(release=False)
    assert verb("reject churn --why worse").data["status"] == "rejected"
    with pytest.raises(Refused, match="rejected by test: worse"):
        verb("release churn")
    assert verb("approve churn").data["status"] == "approved"


def test_rollback_and_recall(started):
    promote()
    run_with_model("second")
    promote()
    verb("rollback churn@v1.0.0 --why slow")
    assert head() == "v1.0.0"
    verb("recall churn --why biased")
    with pytest.raises(Refused, match="recalled from production by test: biased"):
        provenote.load("churn")
    assert verb("verify churn").status == 1
    with pytest.raises(Refused, match="recalled"):
        verb("rollback churn@v1.0.0 --why please")
    verb("rollback churn@v1.1.0 --why better-than-nothing")
    assert head() == "v1.1.0"


def test_an_override_that_the_policy_does_not_know(started):
    promote(release=False)
    with pytest.raises(Refused, match="may not override"):
        verb("override churn --why fire")


def test_somebody_whom_the_policy_does_not_know(started, home):
    for path in (home / ".ssh").iterdir():
        path.unlink()
    with pytest.raises(Refused, match="no SSH key"):
        promote()
    keys.make(home / ".ssh" / "id_ed25519", "stranger")
    with pytest.raises(Refused, match="none of your keys"):
        promote()


# ---------------------------------------------------------------------- others at the same time


def test_the_ledger_grows_while_the_person_decides(started):
    run_with_model("other", name="other")

    def slow(text: str, word: str) -> str:
        promote("other")
        return word

    promote(confirm=slow)
    assert head() == "v1.0.0" and head("other") == "v1.0.0"


def test_what_is_signed_changes_while_the_person_decides(started):
    run_with_model("second")
    older = git(
        Path.cwd(), "for-each-ref", "--sort=creatordate", "--format=%(refname)", "refs/exps"
    ).splitlines()

    def slow(text: str, word: str) -> str:
        promote(run=older[0].rpartition("/")[2])
        return word

    with pytest.raises(Refused, match="changed while you decided"):
        promote(run=older[1].rpartition("/")[2], confirm=slow)
    assert len(registry().log.of_type("release")) == 1


def test_two_clones_release_at_once(started, repo, tmp_path, monkeypatch):
    promote()
    names = [run_with_model("second"), run_with_model("third")]
    git(tmp_path, "clone", "-q", str(repo), "other")
    other = tmp_path / "other"
    for words in (
        ["fetch", "-q", "origin", "+refs/exps/*:refs/exps/*"],
        ["config", "provenote.root", started.root],
    ):
        git(other, *words)
    git(other, "branch", "provenote-governance", "origin/provenote-governance")
    (other / ".dvc" / "config.local").write_text(f"[cache]\n    dir = {repo / '.dvc' / 'cache'}\n")
    promote(run=names[0])
    monkeypatch.chdir(other)
    promote(run=names[1])
    tip = git(other, "rev-parse", "provenote-governance")
    monkeypatch.chdir(repo)
    git(repo, "fetch", "-q", str(other), tip)
    registry().ledger.unite(tip)
    with pytest.raises(Refused, match="contested"):
        provenote.load("churn")
    run_with_model("fourth")
    promote()
    assert Path(str(provenote.load("churn"))).read_bytes() == b"fourth"


# ---------------------------------------------------------------------- plain tools see the same


@pytest.mark.parametrize("prefix", ["", "sub/proj"])
def test_dvc_and_gto_see_what_was_promoted(repo, prefix, monkeypatch, tmp_path):
    if prefix:
        (repo / prefix).mkdir(parents=True)
        plain(repo / prefix, "dvc", "init", "--subdir", "-q")
        git(repo, "add", "-A")
        git(repo, "commit", "-qm", "sub")
        monkeypatch.chdir(repo / prefix)
    run_with_model("first")
    solo()
    promote()
    run_with_model("second")
    promote()
    promote_of = f"{prefix}/provenote:churn" if prefix else "provenote:churn"
    shown = plain(repo, "gto", "show", promote_of)
    assert "v1.1.0" in shown and "production" in shown
    assert plain(repo, "gto", "show", f"{promote_of}#production", "--ref").strip().endswith("churn@v1.1.0")
    out = tmp_path / "out.bin"
    plain(repo, "dvc", "artifacts", "get", ".", promote_of, "--stage", "production", "-o", str(out))
    assert out.read_bytes() == b"second"
    verb("rollback churn@v1.0.0 --why slow")
    plain(
        repo, "dvc", "artifacts", "get", ".", promote_of, "--stage", "production", "-o", str(out), "--force"
    )
    assert out.read_bytes() == b"first" == Path(str(provenote.load("churn"))).read_bytes()


def test_git_and_ssh_keygen_alone_can_audit(started, repo, tmp_path):
    promote()
    names = git(repo, "ls-tree", "-r", "--name-only", "provenote-governance").splitlines()
    policy = next(name for name in names if name.endswith(".yaml"))
    signers = tmp_path / "allowed_signers"
    signers.write_text(f"test {started.signer.public.line}\n")
    pieces = [(policy, name, "provenote-policy@v1") for name in names if name.endswith(".sig")]
    for name in names:
        if name.startswith("e/"):
            pieces.append((name, name, event.NAMESPACE))
    assert len(pieces) == 4
    for signed, holder, namespace in pieces:
        command = ["git", "show", f"provenote-governance:{signed}"]
        content = subprocess.run(command, cwd=repo, check=True, capture_output=True).stdout
        text = content
        armored = subprocess.run(
            ["git", "show", f"provenote-governance:{holder}"], cwd=repo, check=True, capture_output=True
        ).stdout
        if holder == signed:
            line, _, armored = content.partition(b"\n")
            text = line + b"\n"
        (tmp_path / "sig").write_bytes(armored)
        check = [
            "ssh-keygen",
            "-Y",
            "verify",
            "-f",
            str(signers),
            "-I",
            "test",
            "-n",
            namespace,
            "-s",
            str(tmp_path / "sig"),
        ]
        done = subprocess.run(check, input=text, capture_output=True)
        assert done.returncode == 0 and b"Good" in done.stdout
        bad = subprocess.run(check, input=text + b"x", capture_output=True)
        assert bad.returncode != 0


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_passphrase_and_an_agent(repo, home, kind, monkeypatch, tmp_path):
    (home / ".ssh").mkdir(mode=0o700)
    path = home / ".ssh" / f"id_{kind}"
    bits = ["-b", "3072"] if kind == "rsa" else []
    plain(repo, "ssh-keygen", "-q", "-t", kind, *bits, "-N", "secret", "-f", str(path))
    agent = plain(repo, "ssh-agent", "-s", "-a", str(home / "agent"))
    pid = next(part.split("=")[1] for part in agent.split(";") if "SSH_AGENT_PID=" in part)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(home / "agent"))
    ask = tmp_path / "ask"
    ask.write_text("#!/bin/sh\necho secret\n")
    ask.chmod(0o755)
    for name, value in (("SSH_ASKPASS", str(ask)), ("SSH_ASKPASS_REQUIRE", "force"), ("DISPLAY", ":0")):
        monkeypatch.setenv(name, value)
    try:
        plain(repo, "ssh-add", "-q", str(path))
        monkeypatch.setenv("SSH_ASKPASS", "/bin/false")
        run_with_model()
        made = solo()
        assert "SSH agent" in made.signer.label
        promote()
        assert head() == "v1.0.0"
    finally:
        plain(repo, "kill", pid)


# ---------------------------------------------------------------------- a real model


def test_a_scikit_learn_model_with_the_approved_types(repo):
    from sklearn.ensemble import HistGradientBoostingRegressor

    rows = [[float(n), float(n % 7)] for n in range(60)]
    model = HistGradientBoostingRegressor(max_iter=3).fit(rows, [one[0] for one in rows])
    with provenote.track("hgb") as run:
        run.log_model(model, "churn")
    solo()
    promote()
    loaded = provenote.load("churn")
    assert (loaded.predict(rows) == model.predict(rows)).all()


def test_types_beyond_the_policy_are_not_asked_for(repo, tmp_path, monkeypatch):
    (tmp_path / "lib").mkdir()
    body = "class Model(BaseEstimator):\n    def fit(self, x): return self\n"
    (tmp_path / "lib" / "mine.py").write_text(f"from sklearn.base import BaseEstimator\n{body}")
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    import mine

    with provenote.track("mine") as run:
        run.log_model(mine.Model(), "churn")
    solo()
    with pytest.raises(Refused, match="`provenote policy allow mine.Model`"):
        promote()
    with pytest.raises(NoPerson):
        verb("policy allow mine.Model", present=False)
    with pytest.raises(UsageError, match="no full name"):
        verb("policy allow Model")
    assert verb("policy allow mine.Model").data["version"] == 2
    promote()
    assert type(provenote.load("churn")) is mine.Model
    with pytest.raises(UsageError, match="allowed already"):
        verb("policy allow mine.Model")


def test_a_new_policy_asks_for_votes_again(started):
    promote(release=False)
    verb("comment churn --text look-at-nights")
    assert verb("inbox").data["waiting"][0]["comments"] == [{"by": "test", "text": "look-at-nights"}]
    verb("approve churn")
    assert verb("policy allow mine.*").data["again"] == ["churn@v1.0.0"]
    with pytest.raises(Refused, match="test must vote again"):
        verb("release churn")
    verb("approve churn")
    verb("release churn")
    assert head() == "v1.0.0" and "mine.*" in verb("policy show").data["text"]
    report = verb("verify").data["reports"][0]
    assert report["broken"] is None and report["links"][0]["text"].startswith("2, signed by 1 of 1 owner")


def test_the_format_of_events_is_the_documented_one(started):
    promote()
    log = registry().log
    for item in log.events.values():
        assert canonical(dict(item.body)).endswith(b"\n")
        assert {"v", "nonce", "project", "by", "at", "policy", "prev", "type", "subject", "stage"} <= set(
            item.body
        )


def test_reading_is_for_everybody(started, home):
    promote()
    for path in (home / ".ssh").iterdir():
        path.unlink()
    assert verb("models").data["models"][0]["verified"]
    assert verb("inbox").data["me"] is None
    assert acting.request(reading.read(workspace.find()), "churn").status == "released"
