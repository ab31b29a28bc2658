"""Take the values of secrets, given to a job by reference, out of whatever is about to be stored.

A job's environment names the variables that hold them (``PROVENOTE_SECRETS=API_TOKEN,DB_PASSWORD``); its
supervisor, its kernel and their children inherit that. The values are nowhere but in those variables.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

VARIABLE = "PROVENOTE_SECRETS"
LEAST = 8  # characters of a value that can be told from others


class Mask:
    """Replaces certain values, also where they are escaped or encoded.

    Parameters
    ----------
    values : mapping of str to str
        Name of each secret, and its value.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        pairs = {
            form.encode("utf-8", "surrogateescape"): f"[secret {name}]".encode()
            for name, value in values.items()
            for form in forms(value)
        }
        # The longest first: a short form may be the beginning of a longer one.
        self._pairs = sorted(pairs.items(), key=lambda pair: len(pair[0]), reverse=True)

    def content(self, content: bytes) -> bytes:
        """Return bytes without the values."""
        for form, word in self._pairs:
            if form in content:
                content = content.replace(form, word)
        return content

    def text(self, text: str) -> str:
        """Return a text without the values."""
        return self.content(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def forms(value: str) -> set[str]:
    """Return a value as texts may show it: plain, escaped for JSON, Python, HTML or an address, in Base64."""
    import base64  # only a job with secrets pays for these
    import html
    import urllib.parse

    found = {value, html.escape(value), urllib.parse.quote(value, safe=""), urllib.parse.quote_plus(value)}
    found.add(repr(value)[1:-1])
    for _ in range(2):  # a notebook's JSON may hold JSON
        found |= {
            json.dumps(each, ensure_ascii=ascii)[1:-1] for each in list(found) for ascii in (True, False)
        }
    content = value.encode("utf-8", "surrogateescape")
    return found | {base64.b64encode(content).decode(), base64.urlsafe_b64encode(content).decode()}


def weakness(value: str) -> str | None:
    """Say why a value cannot be told from other texts and so not be taken out; None if it can."""
    if len(value) < LEAST:
        return f"it is shorter than {LEAST} characters"
    try:
        float(value.strip())
    except ValueError:
        return None
    return "it is a number"


def of_process(environment: Mapping[str, str] | None = None) -> Mask | None:
    """Return the mask of this process, None where it was given no secret: the usual case, at no cost."""
    where: Any = os.environ if environment is None else environment
    names = where.get(VARIABLE)
    if not names:
        return None
    values = {name: where[name] for name in names.split(",") if where.get(name)}
    return Mask(values) if values else None
