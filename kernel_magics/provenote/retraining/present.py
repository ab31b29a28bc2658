"""How things are for a rule at this moment: the champion, the version of the data, which rows are new."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.checks import rows
from provenote.data import storing, tracked, travel
from provenote.errors import ProvenoteError, Refused, UsageError
from provenote.registry import names, reading, recorded
from provenote.retraining.definition import Retrain
from provenote.stores import cache

if TYPE_CHECKING:
    import pandas

    from provenote.checks.rows import Labelled
    from provenote.workspace import Workspace


_KEPT = 50  # counts that are kept


@dataclass(frozen=True, slots=True)
class Champion:
    """Who holds the stage, by the signed ledger; the model itself stays closed.

    Parameters
    ----------
    reference, commit, sha256 : str
    document : mapping
        Its run's record, with its folder in the commit as ``overlay``.
    """

    reference: str
    commit: str
    sha256: str
    document: Mapping[str, Any]

    @property
    def run_id(self) -> str:
        """The id of its run."""
        return str(self.document.get("id") or "")

    def read(self, path: str) -> str:
        """Return which version of a path its run read, as MD5; empty where the record does not say."""
        found = [one for one in self.document.get("reads") or () if one.get("path") == path]
        return str(found[-1].get("md5") or "") if found else ""


def champion(workspace: Workspace, rule: Retrain) -> Champion:
    """Return who holds the rule's stage.

    Raises
    ------
    Refused
        If nobody rightly does: nothing is trained against nobody.
    """
    registry = reading.read(workspace)
    key = (registry.path, names.model(rule.model), names.stage(rule.stage))
    subject = registry.state.current(key).subject
    document = recorded.of_stage(registry, rule.model, rule.stage).document
    return Champion(subject.reference, subject.commit, subject.sha256, document)


class Data:
    """One version of a rule's data.

    Parameters
    ----------
    workspace : Workspace
    rule : Retrain
    champion : Champion
    md5 : str, optional
        Which version; default: the one that the pointer names now.

    Raises
    ------
    UsageError
        If the path is no tracked table.
    """

    def __init__(self, workspace: Workspace, rule: Retrain, champion: Champion, md5: str = "") -> None:
        self._workspace = workspace
        self._rule = rule
        self._champion = champion
        self.md5 = md5 or _pointed(workspace, rule.data)

    @cached_property
    def frame(self) -> pandas.DataFrame:
        """All of its rows.

        Raises
        ------
        UsageError
            If its bytes are not here, or no table.
        """
        return self._at(self.md5)

    @cached_property
    def labelled(self) -> Labelled:
        """The rows whose answer is known, in the order of time.

        Raises
        ------
        UsageError
            If they have no time, or nobody says which column is the answer.
        """
        found = self._chosen("")
        if found.times is None:
            raise UsageError(
                f"{self._rule.data} has no column of times, so no rows are newer than others",
                "Name it in the rule: `time: COLUMN`",
            )
        return found

    @cached_property
    def since(self) -> str:
        """The first day that is held out, as ISO."""
        import numpy as np

        last = self.labelled.times[-1]
        day = (last - np.timedelta64(int(self._rule.judge.held), "s")).astype("datetime64[D]") + 1
        return str(day)

    def held_out(self, since: str) -> Labelled:
        """Return the rows from a day on."""
        return self._chosen(since)

    def new(self, *others: str) -> int | None:
        """Return how many labelled rows none of other versions holds; None where one of them is not here.

        Parameters
        ----------
        *others : str
            MD5 of each; an empty one is not known.
        """
        wanted = set(others)
        if self.md5 in wanted:
            return 0
        if any(not md5 or cache.locate(self._workspace.cache_dir, md5) is None for md5 in wanted):
            return None
        rule = self._rule
        about = " ".join([rule.data, rule.answer, rule.time, rule.model, self.md5, *sorted(wanted)])
        memory = Counts(self._workspace.home)
        known = memory.get(about)
        if known is None:
            known = self._count(wanted)
            memory.put(about, known)
        return known

    def _count(self, others: Iterable[str]) -> int:
        import numpy as np

        from provenote.tracking.learned import hashes

        frame = self.labelled.frame
        fresh = np.ones(len(frame), bool)
        for md5 in others:
            known = self._at(md5)
            shared = [name for name in frame.columns if name in known.columns]
            if self._answer(known) in known.columns:
                known = known[known[self._answer(known)].notna()]
            fresh &= ~np.isin(hashes(frame[shared]), hashes(known[shared]))
        return int(fresh.sum())

    def changed(self) -> bool:
        """Return whether the work tree holds other bytes than the version, or none."""
        try:
            return travel.measure(self._workspace, self._rule.data).md5 != self.md5
        except (UsageError, Refused):
            return True

    def _chosen(self, since: str) -> Labelled:
        return rows.labelled(
            self.frame,
            answer=self._answer(self.frame),
            time=self._rule.time or None,
            since=since or None,
            path=self._rule.data,
            md5=self.md5,
        )

    def _answer(self, frame: pandas.DataFrame) -> str:
        kept = (self._champion.document.get("artifacts") or {}).get(self._rule.model)
        facts = kept if isinstance(kept, Mapping) else {}
        try:
            return rows.answer_of(self._rule.answer, facts, [str(one) for one in frame.columns], None)
        except UsageError as error:
            raise UsageError(error.what, f"Say it in the rule {self._rule.name}: `answer: COLUMN`") from None

    def _at(self, md5: str) -> pandas.DataFrame:
        place = cache.locate(self._workspace.cache_dir, md5)
        if place is None:
            raise UsageError(
                f"the version {md5[:12]} of {self._rule.data} is not here", "Fetch it: `provenote data pull`"
            )
        return rows.table(place, self._rule.data)


class Counts:
    """What was counted of versions of data: a timer looks often, and a version never changes.

    Parameters
    ----------
    home : Path
    """

    def __init__(self, home: Path) -> None:
        self._file = home / "retraining" / "counts.json"

    def get(self, about: str) -> int | None:
        """Return a count, None where it is not known."""
        found = self._read().get(_digest(about))
        return found if isinstance(found, int) else None

    def put(self, about: str, count: int) -> None:
        """Keep a count; where that cannot be, it is counted again next time."""
        kept = dict(list(self._read().items())[-_KEPT:]) | {_digest(about): count}
        with contextlib.suppress(OSError, ProvenoteError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            storing.replace(self._file, json.dumps(kept))

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def _digest(about: str) -> str:
    return hashlib.sha256(about.encode()).hexdigest()[:24]


def _pointed(workspace: Workspace, path: str) -> str:
    one = tracked.at(workspace, path)
    if one is None:
        raise UsageError(f"{path} is not tracked", f"Track it: `provenote data add {path}`")
    if one.stored is None:
        raise UsageError(f"the pointer of {path} cannot be read: {one.problem}", "Mend it by hand")
    if one.stored.nfiles is not None:
        raise UsageError(f"{path} is a folder, and a retraining takes one table", "Name a file: `data: PATH`")
    return one.stored.md5
