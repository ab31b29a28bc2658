"""Rules over the columns of a row, as text: ``casual + registered == cnt``. Parsed, never run as code.

The grammar is all there is: numbers, texts in quotes, ``true`` and ``false``, names of columns (odd ones in
back quotes), ``+ - * /``, comparisons (``a <= b <= c`` too), ``is null``, ``is not null``, ``not``, ``and``,
``or``, and brackets. Length and depth are limited.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from provenote.errors import Refused

LONGEST = 500
"""Characters of a rule, at most."""
DEEPEST = 30
"""Brackets and signs inside each other, at most."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?)"
    r"|(?P<text>\"[^\"]*\"|'[^']*')"
    r"|`(?P<quoted>[^`]+)`"
    r"|(?P<word>[^\W\d]\w*)"
    r"|(?P<sign><=|>=|==|!=|[-+*/<>()]))"
)
_WORDS = frozenset({"and", "or", "not", "is", "null", "true", "false"})
_PLAIN = re.compile(r"[^\W\d]\w*")
Comparison = Literal["<", "<=", "==", "!=", ">=", ">"]


class NotARule(Refused):
    """The text is no rule of this grammar."""


@dataclass(frozen=True, slots=True)
class Value:
    """A number, a text, true or false."""

    value: float | int | str | bool


@dataclass(frozen=True, slots=True)
class Name:
    """A column."""

    name: str


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two numbers and a sign between them."""

    sign: Literal["+", "-", "*", "/"]
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Compare:
    """A comparison of two values."""

    sign: Comparison
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class IsNull:
    """Whether a value is missing; with ``negated``, whether it is there."""

    inner: Node
    negated: bool


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary of a statement."""

    inner: Node


@dataclass(frozen=True, slots=True)
class Logic:
    """Two statements that must both hold, or one of them."""

    word: Literal["and", "or"]
    left: Node
    right: Node


Node = Value | Name | Arithmetic | Compare | IsNull | Not | Logic
Statement = (Compare, IsNull, Not, Logic)


@dataclass(frozen=True, slots=True)
class Rule:
    """A parsed rule: its text and its tree."""

    text: str
    tree: Node

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that it speaks of, in their order."""
        return tuple(dict.fromkeys(names(self.tree)))


def parse(text: str) -> Rule:
    """Parse a rule.

    Parameters
    ----------
    text : str

    Raises
    ------
    NotARule
        If it is anything else than a statement of this grammar; the message says where.
    """
    if len(text) > LONGEST:
        raise NotARule(f"the rule has {len(text)} characters; at most {LONGEST} are read")
    reader = _Reader(text, list(_tokens(text)))
    tree = reader.either(0)
    reader.end()
    if not isinstance(tree, Statement):
        raise NotARule(f"{_shown(text)} compares nothing, so it is no rule", "Write one as `cnt >= 0`")
    return Rule(text, tree)


def quoted(name: str) -> str:
    """Return a column's name as it is written in a rule; empty where no rule can name it."""
    if _PLAIN.fullmatch(name) and name not in _WORDS:
        return name
    return "" if "`" in name or not name.isprintable() else f"`{name}`"


def names(node: Node) -> Iterator[str]:
    """Yield the columns that a tree speaks of."""
    if isinstance(node, Name):
        yield node.name
    elif isinstance(node, Arithmetic | Compare | Logic):
        yield from names(node.left)
        yield from names(node.right)
    elif isinstance(node, IsNull | Not):
        yield from names(node.inner)


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    place = 0
    while place < len(text.rstrip()):
        found = _TOKEN.match(text, place)
        if found is None:
            raise NotARule(
                f"{_shown(text)}: character {place + 1} ({text[place : place + 1]!r}) belongs to no rule"
            )
        kind = str(found.lastgroup)
        word = found[kind]
        if kind == "word" and word in _WORDS:
            kind = "sign"
        yield kind, word, found.start(kind)
        place = found.end()


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 80 else text[:77] + "...")


