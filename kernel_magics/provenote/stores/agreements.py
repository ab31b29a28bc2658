"""What was agreed about data: ``<data>.agreement.yaml`` beside the pointer, read strictly.

Owner, licence and terms of use, the day on which they end, and a legal hold, which wins over the end: what is
held may be used no more then, and not be deleted either.
"""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.errors import Refused
from provenote.stores import strict_yaml
from provenote.stores.disk import shown, writing
from provenote.stores.layout import is_md5

if TYPE_CHECKING:
    from provenote.workspace import Workspace

ENDING = ".agreement.yaml"
SCHEMA = 1
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


class BadAgreement(Refused):
    """The file is no agreement."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Bytes that a court or an authority wants kept.

    Parameters
    ----------
    why, by : str
    since : datetime.date
    """

    why: str
    by: str
    since: datetime.date


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was agreed.

    Parameters
    ----------
    owner, licence, terms, source : str
        Empty where nobody said.
    ends : datetime.date or None
        The last day of use; None: it does not end.
    versions : tuple of str
        MD5s that it is about; empty: all versions of the path.
    hold : Hold or None
    """

    owner: str = ""
    licence: str = ""
    terms: str = ""
    source: str = ""
    ends: datetime.date | None = None
    versions: tuple[str, ...] = ()
    hold: Hold | None = field(default=None)

    def ended(self, today: datetime.date) -> bool:
        """Whether its last day is over."""
        return self.ends is not None and today > self.ends

    def covers(self, md5: str) -> bool:
        """Whether it is about a version."""
        return not self.versions or md5 in self.versions


def file_of(data: Path) -> Path:
    """Return where the agreement about ``data`` is kept."""
    return data.with_name(data.name + ENDING)


def read(file: Path) -> Agreement | None:
    """Read an agreement; None where there is no such file.

    Raises
    ------
    BadAgreement
        If the file is none: nothing it is about may be used until it is mended.
    """
    try:
        content = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BadAgreement(f"{shown(str(file))} cannot be read: {error.strerror}") from error
    return parse(content, shown(str(file)))


def parse(content: bytes, name: str = "the agreement") -> Agreement:
    """Parse an agreement.

    Raises
    ------
    BadAgreement
        If it is none.
    """
    try:
        table = strict_yaml.Table(strict_yaml.read(content), name)
        if table.whole("provenote_agreement", 1) != SCHEMA:
            raise strict_yaml.NotStrict(f"{name} is of a later version of Provenote")
        hold = table.maybe("hold")
        versions = table.texts("versions", ())
        for md5 in versions:
            if not is_md5(md5):
                raise strict_yaml.NotStrict(f"{ascii(md5[:80])} in 'versions' of {name} is no MD5")
        return table.done(
            Agreement(
                table.text("owner", default=""),
                table.text("licence", default=""),
                table.text("terms", default=""),
                table.text("source", default=""),
                _day(table, "ends") if table.has("ends") else None,
                versions,
                None
                if hold is None
                else hold.done(Hold(hold.text("why"), hold.text("by", default=""), _day(hold, "since"))),
            )
        )
    except strict_yaml.NotStrict as error:
        raise BadAgreement(f"{name} is no agreement: {error.what}", f"Mend it: `git diff {name}`") from error


def _day(table: strict_yaml.Table, name: str) -> datetime.date:
    value = table.any(name)
    try:
        if isinstance(value, str) and _DAY.fullmatch(value):
            return datetime.date.fromisoformat(value)
    except ValueError:
        pass
    raise strict_yaml.NotStrict(f'{name!r} must be a day in quotes, as "2027-01-31"')


def text(agreement: Agreement) -> str:
    """Return an agreement as the file holds it."""
    import yaml

    made: dict[str, Any] = {"provenote_agreement": SCHEMA}
    for key in ("owner", "licence", "terms", "source"):
        if getattr(agreement, key):
            made[key] = getattr(agreement, key)
    if agreement.ends is not None:
        made["ends"] = agreement.ends.isoformat()
    if agreement.versions:
        made["versions"] = list(agreement.versions)
    if agreement.hold is not None:
        hold = agreement.hold
        made["hold"] = {"why": hold.why, "by": hold.by, "since": hold.since.isoformat()}
    return yaml.safe_dump(made, sort_keys=False, allow_unicode=True, width=10_000)


def write(file: Path, agreement: Agreement) -> None:
    """Write an agreement, whole or not at all.

    Raises
    ------
    WorldError
        If the disk refuses.
    """
    with writing(file):
        temporary = file.with_name(f".{os.getpid()}-{file.name}")
        temporary.write_text(text(agreement), encoding="utf-8")
        temporary.replace(file)


def listing(workspace: Workspace) -> Iterator[tuple[str, Path]]:
    """Yield the agreements of a project: path of the data from the DVC root, and the agreement's file."""
    for folder, inner, files in os.walk(workspace.dvc_root):
        inner[:] = sorted(
            name for name in inner
            if not name.startswith(".") and name not in ("past", "node_modules", "__pycache__")
            and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
        )  # fmt: skip
        for name in sorted(files):
            if name.endswith(ENDING):
                file = Path(folder, name)
                data = file.with_name(name.removesuffix(ENDING))
                yield data.relative_to(workspace.dvc_root).as_posix(), file


def held(workspace: Workspace) -> set[str]:
    """Return the versions that a legal hold names; those of a hold on a whole path are named by Git."""
    found: set[str] = set()
    for _, file in listing(workspace):
        with suppress(BadAgreement):
            one = read(file)
            if one is not None and one.hold is not None:
                found.update(one.versions)
    return found


def about(workspace: Workspace, path: str) -> tuple[str, Agreement] | None:
    """Return the agreement about a path: its own, or that of a folder above it.

    Parameters
    ----------
    workspace : Workspace
    path : str
        From the DVC root.

    Returns
    -------
    (str, Agreement) or None
        The path that it was made for, from the DVC root.
    """
    parts = path.split("/")
    for end in range(len(parts), 0, -1):
        owner = "/".join(parts[:end])
        found = read(file_of(workspace.dvc_root / owner))
        if found is not None:
            return owner, found
    return None


def require(
    workspace: Workspace, path: str, md5: str | Callable[[], str], today: datetime.date | None = None
) -> None:
    """Refuse data whose agreement has ended.

    Parameters
    ----------
    workspace : Workspace
    path : str
        From the DVC root.
    md5 : str or callable
        The version, or what tells it where it matters.
    today : datetime.date, optional

    Raises
    ------
    Refused
        If they may not be used any more.
    """
    found = about(workspace, path)
    if found is None:
        return
    owner, agreement = found
    if agreement.ended(today or datetime.date.today()) and (
        not agreement.versions or agreement.covers(md5 if isinstance(md5, str) else md5())
    ):
        who = f" with {agreement.owner}" if agreement.owner else ""
        raise Refused(
            f"{path} may not be used any more: the agreement{who} ended on {agreement.ends}",
            f"See whom that concerns: `provenote data agreement {shown(owner)}`",
        )
