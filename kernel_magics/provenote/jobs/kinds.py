"""The types a notebook parameter can have, and how a value is read and checked against one.

A kind comes from an annotation (``depth: int | None``) or, without one, from the default value.
What an annotation means is read from its syntax alone: nothing of the notebook is executed.
"""

from __future__ import annotations

import ast
import json
import math
from dataclasses import dataclass
from typing import Any

_PLAIN = {"int": "int", "float": "float", "bool": "bool", "str": "str", "None": "None", "NoneType": "None"}
_CONTAINERS = {
    "list": "list", "List": "list", "Sequence": "list", "Iterable": "list", "Collection": "list",
    "dict": "dict", "Dict": "dict", "Mapping": "dict",
    "tuple": "tuple", "Tuple": "tuple",
}  # fmt: skip
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None, "none": None}


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of a parameter.

    Parameters
    ----------
    name : str
        ``int``, ``float``, ``bool``, ``str``, ``None``, ``list``, ``tuple``, ``dict``, ``choice``,
        ``union``, ``secret`` or ``any``.
    inner : tuple of Kind
        The options of a union, the element of a list or tuple, key and value of a dict.
    choices : tuple
        The values of a ``Literal``.
    """

    name: str
    inner: tuple[Kind, ...] = ()
    choices: tuple[Any, ...] = ()

    def __str__(self) -> str:
        if self.name == "union":
            return " or ".join(map(str, self.inner))
        if self.name == "choice":
            return "one of " + ", ".join(map(repr, self.choices))
        if self.inner:
            return f"{self.name}[{', '.join(map(str, self.inner))}]"
        return "any value" if self.name == "any" else self.name

    def takes_text(self) -> bool:
        """Whether a bare word can be a value of this kind."""
        return self.name in ("str", "any") or any(
            option.takes_text() for option in self.inner if self.name == "union"
        )


ANY = Kind("any")


class Secret(str):
    """A secret by reference, ``env:API_TOKEN``: the only thing of it that is ever written down."""

    __slots__ = ()

    @property
    def variable(self) -> str:
        """The environment variable that holds its value."""
        return self.removeprefix("env:")


def from_annotation(node: ast.expr | None) -> Kind:
    """Return the kind that an annotation means; `ANY` for a type we do not know."""
    if isinstance(node, ast.Constant) and node.value is None:
        return Kind("None")
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:  # a quoted annotation
            return from_annotation(ast.parse(node.value, mode="eval").body)
        except SyntaxError:
            return ANY
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union(from_annotation(node.left), from_annotation(node.right))
    if isinstance(node, ast.Subscript):
        return _subscript(_last(node.value), node.slice)
    name = _last(node)
    if name == "Secret":
        return Kind("secret")
    if name in _PLAIN:
        return Kind(_PLAIN[name])
    return Kind(_CONTAINERS[name]) if name in _CONTAINERS else ANY


def from_default(value: Any) -> Kind:
    """Return the kind of a parameter that has no annotation, from its default."""
    for kind, types in (("bool", bool), ("int", int), ("float", float), ("str", str), ("list", list),
                        ("tuple", tuple), ("dict", dict)):  # fmt: skip
        if isinstance(value, types):
            return Kind(kind)
    return ANY


def literal(text: str) -> Any:
    """Read a JSON or Python literal.

    Raises
    ------
    ValueError
        If the text is neither.
    """
    stripped = text.strip()
    if stripped.lower() in _WORDS:
        return _WORDS[stripped.lower()]
    try:
        return ast.literal_eval(stripped)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        pass
    try:
        return json.loads(stripped)
    except (ValueError, RecursionError):
        pass
    try:
        return float(stripped)  # nan, inf
    except ValueError:
        raise ValueError(f"{text!r} is no literal") from None


def read(kind: Kind, text: str) -> Any:
    """Read a value of ``kind`` from what was typed in a shell.

    Raises
    ------
    ValueError
        If the text is no value of that kind.
    """
    if kind.name == "union":
        # The narrow options first: "5" is a number for `int | str`, "none" is None for `str | None`.
        for option in sorted(kind.inner, key=lambda option: _ORDER.get(option.name, 0)):
            try:
                return read(option, text)
            except ValueError:
                continue
        raise ValueError(text)
    if kind.name == "choice":
        for choice in kind.choices:
            if text == str(choice) or (not isinstance(choice, str) and _same(text, choice)):
                return choice
        return check(kind, literal(text))
    if kind.name == "str":
        return _unquoted(text)
    if kind.name == "any":
        try:
            return check(kind, literal(text))
        except ValueError:
            return text
    if kind.name == "int":
        return int(text, 0) if text.strip().lower()[:2] in ("0x", "0b", "0o") else int(text)
    if kind.name == "float":
        return float(text)
    return check(kind, literal(text))


_ORDER = {"None": -3, "bool": -2, "choice": -2, "int": -1, "float": 0, "any": 8, "str": 9}


def check(kind: Kind, value: Any) -> Any:
    """Return ``value`` as a value of ``kind`` (an int becomes a float where one is expected).

    Raises
    ------
    ValueError
        If it is none, or cannot be kept in a job's specification.
    """
    if (
        hasattr(value, "item")
        and not isinstance(value, (list, tuple, dict))
        and getattr(value, "ndim", 0) == 0
    ):
        value = value.item()  # a NumPy scalar
    if kind.name == "union":
        for option in sorted(kind.inner, key=lambda option: _ORDER.get(option.name, 0)):
            try:
                return check(option, value)
            except ValueError:
                continue
        raise ValueError(value)
    if kind.name == "any":
        return _plain(value)
    if kind.name == "choice":
        for choice in kind.choices:
            if choice == value and type(choice) is type(value):
                return choice
        raise ValueError(value)
    if kind.name == "None" and value is None:
        return None
    if kind.name == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind.name in ("list", "tuple") and isinstance(value, (list, tuple)):
        return _elements(kind, value)
    if kind.name == "dict" and isinstance(value, dict):
        key, item = kind.inner if len(kind.inner) == 2 else (ANY, ANY)
        return {check(key, k): check(item, v) for k, v in value.items()}
    if type(value).__name__ == kind.name and kind.name in ("int", "float", "bool", "str"):
        return value
    raise ValueError(value)


def source(value: Any) -> str:
    """Return Python source that makes ``value`` again; of a secret, that takes it from its variable."""
    if isinstance(value, Secret):
        return f'__import__("os").environ["{value.variable}"]'
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, list):
        return f"[{', '.join(map(source, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(source, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{source(k)}: {source(v)}" for k, v in value.items()) + "}"
    return repr(value)


def jsonable(value: Any) -> Any:
    """Return ``value`` as strict JSON: NaN and infinity travel as text, a tuple as a list."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    return value


