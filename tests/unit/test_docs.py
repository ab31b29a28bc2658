"""The docs cannot rot: every verb is documented, the reference is the tree's, links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from provenote.cli import parser_of
from provenote.commands.tree import JOURNEYS, verbs

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").rglob("*.md")
)


def test_every_verb_and_argument_says_what_it_is_for() -> None:
    for verb in verbs().values():
        assert verb.summary, verb.name
        for parameter in verb.parameters:
            assert parameter.help, f"{verb.name}: {parameter.name} has no help"
        assert verb.summary in " ".join(parser_of(verb).format_help().split())


def test_every_verb_is_found_by_its_first_word() -> None:
    tree = verbs()
    for path, verb in tree.items():
        module = verb.function.__module__.rsplit(".", 1)[1]
        assert path[0] in JOURNEYS[module].split(), f"{verb.name} is missing in JOURNEYS[{module!r}]"
    words = {word for words in JOURNEYS.values() for word in words.split()}
    assert words == {path[0] for path in tree}, "a first word without a verb, or a verb without its word"


def test_the_reference_is_made_from_the_tree() -> None:
    answer = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"], capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_the_docs_exist(page: Path) -> None:
    """Each `provenote VERB` and `%pv VERB` in code is a verb of the tree."""
    text = page.read_text(encoding="utf-8")
    known = (
        {" ".join(path) for path in verbs()} | {path[0] for path in verbs()} | {"VERB", "--version", "--help"}
    )
    code = re.findall(r"```[a-z]*\n(.*?)```", text, re.S) + re.findall(r"`([^`\n]+)`", text)
    for block in code:
        for words in re.findall(
            r"(?:^|[`(&]|\$ )\s*(?:provenote|%pv|%provenote) ([a-zA-Z-]+)(?: ([a-z]+))?", block
        ):
            assert words[0] in known or " ".join(words) in known, f"{page.name}: provenote {' '.join(words)}"
