"""Rules start their jobs: once for each change, however many timers call, killed or not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nbformat
import pytest

import provenote
from provenote import cli, workspace
from provenote.errors import UsageError, WorldError
from provenote.jobs import folder as job_folders
from provenote.jobs.local import LocalExecutor
from provenote.stores import index
from provenote.triggers import claims, rules, ticking
from provenote.triggers.claims import Book

sys.path.insert(0, str(Path(__file__).parent))
import registry_desk  # noqa: E402

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def git(*words: str, cwd: Path | None = None) -> str:
    return subprocess.run(["git", *words], cwd=cwd, check=True, capture_output=True, text=True).stdout


def notebook(path: Path, *cells: str) -> None:
    made = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell("n = 1", metadata={"tags": ["parameters"]}),
            *(nbformat.v4.new_code_cell(cell) for cell in cells),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}},
    )
    nbformat.write(made, path)


def rule(name: str = "r", when: str = "cron: '0 * * * *'", run: str = "notebook: t.ipynb") -> str:
    return f"  {name}: {{when: {{{when}}}, run: {{{run}}}}}\n"


@pytest.fixture(autouse=True)
def _noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is noon, unless a test says otherwise."""
    monkeypatch.setattr(ticking, "present", lambda: NOW)


@pytest.fixture
def project(repo: Path) -> Path:
    notebook(repo / "t.ipynb", "print(n)")
    write(repo, rule())
    return repo


def write(root: Path, *entries: str, head: str = "") -> None:
    (root / rules.FILE).write_text(head + "rules:\n" + "".join(entries))


