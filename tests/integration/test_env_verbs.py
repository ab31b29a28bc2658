"""The environment of a run is shown, compared and built again; without a network, from wheels made here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import provenote
from provenote import cli
from provenote.commands.tree import Context, load_verb
from provenote.errors import UsageError
from provenote.tracking import environment
from provenote.view import Table, View

HEADING = (
    "# provenote environment 1\n"
    f"# python {'.'.join(map(str, sys.version_info[:3]))} {sys.implementation.name}\n"
    f"# platform {sys.platform}-{environment.this().platform.partition('-')[2]}\n"
)


def run_with(monkeypatch: pytest.MonkeyPatch, label: str, lines: str, imported: tuple[str, ...] = ()) -> str:
    """Track a run whose environment is said to hold these packages."""
    from provenote.tracking import imports

    text = HEADING + lines
    packages = environment.packages(text)
    locked = environment.Lock(text, environment.hashlib.sha256(text.encode()).hexdigest(), "3", packages)
    with monkeypatch.context() as patch:
        patch.setattr(environment, "lock", lambda *_: locked)
        patch.setattr(imports, "imported", lambda *_: imported)
        with provenote.track(label) as run:
            run.log(acc=1)
    return run.name


def ask(words: str, *arguments: str, **options: Any) -> View:
    verb = load_verb(tuple(words.split()))
    assert verb is not None
    return verb.function(Context(), *arguments, **options)


def table(view: View) -> list[list[str]]:
    return [
        [cell.text for cell in row] for part in view.parts if isinstance(part, Table) for row in part.rows
    ]


# ---------------------------------------------------------------------- look


def test_the_imported_packages_come_first(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = run_with(monkeypatch, "a", "alpha==1\nbeta==2\nmine==0.1  # editable\nzeta==3\n", ("zeta",))
    shown = ask("env show", name)
    assert [row[0] for row in table(shown)] == ["zeta", "mine"]
    assert "2 packages not imported hidden" in shown.parts[1].foot[0]
    everything = ask("env show", name, all=True)
    assert [row[0] for row in table(everything)] == ["zeta", "alpha", "beta", "mine"]
    assert shown.data["python"] and shown.data["machine"]["cpus"] >= 1
    assert shown.data["packages"]["mine"] == {"version": "0.1", "origin": "editable"}
    assert shown.data["packages"]["beta"] == {"version": "2", "origin": None}


def test_an_environment_is_written_as_requirements(
    repo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    origin = f"git+https://example.org/tool@{'a' * 40}"
    name = run_with(monkeypatch, "a", f"alpha==1\nmine==0.1  # editable\ntool==2  # {origin}\n")
    assert cli.main(["env", "show", name, "--lock"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == ["alpha==1", "mine==0.1  # editable", f"tool @ {origin}"]


def test_this_python_is_shown_without_a_run(repo: Path) -> None:
    assert ask("env show").data["packages"].keys() == environment.lock().packages.keys()


def test_two_environments_are_compared(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a = run_with(monkeypatch, "a", "alpha==1\ngone==1\nsame==1\nzeta==1\n", ("zeta",))
    b = run_with(monkeypatch, "b", "alpha==2\nnew==1\nsame==1\nzeta==2\n", ("zeta",))
    found = ask("env diff", a, b)
    assert [(p["name"], p["kind"], p["imported"]) for p in found.data["packages"]] == [
        ("zeta", "changed", True),
        ("alpha", "changed", False),
        ("gone", "removed", False),
        ("new", "added", False),
    ]
    assert found.data["identical"] == 1
    assert ["zeta", "imported", "1", "2", "changed"] in table(found)
    assert ask("env diff", a, a).data["packages"] == []
    here = {p["name"] for p in ask("env diff", a).data["packages"]}
    assert "pytest" in here and "zeta" in here


def test_a_running_run_has_an_environment_too(repo: Path) -> None:
    with provenote.track("a") as run:
        assert ask("env show", run.name).data["sha256"] == environment.lock().sha256


def test_a_run_without_a_lock_is_told(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(environment, "lock", lambda *_: environment.Lock("", "", "", {}))
        with provenote.track("a") as run:
            run.log(acc=1)
    for words in ("env show", "env diff"):
        with pytest.raises(UsageError, match="kept no list of its packages"):
            ask(words, run.name)
    with pytest.raises(UsageError, match="is not in this repository"):
        ask("env show", "nothing")
