"""What `gc --ended` does: delete data whose agreement has ended, and certify it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from provenote.commands.tree import Context
from provenote.compare import numbers
from provenote.errors import Refused
from provenote.view import Cell, Column, Line, Part, Table, View

if TYPE_CHECKING:
    from provenote.agreements.erasing import Ending


def erase(context: Context, *, dry_run: bool, yes: bool, remote: Sequence[str], why: str) -> View:
    """Delete the data of all agreements that have ended, but those under a legal hold.

    Parameters
    ----------
    context : Context
    dry_run : bool
        Only show what would go.
    yes : bool
        Don't ask.
    remote : sequence of str
        DVC remotes that they are deleted from, too.
    why : str
        What the certificate says.
    """
    from provenote.agreements import erasing, journey

    place = context.workspace
    stands, broken = journey.everything(place)
    plans: list[Ending] = []
    held: list[str] = []
    for one in stands:
        if one.state == "ended":
            plans.append(erasing.plan(place, one.path))
        elif one.state == "on hold":
            held.append(one.path)
    parts: list[Part] = [_table(plans)]
    parts += [Line(f"{path} is under a legal hold: nothing of it is deleted", "silent") for path in held]
    parts += [Line(words, "failed") for words in broken]
    data: dict[str, Any] = {
        "schema": 1,
        "held": held,
        "ended": [_plain(plan) for plan in plans],
        "erased": [],
    }
    if not plans or dry_run:
        return View(parts, data)
    if not yes:
        many = sum(len(plan.objects) for plan in plans)
        subject = (
            f"{numbers.counted(many, 'object')} of {numbers.counted(len(plans), 'agreement')} that ended"
        )
        if context.confirm is None:
            return View(
                [*parts, Line("nothing was deleted", aside="Delete it: `provenote gc --ended --yes`")], data
            )
        if context.confirm(subject, "delete").strip() != "delete":
            return View([*parts, Line("nothing was deleted")], data)
    for plan in plans:
        try:
            done = erasing.erase(place, plan, why, remote, tell=context.tell)
        except Refused as error:
            parts.append(Line(error.line, "failed"))
            continue
        file = os.path.relpath(done.certificate or place.dvc_root)
        size = numbers.size(sum(done.sizes.values()))
        parts.append(
            Line(
                f"{plan.path}: {numbers.counted(len(done.gone), 'object')} deleted, {size}", "ok", aside=file
            )
        )
        for name, said in done.elsewhere.items():
            parts.append(
                Line(f"  not deleted from the remote {name}: {said}", "warn", aside=f"--remote {name}")
            )
        if done.kept:
            kept = numbers.counted(len(done.kept), "object")
            parts.append(
                Line(f"  {kept} stay: other data need these bytes, or a legal hold keeps them", role="muted")
            )
        data["erased"].append(
            {"path": plan.path, "certificate": file, "deleted": done.gone, "kept": done.kept}
        )
    parts.append(Line("Next: commit the certificates; each lists what others must delete", role="muted"))
    return View(parts, data)


def _table(plans: Sequence[Ending]) -> Table:
    rows = [
        [
            Cell(plan.path),
            Cell(str(plan.agreement.ends)),
            Cell(str(len(plan.objects))),
            Cell(", ".join(f"{model}@{version}" for model, version, _ in plan.concerns.models) or "none"),
            Cell(", ".join(plan.concerns.consumers) or "none"),
        ]
        for plan in plans
    ]
    heads = [
        Column("data"),
        Column("ended on"),
        Column("objects", "right"),
        Column("models"),
        Column("consumers"),
    ]
    return Table(heads, rows, empty="No agreement has ended.")


def _plain(plan: Ending) -> dict[str, Any]:
    return {
        "path": plan.path,
        "ended": str(plan.agreement.ends),
        "objects": list(plan.objects),
        "shared": list(plan.shared),
        "models": [f"{model}@{version}" for model, version, _ in plan.concerns.models],
        "consumers": list(plan.concerns.consumers),
    }
