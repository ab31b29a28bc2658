"""The grammar of the query language: a cursor that reads text into clauses, by recursive descent.

::

    query      = [ any ]
    any        = all { "or" all }
    all        = one { "and" one }
    one        = "not" one | "(" any ")" | field [ test ]
    test       = ( "==" | "=" | "!=" | "<" | "<=" | ">" | ">=" | "~" ) value
               | [ "not" ] "in" "(" value { "," value } ")"
    field      = name { "." name | "[" text "]" } | "[" text "]" { ... }
    value      = text in quotes | number | word

What a word means depends on its field: a time for ``started``, a text for ``status``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NoReturn, get_args

from provenote.compare.clauses import (
    FIELDS,
    FLAGS,
    KEYED,
    RESERVED,
    TEXTS,
    TIMES,
    Among,
    And,
    Clause,
    Compare,
    Everything,
    Field,
    Has,
    Not,
    Or,
)
from provenote.compare.values import Ago, Value, as_moment, as_number, as_span
from provenote.errors import UsageError
from provenote.model import Linearity, Status

DEPTH = 50
"""How deep parentheses and ``not`` may nest."""
CHOICES: dict[str, tuple[str, ...]] = {"status": get_args(Status), "linearity": get_args(Linearity)}
"""Fields whose values are known words: another one is a mistake."""

_SPACE = re.compile(r"\s*")
_NAME = re.compile(r"[^\W\d][\w-]*")
_KEY = re.compile(r"\w[\w-]*")
_OP = re.compile(r"==|!=|<=|>=|<|>|=|~")
_WORD = re.compile(r"[^\s()\[\],\"'=<>!~]+")
_TEXT = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'", re.DOTALL)


class QueryError(UsageError):
    """A query that cannot be read.

    Parameters
    ----------
    what, mend : str
        As in `ProvenoteError`.
    column : int
        Where, counted from 1.
    """

    def __init__(self, what: str, mend: str | None = None, column: int = 0) -> None:
        super().__init__(what, mend)
        self.column = column

    def __reduce__(self) -> tuple[type[QueryError], tuple[str, str | None, int]]:  # type: ignore[override]
        """Keep the column when pickled."""
        return type(self), (self.what, self.mend, self.column)


def read_query(text: str) -> Clause:
    """Read a query.

    Raises
    ------
    QueryError
        Where it cannot be read.
    """
    return _Reader(text).query()


def read_field(text: str) -> Field:
    """Read one field, and nothing behind it.

    Raises
    ------
    QueryError
        If ``text`` is not a field.
    """
    reader = _Reader(text)
    field = reader.field()
    if reader.peek():
        reader.fail("the end of the field")
    return field


class _Reader:
    """A cursor over the text; each method reads one rule of the grammar and moves on."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def query(self) -> Clause:
        if not self.peek():
            return Everything()
        clause = self.any()
        if self.peek():
            self.fail("'and', 'or' or the end")
        return clause

    def any(self) -> Clause:
        return self.joined("or", self.all, Or)

    def all(self) -> Clause:
        return self.joined("and", self.one, And)

    def joined(
        self, word: str, part: Callable[[], Clause], join: Callable[[tuple[Clause, ...]], Clause]
    ) -> Clause:
        found = [part()]
        while self.take_word(word):
            found.append(part())
        return found[0] if len(found) == 1 else join(tuple(found))

    def one(self) -> Clause:
        self.depth += 1
        if self.depth > DEPTH:
            self.fail(f"at most {DEPTH} levels of parentheses and 'not'")
        try:
            if self.take_word("not"):
                return Not(self.one())
            if self.take("("):
                clause = self.any()
                self.expect(")")
                return clause
            return self.test()
        finally:
            self.depth -= 1

    def test(self) -> Clause:
        field = self.field()
        start = self.at
        if self.take_word("not"):
            if self.take_word("in"):
                return Not(Among(field, self.values(field)))
            self.at = start
        if self.take_word("in"):
            return Among(field, self.values(field))
        self.peek()
        op = _OP.match(self.text, self.at)
        if not op:
            if self.peek() and self.peek() not in ")" and not self.ahead(("and", "or")):
                self.fail("a comparison as < or ==")
            return Has(field)
        self.at = op.end()
        meaning = "==" if op[0] == "=" else op[0]
        return Compare(field, meaning, self.value(field, meaning))

    def field(self) -> Field:
        self.peek()
        name = _NAME.match(self.text, self.at)
        if name and name[0].lower() in RESERVED:
            self.fail("a field as status or metrics.rmse")
        path: list[str] = []
        if name:
            self.at = name.end()
            path.append(name[0])
        elif self.text[self.at : self.at + 1] != "[":
            self.fail("a field as status or metrics.rmse")
        while self.text[self.at : self.at + 1] in (".", "["):
            if path and path[0] in FIELDS and path[0] not in KEYED:
                self.fail(f"a comparison, since {path[0]} has no parts")
            path.append(self.key())
        if path[0] in KEYED and len(path) == 1:
            self.fail(f'a key, as {path[0]}.depth or {path[0]}["a b"]')
        return Field(tuple(path))

    def key(self) -> str:
        if self.text[self.at] == ".":
            key = _KEY.match(self.text, self.at + 1)
            if not key:
                self.at += 1
                self.fail('a name after the dot; other keys as ["train/loss"]')
            self.at = key.end()
            return key[0]
        self.at += 1
        self.peek()
        key = _TEXT.match(self.text, self.at)
        if not key:
            self.fail('a key in quotes, as ["train/loss"]')
        self.at = key.end()
        self.expect("]")
        return _unquoted(key)

    def values(self, field: Field) -> tuple[Value, ...]:
        self.expect("(")
        found = [self.value(field, "==")]
        while self.take(","):
            found.append(self.value(field, "=="))
        self.expect(")")
        return tuple(found)

    def value(self, field: Field, op: str) -> Value:
        self.peek()
        start = self.at
        quoted = _TEXT.match(self.text, self.at)
        word = _WORD.match(self.text, self.at)
        if quoted:
            self.at, text = quoted.end(), _unquoted(quoted)
        elif word and word[0].lower() not in RESERVED:
            self.at, text = word.end(), word[0]
        else:
            self.fail("a closing quote" if self.peek() in ("'", '"') else "a value")
        if not quoted and text.lower() in ("null", "none"):
            return None
        expected, value = _typed(field, op, text, bool(quoted))
        if expected:
            self.at = start
            self.fail(expected)
        return value

    def peek(self) -> str:
        """Skip white space; return the next character, empty at the end."""
        space = _SPACE.match(self.text, self.at)
        self.at = space.end() if space else self.at
        return self.text[self.at : self.at + 1]

    def take(self, mark: str) -> bool:
        found = self.peek() == mark
        self.at += found
        return found

    def expect(self, mark: str) -> None:
        if not self.take(mark):
            self.fail(f"'{mark}'")

    def ahead(self, words: tuple[str, ...]) -> bool:
        self.peek()
        name = _KEY.match(self.text, self.at)
        return bool(name and name[0].lower() in words)

    def take_word(self, word: str) -> bool:
        found = self.ahead((word,))
        self.at += len(word) * found
        return found

    def fail(self, expected: str) -> NoReturn:
        rest = self.text[self.at :].lstrip()
        found = f"found {rest[:12]!r}" if rest else "found the end"
        at = len(self.text) - len(rest) + 1 if rest else len(self.text) + 1
        raise QueryError(
            f"query, column {at}: expected {expected}, {found}", "The language: `provenote runs --help`", at
        )