def states(**options: object) -> dict[str, str]:
    return {one.rule: one.state for one in ticking.tick(workspace.find(), **options)}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The jobs that were submitted, which are made but never run: for tests of who starts what."""
    made: list[str] = []
    leases: list[int] = []

    def submit(self: LocalExecutor, spec: object) -> str:
        folder, lease = job_folders.create(workspace.find().home, spec)
        if lease is not None:
            leases.append(lease)  # somebody works for it
        made.append(folder.id)
        return folder.id

    monkeypatch.setattr(LocalExecutor, "submit", submit)
    yield made
    for lease in leases:
        os.close(lease)


def test_a_time_fires_once_and_its_job_runs(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = workspace.find()
    assert states(now=NOW) == {"r": "armed"}
    assert states(now=NOW + timedelta(minutes=30)) == {"r": "idle"}
    later = NOW + timedelta(minutes=61)
    assert states(now=later, dry_run=True) == {"r": "due"}
    (fired,) = ticking.tick(place, now=later, wait=True)
    assert (fired.state, fired.result) == ("fired", "succeeded")
    assert states(now=later) == {"r": "idle"}
    (row,), _ = index.rows(place)
    assert (row.label, row.status) == ("t", "finished")
    assert [one.what for one in Book(place.common_dir).history("r")] == ["fired", "armed"]
    assert cli.main(["tick", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["rule"] == "r"


def test_a_late_time_is_passed_over_and_said(project: Path, started: list[str]) -> None:
    assert states(now=NOW) == {"r": "armed"}
    write(project, rule(when="cron: '0 3 * * *', catch_up: 30m"))
    assert states(now=NOW) == {"r": "armed"}, "another condition begins anew"
    next_day = NOW + timedelta(days=1)
    assert states(now=next_day) == {"r": "missed"}
    assert states(now=next_day) == {"r": "idle"} and started == []


def test_data_that_changed_fires_once(project: Path, started: list[str]) -> None:
    data = project / "data.csv"
    data.write_text("a\n1\n")
    write(project, rule(when="data: data.csv"))
    assert states() == {"r": "wrong"}, "not tracked"
    provenote.data.add("data.csv")
    assert states() == {"r": "armed"}
    assert states() == {"r": "idle"}
    data.write_text("a\n2\n")
    assert states() == {"r": "idle"}, "a file that was not added is no version"
    provenote.data.add("data.csv")
    assert states() == {"r": "fired"}
    assert states() == {"r": "waiting"} or states() == {"r": "idle"}
    assert len(started) == 1


def test_a_finished_job_of_that_name_fires_and_others_do_not(project: Path, started: list[str]) -> None:
    write(project, rule(when="job: prepare.ipynb, where: 'metrics.rows > 10'", run="notebook: t.ipynb"))
    assert states() == {"r": "armed"}

    def ran(rows: int, label: str = "prepare", kind: str = "job", status: str = "finished") -> None:
        from provenote.tracking import starting

        run = starting.start(label, kind=kind)
        run.log(rows=rows)
        run.end(status)

    ran(5)
    ran(50, label="other")
    ran(50, kind="script")
    ran(50, status="failed")
    assert states() == {"r": "idle"} and started == []
    ran(50)
    assert states() == {"r": "fired"} and len(started) == 1


def test_a_firing_waits_for_the_last_job(project: Path, started: list[str]) -> None:
    write(project, rule(when="data: d.csv"))
    for number in range(3):
        (project / "d.csv").write_text(f"a\n{number}\n")
        provenote.data.add("d.csv")
        state = states()["r"]
        assert state == ["armed", "fired", "waiting"][number]
    place = workspace.find()
    job_folders.find(place.home, started[0]).append({"state": "succeeded"})
    assert states() == {"r": "fired"} and len(started) == 2, "nothing due is forgotten"


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (rule(run="notebook: none.ipynb"), "none.ipynb"),
        (rule(run="notebook: t.ipynb, params: {m: 1}"), "m"),
        (rule(run="notebook: t.ipynb, params: {n: text}"), "n"),
        (rule(run="notebook: t.ipynb, executor: nowhere"), "no executor"),
        (rule(when="data: none.csv"), "not tracked"),
        (rule(when="promoted: none"), "ledger"),
    ],
)
def test_what_is_wrong_with_one_rule_stops_no_other(
    project: Path, started: list[str], entry: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project, rule("good"), entry)
    good, wrong = ticking.tick(workspace.find(), now=NOW)
    assert (good.state, wrong.state) == ("armed", "wrong")
    assert wrong.error is not None and says in wrong.error.line
    assert cli.main(["tick"]) == wrong.error.exit_status
    assert "wrong" in capsys.readouterr().out
    assert states(now=NOW + timedelta(hours=1))["good"] == "fired" and len(started) == 1


def test_a_sweep_is_started_whole(project: Path, started: list[str]) -> None:
    write(project, rule(run="notebook: t.ipynb, grid: {n: [1, 2, 3]}"))
    states(now=NOW)
    assert states(now=NOW + timedelta(hours=1)) == {"r": "fired"}
    spec = job_folders.find(workspace.find().home, started[0]).spec
    assert spec.kind == "sweep" and [one["n"] for one in spec.jobs] == [1, 2, 3]


def test_a_model_that_was_promoted_fires(project: Path, started: list[str], tmp_path: Path) -> None:
    registry_desk.solo()
    write(project, rule(when="promoted: churn, stage: production"))
    assert states() == {"r": "armed"}
    assert states() == {"r": "idle"} and started == []
    registry_desk.run_with_model("one")
    registry_desk.promote("churn", release=False)
    assert states() == {"r": "idle"}, "a request alone changes nothing"
    registry_desk.run_with_model("two")
    registry_desk.promote("churn")
    assert states() == {"r": "fired"} and len(started) == 1
    assert states() == {"r": "idle"}


def test_what_is_asked_for_and_what_was_trained_fires_and_is_told_to_the_job(
    project: Path, started: list[str]
) -> None:
    notebook(project / "m.ipynb", "print(model)")
    made = nbformat.read(project / "m.ipynb", 4)
    made.cells[0]["source"] = 'model: str = ""\nstage: str = ""'
    nbformat.write(made, project / "m.ipynb")
    registry_desk.solo()
    told = "notebook: m.ipynb, params: {model: '{model}'}"
    write(
        project,
        rule("asked", "requested: churn", "notebook: m.ipynb, params: {model: '{model}', stage: '{stage}'}"),
        rule("named", "version: churn", told),
        rule("made", "trained: churn", told),
    )
    place = workspace.find()

    def fired() -> dict[str, dict[str, str]]:
        """The rules that fire now, with what their jobs are given; those jobs end at once."""
        found = {}
        for one in ticking.tick(place):
            assert one.error is None, one.error
            if one.state == "fired":
                folder = job_folders.find(place.home, str(one.job))
                found[one.rule] = dict(folder.spec.given)
                folder.append({"state": "succeeded"})
        return found

    assert fired() == {} and fired() == {}, "armed, then idle"
    first = registry_desk.run_with_model("one")
    assert fired() == {"made": {"model": f"churn@{first}"}}
    registry_desk.promote("churn", release=False)
    asked = {"model": "churn@v1.0.0", "stage": "production"}
    assert fired() == {"asked": asked, "named": {"model": "churn@v1.0.0"}}
    assert fired() == {}
    second = registry_desk.run_with_model("two")
    registry_desk.promote("churn", release=False)
    asked = {"model": "churn@v1.1.0", "stage": "production"}
    assert fired() == {
        "asked": asked,
        "named": {"model": "churn@v1.1.0"},
        "made": {"model": f"churn@{second}"},
    }
    from provenote.registry import acting

    acting.withdraw(place, "churn@v1.1.0", "a mistake", confirm=registry_desk.Typist())
    assert fired() == {}, "the first request waits again, and was acted on"
    write(project, rule("wrong", "data: d.csv", "notebook: m.ipynb, params: {model: '{model}'}"))
    (project / "d.csv").write_text("a\n1\n")
    provenote.data.add("d.csv")
    (wrong,) = ticking.tick(place)
    assert wrong.state == "wrong" and "this condition knows nothing" in str(wrong.error)


TICK = (
    "import sys\nfrom datetime import datetime\nfrom provenote import workspace\n"
    "from provenote.triggers import ticking\n"
    "sys.stdin.readline()\n"
    "print([one.state for one in ticking.tick(workspace.find(), now=datetime.fromisoformat(sys.argv[1]))])"
)


def together(folders: list[Path], now: datetime) -> list[str]:
    going = [
        subprocess.Popen(
            [sys.executable, "-c", TICK, now.isoformat()],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for folder in folders
    ]
    for one in going:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    return sorted(one.communicate()[0].strip() for one in going)


def test_many_timers_at_once_fire_once(project: Path) -> None:
    states(now=NOW)
    answers = together([project] * 6, NOW + timedelta(hours=1))
    assert answers.count("['fired']") == 1, answers
    assert set(answers) <= {"['fired']", "['claimed']", "['idle']", "['waiting']"}
    assert len(job_folders.listing(workspace.find().home)) == 1


def test_a_timer_killed_after_its_claim_is_made_good(
    project: Path, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    states(now=NOW)
    later = NOW + timedelta(hours=1)

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(LocalExecutor, "submit", die)
        with pytest.raises(Killed):
            states(now=later)
    assert started == []
    assert states(now=later + timedelta(minutes=1)) == {"r": "fired"}
    assert states(now=later + timedelta(minutes=2))["r"] in ("idle", "waiting")
    assert len(started) == 1


def test_claims_of_others_are_not_taken_up(project: Path, started: list[str]) -> None:
    place = workspace.find()
    states(now=NOW)
    book = Book(place.common_dir)
    commit, last = book.last("r")
    assert last is not None
    later = NOW + timedelta(hours=1)
    theirs = claims.Claim(
        "r", last.sign, "fired", "2026-11-25T13:00Z", later.timestamp(), "elsewhere", "0" * 64
    )
    assert book.make(theirs, commit)
    assert not book.make(theirs, commit), "the ref has moved"
    assert states(now=later) == {"r": "idle"} and started == []


@pytest.fixture
def clones(project: Path, tmp_path: Path) -> list[Path]:
    """Three clones of one bare remote, whose rules name it."""
    write(project, rule(), head="remote: origin\n")
    git("add", "--all")
    git("commit", "--quiet", "-m", "rules")
    bare = tmp_path / "remote.git"
    git("init", "--quiet", "--bare", str(bare))
    git("remote", "add", "origin", str(bare))
    git("push", "--quiet", "origin", "HEAD:main")
    made = [project]
    for name in ("b", "c"):
        git("clone", "--quiet", "--branch", "main", str(bare), str(tmp_path / name))
        for key, value in (("user.name", name), ("user.email", f"{name}@example.org")):
            git("config", key, value, cwd=tmp_path / name)
        made.append(tmp_path / name)
    return made


def test_clones_fire_once_among_them(clones: list[Path]) -> None:
    assert together([clones[0]], NOW) == ["['armed']"]
    assert together(clones[1:], NOW) == ["['idle']"] * 2
    for hour in (1, 2):
        answers = together(clones, NOW + timedelta(hours=hour))
        assert answers.count("['fired']") == 1, answers
    jobs = [folder for clone in clones for folder in job_folders.listing(workspace.find(clone).home)]
    assert len(jobs) == 2


def test_a_remote_that_does_not_answer_stops_every_firing(
    clones: list[Path],
    started: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    states(now=NOW)
    git("remote", "set-url", "origin", str(clones[0] / "nowhere.git"))
    with pytest.raises(WorldError, match="does not answer"):
        states(now=NOW + timedelta(hours=1))
    assert cli.main(["tick"]) == 3 and started == []
    assert "\n" not in capsys.readouterr().err.strip()


def test_a_remote_that_refuses_is_told(clones: list[Path], started: list[str]) -> None:
    states(now=NOW)
    bare = Path(git("remote", "get-url", "origin").strip())
    hook = bare / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    (one,) = ticking.tick(workspace.find(), now=NOW + timedelta(hours=1))
    assert one.state == "wrong" and "refuses" in str(one.error) and started == []


def test_no_rules_is_one_line(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tick"]) == 2
    assert "there are no rules" in capsys.readouterr().err
    with pytest.raises(UsageError, match="there are no rules"):
        ticking.tick(workspace.find())


# ---------------------------------------------------------------------- timers


@pytest.fixture
def crontab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """A `crontab` that keeps its lines in a file, as cron's own would for this user."""
    kept, folder = tmp_path / "kept", tmp_path / "bin"
    folder.mkdir()
    program = folder / "crontab"
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = -l ]; then [ -f "{kept}" ] && exec cat "{kept}"; '
        f'echo "no crontab for me" >&2; exit 1; fi\nexec cat >"{kept}"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return lambda: kept.read_text() if kept.exists() else ""


