"""A notebook is reviewed: by verbs, in two clones, and until the gate lets its run's model through."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from clones import git
from IPython.core.interactiveshell import InteractiveShell
from registry_desk import Typist
from team_desk import Crew, Member
from traitlets.config import Config

import provenote
from provenote import cli, magics
from provenote.commands.tree import Context
from provenote.errors import Refused, UsageError
from provenote.registry import hook_file, news
from provenote.registry.signing import NoPerson
from provenote.registry.state import NotReleased
from provenote.render import terminal
from provenote.stores import keys
from provenote.tracking import capture
from provenote.view import View

FIRST = ["# Bikes", "import math\nscale = 2", "total = scale * 21\nprint(total)"]


def write(path: Path, sources: list[str], ids: list[str] | None = None, said: str = "42\n") -> None:
    v4: Any = nbformat.v4
    cells: list[Any] = [v4.new_markdown_cell(sources[0])]
    cells += [v4.new_code_cell(source) for source in sources[1:]]
    cells[-1]["outputs"] = [v4.new_output("stream", text=said)]
    for number, cell in enumerate(cells):
        cell["id"] = ids[number] if ids else f"cell-{number}"
    path.write_text(v4.writes(v4.new_notebook(cells=cells)) + "\n")


def commit(root: Path, message: str) -> None:
    git(root, "add", "--all")
    git(root, "commit", "-q", "-m", message)


def does(words: list[str], typed: Typist | None = None) -> View:
    return cli.run(["review", *words], Context(face="terminal", confirm=typed))[0]


@pytest.fixture
def alone(repo: Path, home: Path) -> Path:
    """A person with a key and a committed notebook, without any policy."""
    keys.make(home / ".ssh" / "id_ed25519", "test")
    write(repo / "train.ipynb", FIRST)
    commit(repo, "train")
    return repo


def test_one_person_reviews_a_branch_without_any_policy(alone: Path) -> None:
    git(alone, "checkout", "-q", "-b", "tune")
    write(alone / "train.ipynb", [*FIRST[:2], "total = scale * 21 + 1\nprint(total)"], said="43\n")
    commit(alone, "tune")
    git(alone, "checkout", "-q", "main")
    write(alone / "train.ipynb", [*FIRST, "unsaved = 1"])
    noted = does(["start", "train.ipynb"])
    assert "not in a commit" in terminal.render(noted, width=200, color=False)
    git(alone, "checkout", "-q", "train.ipynb")
    started = does(["start", "train.ipynb", "--branch", "tune", "--title", "Tuning"]).data
    with pytest.raises(UsageError, match="under review"):
        does(["start", "train.ipynb", "--branch", "tune"])
    with pytest.raises(UsageError, match="2 reviews|which review"):
        does(["comment", "train.ipynb", "whose?"])
    does(["comment", "Tuning", "why plus one?", "--cell", "3", "--line", "1"])
    does(["comment", "Tuning", "that number\nis odd", "--cell", "cell-2", "--output", "1", "--line", "1"])
    does(["comment", "Tuning", "well done"])
    for bad in (
        ["--cell", "9"],
        ["--cell", "3", "--line", "0"],
        ["--cell", "2", "--output", "1"],
        ["--line", "1"],
    ):
        with pytest.raises(UsageError):
            does(["comment", "Tuning", "x", *bad])
    shown = does(["show", "Tuning"])
    data = json.loads(json.dumps(shown.data))
    assert (data["base"]["label"], data["head"]["label"], data["open_threads"]) == (
        git(alone, "rev-parse", "main").strip()[:8], "tune", 3,
    )  # fmt: skip
    assert [one["place"]["certainty"] for one in data["threads"]] == ["exact"] * 3
    text = terminal.render(shown, width=120, color=False)
    assert "cell 3, output 1, line 1" in text
    assert "total = scale * 21 + 1" in text

    # The next version: ids made anew by another editor, a cell inserted; every thread comes along.
    git(alone, "checkout", "-q", "tune")
    sources = [FIRST[0], "inserted = True", FIRST[1], "# better\ntotal = scale * 21 + 1\nprint(total)"]
    write(alone / "train.ipynb", sources, [f"new-{number}" for number in range(4)], said="43\n")
    commit(alone, "again")
    does(["approve", "Tuning"], Typist())
    does(["update", "Tuning", "--branch", "tune"])
    data = does(["show", "Tuning"]).data
    assert [vote["stale"] for vote in data["votes"]] == [True]
    whole, *placed = data["threads"]
    assert whole["anchor"] == {}
    assert [(one["place"]["cell"], one["place"]["line"]) for one in placed] == [(3, 1), (3, 0)]
    assert {one["place"]["certainty"] for one in placed} == {"guessed"}

    page = alone.parent / "review.html"
    does(["show", "Tuning", "--html", str(page)])
    assert "why plus one?" in page.read_text()
    page.write_text("mine")
    with pytest.raises(Refused, match="not a report of ours"):
        does(["show", "Tuning", "--html", str(page)])

    # Suggest, refuse a stale one, apply: no other byte of the file changes.
    thread = placed[0]["id"][:8]
    does(["suggest", "--thread", thread, "--source", "total = scale * 22\nprint(total)", "--text", "simpler"])
    before = (alone / "train.ipynb").read_bytes()
    (alone / "train.ipynb").write_bytes(before.replace(b"scale * 21 + 1", b"scale * 21 + 2"))
    with pytest.raises(Refused, match="edited since"):
        does(["apply", thread])
    (alone / "train.ipynb").write_bytes(before)
    assert does(["apply", thread]).data["cell"] == 3
    after = (alone / "train.ipynb").read_text().splitlines()
    changed = [line for line in after if line not in before.decode().splitlines()]
    assert changed == ['    "total = scale * 22\\n",']
    with pytest.raises(Refused, match="edited since"):
        does(["apply", thread])
    does(["resolve", thread])
    with pytest.raises(UsageError, match="resolved already"):
        does(["resolve", thread])
    does(["unresolve", thread])
    edited = tmp_notebook(alone, sources)
    does(["suggest", "Tuning", "--cell", "2", "--from", str(edited)])

    # A vote takes a person, the right word, and a reason to ask for changes.
    with pytest.raises(NoPerson):
        does(["approve", "Tuning"])
    with pytest.raises(UsageError, match="nothing was signed"):
        does(["approve", "Tuning"], Typist("yes"))
    typist = Typist()
    does(["request-changes", "Tuning", "--why", "too odd"], typist)
    head = does(["show", "Tuning"]).data["head"]
    assert all(head[name] in typist.shown[0] for name in ("commit", "blob", "sha256", "path"))
    states = {one["title"]: one["state"] for one in does(["list"]).data["reviews"]}
    assert states["Tuning"] == "changes-requested"
    assert started["known"]


def tmp_notebook(root: Path, sources: list[str]) -> Path:
    path = root.parent / "edited.ipynb"
    write(path, [sources[0], "inserted = False", *sources[2:]], [f"new-{number}" for number in range(4)])
    return path


# ---------------------------------------------------------------------- a team

RULES = """\
roles: {ds: [me], lead: [], releaser: [me], emergency: [me]}
rules:
- model: "*"
  stage: production
  request: ds
  approvals: []
  reviews: {notebooks: 1, role: lead}
  release: releaser
  override: {role: emergency, hours: 24}
