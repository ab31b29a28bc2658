"""The stored format: reviews of version 1 must be read for ever, and the page shows a true event."""

from __future__ import annotations

import json
import re
from pathlib import Path

from provenote.reviews import assembling, event, fold
from provenote.stores.signatures import PublicKey

HERE = Path(__file__).parents[1]
OLD = HERE / "data" / "reviews-v1"
PAGE = HERE.parent / "docs" / "reference" / "formats-reviews.md"


def test_a_branch_of_version_1_is_read_whole() -> None:
    about = json.loads((OLD / "about.json").read_text())
    known = {PublicKey.parse(line): name for name, line in about["people"].items()}
    files = {path.relative_to(OLD).as_posix(): path.read_bytes() for path in (OLD / "e").rglob("*/*")}
    book = fold.fold(files, known.get, about["now"])
    assert (len(book.events), book.refused) == (13, {})
    found = assembling.review(book, about["review"], None)
    assert (found.title, found.path, found.state) == ("Fit", "train.ipynb", "open")
    assert found.base is not None
    assert found.base.sha256 != found.head.sha256
    assert [(vote.by, vote.decision, vote.stale) for vote in found.votes] == [
        *(("bob", "approve", False), ("carol", "request-changes", True)),
    ]
    threads = {thread.comments[0].text: thread for thread in found.threads}
    assert {text: (one.state, one.known) for text, one in threads.items()} == {
        "why 6?": ("open", True),
        "": ("resolved", True),
        "end it": ("open", True),
        "buy now": ("open", False),
    }
    assert threads["why 6?"].comments[1].text == "the loss falls up to 6"
    assert threads["why 6?"].anchor["quote"] == "    max_depth=6, max_iter=100,"
    assert threads["end it"].suggestion is not None


def test_the_page_shows_a_true_event_and_names_every_field_of_an_anchor() -> None:
    text = PAGE.read_text(encoding="utf-8")
    line = re.search(r"^\{\"anchor\".*\}$", text, re.M)
    assert line is not None
    path = next(path for path in (OLD / "e").rglob("*/*") if path.read_text().startswith(line[0]))
    assert event.parse(path.parent.name + path.name, path.read_bytes()).type == "comment"
    for word in (*event._ANCHOR, event.NAMESPACE, *event.DECISIONS):
        assert f"`{word}`" in text, word
