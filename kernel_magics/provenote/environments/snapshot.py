"""The snapshot of known weaknesses that a person brought: read from OSV's files, versioned by DVC.

It stands in the DVC root as `FILE`; its pointer belongs into Git, so each check says by which snapshot it
was made. Nothing here fetches anything: without a snapshot the answer is "not checked".
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.checks.verdict import Finding, Verdict
from provenote.environments import advisories, osv
from provenote.environments.advisories import Match
from provenote.errors import UsageError, WorldError
from provenote.events import Progress, Tell, silent

if TYPE_CHECKING:
    from provenote.data.storing import Added
    from provenote.workspace import Workspace

FILE = "advisories.osv.jsonl"
OLD = 30
"""Days after which the age of a snapshot is a warning."""
_LARGEST = 16_000_000  # bytes of one record, unpacked
_EVERY = 500  # records between two words on the progress
_WHERE = "OSV's own export for PyPI, all.zip"


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of the snapshot that is here.

    Parameters
    ----------
    state : {'there', 'none', 'away', 'damaged'}
        ``away``: its pointer is here, its bytes are not.
    as_of : str
        ISO time of its newest record.
    days : int or None
        How old that is; None where it is not known.
    packages, advisories, unread : int
    """

    state: str
    as_of: str = ""
    days: int | None = None
    packages: int = 0
    advisories: int = 0
    unread: int = 0

    @property
    def age(self) -> str:
        """``as of 2026-11-01, 24 days old``."""
        if self.days is None:
            return "of a day that it does not tell"
        return f"as of {self.as_of[:10]}, {self.days} {'day' if self.days == 1 else 'days'} old"


