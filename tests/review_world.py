"""Reviews for the tests of their page: one as people make them, and one in which everything is hostile."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import zlib
from typing import Any

from provenote.reviews.threads import Comment, Place, Review, Suggestion, Thread, Version, Vote

AT = 1_764_000_000
Made = tuple[Review, bytes, bytes]
"""A review, and the notebooks that are its base and its head."""


def cell(name: str, source: str, *outputs: dict[str, Any], kind: str = "code") -> dict[str, Any]:
    return {"cell_type": kind, "id": name, "metadata": {}, "source": source, "outputs": list(outputs)}


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def display(**forms: Any) -> dict[str, Any]:
    """Return an output of forms by their MIME types, ``/`` written as ``_``."""
    data = {mime.replace("_", "/", 1): body for mime, body in forms.items()}
    return {"output_type": "display_data", "metadata": {}, "data": data}


def book(*cells: dict[str, Any]) -> bytes:
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def png(shade: int, wide: int = 240, high: int = 120) -> str:
    """Return a grey picture in base 64."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = b"".join(b"\0" + bytes((shade + row) % 256 for _ in range(wide)) for row in range(high))
    body = chunk(b"IHDR", struct.pack(">IIBBBBB", wide, high, 8, 0, 0, 0, 0))
    body += chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + body).decode()


def frame(**values: float) -> str:
    """Return a table as pandas writes it."""
    rows = "".join(f"<tr>\n<th>{name}</th>\n<td>{value}</td>\n</tr>" for name, value in values.items())
    head = '<thead>\n<tr style="text-align: right;">\n<th></th>\n<th>value</th>\n</tr>\n</thead>'
    style = "<style scoped>\n.dataframe tbody tr th { vertical-align: top; }\n</style>"
    table = f'<table border="1" class="dataframe">\n{head}<tbody>{rows}</tbody>\n</table>'
    return f"<div>\n{style}{table}\n<p>4 rows × 1 columns</p></div>"


def version(label: str, sign: str, path: str = "train.ipynb") -> Version:
    return Version(path, sign * 40, sign * 40, sign * 64, None, label)


def place(cell: int | None, target: str = "source", line: int | None = None, **more: Any) -> Place:
    return Place(cell, "c", target, line, more.get("output"), more.get("certainty", "exact"))  # type: ignore[arg-type]


def said(*words: str, by: str = "alice", **more: Any) -> tuple[Comment, ...]:
    return tuple(
        Comment("c" * 64, by, AT + 60 * n, text, False, False, **more) for n, text in enumerate(words)
    )


def thread(sign: str, where: Place, *words: str, state: str = "open", **more: Any) -> Thread:
    suggestion = more.pop("suggestion", None)
    whole = where.cell is None and where.certainty == "exact"
    anchor = {} if whole else {"cell": "c", "gist": "del hours\nmore", "quote": more.pop("quote", "")}
    return Thread(sign * 64, anchor, where, state, said(*words), suggestion, **more)  # type: ignore[arg-type]


