"""Read the cells of an executed notebook, of whatever format, as what can be compared. Pure.

Formats 3 and 4 are read, with and without cell ids; what a later one adds is passed over. Two outputs are
the same when nothing but chance parts them: prompt numbers, addresses of objects, random ids and the words
that progress bars overwrote don't count, nor do our own blocks below a tracked cell.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

INJECTED = "injected-parameters"
"""The tag of the cell that papermill writes, which takes the place of an id: its own differs by content."""

_CHANCE = {  # by what each has in it, which is found much faster than the whole
    "0x": re.compile(r"\b0x[0-9a-fA-F]{6,16}\b"),  # the address of an object
    "-": re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"),  # a random id
    "T_": re.compile(r"\bT_[0-9a-f]{5}(?=[_\"' ])"),  # that of a styled table of pandas
}
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_TAG = re.compile(r"<(?:(style|script)\b|(!--))?", re.I)
_END = {
    "style": re.compile(r"</style\s*>", re.I),
    "script": re.compile(r"</script\s*>", re.I),
    "!--": re.compile("-->"),
    "": re.compile(">"),
}
_OURS = re.compile(r'\s*<div class="pn[" ]')
_PASSED = ("application/vnd.jupyter.widget", "application/vnd.provenote")
_V3 = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "svg": "image/svg+xml",
    "html": "text/html",
    "text": "text/plain",
}


class NotReadable(ValueError):
    """Says why bytes are no notebook that we can read."""


@dataclass(frozen=True)
class Output:
    """One output of a cell.

    Parameters
    ----------
    kind : str
        ``stream``, ``result`` (a display or a result) or ``error``.
    name : str
        ``stdout`` or ``stderr`` of a stream, the name of an error.
    data : dict
        Its forms by MIME type, as text; pictures in base 64.
    """

    kind: str
    name: str
    data: Mapping[str, str]

    @cached_property
    def text(self) -> str:
        """What a reader without pictures sees of it, chance taken out."""
        words = self.data.get("text/plain")
        if words is None:
            words = self.data.get("text/markdown") or self.data.get("text/latex")
        if words is None and "text/html" in self.data:
            spaced = html.unescape(untagged(self.data["text/html"]))
            words = "\n".join(" ".join(line.split()) for line in spaced.splitlines())
        return settled(words or "")

    @cached_property
    def picture(self) -> tuple[str, str] | None:
        """Its picture as MIME type and content, None without one."""
        return next(((mime, body) for mime, body in self.data.items() if mime.startswith("image/")), None)

    @cached_property
    def digest(self) -> str:
        """A digest of all its forms, chance taken out: equal for equal outputs."""
        found = hashlib.blake2b(f"{self.kind}\0{self.name}".encode("utf-8", "replace"), digest_size=16)
        for mime, body in sorted(self.data.items()):
            plain = body if mime in ("image/png", "image/jpeg", "image/gif") else settled(body)
            found.update(f"\0{mime}\0{len(plain)}\0".encode("utf-8", "replace"))
            found.update(plain.encode("utf-8", "replace"))
        return found.hexdigest()


@dataclass(frozen=True)
class NotebookCell:
    """One cell as it ran.

    Parameters
    ----------
    id : str
        What names it in other runs of the notebook, empty where nothing does.
    kind : str
        ``code``, ``markdown`` or ``raw``.
    source : str
    outputs : tuple of Output
    """

    id: str
    kind: str
    source: str
    outputs: tuple[Output, ...] = ()

    @cached_property
    def text(self) -> str:
        """Its outputs as text, one below the other; pictures are compared by themselves."""
        return "\n".join(one.text for one in self.outputs if one.text and not one.picture)

    @cached_property
    def lines(self) -> frozenset[str]:
        """The lines of its source, by which cells without an id are known again."""
        return frozenset(line.strip() for line in self.source.splitlines()) - {""}

    @cached_property
    def pictures(self) -> tuple[Output, ...]:
        """Its outputs that are pictures."""
        return tuple(one for one in self.outputs if one.picture)

    @cached_property
    def digest(self) -> tuple[str, ...]:
        """The digests of its outputs, in their order."""
        return tuple(one.digest for one in self.outputs)


def untagged(markup: str) -> str:
    """Return HTML without its tags, comments, styles and scripts, in time in proportion to its length.

    What is opened and never closed stays, as a browser that repairs the page would show part of it.
    """
    made: list[str] = []
    unclosed: set[str] = set()
    at = 0
    while (found := _TAG.search(markup, at)) is not None:
        made.append(markup[at : found.start()])
        end = None
        for name in ((found[1] or found[2] or "").lower(), ""):
            if end is None and name not in unclosed:
                end = _END[name].search(markup, found.end())
                if end is None:
                    unclosed.add(name)
        made.append(found[0] if end is None else " ")
        at = found.end() if end is None else end.end()
    return "".join([*made, markup[at:]])


def settled(text: str) -> str:
    """Take out of a text what chance brings: addresses, random ids, colours, overwritten progress."""
    if "\x1b" in text:
        text = _ESCAPE.sub("", text)
    if "\r" in text:
        lines = text.replace("\r\n", "\n").split("\n")
        text = "\n".join(next((part for part in reversed(line.split("\r")) if part), "") for line in lines)
    for part, chance in _CHANCE.items():
        if part in text:
            text = chance.sub("…", text)
    return text


def parse(content: bytes) -> tuple[NotebookCell, ...]:
    """Read the cells of a notebook.

    Parameters
    ----------
    content : bytes
        A notebook of format 3 or 4.

    Raises
    ------
    NotReadable
        If it is no notebook.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise NotReadable("it is not JSON") from error
    if not isinstance(document, dict):
        raise NotReadable("it is no notebook")
    raw = document.get("cells")
    if not isinstance(raw, list):  # format 3 keeps them in worksheets
        sheets = document.get("worksheets")
        if not isinstance(sheets, list):
            raise NotReadable(f"format {document.get('nbformat', 'unknown')} keeps its cells elsewhere")
        raw = [cell for sheet in sheets if isinstance(sheet, dict) for cell in sheet.get("cells") or ()]
    return tuple(_cell(cell) for cell in raw if isinstance(cell, dict))


