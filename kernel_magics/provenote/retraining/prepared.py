"""Prepared requests: what a retraining would ask for. A person signs one with ``promote``, or nobody does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from provenote.errors import ProvenoteError, Refused, UsageError
from provenote.retraining import record, rule_file
from provenote.retraining.record import Try

if TYPE_CHECKING:
    from provenote.registry.reading import Registry
    from provenote.workspace import Workspace

State = Literal["waits", "signed", "overtaken", "replaced"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prepared request.

    Parameters
    ----------
    made : Try
    state : {'waits', 'signed', 'overtaken', 'replaced'}
        ``overtaken``: another model holds the stage than it was held against; ``replaced``: a later try of
        the rule prepared another.
    """

    made: Try
    state: State

    @property
    def command(self) -> str:
        """What a person types to sign it."""
        return f"provenote promote {self.made.model} --prepared {self.made.short}"

    @property
    def why(self) -> str:
        """The reason that the request gives."""
        one = self.made
        return f"retrained ({one.due}): {one.why}"[:1000]


def all_of(workspace: Workspace, registry: Registry) -> list[Prepared]:
    """Return what the rules of this project have prepared, the newest first.

    Parameters
    ----------
    workspace : Workspace
    registry : Registry

    Raises
    ------
    UsageError
        If the rules cannot be read.
    """
    found: dict[str, Prepared] = {}
    for rule in rule_file.read(workspace.dvc_root):
        tries = [one for one in record.history(workspace, rule).tries if one.outcome == "prepared"]
        found |= {one.made.id: one for one in told(tries, registry)}
    return sorted(found.values(), key=lambda one: one.made.at, reverse=True)


def told(tries: Iterable[Try], registry: Registry) -> list[Prepared]:
    """Return prepared tries of one model and stage, the newest first, with how each stands."""
    made: list[Prepared] = []
    for one in tries:
        holder = registry.state.releases.holder((registry.path, one.model, one.stage))
        asked = any(
            (promotion.subject.commit, promotion.subject.model, promotion.stage)
            == (one.commit, one.model, one.asks)
            for promotion in registry.state.promotions
        )
        state: State = "waits"
        if asked:
            state = "signed"
        elif holder is None or holder.subject.sha256 != one.champion_sha256:
            state = "overtaken"
        elif any(before.state == "waits" for before in made):
            state = "replaced"
        made.append(Prepared(one, state))
    return made


def find(workspace: Workspace, registry: Registry, model: str, start: str) -> Prepared:
    """Return the prepared request of a model that a person means, if it still waits.

    Parameters
    ----------
    workspace : Workspace
    registry : Registry
    model : str
    start : str
        The start of its id, 4 digits or more.

    Raises
    ------
    UsageError
        If there is none, or several.
    Refused
        If it does not stand any more as it was judged.
    """
    every = [one for one in all_of(workspace, registry) if one.made.model == model]
    found = [one for one in every if len(start) >= 4 and one.made.id.startswith(start)]
    if len(found) != 1:
        waits = ", ".join(one.made.short for one in every if one.state == "waits")
        mend = f"There waits: {waits}" if waits else "See: `provenote retrain status`"
        raise UsageError(f"no request of {model} was prepared as {ascii(start[:80])}", mend)
    one = found[0]
    if one.state == "signed":
        raise UsageError(f"{one.made.short} is asked for already", "See: `provenote inbox`")
    if one.state == "overtaken":
        raise Refused(
            f"{one.made.short} was held against {one.made.champion}, which holds {one.made.stage} no more",
            f"Let it be judged anew: `provenote compare --against {one.made.stage} {one.made.run}`",
        )
    if one.state == "replaced":
        raise Refused(
            f"a later try prepared another request than {one.made.short}", "See it: `provenote inbox`"
        )
    return one


def same_bytes(workspace: Workspace, one: Prepared) -> None:
    """Refuse a prepared request whose run keeps other bytes than those that were judged.

    Raises
    ------
    Refused
        If the run is gone, or its model is another one.
    """
    from provenote.registry import candidate

    made = one.made
    try:
        found = candidate.find(workspace, made.model, made.run_id)
    except UsageError as error:
        raise Refused(f"the run of {made.short} is not here: {error.what}", "`provenote sync`") from error
    if (found.commit, found.artifact.sha256) != (made.commit, made.sha256):
        raise Refused(f"the run of {made.short} keeps another model than the one that was judged")


def waiting(workspace: Workspace, registry: Registry) -> list[Prepared]:
    """Return the prepared requests that wait for a person; none where the rules cannot be read."""
    try:
        return [one for one in all_of(workspace, registry) if one.state == "waits"]
    except ProvenoteError:
        return []
