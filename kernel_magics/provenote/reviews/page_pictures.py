"""The pictures of a cell as the page shows them: as data addresses in ``img``, where nothing of them can act.

An SVG in an ``img`` runs no script and loads nothing (SVG 2, "Secure static mode"). What is not what it says
it is, is named and not shown.
"""

from __future__ import annotations

import base64
import re
import string
from dataclasses import dataclass

from provenote.compare.notebooks import Output
from provenote.compare.numbers import size
from provenote.render import html

_LETTERS = (string.ascii_letters + string.digits + "+/").encode()
_BEGINS = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
    "image/bmp": b"BM",
}
_SVG = re.compile(
    r"\s*(?:<\?xml[^<>]{0,200}>\s*)?(?:<!--.{0,400}?-->\s*)?(?:<!DOCTYPE[^<>]{0,400}>\s*)?<svg\b", re.S
)


@dataclass
class Room:
    """How many bytes of pictures may still be shown; what a saved notebook keeps is bounded."""

    left: int

    def take(self, count: int) -> bool:
        """Take some of it, unless that is more than is left."""
        if count > self.left:
            return False
        self.left -= count
        return True


def picture(output: Output, alt: str, room: Room) -> str:
    """Return a picture with its facts below.

    Parameters
    ----------
    output : Output
        One that is a picture.
    alt : str
        Whose it is, for a reader that speaks.
    room : Room
    """
    assert output.picture is not None
    mime, body = output.picture
    kind = html.text(mime.removeprefix("image/"), 40)
    if mime == "image/svg+xml":
        begin = body.encode("utf-8", "replace")
        count, sound = len(begin), _SVG.match(body) is not None
    else:
        body = "".join(body.split()) if any(space in body for space in "\n\r\t ") else body
        begin, count = _begin(body)
        sound = begin.startswith(_BEGINS.get(mime, b"\0none"))
    if not sound:
        return _figure(f'<div class="pn-f">no picture that can be shown: {kind}</div>', "")
    facts = f"{kind}, {size(count)}, {output.digest[:8]}"
    if not room.take(count):
        return _figure('<div class="pn-f">too large to show here</div>', facts)
    if mime == "image/svg+xml":
        body = base64.b64encode(begin).decode("ascii")
    wide = ""
    if mime == "image/png" and len(begin) >= 24:
        width, height = (int.from_bytes(begin[at : at + 4], "big") for at in (16, 20))
        if 0 < width <= 20_000 and 0 < height <= 20_000:
            wide = f' width="{width}" height="{height}"'
            facts = f"{kind}, {width} × {height}, {size(count)}, {output.digest[:8]}"
    # The body holds nothing but the letters of base 64 here, so it needs no escape.
    return _figure(f'<img src="data:{mime};base64,{body}" alt="{html.text(alt, 200)}"{wide}>', facts)


def _begin(body: str) -> tuple[bytes, int]:
    """Return the first bytes of a picture and how many it has; none if it holds more than base 64.

    To look for other letters takes a fraction of the time that decoding all of it does.
    """
    letters = body.rstrip("=")
    if not letters.isascii() or len(body) % 4 or len(body) - len(letters) > 2:
        return b"", 0
    if letters.encode("ascii").translate(None, _LETTERS):
        return b"", 0
    return base64.b64decode(body[:64]), len(letters) * 3 // 4


def _figure(inner: str, facts: str) -> str:
    return f"<figure>{inner}<figcaption>{facts}</figcaption></figure>"