def test_cron_gets_one_line_and_loses_it(project: Path, crontab: Callable[[], str]) -> None:
    assert cli.main(["tick", "install", "cron", "--every", "10"]) == 0
    first = crontab()
    assert cli.main(["tick", "install", "cron", "--every", "15"]) == 0
    lines = crontab().splitlines()
    assert len(first.splitlines()) == len(lines) == 1 and lines[0].startswith("*/15 * * * * cd ")
    assert cli.main(["tick", "remove"]) == 0 and crontab() == ""


def test_the_line_works_as_cron_would_call_it(project: Path, crontab: Callable[[], str]) -> None:
    assert cli.main(["tick", "install", "cron"]) == 0
    command = crontab().split(" ", 5)[5].replace("\\%", "%")
    bare = {"HOME": os.environ["HOME"], "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}
    subprocess.run(["/bin/sh", "-c", command], cwd="/", env=bare, check=True)
    assert Book(workspace.find().common_dir).history("r")[0].what == "armed"


def test_other_lines_of_the_crontab_stay(project: Path, crontab: Callable[[], str]) -> None:
    subprocess.run(["crontab", "-"], input="0 1 * * * backup\n", text=True, check=True)
    assert cli.main(["tick", "install", "cron"]) == 0
    assert cli.main(["tick", "remove"]) == 0
    assert crontab() == "0 1 * * * backup\n"


def test_no_crontab_is_one_line(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    git_only = project.parent / "git-only"
    git_only.mkdir()
    (git_only / "git").symlink_to(str(shutil.which("git")))
    monkeypatch.setenv("PATH", str(git_only))
    assert cli.main(["tick", "install", "cron"]) == 3
    assert "there is no crontab on this machine" in capsys.readouterr().err


def test_the_workflow_is_written_and_a_strangers_is_not_touched(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import yaml

    assert cli.main(["tick", "install", "github", "--every", "30"]) == 0
    path = project / ".github/workflows/provenote-tick.yml"
    made = yaml.safe_load(path.read_text())
    assert made[True]["schedule"] == [{"cron": "*/30 * * * *"}]
    assert made["permissions"] == {"contents": "write"}
    assert "provenote tick --wait" in path.read_text()
    assert cli.main(["tick", "install", "github"]) == 0
    path.write_text("name: mine\n")
    assert cli.main(["tick", "install", "github"]) == 1 and path.read_text() == "name: mine\n"
    assert cli.main(["tick", "install", "windows"]) == 2
    assert "no timer 'windows'" in capsys.readouterr().err
