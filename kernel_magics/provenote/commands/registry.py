"""Verbs of the registry: ask, decide, release, see what holds which stage, verify it down to the bytes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from provenote.commands.tree import Context, verb
from provenote.errors import UsageError
from provenote.view import Line, View, said

if TYPE_CHECKING:
    from provenote.retraining.prepared import Prepared


@verb("promote")
def promote(
    context: Context,
    name: str,
    *,
    to: str | None = None,
    why: str | None = None,
    run: str | None = None,
    bump: str | None = None,
    reason: str | None = None,
    release: bool = False,
    prepared: str | None = None,
) -> View:
    """Ask for a run's model to be brought to a stage.

    The run's commit gets a version (v1.0.0 first, then the next minor one) and a request, which you sign by
    typing the model's name. Others approve it; `release` brings it to the stage.

    Parameters
    ----------
    name : str
        Name of the model: what it was logged as.
    to : str
        The stage, as production or staging; needed unless the request was prepared.
    why : str
        Why it should go there; kept with the version for ever. Needed unless the request was prepared.
    run : str
        The run; default: the newest finished one that logged this model.
    bump : str
        Which part of the version grows: major, minor or patch; default: minor.
    reason : str
        One of the seven reasons of change; default: the run's own.
    release : bool
        Approve and release it too, in the same confirmation, where the policy lets one person do that.
    prepared : str
        Ask for what a retraining has prepared, by the start of its id: `inbox` lists it. Stage, run and
        reason are its own; you sign it as any other.
    """
    from provenote.registry import acting, pages

    if prepared is not None:
        if to is not None or run is not None:
            raise UsageError("a prepared request has its own stage and run", "Leave --to and --run out")
        one = _prepared(context, name, prepared)
        to, run, why, reason = one.made.asks, one.made.run_id, why or one.why, reason or "new data"
    if to is None or why is None:
        what = "stage" if to is None else "reason"
        raise UsageError(f"which {what}?", f'Give it: `provenote promote {name} --to production --why "..."`')
    signed = acting.promote(
        context.workspace,
        name,
        to=to,
        why=why,
        run=run,
        bump=bump,
        reason=reason,
        release=release,
        confirm=context.confirm,
        tell=context.tell,
    )
    return pages.signed(signed)


def _prepared(context: Context, name: str, start: str) -> Prepared:
    from provenote.registry import reading
    from provenote.retraining import prepared

    one = prepared.find(context.workspace, reading.read(context.workspace), name, start)
    prepared.same_bytes(context.workspace, one)
    return one


@verb("approve")
def approve(context: Context, request: str, *, why: str = "", stage: str | None = None) -> View:
    """Approve a request: this very version, these very bytes, for this stage.

    Parameters
    ----------
    request : str
        NAME@VERSION, NAME, or the start of the request's id.
    why : str
        Why; kept with your vote.
    stage : str
        The stage, when one version is asked for in several.
    """
    from provenote.registry import acting, pages

    return pages.signed(
        acting.vote(context.workspace, request, "approve", why, confirm=context.confirm, stage=stage)
    )


@verb("reject")
def reject(context: Context, request: str, *, why: str, stage: str | None = None) -> View:
    """Reject a request: it cannot be released while your rejection stands.

    Parameters
    ----------
    request : str
        NAME@VERSION, NAME, or the start of the request's id.
    why : str
        Why; kept with your vote.
    stage : str
        The stage, when one version is asked for in several.
    """
    from provenote.registry import acting, pages

    return pages.signed(
        acting.vote(context.workspace, request, "reject", why, confirm=context.confirm, stage=stage)
    )


@verb("withdraw")
def withdraw(context: Context, request: str, *, why: str = "", stage: str | None = None) -> View:
    """Take your own request back.

    Parameters
    ----------
    request : str
        NAME@VERSION, NAME, or the start of the request's id.
    why : str
        Why.
    stage : str
        The stage, when one version is asked for in several.
    """
    from provenote.registry import acting, pages

    return pages.signed(
        acting.withdraw(context.workspace, request, why, confirm=context.confirm, stage=stage)
    )


@verb("release")
def release(
    context: Context, request: str, *, why: str = "", stage: str | None = None, key: str | None = None
) -> View:
    """Bring an approved version into its stage.

    Parameters
    ----------
    request : str
        NAME@VERSION, NAME, or the start of the request's id.
    why : str
        Why.
    stage : str
        The stage, when one version is asked for in several.
    key : str
        The key file of a machine with the role ci, which the rule lets release: it is not asked.
    """
    from provenote.registry import acting, checking, pages

    if key is not None:
        signer = checking.machine(context.face, key)
        return pages.signed(checking.release(context.workspace, request, why, signer, stage=stage))
    return pages.signed(acting.release(context.workspace, request, why, confirm=context.confirm, stage=stage))


@verb("override")
def override(context: Context, request: str, *, why: str, stage: str | None = None) -> View:
    """Release in an emergency, without the approvals; it ends if they don't follow in time.

    Parameters
    ----------
    request : str
        NAME@VERSION, NAME, or the start of the request's id.
    why : str
        What the emergency is; kept for ever.
    stage : str
        The stage, when one version is asked for in several.
    """
    from provenote.registry import acting, pages

    return pages.signed(
        acting.release(context.workspace, request, why, confirm=context.confirm, stage=stage, override=True)
    )


@verb("rollback")
def rollback(context: Context, version: str, *, why: str, stage: str = "production") -> View:
    """Bring an earlier version back into a stage that it held.

    Parameters
    ----------
    version : str
        NAME@VERSION.
    why : str
        Why; kept for ever.
    stage : str
        The stage; default: production.
    """
    from provenote.registry import acting, pages

    return pages.signed(
        acting.rollback(context.workspace, version, why, stage=stage, confirm=context.confirm)
    )


@verb("recall")
def recall(context: Context, name: str, *, why: str, stage: str = "production") -> View:
    """Take what holds a stage out of use: nothing loads it from there any more.

    Parameters
    ----------
    name : str
        Name of the model.
    why : str
        Why; kept for ever.
    stage : str
        The stage; default: production.
    """
    from provenote.registry import acting, pages

    return pages.signed(acting.recall(context.workspace, name, why, stage=stage, confirm=context.confirm))


@verb("models")
def models(context: Context) -> View:
    """List what holds which stage, since when, and whether ledger, record and bytes agree."""
    from provenote.registry import listing, pages, reading

    registry = reading.read(context.workspace)
    return pages.holdings(registry, listing.models(registry))


@verb("inbox")
def inbox(context: Context) -> View:
    """Show what waits: reviews, requests, what they would change and what you can do; policies, newcomers."""
    from provenote.registry import listing, news, pages, policy_pages, reading, signing
    from provenote.retraining import prepared
    from provenote.retraining import show as retraining
    from provenote.reviews import show, turns

    reviewed = turns.waiting(context.workspace)
    if (
        reviewed is not None
        and reviewed.desk.people.registry is None
        and not reading.there(context.workspace)
    ):
        return show.waiting(reviewed)  # no policy, so nothing but reviews can wait
    registry = reading.read(context.workspace)
    news.remember(registry)
    me = signing.find_me_or_none(registry)
    parts, data = policy_pages.waiting(registry)
    unsigned = prepared.waiting(context.workspace, registry)
    view = pages.requests(registry, listing.inbox(registry, me), me, len(unsigned))
    parts = [*parts, *retraining.inbox(unsigned)]
    data["prepared"] = [one.made.plain() for one in unsigned]
    if reviewed is not None:
        below = show.waiting(reviewed)
        parts, data = [*below.parts, *parts], {**data, **below.data}
    return View([*parts, *view.parts], {**view.data, **data})


@verb("verify")
def verify(
    context: Context,
    name: str | None = None,
    *,
    stage: str | None = None,
    tags: bool = False,
    remote: str | None = None,
    repair: bool = False,
) -> View:
    """Walk from the policy to the bytes of what is in use, and name the first link that does not hold.

    Exit status 1 when something does not hold.

    Parameters
    ----------
    name : str
        Name of the model; default: all.
    stage : str
        The stage; default: all that hold something.
    tags : bool
        Also look for tags that were moved, forged or lost.
    remote : str
        Also look for such tags on this remote, and whether its ledger is behind.
    repair : bool
        Make missing tags anew, here and on the remote; one that is there is never touched.
    """
    from provenote.registry import pages, reading, tag_audit, verifying

    started = time.monotonic()
    registry = reading.read(context.workspace)
    reports = [verifying.verify(registry, key, context.tell) for key in verifying.keys(registry, name, stage)]
    made = tag_audit.repair(registry, remote) if repair else []
    wrong = verifying.check_tags(registry) if tags or remote or repair else None
    if wrong is not None and remote is not None:
        there = tag_audit.on_remote(registry, remote)
        wrong |= {f"{tag} on {remote}": why for tag, why in there.items()}
    view = pages.reports(registry, reports, wrong, time.monotonic() - started)
    again = [Line(f"tag {tag}: made anew", "ok") for tag in made]
    return View([*again, *view.parts], {**view.data, "repaired": made}, view.status)


@verb("audit")
def audit(context: Context, *, csv: str | None = None, since: str | None = None) -> View:
    """List every signed event (who did what to which bytes, when, why), policies and who asked to be let in.

    Parameters
    ----------
    csv : str
        Write all columns to this file as CSV.
    since : str
        Only what came since this commit of the ledger: the `ledger` of an earlier `--json`. For a notifier.
    """
    from provenote.registry import audit as trail
    from provenote.registry import news, pages

    found = news.since(context.workspace, since)
    if csv is None:
        return pages.trail(found)
    trail.write_csv(trail.flat(found), Path(csv))
    events, policies, joins = (len(found[what]) for what in ("events", "policies", "joins"))
    counted = (
        (events, "event", "events"),
        (policies, "policy", "policies"),
        (joins, "newcomer", "newcomers"),
    )
    told = f"{csv}: " + ", ".join(f"{n} {one if n == 1 else many}" for n, one, many in counted)
    return said(told, file=csv, events=events, policies=policies, joins=joins, ledger=found["ledger"])


@verb("comment")
def comment(context: Context, request: str, *, text: str, stage: str | None = None) -> View:
    """Say something about a request, for those who decide; signed like a vote.

    Parameters
    ----------
    request : str
        NAME@VERSION, NAME, or the start of the request's id.
    text : str
        What you say.
    stage : str
        The stage, when one version is asked for in several.
    """
    from provenote.registry import acting, pages

    workspace, confirm = context.workspace, context.confirm
    return pages.signed(acting.comment(workspace, request, text, confirm=confirm, stage=stage))
