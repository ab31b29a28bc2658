"""Strict YAML: the part of it that has one meaning, and tables that must be read to their last key.

`read` takes maps, lists, texts, whole numbers (where asked for, any finite number), booleans and null; it
refuses anchors, aliases, tags, directives, merge keys, duplicate keys, several documents, and what is too
large or too deep. `Table` hands out the values by name and type; `Table.done` refuses what nobody asked for.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn, TypeVar

from provenote.errors import Refused

LARGEST = 256 * 1024
DEEPEST = 12
T = TypeVar("T")
_MISSING: Any = object()
_NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]{0,18})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_PREFIX = "tag:yaml.org,2002:"


class NotStrict(Refused):
    """The text is not the strict YAML that was asked for."""


def read(content: bytes, *, numbers: bool = False, largest: int = LARGEST) -> dict[str, Any]:
    """Read one map.

    Parameters
    ----------
    content : bytes
    numbers : bool
        Whether numbers may also be negative or have a fraction.
    largest : int
        Bytes that are read at most.

    Raises
    ------
    NotStrict
        If it is anything else; the message says where.
    """
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    if len(content) > largest:
        raise NotStrict(f"the file has {len(content)} bytes; at most {largest} are read")
    try:
        text = content.decode("utf-8")
        for token in yaml.scan(text, Loader=loader):
            if isinstance(token, (yaml.AnchorToken, yaml.AliasToken, yaml.TagToken, yaml.DirectiveToken)):
                _refuse(token, "anchors, aliases, tags and directives are not allowed")
        node = yaml.compose(text, Loader=loader)
        made = _plain(node, 0, numbers)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise NotStrict(f"the file is no YAML: {' '.join(str(error).split())}") from error
    except RecursionError:
        raise NotStrict("the file is nested too deeply") from None
    if not isinstance(made, dict):
        raise NotStrict("the file is no map")
    return made


def _plain(node: Any, depth: int, numbers: bool) -> Any:
    import yaml

    if depth > DEEPEST:
        _refuse(node, "the file is nested too deeply")
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, depth + 1, numbers) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        made: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag != _PREFIX + "str":
                _refuse(key_node, "a key is no text (put it in quotes)")
            if key_node.value in made:
                _refuse(key_node, f"the key {key_node.value!r} stands there twice")
            made[key_node.value] = _plain(value_node, depth + 1, numbers)
        return made
    if not isinstance(node, yaml.ScalarNode):
        return None
    kind = node.tag.removeprefix(_PREFIX)
    if kind == "str" and not (numbers and not node.style and _NUMBER.fullmatch(node.value)):
        return node.value
    if kind == "bool" and node.value.lower() in ("true", "false"):
        return node.value.lower() == "true"
    if kind == "int" and re.fullmatch(r"0|[1-9][0-9]{0,15}", node.value, re.ASCII):
        return int(node.value)
    if numbers and kind in ("int", "float", "str") and _NUMBER.fullmatch(node.value):
        number = float(node.value) if set(node.value) & set(".eE") else int(node.value)
        if number - number == 0:  # neither infinite nor too large for a float
            return number
    if kind == "null" and node.value in ("", "null", "~"):
        return None
    _refuse(node, f"{node.value!r} is neither text, whole number, true nor false (put a text in quotes)")


def _refuse(node: Any, why: str) -> NoReturn:
    raise NotStrict(f"line {node.start_mark.line + 1}: {why}")


class Table:
    """A map whose keys are asked for one by one.

    Parameters
    ----------
    values : dict
        The map, as `read` gives it.
    place : str
        Where it is, for messages.
    """

    def __init__(self, values: Any, place: str) -> None:
        if not isinstance(values, dict):
            raise NotStrict(f"{place} must be a map")
        self._values = values
        self._place = place
        self._asked: set[str] = set()

    def _get(self, name: str, default: Any, kind: type, word: str) -> Any:
        self._asked.add(name)
        value = self._values.get(name)
        if value is None:
            if default is _MISSING:
                raise NotStrict(f"{self._place} lacks {name!r}")
            return default
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise NotStrict(f"{name!r} in {self._place} must be {word}")
        return value

    def has(self, name: str) -> bool:
        """Whether the map holds this key, whatever its value."""
        return name in self._values

    def any(self, name: str) -> Any:
        """Return whatever stands there, or None; who asks checks it."""
        self._asked.add(name)
        return self._values.get(name)

    def text(self, name: str, pattern: re.Pattern[str] | None = None, *, default: str = _MISSING) -> str:
        """Return a text, of this form where one is given."""
        value: str = self._get(name, default, str, "a text")
        if pattern is not None and not pattern.fullmatch(value):
            raise NotStrict(f"{name!r} in {self._place} is {ascii(value[:80])}, which has not the right form")
        return value

    def whole(self, name: str, least: int, *, default: int | None = _MISSING) -> Any:
        """Return a whole number of at least ``least``."""
        value = self._get(name, default, int, "a whole number")
        if value is not None and value < least:
            raise NotStrict(f"{name!r} in {self._place} must be at least {least}")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """Return true or false."""
        value: bool = self._get(name, default, bool, "true or false")
        return value

    def texts(self, name: str, default: tuple[str, ...] = _MISSING) -> tuple[str, ...]:
        """Return a list of texts; a single text is a list of one."""
        self._asked.add(name)
        value = self._values.get(name)
        if isinstance(value, str):
            return (value,)
        listed = self._get(name, default, (list, tuple), "a list of texts")  # type: ignore[arg-type]
        if not all(isinstance(item, str) for item in listed):
            raise NotStrict(f"{name!r} in {self._place} must be a list of texts")
        return tuple(listed)

    def table(self, name: str) -> Table:
        """Return a map inside this one."""
        return Table(self._get(name, _MISSING, dict, "a map"), f"{name!r} of {self._place}")

    def maybe(self, name: str) -> Table | None:
        """Return a map inside this one, or None when it is not there."""
        return (
            self.table(name) if self._values.get(name) is not None else self._get(name, None, dict, "a map")
        )

    def tables(self, name: str) -> dict[str, Table]:
        """Return a map of maps."""
        inner = self._get(name, _MISSING, dict, "a map")
        return {key: Table(value, f"{key!r} of {name!r}") for key, value in inner.items()}

    def lists(self, name: str) -> dict[str, tuple[str, ...]]:
        """Return a map of lists of texts."""
        inner = self.table(name)
        return {key: inner.texts(key) for key in inner._values}

    def rows(self, name: str, default: tuple[Any, ...] = _MISSING) -> list[Table]:
        """Return a list of maps."""
        listed = self._get(name, default, (list, tuple), "a list")  # type: ignore[arg-type]
        return [Table(item, f"entry {place} of {name!r}") for place, item in enumerate(listed, 1)]

    def free(self, name: str) -> dict[str, Any]:
        """Return a map whose content is nobody's business here; empty when it is not there."""
        inner: dict[str, Any] = self._get(name, {}, dict, "a map")
        return inner

    def done(self, made: T) -> T:
        """Return ``made`` if every key of the map was asked for.

        Raises
        ------
        NotStrict
            If one was not: an older reader must not overlook a newer rule.
        """
        unknown = sorted(set(self._values) - self._asked)
        if unknown:
            known = f"{self._place} holds {ascii(unknown[0])}, which this version of Provenote does not know"
            raise NotStrict(known, "Upgrade it: `pip install --upgrade provenote`")
        return made
