"""The parameters of a notebook: what its tagged cell declares, and values strictly checked against it.

The cell tagged ``parameters`` is parsed, never executed. Only a name that it declares can be given,
so a value can never smuggle code in through its name, and a typing mistake never runs with the default.
"""

from __future__ import annotations

import ast
import difflib
import io
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provenote.errors import UsageError
from provenote.jobs import guard, kinds
from provenote.jobs.kinds import Kind

MISSING: Any = object()
"""Marks a parameter without a default that can be read."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One declared parameter.

    Parameters
    ----------
    name : str
        Its identifier.
    kind : Kind
        Its type, from the annotation or the default.
    default : object
        The default, or `MISSING` where there is none or it is no literal.
    text : str
        The default as it is written in the cell; empty where the parameter must be given.
    help : str
        The comment behind it.
    """

    name: str
    kind: Kind
    default: Any = MISSING
    text: str = ""
    help: str = ""

    @property
    def required(self) -> bool:
        """Whether the cell leaves it without a value."""
        return not self.text


def declared(cell: str) -> list[Parameter]:
    """Return the parameters that the source of a parameters cell declares, in its order.

    Raises
    ------
    UsageError
        If the cell is not Python.
    """
    lines = [("pass" if line.lstrip().startswith(("%", "!")) else line) for line in cell.splitlines()]
    code = "\n".join(lines)
    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        raise UsageError(
            f"the parameters cell is not Python (line {error.lineno}: {error.msg})",
            "Keep it to plain assignments, as `depth: int = 6  # depth of a tree`",
        ) from error
    comments = _comments(code)
    found: dict[str, Parameter] = {}
    for statement in tree.body:
        remark = comments.get(statement.end_lineno or statement.lineno, "")
        for name, annotation, value in _assigned(statement):
            default = _literal(value)
            kind = kinds.from_annotation(annotation) if annotation else kinds.from_default(default)
            text = (ast.get_source_segment(code, value) or ast.unparse(value)) if value else ""
            found[name] = Parameter(name, kind, default, text, remark)
    return list(found.values())


def split(assignment: str) -> tuple[str, str]:
    """Split ``name=value`` at its first equals sign.

    Raises
    ------
    UsageError
        If there is none.
    """
    name, equals, text = assignment.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"{assignment!r} is no parameter", "Write `-p name=value`")
    return name.strip(), text


