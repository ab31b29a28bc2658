"""Judge a sweep that ended: its best run against who holds the stage, on rows that neither has learned from.

All of it must hold for a request to be prepared: better for sure, at the level that the year's tries leave;
worse on no slice; every test green; no sign of a leak that nobody knew. What is not judged holds nothing.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provenote.checks import champion as comparing
from provenote.checks import contest, leak, rows, running, subject
from provenote.checks.champion import Margin, Paired
from provenote.checks.contest import Choice
from provenote.checks.subject import Examined
from provenote.checks.verdict import Finding, Verdict
from provenote.compare import numbers
from provenote.errors import ProvenoteError, Refused, UsageError
from provenote.events import Tell, silent
from provenote.jobs import sweeps
from provenote.jobs.launch import JobResult
from provenote.retraining.definition import Retrain
from provenote.retraining.present import Champion, Data
from provenote.retraining.record import Try

if TYPE_CHECKING:
    from provenote.checks.rows import Labelled
    from provenote.model import Row
    from provenote.statistics.bootstrap import Estimate
    from provenote.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Asked:
    """What was trained, and for what.

    Parameters
    ----------
    sweep : JobResult
    md5, since, due : str
        The version of the data, the first day held out, and the conditions that were due.
    """

    sweep: JobResult
    md5: str
    since: str
    due: str


def judge(workspace: Workspace, rule: Retrain, holder: Champion, asked: Asked, tell: Tell = silent) -> Try:
    """Judge a sweep that is over. Nothing is signed, requested or promoted.

    Parameters
    ----------
    workspace : Workspace
    rule : Retrain
    holder : Champion
        Who holds the stage now.
    asked : Asked
    tell : Tell

    Raises
    ------
    WorldError
        If the repository or the disk does not answer: then nothing was judged, and another look does it.
    """
    told = Try(
        id=asked.sweep.id,
        rule=rule.name,
        model=rule.model,
        stage=rule.stage,
        outcome="failed",
        why="",
        to=rule.to,
        due=asked.due,
        champion=holder.reference,
        champion_sha256=holder.sha256,
        data=rule.data,
        md5=asked.md5,
        since=asked.since,
    )
    found = sweeps.result(workspace, asked.sweep)
    told = dataclasses.replace(told, jobs=found.done)
    row, why = _best(workspace, rule, found, asked.md5)
    if row is None:
        return dataclasses.replace(told, why=why)
    told = dataclasses.replace(
        told, run=row.name, run_id=row.id, commit=str(row.commit), spent=rule.judge.each
    )
    champion = subject.of_stage(workspace, rule.model, rule.stage)
    try:
        # The types that the signed request of the champion allows: no others are opened unasked.
        challenger = subject.of_run(workspace, rule.model, row, champion.trusted)
        told = dataclasses.replace(told, sha256=challenger.sha256)
        data = Data(workspace, rule, holder, asked.md5)
        findings, tests = _found(workspace, rule, data, champion, challenger, asked, found.done, tell)
    except (UsageError, Refused) as error:
        return dataclasses.replace(told, outcome="rejected", why=f"not judged: {error.what}")
    told = dataclasses.replace(told, findings=tuple(findings), tests=tuple(tests))
    against = [one for one in findings if one["outcome"] not in ("passed", "skipped")]
    if against:
        more = f"; and {len(against) - 1} more" if len(against) > 1 else ""
        return dataclasses.replace(told, outcome="rejected", why=f"{_line(against[0])}{more}")
    return dataclasses.replace(told, outcome="prepared", why=findings[0]["why"])


def _line(finding: Mapping[str, Any]) -> str:
    return f"{finding['name']}: {finding['outcome']}, {finding['why']}"


def _best(workspace: Workspace, rule: Retrain, found: sweeps.SweepResult, md5: str) -> tuple[Row | None, str]:
    """Return the run with the best value of the metric, or why there is none that can be judged."""
    from provenote.stores import index

    if not found.done:
        states = ", ".join(sorted({job.state.state for job in found.jobs}))
        return None, f"none of the {numbers.counted(len(found.jobs), 'job')} succeeded ({states})"
    key = rule.sweep.best or rule.judge.metric or "rmse"
    values = [
        metrics.get(key) if job.state.state == "succeeded" else None
        for job, metrics in zip(found.jobs, found.metrics, strict=True)
    ]
    place = numbers.best(key, values)
    if place is None:
        return None, f"no run logged the metric {key}, by which the best is chosen"
    row = index.find(workspace, str(found.jobs[place].state.commit))
    document = index.document(workspace, str(row.commit))
    if rule.model not in (document.get("artifacts") or {}):
        return None, f"the best run {row.name} kept no model {rule.model}"
    inputs = (document.get("extra") or {}).get("inputs") or ()
    read = {
        one.get("md5") for one in (*(document.get("reads") or ()), *inputs) if one.get("path") == rule.data
    }
    if read != {md5}:
        what = "another version" if read else "no recorded version"
        return None, f"the best run {row.name} read {what} of {rule.data} than it was started for"
    return row, ""


def _found(
    workspace: Workspace,
    rule: Retrain,
    data: Data,
    champion: Examined,
    challenger: Examined,
    asked: Asked,
    jobs: int,
    tell: Tell,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return all findings as plain data, each with what it is ``of``, and the names of the runs of tests."""
    held = data.held_out(asked.since)
    alpha = rule.level(jobs)
    made: list[dict[str, Any]] = []
    made += _plain("contest", contested(workspace, rule, champion, challenger, held, alpha))
    made += _plain("leaks", leaks(rule, challenger, data.labelled, held))
    if any(one["outcome"] not in ("passed", "skipped") for one in made):
        return made, []  # a model that is no better need not be tested further
    names = []
    for verdict, run in _tests(workspace, rule, challenger, asked, held, tell):
        names.append(run)
        made += _plain("tests", verdict.findings)
    return made, names


