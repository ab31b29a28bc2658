"""The line of ``%log``: ``name=expression, ... --step expression``, parsed and never searched by hand.

Names and values are the keyword arguments of a Python call, so that anything may stand in a value; a mapping
may come first, and ``**mapping`` gives names that are no identifiers.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any

from provenote.errors import UsageError

_FORM = "`%log name=expression, ... --step expression`"


@dataclass(frozen=True, slots=True)
class LogLine:
    """A parsed line.

    Parameters
    ----------
    values : code
        Gives ``(mapping or None, {name: value})``.
    step : code or None
        Gives the step.
    """

    values: CodeType
    step: CodeType | None

    def evaluate(self, names: dict[str, Any]) -> tuple[Mapping[str, Any] | None, dict[str, Any], Any]:
        """Return the mapping, the named values and the step, computed in the user's namespace.

        Raises
        ------
        UsageError
            If a name is not known there.
        """
        try:
            first, named = eval(self.values, names)  # the user's own expressions, as anything in the cell
            return first, named, None if self.step is None else eval(self.step, names)
        except NameError as error:
            if _deep(error):
                raise
            mend = "Set it first; a name of an enclosing function is seen only where that function uses it"
            raise UsageError(f"%log: {error}", mend) from None


def _deep(error: NameError) -> bool:
    """Whether the error comes from a function that the expression calls: then its traceback is wanted."""
    inner = error.__traceback__.tb_next if error.__traceback__ else None
    return inner is not None and inner.tb_next is not None


@lru_cache(maxsize=512)
def parse(line: str) -> LogLine:
    """Parse the line of a ``%log``. Pure.

    Raises
    ------
    UsageError
        If it does not have the form; the message says which form it wants.
    """
    values, step = _part(line)
    if not values.strip():
        raise UsageError("%log has nothing to log", f"Write {_FORM}")
    try:
        call = ast.parse(f"_({values}\n)", mode="eval").body
    except SyntaxError as error:
        raise _wrong(line, error.msg) from None
    except ValueError as error:  # characters that no source may hold
        raise _wrong(line, str(error)) from None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.func.id != "_":
        raise _wrong(line, "unbalanced brackets")
    if len(call.args) > 1 or any(isinstance(one, ast.Starred) for one in call.args):
        raise _wrong(line, "a value has no name")
    names = [keyword.arg for keyword in call.keywords if keyword.arg is not None]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise _wrong(line, f"{twice[0]} is given twice")
    first: ast.expr = call.args[0] if call.args else ast.Constant(None)
    keys: list[ast.expr | None] = [
        None if keyword.arg is None else ast.Constant(keyword.arg) for keyword in call.keywords
    ]
    named = ast.Dict(keys, [keyword.value for keyword in call.keywords])
    whole = ast.Tuple([first, named], ast.Load())
    return LogLine(_compiled(whole, line), None if step is None else _step(step, line))


def _step(text: str, line: str) -> CodeType:
    if not text.strip():
        raise _wrong(line, "--step has no value")
    try:
        return _compiled(ast.parse(text.strip(), mode="eval").body, line)
    except (SyntaxError, ValueError) as error:
        raise _wrong(line, f"--step {text.strip()}: {error}") from None


def _compiled(expression: ast.expr, line: str) -> CodeType:
    try:
        return compile(ast.fix_missing_locations(ast.Expression(expression)), "<%log>", "eval")
    except SyntaxError as error:  # as `await`, which only a cell may use
        raise _wrong(line, error.msg) from None


def _part(line: str) -> tuple[str, str | None]:
    """Part the line at ``--step``, where this stands between expressions, not inside one."""
    depth = 0
    before: list[tokenize.TokenInfo] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(line).readline):
            if token.string in ("(", "[", "{"):
                depth += 1
            elif token.string in (")", "]", "}"):
                depth -= 1
            elif depth == 0 and token.string == "step" and [one.string for one in before] == ["-", "-"]:
                start = before[0].start[1]
                joined = before[0].end == before[1].start and before[1].end == token.start
                if joined and (start == 0 or line[start - 1].isspace()):
                    rest = line[token.end[1] :]
                    return line[:start].rstrip().rstrip(","), rest.lstrip().removeprefix("=")
            before = [*before[-1:], token]
    except (tokenize.TokenError, SyntaxError, ValueError):
        pass  # the parser will say what is wrong with it
    return line, None


def _wrong(line: str, why: str | None) -> UsageError:
    return UsageError(f"%log {line.strip()}: {why}", f"Write {_FORM}")
