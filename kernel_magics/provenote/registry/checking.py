"""What a machine signs: a check's verdict, that the ledger is whole, an approved release. Nobody is asked.

So the key must be named (a person's own is never taken by itself), must have the role ``ci``, and is refused
where a notebook's code runs: in a kernel and inside a job. There a test could sign its own verdict.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from provenote.errors import Refused, UsageError
from provenote.registry import acting, gathering, promotion, reading, releasing
from provenote.registry.plan import Act, Me, Plan
from provenote.registry.policy import CI, METRICS, REPRODUCED, Rule
from provenote.registry.reading import Registry
from provenote.registry.signing import Signed, by_machine, find_me
from provenote.registry.state import Promotion
from provenote.registry.subject import Subject
from provenote.stores import keys
from provenote.stores.keys import Signer
from provenote.workspace import Workspace

KEY = "PROVENOTE_CI_KEY"
INSIDE = "PROVENOTE_RUN"
"""What a job's processes have in their environment."""


def machine(face: str, key: str | None) -> Signer:
    """Return the signer of the named key, or refuse where a notebook's code could be asking.

    Parameters
    ----------
    face : {'terminal', 'notebook', 'python'}
        Who asks.
    key : str or None
        File of the private key; None: what ``PROVENOTE_CI_KEY`` names.

    Raises
    ------
    Refused
        In a notebook or inside a job.
    UsageError
        If no key is named, or it is none.
    """
    if face == "notebook" or os.environ.get(INSIDE):
        raise Refused(
            "a check is signed beside the job, never in its kernel, where a test could sign its own verdict",
            "Run it in the pipeline's shell, after the job",
        )
    path = key or os.environ.get(KEY)
    if not path:
        raise UsageError("it is not said which key signs", f"Name it: `--key FILE`, or set {KEY}")
    return keys.open_key(Path(path))


def check(
    workspace: Workspace,
    reference: str,
    name: str,
    signer: Signer,
    *,
    status: str | None = None,
    run: str | None = None,
    report: str | None = None,
    stage: str | None = None,
) -> Signed:
    """Sign the verdict of a check on a request.

    Parameters
    ----------
    workspace : Workspace
    reference : str
        ``NAME@v1.2.3``, ``NAME`` or the start of the request's id.
    name : str
        Name of the check, as the rule asks for it.
    signer : Signer
        A key with the role ``ci``.
    status : {'pass', 'fail'}, optional
        The verdict; not together with ``run``.
    run : str, optional
        The run of a test job, which gives verdict and evidence.
    report : str, optional
        A file whose SHA-256 is kept; a verdict of one of our tests decides by its outcome.
    stage : str, optional
        The stage, when one version is asked for in several.
    """
    registry = reading.read(workspace)
    found = acting.request(registry, reference, stage)
    subject = found.subject

    def planner(now: Registry, me: Me) -> Plan:
        if name == METRICS and (rule := _rule(now, found)) is not None and rule.metrics:
            gathering.never_by_hand(name, status)
            if run or report:
                raise UsageError(
                    "the check metrics takes its figures from the runs", "Leave --run and --report out"
                )
            holder = now.state.releases.holder((*subject.key, found.stage))
            verdict, proof = gathering.of_metrics(
                workspace, rule, subject, holder.subject if holder else None
            )
            return promotion.check(found, name, status or verdict, proof, now, me)
        return promotion.check(found, name, *said, now, me)

    me = find_me(registry, [signer])
    said = ("fail", {}) if name == METRICS else _said(workspace, name, subject, status, run, report)
    return by_machine(registry, me, planner)


def _said(
    workspace: Workspace, name: str, subject: Subject, status: str | None, run: str | None, report: str | None
) -> gathering.Found:
    """Return what is to be signed about one version, whatever holds the stage."""
    if status not in (None, "pass", "fail"):
        raise UsageError(f"{ascii(status)} is no verdict", "It is pass or fail")
    if status is not None and run is not None:
        raise UsageError("give the verdict or the run that has it, not both")
    told: str | None = None
    proof: dict[str, Any] = {}
    if report is not None:
        told, proof = gathering.of_report(report, name, subject)
    verdict = status or told
    if name == REPRODUCED:
        gathering.never_by_hand(name, status)
        if status is None:
            verdict, more = gathering.of_reproduction(workspace, subject, run)
            proof |= more
    elif run is not None:
        verdict, more = gathering.of_run(workspace, run, subject)
        proof |= more
    if verdict is None:
        raise UsageError(
            "give the verdict or what has it: `--status pass`, `--run RUN`, or `--report FILE` of a test"
        )
    if verdict == "pass" and told == "fail":
        raise UsageError(
            f"{report} says {proof['outcome']!r}, which is no pass", "Let it decide: leave the other out"
        )
    return verdict, proof


def _rule(registry: Registry, found: Promotion) -> Rule | None:
    return registry.log.policy.rule(found.subject.path, found.subject.model, found.stage)


def checkpoint(workspace: Workspace, signer: Signer) -> Signed:
    """Sign that the ledger is whole: the event names all its heads, so what is cut off before it is missed.

    Parameters
    ----------
    workspace : Workspace
    signer : Signer
        A key with the role ``ci``.
    """
    registry = reading.read(workspace)
    return by_machine(registry, find_me(registry, [signer]), _whole)


def release(
    workspace: Workspace, reference: str, why: str, signer: Signer, *, stage: str | None = None
) -> Signed:
    """Release what was approved, where the rule lets the machine: deployment without anybody's click.

    Parameters
    ----------
    workspace : Workspace
    reference : str
        ``NAME@v1.2.3``, ``NAME`` or the start of the request's id.
    why : str
    signer : Signer
        A key with the role ``ci`` and a role of the rule's ``release``.
    stage : str, optional
        The stage, when one version is asked for in several.
    """
    registry = reading.read(workspace)
    found = acting.request(registry, reference, stage)
    return by_machine(
        registry, find_me(registry, [signer]), lambda now, me: releasing.release(found, why, now, me)
    )


def _whole(registry: Registry, me: Me) -> Plan:
    policy = registry.log.policy
    if not policy.may(me.name, me.signer.public, [CI]):
        raise Refused(f"{me.name} signs no checkpoints: {policy.takes(me.name, [CI])}")
    return Plan((Act("checkpoint", "the ledger is whole", {}),), (), "ledger")