def _plain(
    of: str, findings: Iterator[Finding] | tuple[Finding, ...] | list[Finding]
) -> list[dict[str, Any]]:
    plain = Verdict(of, {}, tuple(findings)).plain()["findings"]
    return [{**one, "of": of} for one in plain]


def contested(
    workspace: Workspace,
    rule: Retrain,
    holder: Examined,
    challenger: Examined,
    held: Labelled,
    alpha: float,
) -> list[Finding]:
    """Return what the paired comparison on the held out rows says: better for sure, and worse nowhere.

    Slices are looked at with intervals of 95 %: a stricter level would overlook more harm, not less.
    """
    known = [
        (f"rows it has not seen: {word}", leak.unseen(workspace, one, held))
        for word, one in (("challenger", challenger), ("champion", holder))
    ]
    unseen = [
        dataclasses.replace(one, name=name, outcome=one.outcome if one.outcome == "passed" else "not judged")
        for name, one in known
    ]
    judge = rule.judge
    choice = Choice(metric=judge.metric or None, margin=judge.margin, block=judge.block, level=1 - 2 * alpha)
    made = contest.contest(workspace, holder, challenger, rule.stage, held, choice)
    if made.found is None:
        return [*made.verdict.findings[:1], *unseen]
    whole = better(made.found, alpha, judge.better_by, rule.stage)
    if not judge.slices:
        return [whole, *unseen]
    usual = dataclasses.replace(choice, slices=judge.slices, level=0.95)
    parted = contest.contest(workspace, holder, challenger, rule.stage, held, usual).found
    return [whole, *unseen, *(parted.findings(rule.stage)[1:] if parted else ())]