class _Reader:
    """Reads tokens by the grammar, one method for each level of binding."""

    def __init__(self, text: str, tokens: list[tuple[str, str, int]]) -> None:
        self._text, self._tokens, self._place = text, tokens, 0

    def either(self, depth: int) -> Node:
        found = self._both(depth)
        while self._take("or"):
            found = Logic("or", self._statement(found), self._statement(self._both(depth)))
        return found

    def end(self) -> None:
        if self._place < len(self._tokens):
            self._fail(f"{self._tokens[self._place][1]!r} is not expected there")

    def _both(self, depth: int) -> Node:
        found = self._contrary(depth)
        while self._take("and"):
            found = Logic("and", self._statement(found), self._statement(self._contrary(depth)))
        return found

    def _contrary(self, depth: int) -> Node:
        self._deep(depth)
        if self._take("not"):
            return Not(self._statement(self._contrary(depth + 1)))
        return self._comparison(depth)

    def _comparison(self, depth: int) -> Node:
        left = self._sum(depth)
        if self._take("is"):
            negated = self._take("not")
            if not self._take("null"):
                self._fail("'is' is followed by 'null' or 'not null'")
            return IsNull(self._value(left), negated)
        made: Node | None = None
        while (sign := self._one_of("<", "<=", "==", "!=", ">=", ">")) is not None:
            right = self._sum(depth)
            one = Compare(sign, self._value(left), self._value(right))  # type: ignore[arg-type]
            made = one if made is None else Logic("and", made, one)
            left = right
        return left if made is None else made

    def _sum(self, depth: int) -> Node:
        found = self._product(depth)
        while (sign := self._one_of("+", "-")) is not None:
            found = Arithmetic(sign, self._value(found), self._value(self._product(depth)))  # type: ignore[arg-type]
        return found

    def _product(self, depth: int) -> Node:
        found = self._single(depth)
        while (sign := self._one_of("*", "/")) is not None:
            found = Arithmetic(sign, self._value(found), self._value(self._single(depth)))  # type: ignore[arg-type]
        return found

    def _single(self, depth: int) -> Node:
        self._deep(depth)
        if self._take("-"):
            inner = self._value(self._single(depth + 1))
            if isinstance(inner, Value) and isinstance(inner.value, int | float):
                return Value(-inner.value)
            return Arithmetic("-", Value(0), inner)
        if self._take("("):
            found = self.either(depth + 1)
            if not self._take(")"):
                self._fail("a bracket is not closed")
            return found
        if self._place >= len(self._tokens):
            self._fail("it ends too early")
        kind, word, _ = self._tokens[self._place]
        if kind == "sign" and word not in ("true", "false"):
            self._fail(f"{word!r} is not expected there")
        self._place += 1
        if kind == "number":
            number = float(word) if set(word) & set(".eE") else int(word)
            if number - number != 0 or abs(number) > 2**63 - 1 and isinstance(number, int):
                self._fail(f"the number {word[:30]} is too large")
            return Value(number)
        if kind == "text":
            return Value(word[1:-1])
        return Value(word == "true") if kind == "sign" else Name(word)

    def _deep(self, depth: int) -> None:
        if depth > DEEPEST:
            self._fail("it is nested too deeply")

    def _take(self, word: str) -> bool:
        return self._one_of(word) is not None

    def _one_of(self, *words: str) -> str | None:
        if self._place < len(self._tokens):
            kind, word, _ = self._tokens[self._place]
            if kind == "sign" and word in words:
                self._place += 1
                return word
        return None

    def _value(self, node: Node) -> Node:
        if isinstance(node, Statement):
            self._fail("a comparison stands where a value must be")
        return node

    def _statement(self, node: Node) -> Node:
        if not isinstance(node, Statement):
            self._fail("a value stands where a comparison must be")
        return node

    def _fail(self, why: str) -> None:
        raise NotARule(f"{_shown(self._text)}: {why}", "The grammar is in docs/reference/contract.md")
