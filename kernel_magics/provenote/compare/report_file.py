"""Write a report as one offline file: HTML with everything inside, or Markdown with its pictures beside it.

A file that is not a report of ours is never replaced unless that is asked for.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provenote.errors import Refused, UsageError, WorldError

if TYPE_CHECKING:
    from provenote.compare.report import Report
    from provenote.view import Part

HTML, MARKDOWN = (".html", ".htm"), (".md", ".markdown")
MARK = "provenote report 1"
"""What tells that a file is a report or a page of ours, which a later one may replace."""
_LOOKED = 400  # bytes in which the mark stands
_ENDINGS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/gif": "gif",
    "image/svg+xml": "svg",
    "image/webp": "webp",
}
_OURS = re.compile(r"picture-\d+\.[a-z]{3,4}")


@dataclass(frozen=True, slots=True)
class Titled:
    """A report that is about no table of runs: its title, and its sections as a `Report` has them."""

    title: str
    sections: tuple[tuple[str, tuple[Part, ...]], ...]


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Parameters
    ----------
    path : Path
        The report.
    pictures : tuple of Path
        Files beside it, for Markdown.
    size : int
        Bytes of all.
    """

    path: Path
    pictures: tuple[Path, ...]
    size: int


def check(path: Path, *, force: bool = False) -> None:
    """Refuse a place where a report must not be written, before it is made.

    Raises
    ------
    UsageError
        If the suffix names no form of a report, or its folder is not there.
    Refused
        If something stands there that is no report of ours.
    """
    if path.suffix.lower() not in (*HTML, *MARKDOWN):
        raise UsageError(f"{path.name} tells no form of a report", "Name it `report.html` or `report.md`")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", f"Make it: `mkdir -p {path.parent}`")
    if path.is_dir():
        raise UsageError(f"{path} is a folder", "Name a file in it")
    if force:
        return
    if path.exists() and not _is_ours(path):
        raise Refused(
            f"{path} is not a report of ours, and would be lost", "Replace it all the same: `--force`"
        )
    beside = files_of(path)
    if path.suffix.lower() in MARKDOWN and beside.exists() and not (path.exists() and _is_ours(path)):
        raise Refused(
            f"{beside} is there already, and no report of ours beside it",
            "Choose another name, or write into it all the same: `--force`",
        )


def files_of(path: Path) -> Path:
    """Return the folder of a Markdown report's pictures."""
    return path.with_name(f"{path.stem}_files")


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return MARK.encode() in file.read(_LOOKED)
    except OSError:
        return False


def write(report: Report | Titled, path: Path, *, force: bool = False) -> Written:
    """Write a report, in the form that the suffix of ``path`` names.

    Parameters
    ----------
    report : Report or Titled
    path : Path
    force : bool
        Replace what stands there, whatever it is.

    Raises
    ------
    UsageError, Refused
        As `check`.
    WorldError
        If the disk does not take it; the old report is left.
    """
    check(path, force=force)
    pictures: tuple[Path, ...] = ()
    try:
        if path.suffix.lower() in HTML:
            text = page(report)
        else:
            text, images = document(report, files_of(path).name)
            pictures = _pictures(files_of(path), images)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            temporary.write_text(text, encoding="utf-8", errors="replace", newline="\n")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise WorldError(
            f"{path} cannot be written: {error.strerror or error}", "Choose another place"
        ) from error
    return Written(path, pictures, sum(one.stat().st_size for one in (path, *pictures)))


def _pictures(folder: Path, images: list[tuple[str, bytes]]) -> tuple[Path, ...]:
    """Write the pictures of a report, and remove those of the one that it replaces."""
    names = {name for name, _ in images}
    if images:
        folder.mkdir(exist_ok=True)
    if folder.is_dir():
        for old in folder.iterdir():
            if _OURS.fullmatch(old.name) and old.name not in names:
                old.unlink()
        if not images and not any(folder.iterdir()):
            shutil.rmtree(folder)
    for name, data in images:
        (folder / name).write_bytes(data)
    return tuple(folder / name for name, _ in images)


_PAGE = """
body{margin:0;background:#fff;color-scheme:light dark}
@media (prefers-color-scheme:dark){body{background:#212121}}
main.pn{max-width:1200px;margin:0 auto;padding:16px;border:0}
main.pn h1{font-size:20px;font-weight:600;margin:8px 8px 12px;overflow-wrap:anywhere}
main.pn h2{font-size:15px;font-weight:600;margin:28px 8px 8px;overflow-wrap:anywhere}
main.pn section{overflow-x:auto}
main.pn img{max-width:100%;background:#fff;margin:8px 0}
@media print{main.pn{max-width:none}main.pn section{overflow:visible}}
"""


def page(report: Report | Titled) -> str:
    """Return a report as one page of HTML that loads nothing and runs nothing."""
    from provenote.render import html
    from provenote.render.style import sheet

    title = html.text(report.title, 300)
    body = []
    for heading, parts in report.sections:
        head = f"<h2>{html.text(heading, 200)}</h2>" if heading else ""
        body.append(f"<section>{head}{''.join(map(html.part, parts))}</section>")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="generator" content="{MARK}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title>"
        f"<style>{sheet()}{_PAGE}</style></head>\n"
        f'<body><main class="pn"><h1>{title}</h1>\n' + "\n".join(body) + "</main></body></html>\n"
    )


def document(report: Report | Titled, folder: str) -> tuple[str, list[tuple[str, bytes]]]:
    """Return a report as Markdown, and its pictures as name and bytes.

    Parameters
    ----------
    report : Report or Titled
    folder : str
        Name of the folder beside the report, by which it names its pictures.
    """
    from urllib.parse import quote

    from provenote.render import markdown

    images: list[tuple[str, bytes]] = []

    def keep(data: bytes, mime: str) -> str:
        name = f"picture-{len(images) + 1}.{_ENDINGS.get(mime, 'png')}"
        images.append((name, data))
        return f"{quote(folder)}/{name}"

    made = [f"<!-- {MARK} -->\n# {markdown.text(report.title, 300)}\n"]
    for heading, parts in report.sections:
        if heading:
            made.append(f"## {markdown.text(heading, 200)}\n")
        made += [markdown.part(part, keep) for part in parts]
    return "\n".join(made), images
