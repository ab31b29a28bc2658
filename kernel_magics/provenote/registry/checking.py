"""What a machine signs: a check's verdict, that the ledger is whole, an approved release. Nobody is asked.

So the key must be named (a person's own is never taken by itself), must have the role ``ci``, and is refused
where a notebook's code runs: in a kernel and inside a job. There a test could sign its own verdict.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from provenote.errors import Refused, UsageError
from provenote.registry import acting, promotion, reading, releasing
from provenote.registry.plan import Act, Me, Plan
from provenote.registry.policy import CI
from provenote.registry.reading import Registry
from provenote.registry.signing import Signed, by_machine, find_me
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
        raise UsageError("which key signs?", f"Name it: `--key FILE`, or set {KEY}")
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
        A file whose SHA-256 is kept.
    stage : str, optional
        The stage, when one version is asked for in several.
    """
    evidence: dict[str, str] = {}
    if (status is None) == (run is None):
        raise UsageError("give the verdict or the run that has it: `--status pass` or `--run RUN`")
    if run is not None:
        status, evidence["run"] = _of_run(workspace, run)
    if status not in ("pass", "fail"):
        raise UsageError(f"{ascii(status)} is no verdict", "It is pass or fail")
    if report is not None:
        evidence["report"] = _digest(report)
    registry = reading.read(workspace)
    found = acting.request(registry, reference, stage)
    verdict, proof = status, evidence

    def planner(now: Registry, me: Me) -> Plan:
        return promotion.check(found, name, verdict, proof, now, me)

    return by_machine(registry, find_me(registry, [signer]), planner)


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
        who = ", ".join(policy.in_role([CI])) or "nobody"
        raise Refused(f"{me.name} signs no checkpoints: it takes the role {CI} ({who})")
    return Plan((Act("checkpoint", "the ledger is whole", {}),), (), "ledger")


def _of_run(workspace: Workspace, name: str) -> tuple[str, str]:
    from provenote.stores import index

    row = index.find(workspace, name)
    verdicts: Mapping[str, str] = {"finished": "pass", "failed": "fail"}
    if row.commit is None or row.status not in verdicts:
        raise UsageError(
            f"run {row.name} is {row.status}, which is no verdict", "Wait for its end, or run it again"
        )
    return verdicts[row.status], row.commit


def _digest(path: str) -> str:
    from provenote.stores.digest import sha256_bytes

    try:
        return sha256_bytes(Path(path).read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