def sample() -> Made:
    """Return a review with a change, a thread and a vote of each kind."""
    log = [f"step {step} loss {1 / (step + 1):.4f}" for step in range(40)]
    later = [*log[:20], "step 20 loss 0.0452", *log[21:]]
    words, load = "# Bike hours\nWhat drives the rentals of an hour?", "hours = pd.read_csv('hour.csv')"
    first = [cell("c1", words, kind="markdown"), cell("c2", load, stream("17,379 rows\n"))]
    features = 'X = hours[BASE].copy()\n{}y = hours["cnt"]'
    added = 'X["hr_sin"] = np.sin(TAU * hours["hr"])\nX["hr_cos"] = np.cos(TAU * hours["hr"])\n'
    fit = "model = Regressor(\n  max_depth=6, max_iter=100).fit(X, y)\nreport(model)"
    refit = 'model = Regressor(\n  loss="poisson",\n  max_depth=8, max_iter=300).fit(X, y)\nreport(model)'
    scores = {"rmse": 71.89, "mae": 47.38, "r2": 0.83, "bias": -8.34}
    base = book(
        *first,
        cell("c3", features.format("")),
        cell("c4", "split = 15_919"),
        cell("c5", fit, stream("\n".join(log)), display(text_html=frame(**scores), text_plain="scores")),
        cell("c6", "plot(model)", display(image_png=png(0), text_plain="<Figure>")),
        cell("c7", "del hours"),
        cell("c8", "save(model)", stream("saved\n")),
        cell("c9", "print(seed)", stream("7\n")),
    )
    trace = ["\x1b[31mZeroDivisionError\x1b[0m: division by zero"]
    error = {"output_type": "error", "ename": "ZeroDivisionError", "evalue": "", "traceback": trace}
    head = book(
        *first,
        cell("c3", features.format(added)),
        cell("c8", "save(model)", stream("saved\n")),
        cell("c4", "split = 15_919"),
        cell(
            "c5",
            refit,
            stream("\n".join(later)),
            display(text_html=frame(**{**scores, "rmse": 63.99, "r2": 0.865}), text_plain="scores"),
        ),
        cell("c6", "plot(model)", display(image_png=png(90), text_plain="<Figure>")),
        cell("c9", "print(seed)", stream("7\n")),
        cell("c10", "1 / 0", error),
    )
    old = hashlib.sha256(features.format(added).encode()).hexdigest()
    less = Suggestion("5" * 64, "c3", old, features.format(""), True, "bob")
    threads = (
        thread("0", place(None), "Please run it from a fresh kernel before we vote."),
        thread("a", place(2, line=1), "Do they earn their place? See `hgb-f186`.", "Fair.", suggestion=less),
        thread(
            "b",
            place(2, line=3, certainty="guessed"),
            "Seed is fixed.",
            state="resolved",
            quote="seed = 7 < 8",
        ),
        thread("c", place(5, line=1, certainty="moved"), "Why poisson?"),
        thread("d", place(5, "output", 20, output=0), "This step moved."),
        thread("e", place(5, "output", output=1, certainty="outdated"), "In rentals?", known=False),
        thread("f", place(6, "output", output=0), "Tuesday 17:00 is still too low."),
        thread("9", place(None, certainty="orphan"), "Drop this cell?"),
    )
    votes = (
        Vote("dana", "approve", AT, "", False),
        Vote("carol", "request-changes", AT + 60, "the split leaks `hour 24`", False),
        Vote("erin", "approve", AT - 90_000, "", True),
        Vote("a key that says mallory", "approve", AT, "", False, False),
    )
    versions = version("hgb-7963", "7"), version("hgb-a105", "a")
    title = "Cyclic hours and a Poisson loss"
    return (
        Review(
            "r" * 64, title, "train.ipynb", *versions, "bob", threads, votes, "changes-requested", True, AT
        ),
        base,
        head,
    )


NASTY = (
    "<script>hacked('script')</script>",
    "<img src=x onerror=hacked('img')>",
    "\"><svg onload=hacked('svg')>",
    "' onmouseover='hacked(1)' x='",
    '<iframe src="javascript:parent.hacked(2)"></iframe><iframe srcdoc="<script>parent.hacked(2)</script>">',
    '<meta http-equiv="refresh" content="0;url=http://evil.example/">',
    "</style><style>*{display:none!important;background:url(http://evil.example/css)}</style>",
    "</code></pre></div></main></body></html><script>alert(3)</script>",
    '<a href="javascript:hacked(4)">press</a>',
    '<link rel=stylesheet href="http://evil.example/x.css"><base href="http://evil.example/">',
    '<form action="http://evil.example/"><button autofocus onfocus=hacked(5)>x</button></form>',
    '<object data="data:text/html,<script>parent.hacked(6)</script>"></object><embed src=//evil.example/>',
    "`<b onclick=hacked(7)>`",
    "--><script>hacked(8)</script><!--",
    "\x1b[31mred\x1b[0m\x1b]8;;http://evil.example\x07link\x1b]8;;\x07",
    "gnp.\u202eexe\u2028\x00\x07\ud800",
    "&lt;script&gt;hacked(9)&lt;/script&gt;&#60;script&#62;",
    "x" * 300,
    "\n" * 3 + "deep\tdown\r\nthere",
)
"""What must never do anything, wherever it stands."""