def better(found: Paired, alpha: float, by: Margin, stage: str) -> Finding:
    """Return whether the challenger is better for sure. Pure.

    The lower end of the gain is the lower one of two: of the bootstrap, and of Student's t over blocks with
    the bootstrap's error, since a bootstrap of few blocks cannot tell tails as thin as a year's tries need.

    Parameters
    ----------
    found : Paired
        Made at the level ``1 - 2 * alpha``.
    alpha : float
        What this try may spend, one-sided.
    by : Margin
    stage : str
    """
    part = found.whole
    name = f"better than {stage}"
    low, by_much = lower(part.gain, alpha), by.of(part.holder)
    text = numbers.text
    figures = (
        f"{found.metric} {text(float(f'{part.challenger:.4g}'))} beside {text(float(f'{part.holder:.4g}'))}"
    )
    evidence = dict(found.findings(stage)[0].evidence) | {"alpha": alpha, "at_least": low}
    if not math.isfinite(low) or part.word == "not judged" and not part.gain.known:
        return Finding(name, "not judged", part.why, evidence=evidence)
    why = f"{figures}, better by {comparing.signed(part.gain.value)}, at least {comparing.signed(low)}"
    why += f" on {numbers.counted(part.gain.rows, 'row')} in {part.gain.blocks} {found.block}"
    wanted = f"; more than {text(by_much)} is asked" if by_much else ""
    outcome = "passed" if low > by_much else "failed"
    seen = part.gain.detectable
    if outcome == "failed":
        why += f"{wanted}; a gain of {text(float(f'{seen:.3g}'))} would be seen"
    interval = (low, part.gain.high) if part.gain.known else None
    return Finding(
        name,
        "passed" if outcome == "passed" else "failed",
        why,
        part.gain.value,
        by_much,
        interval,
        "",
        evidence,
    )


def lower(gain: Estimate, alpha: float) -> float:
    """Return below what the gain is with a chance of at most ``alpha``; NaN where nothing is known. Pure."""
    from scipy.stats import t

    if not gain.known or gain.blocks < 2:
        return math.nan
    return float(min(gain.low, gain.value + t.ppf(alpha, gain.blocks - 1) * gain.error))


def leaks(rule: Retrain, challenger: Examined, every: Labelled, held: Labelled) -> Iterator[Finding]:
    """Yield the signs of the leak screen; those that somebody knows are told, and stop nothing."""
    from provenote.screens import leaks as screen

    features = rows.columns_of(challenger.model)
    if features is None:
        yield Finding("leaks", "not judged", "the model does not say which columns it was fitted on")
        return
    known = rule.judge.known_signs
    share = len(held.frame) / max(1, len(every.frame))
    for one in screen.screen(every.frame, every.answer, features, [every.time], share):
        if one.outcome == "failed" and one.name in known:
            yield dataclasses.replace(one, outcome="skipped", why=f"{one.why} (known: {known[one.name]})")
        else:
            yield one


def _tests(
    workspace: Workspace, rule: Retrain, challenger: Examined, asked: Asked, held: Labelled, tell: Tell
) -> Iterator[tuple[Verdict, str]]:
    """Run the tests of the challenger, one job each, and yield each verdict with the name of its run."""
    given = {
        **rule.tests,
        "data": rule.data,
        "answer": held.answer,
        "time": held.time,
        "since": asked.since,
        "stage": "",  # it was held against the holder here, at a stricter level
        "trusted": list(challenger.trusted),
    }
    makers: list[tuple[str, Any]] = [
        ("model tests", lambda: running.of_model(workspace, challenger.reference, given, tell=tell))
    ]
    for path in rule.notebooks:
        place = str(workspace.dvc_root / path)
        makers.append(
            (
                path,
                lambda place=place: running.of_notebook(
                    workspace, place, (f"model={challenger.reference}",), None
                ),
            )
        )
    for name, make in makers:
        try:
            ran = make()
        except ProvenoteError as error:
            yield Verdict(name, {}, (Finding(name, "error", error.what),)), ""
            continue
        run = str(ran.result.state.name or "")
        if ran.verdict is None:
            why = f"the test ended without a verdict ({ran.result.state.reason or ran.result.state.state})"
            yield Verdict(name, {}, (Finding(name, "error", why),)), run
        else:
            yield _whole(name, ran.verdict), run


def _whole(name: str, verdict: Verdict) -> Verdict:
    """Return a verdict with one more finding where all of it together did not pass: all cases skipped."""
    bad = [one for one in verdict.findings if one.outcome not in ("passed", "skipped")]
    if verdict.outcome == "passed" or bad:
        return verdict
    return dataclasses.replace(
        verdict,
        findings=(*verdict.findings, Finding(name, "not judged", f"the verdict is {verdict.outcome}")),
    )
