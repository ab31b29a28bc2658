"""The command line: words become a verb and its arguments."""

from __future__ import annotations

import pytest

from provenote import cli
from provenote.errors import UsageError


def options(*words: str) -> dict[str, object]:
    _, _, found, _ = cli.parse(words)
    return {name: value for name, value in found.items() if value}


@pytest.mark.parametrize("words", [("--sort", "-metrics.r2"), ("--sort=-metrics.r2",)])
def test_a_value_may_begin_with_a_hyphen(words: tuple[str, ...]) -> None:
    assert options("runs", *words) == {"sort": "-metrics.r2"}


def test_an_option_is_never_taken_for_a_value() -> None:
    for words in (("--sort", "--limit", "3"), ("--sort", "-A"), ("--sort",), ("--sort", "--json")):
        with pytest.raises(UsageError, match="--sort"):
            cli.parse(("runs", *words))
    verb, positional, found, as_json = cli.parse(
        ("runs", "rmse", "<", "-3", "--sort", "-rmse", "--json", "-A")
    )
    assert (verb.name, positional, as_json) == ("runs", ["rmse", "<", "-3"], True)
    assert found["sort"] == "-rmse" and found["all"] is True


def test_repeated_short_options_keep_their_values() -> None:
    assert options("job", "run", "n.ipynb", "-p", "a=-1", "-p", "b=2")["params"] == ["a=-1", "b=2"]


def test_the_nearest_verb_is_named() -> None:
    with pytest.raises(UsageError, match="'rums' is no verb. Perhaps `provenote runs`"):
        cli.parse(("rums",))
    with pytest.raises(UsageError, match="unrecognized arguments: --sorted"):
        cli.parse(("runs", "--sorted", "x"))
