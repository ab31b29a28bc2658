"""The tutorial of a team, run line by line: each command in its person's clone, each answer as printed."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from registry_desk import Typist
from team_desk import Crew, Member

from provenote import cli
from provenote.commands.tree import Context
from provenote.errors import ProvenoteError
from provenote.registry.state import NotReleased
from provenote.render import terminal
from provenote.stores import keys

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "team.md"
PEOPLE = ("olga", "sam", "tess", "lena", "rita", "ci")
PROMPT = re.compile(r"(\w+)\$ (.+)")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)


def said(one: Member, words: list[str]) -> str:
    """Return what a command prints, its error line included."""
    with one.here():
        if words[0] != "provenote":
            program = sys.executable if words[0] == "python" else words[0]
            done = subprocess.run([program, *words[1:]], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            return done.stdout
        try:
            view, _ = cli.run(words[1:], Context(face="terminal", confirm=Typist()))
        except ProvenoteError as error:
            return f"provenote: {error.line}"
        return terminal.render(view)


def test_the_tutorial_of_a_team_runs_as_it_stands(tmp_path: Path, make_repo) -> None:
    crew = Crew(tmp_path, make_repo)
    for name in PEOPLE:
        crew.member(name)
    olga, ci = crew.members["olga"], crew.members["ci"]
    (olga.root / "start.yaml").write_text(blocks("yaml")[0])
    made = keys.make(ci.root / "ci_ed25519", "ci")
    shutil.copy(f"{made.path}.pub", olga.root)
    for one in crew.members.values():
        (one.root / "train.py").write_text(blocks("python")[0])
        config = f"[core]\n    remote = storage\n['remote \"storage\"']\n    url = {tmp_path / 'bytes'}\n"
        (one.root / ".dvc" / "config.local").write_text(config)
    known: dict[str, str] = {}
    waits, answer, refused = "", "", 0
    lines = [line for block in blocks("console") for line in block.splitlines()]
    assert len(lines) > 100
    for line in lines:
        found = PROMPT.fullmatch(line)
        if found is None:
            assert line in answer, f"{waits}\n{answer}"
            refused += answer.startswith("provenote: ")
            answer = answer.removeprefix("provenote: ")
            continue
        assert not answer.startswith("provenote: "), f"{waits}\n{answer}"
        waits = line
        words = [known.get(word, word) for word in shlex.split(found[2])]
        answer = said(crew.members[found[1]], words)
        if "policy start" in line:
            known["$ROOT"] = "sha256:" + olga.registry.root
        if "rev-parse" in line:
            known["$GOOD"] = answer.strip()
    assert refused == 4 and set(known) == {"$ROOT", "$GOOD"}
    lena = crew.members["lena"]
    assert lena.holds(model="demand") == "v1.1.0"
    with pytest.raises(NotReleased):
        lena.holds(model="other")