def given(
    assignments: Sequence[str] | Mapping[str, Any],
    known: Sequence[Parameter],
    names: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Check what was given against what is declared.

    Parameters
    ----------
    assignments : sequence of str, or mapping
        ``name=value`` as typed, or Python values by name.
    known : sequence of Parameter
        What the notebook declares.
    names : mapping, optional
        The notebook's namespace: a value may then be an expression over it.

    Returns
    -------
    dict
        Checked values, in the order given.

    Raises
    ------
    UsageError
        If a name is unknown, given twice or holds a secret, or a value has another type.
    """
    values: dict[str, Any] = {}
    if isinstance(assignments, Mapping):
        for name, value in assignments.items():
            values[name] = checked(find(str(name), known), value)
        return values
    for assignment in assignments:
        name, text = split(assignment)
        if name in values:
            raise UsageError(
                f"parameter {name} is given twice", f"Give it once, or span a grid: `sweep -g {name}=...`"
            )
        values[name] = value_of(find(name, known), text, names)
    return values


def complete(values: Mapping[str, Any], known: Sequence[Parameter]) -> dict[str, Any]:
    """Return every parameter of the run: the defaults that can be read, and the values given.

    Raises
    ------
    UsageError
        If a parameter has neither a default nor a value.
    """
    missing = [p.name for p in known if p.required and p.name not in values]
    if missing:
        raise UsageError(
            f"parameter {missing[0]} has no value in the parameters cell", f"Give it: `-p {missing[0]}=...`"
        )
    return {**defaults(known), **values}


def defaults(known: Sequence[Parameter]) -> dict[str, Any]:
    """Return the defaults that can be read, secrets apart."""
    return {p.name: p.default for p in known if p.default is not MISSING and p.kind.name != "secret"}


def find(name: str, known: Sequence[Parameter]) -> Parameter:
    """Return the declared parameter ``name``.

    Raises
    ------
    UsageError
        If the notebook does not declare it; the nearest name is proposed.
    """
    for parameter in known:
        if parameter.name == name:
            return parameter
    if not name.isidentifier():
        raise UsageError(
            f"{name!r} is no name of a parameter", "A name has letters, digits and underscores only"
        )
    near = difflib.get_close_matches(name, [p.name for p in known], n=1, cutoff=0.5)
    listing = ", ".join(p.name for p in known) or "none"
    raise UsageError(
        f"the notebook declares no parameter {name}",
        f"Did you mean {near[0]}" if near else f"Declared: {listing}",
    )


def value_of(parameter: Parameter, text: str, names: Mapping[str, Any] | None = None) -> Any:
    """Read one value as it was typed.

    Raises
    ------
    UsageError
        If it has another type, or is a secret.
    """
    secret = guard.reference(parameter, text)
    if secret is not None:
        return secret
    found = expression(text, names)
    return _readable(parameter, text) if found is MISSING else checked(parameter, found)


def expression(text: str, names: Mapping[str, Any] | None) -> Any:
    """Evaluate ``text`` over a notebook's namespace; `MISSING` if it is a literal or plain text.

    Only the notebook's own user types such text, in that very notebook: it has the rights of a cell.

    Raises
    ------
    UsageError
        If it uses names of the notebook and fails.
    """
    if names is None:
        return MISSING
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError):
        return MISSING
    used = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    calls = any(isinstance(node, (ast.Call, ast.ListComp)) for node in ast.walk(tree))
    if not calls and not any(name in names for name in used):
        return MISSING
    try:
        return eval(compile(tree, "<parameter>", "eval"), dict(names))
    except Exception as error:
        raise UsageError(
            f"{text!r} cannot be evaluated in this notebook ({type(error).__name__}: {error})",
            "Put a text in quotes",
        ) from error


def _readable(parameter: Parameter, text: str) -> Any:
    try:
        return guard.guarded(parameter, kinds.read(parameter.kind, text))
    except (ValueError, OverflowError):
        raise _mistyped(parameter, text) from None


def checked(parameter: Parameter, value: Any) -> Any:
    """Return a Python value as one of the parameter's kind.

    Raises
    ------
    UsageError
        If it is none, or a secret.
    """
    secret = guard.reference(parameter, value)
    if secret is not None:
        return secret
    try:
        return guard.guarded(parameter, kinds.check(parameter.kind, value))
    except ValueError:
        raise _mistyped(parameter, value) from None


def _mistyped(parameter: Parameter, value: Any) -> UsageError:
    shown = value if isinstance(value, str) else repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    if parameter.kind.name == "secret":
        return guard.refusal(parameter.name)
    example = parameter.text if parameter.default is not MISSING else ""
    return UsageError(
        f"parameter {parameter.name} takes {parameter.kind}, not {shown}",
        f"Its default is {example}" if example else None,
    )


def _literal(node: ast.expr | None) -> Any:
    if node is None:
        return MISSING
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        pass
    # float("nan") is the one call that every such cell may need.
    call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
    if call and isinstance(node, ast.Call) and len(node.args) == 1 and isinstance(node.args[0], ast.Constant):
        try:
            return float(str(node.args[0].value))
        except ValueError:
            return MISSING
    return MISSING


def _assigned(statement: ast.stmt) -> list[tuple[str, ast.expr | None, ast.expr | None]]:
    """Return ``(name, annotation, value)`` of each name that a statement assigns."""
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return [(statement.target.id, statement.annotation, statement.value)]
    found: list[tuple[str, ast.expr | None, ast.expr | None]] = []
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Name):
                found.append((target.id, None, statement.value))
            elif isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple):
                pairs = zip(target.elts, statement.value.elts, strict=False)
                found += [(name.id, None, value) for name, value in pairs if isinstance(name, ast.Name)]
    return found


def _comments(code: str) -> dict[int, str]:
    """Return the comment at the end of each line."""
    found: dict[int, str] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            if token.type == tokenize.COMMENT:
                found[token.start[0]] = token.string.lstrip("# ").strip()
    except (tokenize.TokenError, IndentationError):
        pass  # the cell was parsed before: only its comments are lost
    return found