EVIL_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
    'width="80" height="40" onload="parent.hacked(10)"><script>parent.hacked(11);alert(11)</script>'
    '<image xlink:href="http://evil.example/svg.png" width="9" height="9"/>'
    '<foreignObject width="9" height="9"><iframe xmlns="http://www.w3.org/1999/xhtml" '
    'src="http://evil.example/frame"/></foreignObject><style>@import url(http://evil.example/svg.css);</style>'
    '<rect width="40" height="40" fill="#888"/></svg>'
)


def hostile() -> Made:
    """Return a review in which every text of both notebooks and of the review itself is hostile."""
    whole = "\n".join(NASTY)
    page = "".join(NASTY)
    evil64 = base64.b64encode(page.encode("utf-8", "replace")).decode()
    pictures = [
        {"image/svg+xml": EVIL_SVG},
        {"image/svg+xml": EVIL_SVG.replace("<svg", "<svg x='1'", 1) + page},
        {"image/svg+xml": "<!DOCTYPE svg [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><svg>&b;</svg>"},
        {"image/png": evil64},
        {"image/png": '"><script>hacked(12)</script>'},
        {"image/png": png(3)[:60]},
        {"image/png": base64.b64encode(b"\x89PNG\r\n\x1a\n" + page.encode("utf-8", "replace")).decode()},
        {'image/png"onerror="hacked(13)': png(4)},
        {"image/x-<script>": png(5)},
        {"text/html": page},
        {"text/html": f"<table><tr><td {page}>{page}</td></tr></table>"},
        {"text/html": frame(**{name[:200]: 1.0 for name in NASTY}), "text/plain": whole},
        {"text/markdown": whole},
        {"text/latex": whole},
        {"application/javascript": "hacked(14)", "text/html": "<script>hacked(15)</script>"},
        {"application/vnd.<img src=x onerror=hacked(16)>+json": {"deep": [page]}},
        {"text/plain": {"no": "text"}},
    ]
    outputs = [{"output_type": "display_data", "data": data, "metadata": {}} for data in pictures]
    errors = [
        {"output_type": "error", "ename": name, "evalue": name, "traceback": [name, 7]} for name in NASTY
    ]
    cells = [cell(name, f"{name}\n{number}", stream(name), kind="code") for number, name in enumerate(NASTY)]
    odd = [cell(f"odd {n}", name, kind=name) for n, name in enumerate(NASTY)]
    base = book(*cells, *odd, cell("out", whole, *outputs[:9]), cell("gone", whole, *outputs, *errors))
    cells = [cell(name, f"{name}\n{number + 1}", stream(f"{name}.")) for number, name in enumerate(NASTY)]
    head = book(*cells, *odd, cell("out", f"{whole}\n1", *outputs[::-1], *errors), cell("come", page))
    where = [place(n, line=0) for n in range(len(NASTY))]
    threads = tuple(
        Thread(
            name,
            {"cell": name, "gist": whole, "quote": name},
            spot,
            "resolved" if n % 3 == 2 else "open",
            said(name, whole, by=name, known=n % 2 == 0),
            Suggestion(name, name, "0" * 64, whole, False, name, False),
            name,
        )
        for n, (name, spot) in enumerate(zip(NASTY, where, strict=True))
    )
    last = len(cells) + len(odd)
    more = [
        place(last, "output", line, output=n) for n in range(len(outputs) + 3) for line in (None, 0, 10**9)
    ]
    more += [
        place(10**9),
        place(-5),
        place(0, line=10**9),
        place(0, line=-1),
        place(last, "output", output=-3),
    ]
    threads += tuple(thread(f"{n:x}", spot, "here") for n, spot in enumerate(more))
    votes = tuple(Vote(name, "approve", 10**30, name, False, False) for name in NASTY)
    review = Review(
        *(whole, whole, whole, version(whole, "<", whole), version(page, '"', page), whole),
        *(threads, votes, "approved", False, -(10**30)),
    )
    return review, base, head