def _cell(raw: Mapping[str, Any]) -> NotebookCell:
    metadata = raw.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    ours = metadata.get("provenote")
    name = raw.get("id") or ""
    if isinstance(ours, dict) and ours.get("cell") is None:
        name = ""  # the client told no id: ours is made from the prompt's number
    if INJECTED in (metadata.get("tags") or ()):
        name = INJECTED
    source = _text(raw.get("source", raw.get("input")))
    outputs = raw.get("outputs")
    found = tuple(_outputs(outputs)) if isinstance(outputs, list) else ()
    return NotebookCell(str(name), str(raw.get("cell_type") or "code"), source, found)


def _outputs(outputs: list[Any]) -> Iterator[Output]:
    for raw in outputs:
        if not isinstance(raw, dict):
            continue
        kind = raw.get("output_type")
        if kind == "stream":
            name = str(raw.get("name") or raw.get("stream") or "stdout")
            yield Output("stream", name, {"text/plain": _text(raw.get("text"))})
        elif kind in ("error", "pyerr"):
            trace = raw.get("traceback")
            lines = trace if isinstance(trace, list) and trace else [raw.get("evalue")]
            text = "\n".join(str(line) for line in lines)
            yield Output("error", str(raw.get("ename") or ""), {"text/plain": text})
        else:
            data = raw.get("data")
            if not isinstance(data, dict):
                data = {mime: raw[key] for key, mime in _V3.items() if key in raw}
            forms = {str(mime): _text(body) for mime, body in data.items() if not _passed(str(mime))}
            if forms and not _OURS.match(forms.get("text/html", "")):
                yield Output("result", "", forms)


def _passed(mime: str) -> bool:
    return mime.startswith(_PASSED)


def _text(value: Any) -> str:
    """Return a text that a notebook may keep as a list of lines; JSON data as canonical JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        try:
            return "".join(value)
        except TypeError:
            pass
    return "" if value is None else json.dumps(value, sort_keys=True, ensure_ascii=False)


def picture_bytes(output: Output) -> bytes:
    """Return the bytes of a picture, empty where they cannot be read."""
    if output.picture is None:
        return b""
    mime, body = output.picture
    if mime == "image/svg+xml":
        return body.encode("utf-8", "replace")
    try:
        return base64.b64decode(body, validate=False)
    except (binascii.Error, ValueError):
        return b""
