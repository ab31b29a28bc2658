"""What keeps secrets out of the parameters of a job: a value is refused, a reference to it taken."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from provenote import masking
from provenote.errors import UsageError
from provenote.git import secrets
from provenote.jobs.kinds import Secret

if TYPE_CHECKING:
    from provenote.jobs.parameters import Parameter

_VARIABLE = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
_SECRET_WORDS = {"password", "passwd", "passphrase", "secret", "token", "credential", "credentials", "apikey"}
_SECRET_PAIRS = {("api", "key"), ("access", "key"), ("private", "key"), ("auth", "key"), ("account", "key")}


def reference(parameter: Parameter, value: Any) -> Secret | None:
    """Return the secret that ``env:NAME`` refers to; None if the parameter or the value is none.

    Raises
    ------
    UsageError
        If the variable is not set, or its value could not be told from other texts.
    """
    found = _VARIABLE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or not _secretive(parameter):
        return None
    name = found[1]
    if not os.environ.get(name):
        raise UsageError(
            f"the environment has no {name} for parameter {parameter.name}", f"Set it: `export {name}=...`"
        )
    weak = masking.weakness(os.environ[name])
    if weak:
        raise UsageError(
            f"the secret in {name} cannot be kept out of what is stored: {weak}",
            "Use a longer one, with letters",
        )
    return Secret(f"env:{name}")


def guarded(parameter: Parameter, value: Any) -> Any:
    """Refuse a secret: a parameter is stored in the run, in Git, for ever."""
    if parameter.kind.name == "secret" or (
        isinstance(value, str) and value and (_secretive(parameter) or secrets.find(value, likely=False))
    ):
        raise refusal(parameter.name)
    return value


def refusal(name: str) -> UsageError:
    """Return the error that says how to give a secret instead; its value is not in it."""
    return UsageError(
        f"parameter {name} would store a secret in the run, where everyone with the repository reads it",
        f"Give it by reference, from the environment: `-p {name}=env:{name.upper()}`",
    )


def _secretive(parameter: Parameter) -> bool:
    """Whether a parameter holds a secret, by its type or its name."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", parameter.name)]
    named = bool(_SECRET_WORDS & set(words)) or bool(_SECRET_PAIRS & set(zip(words, words[1:], strict=False)))
    return named or parameter.kind.name == "secret"