"""


def captured(member: Member, source: str = "scale = 2") -> str:
    """Run a tracked cell in a shell, as a notebook does, and keep a model; return the run's name."""
    InteractiveShell.clear_instance()
    config = Config()
    config.HistoryManager.hist_file = ":memory:"
    with member.here():
        shell: Any = InteractiveShell.instance(config=config)
        shell.run_line_magic("load_ext", "provenote")
        Path("churn.bin").write_bytes(source.encode())
        model = "provenote.current_run().log_model('churn.bin', 'churn')"
        for cell in (source, f"%%track fit\nimport provenote\n{model}"):
            shell.run_cell(cell, store_history=True).raise_error()
        Path("churn.bin").unlink()
        magics.unload(shell)
        capture._capture = None
        InteractiveShell.clear_instance()
        name: str = member.does("runs").data["rows"][0]["name"]
    return name


def says(member: Member, *words: str, typed: str | None = None) -> View:
    """Call a verb whose words may hold spaces."""
    with member.here():
        return cli.run(list(words), Context(face="terminal", confirm=Typist(typed)))[0]


def test_a_team_releases_what_it_has_reviewed(tmp_path: Path, make_repo: Any) -> None:
    crew = Crew(tmp_path, make_repo)
    ada = crew.member("ada")
    (ada.root / "start.yaml").write_text(RULES)
    root = ada.does("policy start --from start.yaml").data["root"]
    ada.sync()
    bob = crew.member("bob")
    bob.sync()
    bob.does(f"join --root sha256:{root}")
    bob.sync()
    ada.sync()
    ada.does("admit bob --role lead")
    eve = crew.member("eve")  # nobody admits her
    crew.sync()
    hook_file.install(str(crew.remote), root)

    run = captured(ada)
    with ada.here(), pytest.raises(NotReleased):
        provenote.load("churn")
    ada.does("promote churn --to production --why better")
    with pytest.raises(Refused, match="0 of 1 approvals of the run's notebook by the role lead \\(bob\\)"):
        ada.does("release churn")
    asked = terminal.render(ada.does("inbox"), width=200, color=False)
    assert "provenote review start --run " in asked
    one = ada.does(f"review start --run {run}").data["review"][:8]
    ada.does(f"review approve {one}")  # her own counts for nothing under the policy
    ada.sync()
    bob.sync()

    # bob is asked, speaks and objects; eve's key is unknown.
    assert [found["id"][:8] for found in bob.does("inbox").data["reviews"]] == [one]
    assert "1 review wait" in str(news.told(bob.root))
    assert "your turn" in terminal.render(bob.does("review list"), width=140, color=False)
    says(bob, "review", "comment", one, "scale of what?", "--cell", "1", "--line", "1")
    thread = bob.does("review show").data["threads"][0]["id"][:8]
    eve.sync()
    assert "Nobody is known" in terminal.render(eve.does("review list"), width=300, color=False)
    with pytest.raises(Refused, match="no root"):
        eve.does(f"review comment {one} spam")
    eve.does(f"join --root sha256:{root}")
    assert not eve.does(f"review comment {one} spam").data["known"]
    assert not eve.does(f"review approve {one}").data["known"]
    eve.sync()
    bob.sync()
    shown = bob.does(f"review show {one}").data
    assert sorted(found["known"] for found in shown["threads"]) == [False, True]
    assert [vote["by"][:11] for vote in shown["votes"] if not vote["known"]] == ["unknown key"]
    bob.does(f"review approve {one}")
    assert "review" not in str(news.told(bob.root))  # one's own words are no news
    bob.sync()
    ada.sync()
    with pytest.raises(Refused, match="1 thread about the run's notebook open"):
        ada.does("release churn")

    # Contradictory marks in two clones meet as open in both; then it is resolved.
    ada.does(f"review resolve {thread}")
    bob.does(f"review resolve {thread}")
    bob.does(f"review unresolve {thread}")
    bob.sync()
    ada.sync()
    bob.sync()
    states = {
        next(
            one["state"]
            for one in member.does(f"review show {one}").data["threads"]
            if one["id"][:8] == thread
        )
        for member in (ada, bob)
    }
    assert states == {"open"}
    trees = {git(m.root, "rev-parse", "provenote-reviews^{tree}") for m in (ada, bob)}
    assert len(trees) == 1
    ada.does(f"review resolve {thread}")
    assert ada.does("inbox").data["waiting"][0]["mine"] == "release"
    ada.does("release churn")
    ada.sync()
    bob.sync()
    for member in (ada, bob):
        assert member.holds() == "v1.0.0"
    verified = bob.does("verify churn").data["reports"][0]["links"]
    assert next(link for link in verified if link["name"] == "reviews")["state"] == "ok"
    git(bob.root, "update-ref", "-d", "refs/heads/provenote-reviews")  # the ledger has what it rests on
    assert bob.holds() == "v1.0.0"
    with ada.here():
        assert Path(str(provenote.load("churn"))).read_bytes() == b"scale = 2"

    # The remote refuses a release against which its own reviews object, though the releaser did not see that.
    run = captured(ada, "scale = 3")
    two = ada.does(f"review start --run {run}").data["review"][:8]
    ada.does("promote churn --to production --why better")
    ada.sync()
    bob.sync()
    bob.does(f"review approve {two}")
    bob.sync()
    ada.sync()
    says(bob, "review", "request-changes", two, "--why", "I was wrong")
    bob.sync()
    ada.does("release churn")
    assert "changes of the run's notebook are requested by bob" in str(ada.sync().waiting)
