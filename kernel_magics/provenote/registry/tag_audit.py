"""Tags against the ledger: forged, moved and missing ones, here and on a remote, and the missing made anew.

A tag that is there is never moved nor deleted by us: who put it there should be asked first. Making a missing
one is safe, since its content follows from signed events alone.
"""

from __future__ import annotations

from provenote.errors import Refused
from provenote.git import command
from provenote.registry import tags, verifying
from provenote.registry.reading import Registry
from provenote.registry.tags import Found, Tag
from provenote.sharing import transport
from provenote.sharing.offers import Offer, offer
from provenote.stores.ledger import GOVERNANCE

_LEDGER = f"refs/heads/{GOVERNANCE}"


def on_remote(registry: Registry, name: str) -> dict[str, str]:
    """Return what is wrong with this project's tags on a remote, and with its ledger: ``{name: why}``.

    Parameters
    ----------
    registry : Registry
        The ledger as this clone has verified it.
    name : str
        The remote.

    Raises
    ------
    Refused
        If the remote's ledger holds more than this clone's: then its tags cannot be judged here.
    WorldError
        If it does not answer.
    """
    remote = transport.choose(registry.workspace.top, name)
    listed = transport.listing(remote)
    wrong = {}
    if problem := _ledger(registry, remote, listed.get(_LEDGER)):
        wrong[GOVERNANCE] = problem
    refs = [
        ref for ref in listed if ref.startswith(f"refs/tags/{registry.path}=") and not ref.endswith("^{}")
    ]
    contents = command.blobs(registry.workspace.top, [listed[ref] for ref in refs])
    there = {}
    for ref, content in zip(refs, contents, strict=True):
        commit = listed.get(f"{ref}^{{}}")
        text = content.decode("utf-8", "replace") if content is not None and commit else None
        there[ref.removeprefix("refs/tags/")] = Found(commit or listed[ref], commit is not None, text)
    return {**wrong, **tags.check(registry.path, tags.wanted(registry.state), there)}


def repair(registry: Registry, name: str | None = None) -> list[str]:
    """Make the missing tags anew, here and on a remote, and return their names.

    Parameters
    ----------
    registry : Registry
    name : str, optional
        A remote that shall get those that it lacks too.

    Raises
    ------
    Refused
        If the remote's ledger is not this clone's: then `provenote sync` is the way.
    WorldError
        If the repository cannot be written, or the remote takes nothing.
    """
    wanted = _own(registry)
    made = tags.project(registry.workspace.top, wanted)
    if name is None:
        return made
    wrong = on_remote(registry, name)
    if GOVERNANCE in wrong:
        raise Refused(f"{GOVERNANCE} on {name} is {wrong[GOVERNANCE]}", f"First: `provenote sync {name}`")
    here = verifying.check_tags(registry)
    missing = [tag for tag, why in wrong.items() if why == "missing" and tag not in here]
    offers = []
    for tag in missing:
        oid = (
            command.git(registry.workspace.top, "rev-parse", "--verify", f"refs/tags/{tag}").decode().strip()
        )
        offers.append(Offer(f"refs/tags/{tag}", oid))
    answers = offer(transport.choose(registry.workspace.top, name), offers)
    for ref, why in answers.refused.items():
        raise Refused(f"{name} does not take {ref.removeprefix('refs/tags/')}: {why}")
    sent = [ref.removeprefix("refs/tags/") for ref in answers.taken]
    return [*made, *(f"{tag} on {name}" for tag in sent)]


def _own(registry: Registry) -> dict[str, Tag]:
    start = f"{registry.path}="
    return {name: tag for name, tag in tags.wanted(registry.state).items() if name.startswith(start)}


def _ledger(registry: Registry, remote: transport.Remote, tip: str | None) -> str | None:
    """Return how the remote's ledger lags behind what this clone knows of it, None if it does not.

    Raises
    ------
    Refused
        If it is ahead.
    """
    folder = registry.workspace.top
    if tip is None:
        return "missing there"
    if tip == registry.commit:
        return None
    if not registry.ledger.holds(tip, registry.commit):
        raise Refused(f"the ledger on {remote.name} holds more than this clone's", "First: `provenote sync`")
    seen = command.resolve(folder, remote.beside(_LEDGER))
    if seen is not None and not registry.ledger.holds(seen, tip):
        return f"rewound: it held {seen[:12]} before and stands at {tip[:12]}"
    return "behind this clone's"
