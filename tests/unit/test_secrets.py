"""Secrets in texts: every rule finds its token, and nothing that only looks a little like it."""

from __future__ import annotations

import pytest

from provenote.git import secrets

# Put together here, so that no scanner takes this file for a leak.
EXAMPLES = {
    "AWS access key": "AKIA" + "Q7" * 8,
    "GitHub token": "ghp_" + "aB3" * 12,
    "GitLab token": "glpat-" + "x" * 20,
    "Slack token": "xoxb-" + "1234567890",
    "private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "Azure storage key": "AccountKey=" + "Ab+/" * 10,
    "Google API key": "AIza" + "x" * 35,
    "model provider key": "sk-proj-" + "x" * 32,
    "Hugging Face token": "hf_" + "aB" * 17,
    "JSON web token": ".".join(("eyJ" + "a" * 12, "eyJ" + "b" * 12, "c" * 20)),
    "Telegram token": "123456789:" + "x" * 35,
    "tracker key": "WANDB_API_KEY = '" + "a1" * 20 + "'",
}
SAFE = [
    "a task-" + "x" * 40,
    "disk-usage and risk-" + "y" * 40,
    "12345:" + "x" * 35,
    "x123456789:" + "x" * 35,
    "AKIAshort",
    "-----BEGIN PUBLIC KEY-----",
    "neptune is a planet, comet too",
    "",
]


def test_there_is_an_example_of_each_rule() -> None:
    assert set(EXAMPLES) == set(secrets._CERTAIN)


@pytest.mark.parametrize("kind", EXAMPLES)
@pytest.mark.parametrize("around", ["{}", "token = '{}'  # mine", "\u00e9\n{}\n\u2603", "= " * 5000 + "\n{}"])
def test_every_rule_finds_its_token_and_takes_it_out(kind: str, around: str) -> None:
    text = around.format(EXAMPLES[kind])
    found = secrets.find(text, likely=False)
    assert [finding.kind for finding in found] == [kind] and found[0].certain
    redacted, count = secrets.redact(text)
    assert count == 1 and secrets.find(redacted, likely=False) == []
    assert EXAMPLES[kind][-12:] not in redacted and f"[{kind} redacted]" in redacted
    assert secrets.certain(text.encode())


@pytest.mark.parametrize("text", SAFE)
def test_what_is_no_secret_stays(text: str) -> None:
    assert secrets.redact(text) == (text, 0)


def test_a_line_may_say_that_it_is_none() -> None:
    token = EXAMPLES["GitHub token"]
    assert secrets.find(f"{token}  # provenote: not a secret") == []
    assert len(secrets.find(f"{token}\n# provenote: not a secret")) == 1


def test_likely_ones_are_told_apart() -> None:
    text = 'password = "correct horse"\nurl = "postgres://me:battery@db.example.org/x"'
    assert not secrets.certain(text.encode())
    text = text.replace("correct horse", "correct-horse")
    assert [(one.kind, one.certain) for one in secrets.find(text)] == [
        ("assigned secret", False),
        ("password in an address", False),
    ]


def test_binary_files_hold_none() -> None:
    assert not secrets.certain(b"\0" + EXAMPLES["GitHub token"].encode())
