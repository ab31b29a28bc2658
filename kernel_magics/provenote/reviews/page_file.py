"""Write a review's page as one offline file; a file that is no page of ours is not replaced unasked."""

from __future__ import annotations

import os
from pathlib import Path

from provenote.compare import report_file
from provenote.errors import UsageError, WorldError
from provenote.reviews import page
from provenote.reviews.threads import Review


def write(path: Path, review: Review, base: bytes | None, head: bytes | None, *, force: bool = False) -> Path:
    """Write the page of a review and return its path.

    Parameters
    ----------
    path : Path
        Where; ends with ``.html``.
    review : Review
    base, head : bytes or None
        The two notebooks; None for what is not here.
    force : bool
        Whether to replace a file that is no page of ours.

    Raises
    ------
    UsageError, Refused
        If it must not be written there.
    WorldError
        If it cannot be written.
    """
    if path.suffix.lower() not in report_file.HTML:
        raise UsageError(f"{path.name} is the name of no page", "Name it `review.html`")
    report_file.check(path, force=force)
    text = page.write(review, base, head)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8", errors="replace")
        os.replace(beside, path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise WorldError(f"{path} cannot be written: {error.strerror}") from error
    return path
