"""Verbs of the continuous integration: sign what a check found, and that the ledger is whole."""

from __future__ import annotations

from provenote.commands.tree import Context, verb
from provenote.view import View


@verb("check")
def check(
    context: Context,
    request: str,
    name: str,
    *,
    key: str | None = None,
    status: str | None = None,
    run: str | None = None,
    report: str | None = None,
    stage: str | None = None,
) -> View:
    """Sign the verdict of a check on a request, with a key that has the role ci.

    Nobody is asked, so it is for a process beside the job: in a notebook and inside a job it refuses. The
    check `metrics` computes its verdict from the runs of the version and of what holds the stage;
    `reproduced` takes it from `reproduce RUN`, made in the same clone. Exit status 1: the verdict is fail.

    Parameters
    ----------
    request : str
        NAME@VERSION, NAME, or the start of the request's id.
    name : str
        Name of the check, as the policy asks for it: model-tests.
    key : str
        File of the private key; default: what PROVENOTE_CI_KEY names.
    status : str
        The verdict: pass or fail.
    run : str
        The run of the test job: finished is pass, failed is fail; its commit is kept as the evidence.
    report : str
        A file whose SHA-256 is kept as the evidence. The verdict of one of our tests, as JSON, decides by
        itself: only passed is pass.
    stage : str
        The stage, when one version is asked for in several.
    """
    from provenote.registry import checking, pages

    machine = checking.machine(context.face, key)
    signed = checking.check(
        context.workspace, request, name, machine, status=status, run=run, report=report, stage=stage
    )
    view = pages.signed(signed)
    passed = signed.plan.acts[0].body["status"] == "pass"
    return View(view.parts, {**view.data, "verdict": "pass" if passed else "fail"}, 0 if passed else 1)


@verb("checkpoint")
def checkpoint(context: Context, *, key: str | None = None) -> View:
    """Sign that the ledger is whole as it is here, with a key that has the role ci: a rule may want it fresh.

    Parameters
    ----------
    key : str
        File of the private key; default: what PROVENOTE_CI_KEY names.
    """
    from provenote.registry import checking, pages

    return pages.signed(checking.checkpoint(context.workspace, checking.machine(context.face, key)))
