"""Register verbs and tell how each is called, from its signature and docstring alone.

A verb is a function ``(context, positional..., *, options...) -> View``:

- positional parameters become arguments, ``*names: str`` a repeated one, a default makes one optional;
- keyword-only parameters become options (``max_parallel`` is ``--max-parallel``); ``bool`` is a flag,
  ``list[str]`` may be repeated, ``int``, ``float`` and ``str`` take a value;
- the help comes from the numpydoc docstring: its first line, and the text of each parameter.
"""

from __future__ import annotations

import importlib
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from provenote.events import Tell, silent
from provenote.view import View
from provenote.workspace import Workspace, find

JOURNEYS = {
    "start": "init demo doctor new",
    "tracking": "track",
    "runs": "runs show",
    "compare": "compare report",
    "travel": "restore",
    "reproducing": "reproduce",
    "blame": "why",
    "environment": "env",
    "sharing": "star unstar tag untag note undo sync",
    "keeping": "archive unarchive pin unpin gc storage",
    "data": "data",
    "contracts": "data",
    "screening": "data",
    "agreements": "data",
    "jobs": "job sweep jobs",
    "checks": "test",
    "triggers": "tick",
    "retraining": "retrain",
    "monitor": "monitor",
    "registry": "promote inbox approve reject withdraw comment release rollback recall override "
    "models verify audit",
    "checking": "check checkpoint",
    "people": "join admit policy",
    "reviews": "review",
    "enforcing": "guard",
}
"""The modules of this package that register verbs, in the order of the help, and the verbs' first words."""


def _unseen(view: View) -> None:
    """Draw nothing: the face has no place for a view that changes."""


@dataclass(slots=True)
class Context:
    """What a face gives to a verb.

    Parameters
    ----------
    face : {'terminal', 'notebook', 'python'}
        Who asks.
    tell : Tell
        Where progress goes.
    confirm : callable or None
        Shows a subject and returns what the person typed; None where no person is present
        (jobs, ``allow_stdin`` false, no terminal).
    names : dict
        The notebook's namespace, for verbs that take Python values there.
    draw : callable
        Draws a view in the place of the one before, for what is watched; the last one is returned.
    write : callable or None
        Takes text as it comes; None where only the answer is wanted.
    """

    face: Literal["terminal", "notebook", "python"] = "python"
    tell: Tell = silent
    confirm: Callable[[str, str], str] | None = None
    names: dict[str, Any] = field(default_factory=dict)
    draw: Callable[[View], None] = _unseen
    write: Callable[[str], None] | None = None

    @property
    def workspace(self) -> Workspace:
        """The workspace of the current folder."""
        return find()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument or option of a verb, parsed from its signature."""

    name: str
    kind: Literal["positional", "repeated", "option", "flag", "multiple"]
    type: type
    default: Any
    required: bool
    help: str
    short: str = ""

    @property
    def flag(self) -> str:
        """The option as it is typed."""
        return "--" + self.name.rstrip("_").replace("_", "-")


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb of the tree."""

    path: tuple[str, ...]
    function: Callable[..., View]
    shorts: dict[str, str]

    @property
    def name(self) -> str:
        """The words that are typed, e.g. ``data add``."""
        return " ".join(self.path)

    @property
    def summary(self) -> str:
        """The first line of its docstring, without the full stop."""
        return (inspect.getdoc(self.function) or "").split("\n", 1)[0].rstrip(".")

    @property
    def description(self) -> str:
        """The docstring up to its parameters."""
        return re.split(r"\n\w[\w ]*\n-{3,}", inspect.getdoc(self.function) or "")[0].strip()

    @property
    def parameters(self) -> list[Parameter]:
        """Its arguments and options, in the order of the signature."""
        hints = typing.get_type_hints(self.function)
        helps = dict(_documented(inspect.getdoc(self.function) or ""))
        found = []
        for name, parameter in list(inspect.signature(self.function).parameters.items())[1:]:
            kind, type_ = _kind(parameter, hints.get(name, str))
            required = parameter.default is parameter.empty and kind != "repeated"
            default = None if parameter.default is parameter.empty else parameter.default
            found.append(
                Parameter(
                    name, kind, type_, default, required, helps.get(name, ""), self.shorts.get(name, "")
                )
            )
        return found


_verbs: dict[tuple[str, ...], Verb] = {}


def verb(name: str, **shorts: str) -> Callable[[Callable[..., View]], Callable[..., View]]:
    """Register a function as the verb ``name``; ``shorts`` gives options a short form (``params="-p"``)."""

    def register(function: Callable[..., View]) -> Callable[..., View]:
        path = tuple(name.split())
        _verbs[path] = Verb(path, function, shorts)
        return function

    return register


def verbs() -> dict[tuple[str, ...], Verb]:
    """Return the whole tree, by path."""
    for journey in JOURNEYS:
        importlib.import_module(f"provenote.commands.{journey}")
    return dict(_verbs)


def load_verb(path: tuple[str, ...]) -> Verb | None:
    """Return one verb, importing the journey of its first word alone: a quick verb stays quick."""
    for journey, words in JOURNEYS.items():
        if path[0] in words.split():
            importlib.import_module(f"provenote.commands.{journey}")
    return _verbs.get(path)


def _kind(parameter: inspect.Parameter, hint: Any) -> tuple[Any, type]:
    inner = [a for a in typing.get_args(hint) if a is not type(None)]
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType) and len(inner) == 1:
        hint, origin = inner[0], typing.get_origin(inner[0])
        inner = list(typing.get_args(hint))
    if parameter.kind is parameter.VAR_POSITIONAL:
        return "repeated", hint if isinstance(hint, type) else str
    if parameter.kind is not parameter.KEYWORD_ONLY:
        return "positional", hint if isinstance(hint, type) else str
    if hint is bool:
        return "flag", bool
    if origin in (list, tuple, Sequence):
        return "multiple", inner[0] if inner and isinstance(inner[0], type) else str
    return "option", hint if isinstance(hint, type) else str


def _documented(doc: str) -> Iterator[tuple[str, str]]:
    """Yield ``(parameter, text)`` of a numpydoc ``Parameters`` section."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[\w ]*\n-{3,}|\Z)", doc, re.S | re.M)
    if not section:
        return
    for entry in re.finditer(
        r"^(\*{0,2}\w[\w, *]*?)\s*(?::[^\n]*)?\n((?:[ \t]+[^\n]*\n?|\n)*)", section[1] + "\n", re.M
    ):
        text = " ".join(entry[2].split())
        for name in entry[1].split(","):
            yield name.strip(" *"), text