def _elements(kind: Kind, value: list[Any] | tuple[Any, ...]) -> Any:
    if kind.name == "list":
        element = kind.inner[0] if kind.inner else ANY
        return [check(element, item) for item in value]
    if len(kind.inner) > 1:
        if len(kind.inner) != len(value):
            raise ValueError(value)
        return tuple(check(element, item) for element, item in zip(kind.inner, value, strict=True))
    return tuple(check(kind.inner[0] if kind.inner else ANY, item) for item in value)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return type(value)(map(_plain, value))
    if isinstance(value, dict):
        return {_plain(k): _plain(v) for k, v in value.items()}
    raise ValueError(value)


def _same(text: str, choice: Any) -> bool:
    try:
        value = literal(text)
    except ValueError:
        return False
    return bool(value == choice and type(value) is type(choice))


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] in "\"'" and text[-1] == text[0]:
        try:
            value = literal(text)
        except ValueError:
            return text
        return value if isinstance(value, str) else text
    return text


def _last(node: ast.expr | None) -> str:
    """Return ``Optional`` of ``typing.Optional``."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _union(*options: Kind) -> Kind:
    flat: list[Kind] = []
    for option in options:
        flat += option.inner if option.name == "union" else (option,)
    return Kind("union", tuple(dict.fromkeys(flat)))


def _subscript(name: str, node: ast.expr) -> Kind:
    nodes = node.elts if isinstance(node, ast.Tuple) else [node]
    if name == "Optional":
        return _union(from_annotation(node), Kind("None"))
    if name == "Union":
        return _union(*map(from_annotation, nodes))
    if name == "Literal":
        try:
            return Kind("choice", choices=tuple(ast.literal_eval(item) for item in nodes))
        except ValueError:
            return ANY
    if name == "Annotated":
        return from_annotation(nodes[0])
    if name in _CONTAINERS:
        kept = [item for item in nodes if not (isinstance(item, ast.Constant) and item.value is Ellipsis)]
        return Kind(_CONTAINERS[name], tuple(map(from_annotation, kept)))
    return ANY
