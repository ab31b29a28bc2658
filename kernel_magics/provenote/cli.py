"""The command line, made from the verb tree: parse, call one verb, render its view.

``main`` is the console script; ``run`` is what ``%pv`` calls with the notebook's context.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from provenote.commands.tree import Context, Parameter, Verb, load_verb, verbs
from provenote.errors import ProvenoteError, UsageError
from provenote.view import View

if TYPE_CHECKING:
    from provenote.render.live import Live


class _Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one clear line of ours."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}", f"See `{self.prog} --help`")


class _Help(Exception):
    """The text of ``--help``: not an error."""


class _HelpAction(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> NoReturn:
        raise _Help(parser.format_help())


def parse(words: Sequence[str]) -> tuple[Verb, list[Any], dict[str, Any], bool]:
    """Find the verb that ``words`` call, and its arguments.

    Returns
    -------
    verb : Verb
    positional : list
    options : dict
    as_json : bool
        Whether ``--json`` was given, which every verb takes.

    Raises
    ------
    UsageError
        If there is no such verb, or its arguments do not fit; the nearest verb is named.
    """
    verb, rest = _find(list(words))
    parser = parser_of(verb)
    known = parser.parse_intermixed_args(_joined(verb, rest))
    found = vars(known)
    positional: list[Any] = []
    options: dict[str, Any] = {}
    for parameter in verb.parameters:
        value = found[parameter.name]
        if parameter.kind == "positional":
            positional.append(value)
        elif parameter.kind == "repeated":
            positional += value
        else:
            options[parameter.name] = value
    return verb, positional, options, found["json"]


def _joined(verb: Verb, words: list[str]) -> list[str]:
    """Join an option with its value where that begins with a hyphen (``--sort -metrics.r2``).

    argparse takes such a value for an option, though none has that name.
    """
    valued = [parameter for parameter in verb.parameters if parameter.kind in ("option", "multiple")]
    flags = {flag for parameter in verb.parameters for flag in (parameter.short, parameter.flag) if flag}
    takes = {flag for parameter in valued for flag in (parameter.short, parameter.flag) if flag}
    joined: list[str] = []
    for word in words:
        ends = word.partition("=")[0] in flags | {"--", "--json", "-h", "--help"}
        if joined and joined[-1] in takes and word.startswith("-") and not ends:
            joined[-1] += f"={word}" if joined[-1].startswith("--") else word
        else:
            joined.append(word)
    return joined


def _find(words: list[str]) -> tuple[Verb, list[str]]:
    """Part ``words`` into a verb and its arguments; the longest path wins."""
    for length in (2, 1):
        found = load_verb(tuple(words[:length])) if len(words) >= length else None
        if found is not None:
            return found, words[length:]
    tree = verbs()
    groups = {path[0] for path in tree if len(path) > 1}
    if words and words[0] in groups:
        below = [path[1] for path in tree if path[0] == words[0] and len(path) > 1]
        if len(words) == 1 or words[1] in ("-h", "--help"):
            raise _Help(overview(words[0]))
        near = difflib.get_close_matches(words[1], below, 1)
        hint = f"`provenote {words[0]} {near[0]}`" if near else f"one of {', '.join(sorted(below))}"
        raise UsageError(f"{words[0]} has no verb {words[1]!r}", f"Perhaps {hint}")
    word = words[0] if words else ""
    near = difflib.get_close_matches(word, [path[0] for path in tree], 1)
    raise UsageError(
        f"{word!r} is no verb", f"Perhaps `provenote {near[0]}`" if near else "All verbs: `provenote --help`"
    )


def parser_of(verb: Verb) -> argparse.ArgumentParser:
    """Make the argument parser of one verb from its signature."""
    parser = _Parser(
        prog=f"provenote {verb.name}",
        description=verb.description,
        add_help=False,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for parameter in verb.parameters:
        _add(parser, parameter)
    parser.add_argument("--json", action="store_true", help="answer as JSON")
    parser.add_argument("-h", "--help", action=_HelpAction, nargs=0, help="show this and leave")
    return parser


def _add(parser: argparse.ArgumentParser, parameter: Parameter) -> None:
    text = parameter.help.replace("%", "%%") or None
    if parameter.kind == "positional":
        name = parameter.name
        optional = {} if parameter.required else {"nargs": "?", "default": parameter.default}
        parser.add_argument(name, type=parameter.type, help=text, metavar=name.upper(), **optional)
        return
    if parameter.kind == "repeated":
        parser.add_argument(
            parameter.name, type=parameter.type, nargs="*", help=text, metavar=parameter.name.upper()
        )
        return
    flags = [flag for flag in (parameter.short, parameter.flag) if flag]
    if parameter.kind == "flag":
        parser.add_argument(
            *flags, dest=parameter.name, action="store_true", default=bool(parameter.default), help=text
        )
        return
    metavar = parameter.name.rstrip("_").upper()
    action = "append" if parameter.kind == "multiple" else "store"
    parser.add_argument(
        *flags,
        dest=parameter.name,
        type=parameter.type,
        action=action,
        required=parameter.required,
        default=None if parameter.kind == "multiple" else parameter.default,
        help=text,
        metavar=metavar,
    )


def overview(group: str | None = None) -> str:
    """Return the list of verbs, or of one group of them."""
    tree = verbs()
    shown = [verb for path, verb in tree.items() if group is None or path[0] == group]
    width = max(len(verb.name) for verb in shown)
    lines = [f"  {verb.name:<{width}}  {verb.summary}" for verb in shown]
    head = [
        "usage: provenote VERB ...",
        "",
        "MLOps in the notebook and in Git. In a notebook: %load_ext provenote, then %pv VERB ...",
        "",
    ]
    tail = ["", "`provenote VERB --help` tells more; every verb takes --json."]
    return "\n".join((head if group is None else []) + lines + tail) + "\n"


def run(words: Sequence[str], context: Context) -> tuple[View, bool]:
    """Call the verb that ``words`` name.

    Returns
    -------
    view : View
    as_json : bool
        Whether ``--json`` was asked for.

    Raises
    ------
    ProvenoteError
        With one line for the person who asked.
    """
    from provenote.view import Text

    if not words or words[0] in ("-h", "--help", "help"):
        return View([Text(overview().rstrip())]), False
    try:
        verb, positional, options, as_json = parse(words)
    except _Help as text:
        return View([Text(str(text).rstrip())]), False
    options = {name: value for name, value in options.items() if value is not None}
    return verb.function(context, *positional, **options), as_json


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0 yes, 1 no, 2 a mistake, 3 a broken world."""
    words = list(sys.argv[1:] if words is None else words)
    if words[:1] in (["--version"], ["-V"]):
        from importlib.metadata import version

        sys.stdout.write(f"provenote {version('provenote')}\n")
        return 0
    try:
        context, live = Context("terminal", _progress(words), _ask if _person() else None), None
        if "--json" not in words:
            context.write = _write
            live = _live(context)
        view, as_json = run(words, context)
        if as_json:
            sys.stdout.write(
                json.dumps(view.data, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace").decode()
                + "\n"
            )
        elif live is not None and live.drawn:
            live.close(view)
        else:
            from provenote.render import terminal

            terminal.write(view, sys.stdout)
        sys.stdout.flush()
        return view.status
    except ProvenoteError as error:
        return _complain(error.line, error.exit_status)
    except KeyboardInterrupt:
        return _complain("stopped; what was acknowledged is kept", 1)
    except BrokenPipeError:  # `provenote runs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _complain(text: str, status: int) -> int:
    from provenote.render import terminal

    _, color = terminal.surface(sys.stderr)
    sys.stderr.write(f"{terminal.paint('provenote:', 'error', color)} {text}\n")
    return status


def _person() -> bool:
    """Whether a live person is at the terminal."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def _ask(subject: str, expected: str) -> str:
    """Show what would be signed or removed, and return what the person types."""
    sys.stderr.write(f"{subject.rstrip()}\n\nType {expected} to confirm, or nothing to leave: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _live(context: Context) -> Live | None:
    """Let ``context`` redraw on the terminal, if there is one."""
    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        return None
    from provenote.render.live import TerminalLive

    live = TerminalLive()
    context.draw = live.draw
    return live


def _progress(words: Sequence[str]) -> Any:
    from provenote.events import silent

    if "--json" in words:
        return silent
    from provenote.render import progress

    return progress.terminal()


if __name__ == "__main__":
    sys.exit(main())
