"""The registry as views: what was signed, holds a stage, waits, was verified; and who did what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from provenote.registry.against import Against
from provenote.registry.event import timestamp
from provenote.registry.listing import Holding, Waiting
from provenote.registry.names import visible
from provenote.registry.plan import Me
from provenote.registry.reading import Registry
from provenote.registry.signing import Signed
from provenote.registry.state import Promotion
from provenote.registry.verifying import Report
from provenote.view import Cell, Column, Facts, Line, Mark, Part, Table, View


def signed(done: Signed) -> View:
    """Show what was signed and what comes next."""
    acts = list(zip(done.plan.acts, done.ids, strict=True))
    parts: list[Part] = [Line(act.words, "ok", aside=f"event {id[:12]}") for act, id in acts]
    parts += [Line(f"tag {name}", "ok", aside="in this clone") for name in done.tags]
    data: dict[str, Any] = {
        "events": [{"id": id, "type": act.type} for act, id in acts],
        "tags": list(done.tags),
    }
    request = str(done.plan.acts[0].body.get("promotion") or done.ids[0])
    promotion = done.registry.state.promotion(request)
    if promotion is not None:
        parts.append(Line(_next(promotion)))
        subject = promotion.subject
        data |= {"model": subject.model, "version": subject.version, "commit": subject.commit}
        data |= {"stage": promotion.stage, "status": promotion.status}
    return View([*parts, *kind(done.registry)], data)


def holdings(registry: Registry, found: Sequence[Holding]) -> View:
    """Show what holds which stage."""
    headings = ("model", "stage", "version", "run", "since", "released by", "verified")
    rows = [
        [
            Cell(one.model, "strong"),
            Cell(one.stage),
            Cell(one.version, "code"),
            Cell(one.run, "code", one.commit),
            Cell(one.since[:10], title=one.since),
            Cell(one.by),
            _verified(one),
        ]
        for one in found
    ]
    waiting = sum(one.waiting for one in registry.state.promotions)
    word = "request waits" if waiting == 1 else "requests wait"
    table = Table(
        [Column(heading) for heading in headings],
        rows,
        foot=[f"{waiting} {word}: `provenote inbox`"] if waiting else [],
        empty='Nothing is released yet. Ask for it: `provenote promote NAME --to production --why "..."`',
    )
    data = {"models": [asdict(one) for one in found], "waiting": waiting}
    return View([table, *kind(registry)], data)


def requests(registry: Registry, found: Sequence[Waiting], me: Me | None, prepared: int = 0) -> View:
    """Show the requests that wait, with what would change; ``prepared`` ones stand above, unsigned."""
    parts = [part for one in found for part in _waiting(one)]
    if not found:
        parts.append(Line("No signed request waits." if prepared else "No request waits."))
    elif me is None:
        parts.append(Line("None of your keys is in the policy: you may read, not vote.", "warn"))
    data = {"me": me.name if me else None, "waiting": [_waiting_data(one) for one in found]}
    return View([*parts, *kind(registry)], data)


def reports(
    registry: Registry, found: Sequence[Report], wrong: Mapping[str, str] | None, took: float
) -> View:
    """Show what verifying found; ``wrong`` are the wrong tags, None if nobody looked at them."""
    parts = [part for report in found for part in _report(report)]
    broken = [report.broken for report in found if report.broken]
    if not found:
        parts.append(Line("Nothing is released yet, so there is nothing to verify."))
    parts += [Line(f"tag {tag}: {why}", "failed") for tag, why in sorted((wrong or {}).items())]
    if wrong is not None and not wrong:
        parts.append(Line("tags: as the ledger says", "ok"))
    refused = registry.log.refused
    if refused:
        few = "; ".join(f"{id[:12]}: {why}" for id, why in list(refused.items())[:3])
        parts.append(Line(f"Event files in the ledger that do not count: {len(refused)} ({few})", "warn"))
    parts.append(Line(f"{len(registry.log.events)} events read, {took:.2f} s", role="muted"))
    data = {
        "root": f"sha256:{registry.root}",
        "ledger": registry.commit,
        "demo": registry.log.policy.demo,
        "solo": registry.log.policy.solo,
        "reports": [_report_data(report) for report in found],
        "tags": wrong,
        "refused": dict(refused),
        "seconds": round(took, 3),
    }
    return View([*parts, *kind(registry)], data, status=1 if broken or wrong else 0)


def trail(found: Mapping[str, Any]) -> View:
    """Show the audit trail, as `provenote.registry.news.since` gives it."""
    rows = found["events"]
    headings = ("at", "who", "what", "model", "stage", "why", "event")
    cells = [
        [
            Cell(str(row["at"])),
            Cell(str(row["who"])),
            Cell(f"{row['what']} {row['decision']}".strip()) if row["counts"] else Cell("refused", "error"),
            Cell(f"{row['model']}@{row['version']}" if row["model"] else "", "code"),
            Cell(str(row["stage"])),
            Cell(str(row["why"] or row["reason"])),
            Cell(str(row["id"])[:12], "code", str(row["id"])),
        ]
        for row in rows
    ]
    table = Table([Column(heading) for heading in headings], cells, empty="No event.")
    below = Table(
        [Column("policy"), Column("signed by"), Column("changes")],
        [
            [
                Cell(str(one["version"]), title=one["id"]),
                Cell(", ".join(one["signed_by"])),
                Cell(visible("; ".join(one["changes"]))),
            ]
            for one in found["policies"]
        ],
    )
    asked = Table(
        [Column("asks to be let in"), Column("at"), Column("key")],
        [
            [
                Cell(visible(one["person"] or one["reason"]), "plain" if one["person"] else "error"),
                Cell(one["at"]),
                Cell(one["key"], "code"),
            ]
            for one in found["joins"]
        ],
    )
    parts = [table, *([below] if found["policies"] else []), *([asked] if found["joins"] else [])]
    return View([*parts, *_kind(found.get("demo"), found.get("solo"))], dict(found))


def _next(promotion: Promotion) -> str:
    subject, stage = promotion.subject, promotion.stage
    if promotion.status == "released":
        use = f'provenote.load("{subject.model}", stage="{stage}")'
        return f"{subject.reference} holds {stage}. Use it: `{use}`"
    if promotion.status == "approved":
        return f"Next: `provenote release {subject.reference}`"
    if promotion.status == "open":
        lacking = "; ".join(problem.text for problem in promotion.verdict.problems)
        return f"Waits for {lacking}. Next: `provenote approve {subject.reference}`"
    return f"The request for {subject.reference} in {stage} is {promotion.status}."


def kind(registry: Registry) -> list[Part]:
    """Say what a reader must know of the policy."""
    return _kind(registry.log.policy.demo, registry.log.policy.solo)


def _kind(demo: bool | None, solo: bool | None) -> list[Part]:
    if demo:
        return [Line("Demo policy: a throw-away key signed this, nobody vouches for it.", "warn")]
    if solo:
        return [Line("Solo mode: one person has every role, so nobody else has checked.", role="muted")]
    return []


def _verified(one: Holding) -> Cell:
    if one.verified:
        return Cell("verified", "ok")
    if one.verified is None:
        return Cell("bytes not here", "muted", "Fetch and check them: `provenote verify`")
    return Cell(one.problem, "error")


def _waiting(one: Waiting) -> list[Part]:
    subject, request, status = one.promotion.subject, one.promotion.request, one.promotion.status
    mark: Mark = "failed" if status == "rejected" else "ok" if status == "approved" else "queued"
    asked = f"asked by {request.by}, {timestamp(request.at)}, event {request.id[:12]}"
    replaces = one.holder.version if one.holder else "nothing"
    pairs = [
        ("why", Cell(request.why)),
        ("reason", Cell(request.text("reason") or "–")),
        ("replaces", Cell(replaces)),
        ("commit", Cell(subject.commit[:12], "code", subject.commit)),
        ("sha256", Cell(subject.sha256, "code")),
        ("format", Cell(f"{subject.format}, {subject.kind}")),
        ("trusts", Cell(", ".join(subject.trusted) or "no further type")),
        *((f"{who} says", Cell(text)) for who, text in one.comments),
        *(("lacks" if place == 0 else "", Cell(text, "warn")) for place, text in enumerate(one.lacking)),
    ]
    head = f"{subject.reference} to {one.promotion.stage}"
    if one.ends is not None and one.promotion.release:
        over = one.promotion.release.event
        told = f"{over.by}: {over.why}. Ends {timestamp(one.ends)} unless ratified"
        pairs.append(("override", Cell(told, "warn")))
    parts: list[Part] = [Line(head, mark, "strong", asked), Facts(pairs)]
    if one.metrics:
        before = one.holder.version if one.holder else "–"
        columns = [Column("metric"), *(Column(name, "right") for name in (before, subject.version, "change"))]
        rows = [
            [Cell(name), Cell(_number(old)), Cell(_number(new)), Cell(_change(old, new))]
            for name, old, new in one.metrics
        ]
        parts.append(Table(columns, rows))
    if one.against is not None:
        parts += _against(one.against)
    if one.promotion.verdict.has("reviews"):
        start = f"`provenote review start --run {subject.commit[:12]}`"
        parts.append(Line(f"Its notebook: {start}, or what goes on: `provenote review list`", role="muted"))
    return [*parts, Line(_turn(one), role="run" if one.mine in ("vote", "release") else "muted")]


def _against(found: Against) -> list[Part]:
    """Show how the version differs from the holder of the stage."""
    pairs = [
        (what, Cell(visible(words), "warn" if what == "trusts" else "plain")) for what, words in found.lines
    ]
    if found.unknown:
        pairs.append(("not known", Cell(visible(found.unknown), "warn")))
    parts: list[Part] = [Facts(pairs, f"Against {found.version}")] if pairs else []
    if not pairs:
        parts.append(Line(f"Against {found.version}: nothing else differs", role="muted"))
    if found.command:
        parts.append(Line(f"All of it: `{found.command}`", role="muted"))
    return parts


def _turn(one: Waiting) -> str:
    reference = one.promotion.subject.reference
    if one.mine == "vote" and one.ends is not None:
        return f"Your turn: `provenote approve {reference}` ratifies it"
    if one.mine == "vote":
        return f'Your turn: `provenote approve {reference}` or `provenote reject {reference} --why "..."`'
    if one.mine == "release":
        return f"Your turn: `provenote release {reference}`"
    if one.mine == "withdraw":
        return f"It waits for others. You asked, so you can take it back: `provenote withdraw {reference}`"
    return "It waits for others."


def _waiting_data(one: Waiting) -> dict[str, Any]:
    promotion = one.promotion
    return {
        "id": promotion.request.id,
        **promotion.subject.to_json(),
        "stage": promotion.stage,
        "status": promotion.status,
        "by": promotion.request.by,
        "at": timestamp(promotion.request.at),
        "why": promotion.request.why,
        "reason": promotion.request.text("reason") or None,
        "lacking": list(one.lacking),
        "mine": one.mine or None,
        "comments": [{"by": who, "text": text} for who, text in one.comments],
        "replaces": one.holder.version if one.holder else None,
        "override_ends": timestamp(one.ends) if one.ends is not None else None,
        "against": None
        if one.against is None
        else {
            "version": one.against.version,
            "differs": [{"kind": kind, "text": words} for kind, words in one.against.lines],
            "unknown": one.against.unknown or None,
            "command": one.against.command or None,
        },
        "metrics": {name: {"before": before, "after": after} for name, before, after in one.metrics},
    }


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}".replace("-", "\N{MINUS SIGN}")
    return "–" if value is None else str(value)


def _change(before: Any, after: Any) -> str:
    if not isinstance(before, (int, float)) or not isinstance(after, (int, float)):
        return ""
    return "=" if before == after else f"{after - before:+.3g}".replace("-", "\N{MINUS SIGN}")


def _report(report: Report) -> list[Part]:
    marks: dict[str, Mark] = {"ok": "ok", "unknown": "warn", "broken": "failed"}
    version = f" {report.version}" if report.version else ""
    parts: list[Part] = [Line(f"{report.model}{version} in {report.stage}", role="strong")]
    for link in report.links:
        parts.append(Line(f"{link.name:<9} {link.text}", marks[link.state]))
        parts += [Line(f"{'':<9} {text}", role="muted") for text in link.more]
    broken = report.broken
    if broken:
        back = f'`provenote rollback {report.model}@VERSION --stage {report.stage} --why "..."`'
        told = f"Broken at: {broken.name}. Loading is refused. Go back to an earlier version: {back}"
        if broken.name == "tag":
            told = "Broken at: tag. DVC and GTO are misled; loading by `provenote.load` is not"
        if broken.name == "figures":
            recall = f'`provenote recall {report.model} --stage {report.stage} --why "..."`'
            told = f"Broken at: figures. Loading asks for the signature only and goes on. Stop it: {recall}"
        parts.append(Line(told, "failed"))
    else:
        good = sum(link.state == "ok" for link in report.links)
        words = f"Verified: {good} of {len(report.links)} links"
        parts.append(Line(words, "ok" if good == len(report.links) else "warn"))
    return parts


def _report_data(report: Report) -> dict[str, Any]:
    return {
        "model": report.model,
        "stage": report.stage,
        "version": report.version,
        "links": [{"name": link.name, "state": link.state, "text": link.text} for link in report.links],
        "broken": report.broken.name if report.broken else None,
    }
