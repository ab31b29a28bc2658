"""Templates for hosted forges: what is written is what the forge reads, and its commands are ours."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from provenote import cli
from provenote.errors import Refused
from provenote.registry import forges
from provenote.registry.bot import VERIFIED
from provenote.registry.forges import Forge
from provenote.stores.ledger import GOVERNANCE

ROOT = "a" * 64
FORGES: tuple[Forge, ...] = get_args(Forge)


def document(forge: Forge) -> dict[Any, Any]:
    return dict(yaml.safe_load(forges.check_file(forge, ROOT)))


@pytest.mark.parametrize("forge", FORGES)
def test_the_check_runs_our_verb_under_the_root(forge):
    text = forges.check_file(forge, ROOT)
    assert f"sha256:{ROOT}" in text and not re.search(r"@[A-Z]+@", text)
    line = next(line for line in text.splitlines() if "provenote guard check" in line)
    verb, _, options, _ = cli.parse(shlex.split(line.split("provenote ", 1)[1]))
    assert verb.name == "guard check"
    assert options["since"] == f"origin/{VERIFIED}" and options["push"] == "origin"


def test_github_gives_the_key_to_the_default_branch_alone():
    found = document("github")
    job = found["jobs"]["guard"]
    assert found["permissions"] == {"contents": "read"} and job["environment"] == "provenote-bot"
    # YAML 1.1 reads the key "on" as true. A push to the ledger would start nothing: it holds no workflow.
    assert set(found[True]) == {"schedule", "delete", "workflow_dispatch"}
    checkout = job["steps"][0]["with"]
    assert checkout["fetch-depth"] == 0 and "PROVENOTE_BOT_KEY" in checkout["ssh-key"]
    assert job["steps"][-1]["env"] == {"PROVENOTE_ROOT": f"sha256:{ROOT}"}


def test_gitlab_runs_by_a_schedule_of_the_default_branch():
    job = document("gitlab")["provenote-guard"]
    assert all("$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH" in rule["if"] for rule in job["rules"])
    assert job["variables"] == {"GIT_DEPTH": "0", "PROVENOTE_ROOT": f"sha256:{ROOT}"}


def rulesets() -> list[dict[str, Any]]:
    text = forges.settings("github")
    bodies = re.findall(r"rulesets --input - <<'JSON'\n(.*?)\nJSON\n", text, re.S)
    return [json.loads(body) for body in bodies]


def test_github_rulesets_guard_what_they_must():
    found = {pattern: one for one in rulesets() for pattern in one["conditions"]["ref_name"]["include"]}
    ledger = found[f"refs/heads/{GOVERNANCE}"]
    assert {rule["type"] for rule in ledger["rules"]} >= {"deletion", "non_fast_forward"}
    assert ledger["bypass_actors"] == [] and "refs/heads/provenote-reviews" in found
    verified = found[f"refs/heads/{VERIFIED}"]
    assert {rule["type"] for rule in verified["rules"]} >= {"creation", "update", "deletion"}
    assert all(one["enforcement"] == "active" for one in found.values())


@pytest.mark.parametrize(
    "tag",
    [
        "provenote=churn@v1.0.0",
        "provenote=churn#production#3",
        "sub/project/provenote=churn#production#3",
        "provenote=team/churn@v1.0.0",
        "sub/provenote=a/b/c#production#3",
    ],
)
def test_github_patterns_reach_every_tag_of_a_model(tag):
    """``*`` stops at a slash there (Ruby's File.fnmatch with FNM_PATHNAME), ``**/`` does not."""
    tags = next(one for one in rulesets() if one["target"] == "tag")
    assert any(
        _pathname(pattern).fullmatch(f"refs/tags/{tag}")
        for pattern in tags["conditions"]["ref_name"]["include"]
    )
    assert not any(
        _pathname(pattern).fullmatch("refs/tags/v1.0.0")
        for pattern in tags["conditions"]["ref_name"]["include"]
    )


def _pathname(pattern: str) -> re.Pattern[str]:
    words = {"**/": "(?:[^/]+/)*", "*": "[^/]*"}
    return re.compile("".join(words.get(part, re.escape(part)) for part in re.split(r"(\*\*/|\*)", pattern)))


def test_gitlab_settings_guard_what_they_must():
    text = forges.settings("gitlab")
    for branch in (GOVERNANCE, VERIFIED, "provenote-reviews"):
        line = next(line for line in text.splitlines() if f"protected_branches?name={branch}&" in line)
        assert "allow_force_push=false" in line
    assert "protected_tags?name=*%3D*&" in text


@pytest.mark.parametrize("forge", FORGES)
def test_writing_never_overwrites(forge, tmp_path):
    path, new = forges.write(tmp_path, forge, ROOT)
    assert new and path == tmp_path / forges.PLACES[forge]
    assert forges.write(tmp_path, forge, ROOT) == (path, False)
    with pytest.raises(Refused, match="something else"):
        forges.write(tmp_path, forge, "b" * 64)
    assert path.read_text() == forges.check_file(forge, ROOT)


def test_a_link_is_not_written_through(tmp_path):
    (tmp_path / "provenote.gitlab-ci.yml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises((Refused, OSError)):
        forges.write(tmp_path, "gitlab", ROOT)
    assert not Path(tmp_path / "elsewhere").exists()