def bring(
    workspace: Workspace, path: str | os.PathLike[str], as_of: str | None = None, tell: Tell = silent
) -> tuple[Standing, Added]:
    """Read OSV records, keep them compactly, and version that by DVC.

    Parameters
    ----------
    workspace : Workspace
    path : path
        A zip of JSON records, a folder of them, one record, or a file with one a line.
    as_of : str, optional
        Day of the snapshot, ISO; default: that of its newest record.
    tell : Tell

    Raises
    ------
    UsageError
        If it is no such thing, holds nothing about PyPI, or the day is none.
    WorldError
        If it cannot be read or written.
    """
    from provenote.data import storing

    source = Path(path)
    found = osv.gather(_told(_records(source), tell))
    if not found.entries:
        raise UsageError(
            f"{source.name} holds no advisory about PyPI: {found.others} about others, {found.unread} unread",
            f"Take {_WHERE}",
        )
    if as_of is not None:
        found.as_of = _day(as_of)
    target = workspace.dvc_root / FILE
    nascent = target.with_name(f".{FILE}-{os.getpid()}")
    try:
        with nascent.open("w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in osv.dump(found, source.name))
        nascent.replace(target)
    except OSError as error:
        raise WorldError(f"{target} cannot be written ({error.strerror})", "Check the disk") from error
    finally:
        nascent.unlink(missing_ok=True)
    added = storing.add(target, profile="none", tell=tell)
    tell(Progress("advisories", state="done", detail=f"{len(found.entries)} packages"))
    return standing(workspace), added


def _day(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no day", "Write it as `--as-of 2026-11-25`") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment > datetime.now(UTC):
        raise UsageError(f"{text} is still to come", "Write the day on which the snapshot was made")
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def _told(records: Iterator[bytes | None], tell: Tell) -> Iterator[bytes | None]:
    for number, record in enumerate(records):
        if number % _EVERY == 0:
            tell(Progress("advisories", detail=f"{number:,} records read"))
        yield record


def _records(source: Path) -> Iterator[bytes | None]:
    """Yield the records of a zip, a folder or a file; None for one that cannot be read."""
    try:
        if source.is_dir():
            for path in sorted(source.rglob("*.json")):
                if path.is_file():
                    yield None if path.stat().st_size > _LARGEST else path.read_bytes()
        elif zipfile.is_zipfile(source):
            with zipfile.ZipFile(source) as archive:
                yield from _of_zip(archive)
        else:
            yield from _of_file(source)
    except FileNotFoundError:
        raise UsageError(f"there is no {source}", f"Bring {_WHERE}") from None
    except (OSError, zipfile.BadZipFile) as error:
        raise WorldError(f"{source} cannot be read ({error})", f"Bring it anew: {_WHERE}") from error


def _of_zip(archive: zipfile.ZipFile) -> Iterator[bytes | None]:
    for info in archive.infolist():
        if info.is_dir() or not info.filename.endswith(".json"):
            continue
        try:
            with archive.open(info) as file:
                content = file.read(_LARGEST + 1)  # its own word on its size may be false
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError):
            content = b""
        yield content if 0 < len(content) <= _LARGEST else None


def _of_file(source: Path) -> Iterator[bytes | None]:
    if source.suffix == ".json":
        content = source.read_bytes()
        try:
            whole = json.loads(content)
        except (ValueError, RecursionError):
            whole = None
        if isinstance(whole, list):
            yield from (json.dumps(one).encode() for one in whole)
        else:
            yield content
        return
    with source.open("rb") as file:
        while line := file.readline(_LARGEST + 1):
            if not line.strip():
                continue
            if len(line) <= _LARGEST:
                yield line
                continue
            yield None
            while line and not line.endswith(b"\n"):
                line = file.readline(_LARGEST)


# ---------------------------------------------------------------------- asking it


def standing(workspace: Workspace, now: datetime | None = None) -> Standing:
    """Return what is known of the snapshot that is here."""
    path = workspace.dvc_root / FILE
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            head = advisories.head(file.readline(100_000))
    except FileNotFoundError:
        there = path.with_name(f"{FILE}.dvc").exists()
        return Standing("away" if there else "none")
    except (OSError, ValueError):
        return Standing("damaged")
    as_of, days = str(head.get("as_of") or ""), None
    try:
        age = (now or datetime.now(UTC)) - datetime.fromisoformat(as_of)
        days = max(age.days, 0)
    except (ValueError, TypeError):
        as_of = ""
    counts = {name: _count(head.get(name)) for name in ("packages", "advisories", "unread")}
    return Standing("there", as_of, days, **counts)


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value >= 0 else 0


def ask(workspace: Workspace, versions: Mapping[str, str]) -> tuple[list[Match], list[str]]:
    """Return the weaknesses of packages in these versions, and the packages of which a line is damaged.

    Parameters
    ----------
    workspace : Workspace
    versions : mapping of str to str
        By normalized name.
    """
    with (workspace.dvc_root / FILE).open(encoding="utf-8", errors="replace") as file:
        next(file, None)
        entries, unread = advisories.select(file, versions)
    return advisories.matches(entries, versions), unread


def judged(
    workspace: Workspace, verdict: Verdict, versions: Mapping[str, str], imported: set[str]
) -> Verdict:
    """Add to a verdict what the snapshot says of the packages that are here.

    A weakness of a package that the training imported fails; of another one it is told. Without a snapshot
    nothing was checked, and the verdict says so.
    """
    return replace(verdict, findings=(*verdict.findings, *_findings(workspace, versions, imported)))


def _findings(workspace: Workspace, versions: Mapping[str, str], imported: set[str]) -> list[Finding]:
    here = standing(workspace)
    if here.state != "there":
        why = {
            "none": "not checked: no snapshot was brought",
            "away": f"not checked: the bytes of {FILE} are not here",
            "damaged": f"not checked: {FILE} is damaged",
        }[here.state]
        mend = {"away": f"`provenote data pull {FILE}`"}.get(here.state, "`provenote env advisories FILE`")
        return [Finding("advisories", "skipped", why, mend=mend)]
    found, damaged = ask(workspace, versions)
    told = [_finding(one, one.package in imported) for one in found]
    told += [
        Finding(f"advisory/{name}", "not judged", f"what the snapshot says of {name} cannot be read")
        for name in damaged
    ]
    why = (
        f"advisories {here.age}: "
        + (f"{len(found)} about what is here" if found else "none known of what is here")
        + f", {here.advisories:,} about {here.packages:,} packages looked through"
        + (f", {here.unread:,} could not be read" if here.unread else "")
    )
    evidence = {"as_of": here.as_of, "days": here.days, "packages": len(versions), "found": len(found)}
    value = None if here.days is None else float(here.days)
    return [Finding("advisories", "passed", why, value=value, evidence=evidence), *told]


def _finding(one: Match, imported: bool) -> Finding:
    words = f"{one.package} {one.version}: {one.id}"
    words += f" ({one.severity})" if one.severity and len(one.severity) <= 20 else ""
    words += f", {one.summary}" if one.summary else ""
    evidence = {"package": one.package, "version": one.version, "aliases": list(one.aliases),
                "severity": one.severity, "fixed": one.fixed, "imported": imported}  # fmt: skip
    name = f"advisory/{one.package}/{one.id}"
    if not one.known:
        return Finding(name, "not judged", f"{words}; whether this version has it cannot be told",
                       evidence=evidence)  # fmt: skip
    mend = f"`pip install '{one.package}>={one.fixed}'`, then train and test again" if one.fixed else ""
    return Finding(name, "failed" if imported else "passed", words, mend=mend, evidence=evidence)