def _typed(field: Field, op: str, text: str, quoted: bool) -> tuple[str, Value]:
    """Return what was expected (empty if it is fine) and the value that ``text`` is for ``field``."""
    head = field.path[0]
    if op == "~" and head not in (*TIMES, "duration", *FLAGS):
        return "", text
    if head in TEXTS:
        known = CHOICES.get(head, ())
        wrong = known and op in ("==", "!=") and text not in known
        return (f"one of {', '.join(known)}" if wrong else ""), text
    if head in TIMES:
        span = as_span(text)
        time_ = Ago(span) if span is not None else as_moment(text)
        return ("" if time_ and op != "~" else "a time as 2026-11-01, or 7d for seven days ago"), time_
    if head == "duration":
        seconds = as_span(text)
        seconds = as_number(text) if seconds is None else seconds
        return ("" if seconds is not None and op != "~" else "a duration as 90s, 5m or 1.5h"), seconds
    if head in FLAGS:
        flag = {"true": True, "false": False}.get(text.lower())
        return ("" if flag is not None and op in ("==", "!=") else "== true or == false"), flag
    if quoted or head not in KEYED and not field.bare:
        return "", text
    if text.lower() in ("true", "false"):
        return "", text.lower() == "true"
    value = as_number(text)
    return "", text if value is None else value


def _unquoted(found: re.Match[str]) -> str:
    body = found[1] if found[1] is not None else found[2]
    return re.sub(r"\\([\\\"'])", r"\1", body)
