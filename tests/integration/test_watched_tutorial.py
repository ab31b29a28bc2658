"""The tutorial of a watched model, run line by line: files written, commands said, answers as printed."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from job_desk import cell, write
from registry_desk import Typist

from provenote import cli, workspace
from provenote.commands.tree import Context
from provenote.errors import ProvenoteError
from provenote.registry import reading
from provenote.render import terminal

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "watched-model.md"
NUMBER = re.compile(r"\d+\.\d+")
NAMED = re.compile(r"# ([\w./]+)(, parameters)?")


def blocks() -> Iterator[tuple[str, str]]:
    yield from re.findall(r"```(python|yaml|console)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)


def said(words: list[str]) -> tuple[int, str]:
    """Return the exit status of a command and what it prints, its error line included."""
    if words[0] != "provenote":
        program = sys.executable if words[0] == "python" else words[0]
        done = subprocess.run([program, *words[1:]], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return 0, done.stdout
    try:
        view, _ = cli.run(words[1:], Context(face="terminal", confirm=Typist()))
    except ProvenoteError as error:
        return error.exit_status, f"provenote: {error.line}"
    return view.status, terminal.render(view)


def shows(answer: str, line: str) -> bool:
    """Whether a line of the page stands in one of the answer.

    Widths do not count, ``...`` is anything, and a number with a point may be a twentieth off: what a tree
    or a bootstrap makes of the same rows differs between versions of what computes it.
    """
    pieces = [NUMBER.split(" ".join(piece.split())) for piece in line.split("...")]
    wanted = re.compile(".*".join(r"(\d+\.\d+)".join(map(re.escape, piece)) for piece in pieces))
    numbers = [float(number) for number in NUMBER.findall(line)]
    found = [wanted.search(" ".join(one.split())) for one in answer.splitlines()]
    return any(numbers == pytest.approx([*map(float, one.groups())], rel=0.05) for one in found if one)


def test_the_tutorial_of_a_watched_model_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bikes"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name, value in (("user.name", "ann"), ("user.email", "ann@example.org")):
        subprocess.run(["git", "config", "--global", name, value], check=True)
    books: dict[str, list[dict[str, object]]] = {}
    known: dict[str, str] = {}
    waits, status, answer, compared = "", 0, "", 0
    for kind, text in blocks():
        if kind != "console":
            first, rest = text.split("\n", 1)
            named = NAMED.fullmatch(first)
            assert named is not None, first
            if named[1].endswith(".ipynb"):
                cells = books.setdefault(named[1], [])
                tags = ["parameters"] if named[2] else []
                cells.append(cell(rest.rstrip(), f"c{len(cells)}", *tags))
                write(Path(named[1]), *cells)
            else:
                Path(named[1]).write_text(rest)
            continue
        for line in text.splitlines():
            if line == "$ echo $?":
                answer = str(status)
            elif line.startswith("$ "):
                waits = line
                words = [known.get(word, word) for word in shlex.split(line[2:])]
                status, answer = said(words)
                found = re.search(r"--prepared ([0-9a-f]{8})", answer)
                known |= {"$ID": found[1]} if found else {}
            else:
                assert shows(answer, line), f"{waits}\n{line}\n{answer}"
                compared += 1
    assert compared > 40 and set(known) == {"$ID"}
    # What the page ends with, by the record.
    registry = reading.read(workspace.find())
    holder = registry.state.current((registry.path, "bike-demand", "production"))
    assert holder.subject.version == "v1.1.0"
