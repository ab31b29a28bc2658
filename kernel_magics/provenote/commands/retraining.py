"""Verbs of continuous training: how the rules stand, train now, what came of it, let a stopped one go on."""

from __future__ import annotations

import time

from provenote.commands.tree import Context, verb
from provenote.view import Line, View, said


@verb("retrain status")
def status(context: Context, name: str | None = None) -> View:
    """Show what would make each rule train, which guards hold it, its last tries and what it prepared.

    Nothing is started. The rules stand in provenote.rules.yaml under `retrain:`. Exit status 2 where a rule
    is wrong.

    Parameters
    ----------
    name : str
        A rule; default: all.
    """
    from provenote.errors import ProvenoteError
    from provenote.registry import reading
    from provenote.retraining import desk, prepared, record, rule_file, show

    place = context.workspace
    rules = rule_file.read(place.dvc_root) if name is None else (rule_file.pick(place.dvc_root, name),)
    if not rules:
        rule_file.pick(place.dvc_root, name)
    found = []
    for rule in rules:
        history = record.history(place, rule)
        try:
            known = reading.read(place)
            made = prepared.told((one for one in history.tries if one.outcome == "prepared"), known)
        except ProvenoteError:
            made = []
        found.append((rule, desk.look(place, rule), history, made))
    return show.standing(found)


@verb("retrain run")
def run(context: Context, name: str | None = None, *, no_wait: bool = False) -> View:
    """Train by a rule now, due or not: the guards hold as always, and what comes of it is judged.

    What ended and was not judged is judged first. Nothing is signed. Exit status: 0 a request was prepared or
    the sweep goes on, 1 a guard holds it or no better model came of it, 2 the rule is wrong.

    Parameters
    ----------
    name : str
        A rule; default: the only one.
    no_wait : bool
        Only start the sweep; `tick` judges it.
    """
    from provenote.retraining import desk, rule_file, show

    place = context.workspace
    rule = rule_file.pick(place.dvc_root, name)
    made = desk.run(place, rule, wait=not no_wait, tell=context.tell)
    if made.error is not None:
        raise made.error
    no = bool(made.holding) or (made.made is not None and made.made.outcome != "prepared")
    return View(show.turns([made]), made.to_json(), int(no))


@verb("retrain log")
def log(context: Context, name: str | None = None) -> View:
    """List the tries of a rule, what each came to and why, and how much of the year's chance is spent.

    Parameters
    ----------
    name : str
        A rule; default: the only one.
    """
    from provenote.retraining import record, rule_file, show

    place = context.workspace
    rule = rule_file.pick(place.dvc_root, name)
    return show.log(rule, record.history(place, rule), time.time())


@verb("retrain show", out="-o")
def show(context: Context, id: str, *, out: str | None = None, force: bool = False) -> View:
    """Show one try: what was trained, against whom and on which rows it was held, and every answer.

    Parameters
    ----------
    id : str
        The start of its id, as `retrain log` lists it.
    out : str
        Write it as one offline file: report.html or report.md.
    force : bool
        Replace what stands there, whatever it is.
    """
    from provenote.retraining import reporting

    place = context.workspace
    one, state = reporting.find(place, id)
    view = reporting.view(one, state)
    if out is None:
        return view
    written = reporting.write(one, state, out, force=force)
    return View([Line(f"{out} written", "ok")], {"file": out, "bytes": written.size})


@verb("retrain resume")
def resume(context: Context, name: str, *, why: str) -> View:
    """Let a rule go on that stopped after two tries without a better model.

    Parameters
    ----------
    name : str
        The rule.
    why : str
        What you looked at, and why it may go on; kept for ever.
    """
    from provenote.errors import UsageError
    from provenote.retraining import record, rule_file

    place = context.workspace
    rule = rule_file.pick(place.dvc_root, name)
    stopped = record.history(place, rule).stopped()
    if not stopped:
        raise UsageError(f"the rule {rule.name} is not stopped", "See: `provenote retrain status`")
    if not why.strip():
        raise UsageError("the reason is empty", 'Give it: `--why "..."`')
    record.resume(place, rule, why.strip())
    return said(f"{rule.name} goes on", rule=rule.name, stopped=stopped)
