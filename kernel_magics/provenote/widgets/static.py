"""The block below a tracked cell when nothing moves: a MIME bundle of plain text and self-contained HTML.

It carries the same facts as the live block, with the curves as a PNG by matplotlib. Nothing in it loads from
anywhere, so it reads the same in a saved notebook, a mail or a pull request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provenote.compare import columns, numbers
from provenote.compare.numbers import NONE
from provenote.model import Row
from provenote.render import html
from provenote.render.legible import cells, padded, visible
from provenote.render.roles import MARKS

METRICS = 12
PARAMS = 24
"""Lines and chips of one block; what is beyond is counted."""

Series = Mapping[str, Sequence[tuple[Any, Any]]]


def run_block(
    row: Row,
    series: Series,
    document: Mapping[str, Any],
    *,
    reference: Row | None = None,
    word: str = "",
    pictures: bool = True,
) -> dict[str, str]:
    """Return the block of a run that has ended.

    Parameters
    ----------
    row : Row
    series : mapping
        Metric -> points ``(step, value)``.
    document : mapping
        Its ``run.json``.
    reference : Row, optional
        Another run that changes are counted against.
    word : str
        What that run is, e.g. ``production``; by default its name.
    pictures : bool
        Whether curves are drawn (matplotlib takes some tenths of a second).

    Returns
    -------
    dict
        ``text/plain`` and ``text/html``.
    """
    word = word or (reference.name if reference else "")
    return {
        "text/plain": _words(row, series, reference, word),
        "text/html": _page(row, series, document, reference, word, pictures),
    }


def begun_block(name: str) -> dict[str, str]:
    """Return the block of a run that has just begun and has logged nothing."""
    strong = f'<b class="pn-strong"><code>{html.text(name)}</code></b>'
    line = html.spaced(html.mark("running"), strong, "<span>running</span>")
    hint = "Log a metric with <code>%log rmse=value --step i</code>"
    page = html.block(f'<div class="pn-l pn-s">{line}</div><div class="pn-f">{hint}</div>')
    return {"text/plain": f"{MARKS['running'].glyph} {visible(name)}  running", "text/html": page}


def status_words(row: Row, series: Series) -> list[str]:
    """Return what stands behind the name: state, reason, how long, how many steps."""
    words: list[str] = [row.status]
    if row.reason:
        words.append(row.reason)
    if row.ended is not None:
        words.append(numbers.duration(row.ended - row.started))
    steps = max((len(points) for points in series.values()), default=0)
    if steps > 1:
        words.append(numbers.counted(steps, "step"))
    return words


def _words(row: Row, series: Series, reference: Row | None, word: str) -> str:
    """Return the block as text: the status line, a line a metric, the command that shows more."""
    shape = MARKS[columns.mark(row)]
    order = columns.ORDER_WORDS.get(row.linearity, "linear")
    head = [f"{shape.glyph} {row.name}", *status_words(row, series), order]
    lines = ["  ".join(head)]
    metrics = columns.flat(row.metrics)
    shown = columns.shared([metrics])[:METRICS]
    wide = max((cells(visible(key)) for key in shown), default=0)
    for key in shown:
        value = numbers.text(metrics[key], grouped=True)
        change = numbers.change(metrics[key], columns.flat(reference.metrics).get(key)) if reference else ""
        against = f"  ({change} against {word})" if change and change != "=" else ""
        lines.append(f"  {padded(visible(key), wide)}  {value}{against}")
    if len(metrics) > len(shown):
        lines.append(f"  {len(metrics) - len(shown)} more metrics")
    lines.append(f"  provenote show {row.name}")
    return "\n".join(map(visible, lines))


def _page(
    row: Row, series: Series, document: Mapping[str, Any], reference: Row | None, word: str, pictures: bool
) -> str:
    name, *words = [row.name, *status_words(row, series)]
    state = columns.state_cell(row)
    inked = [f'<span class="pn-{state.role}">{html.text(words[0])}</span>']
    inked += [
        f'<span class="pn-{"error" if row.reason == each else "muted"}">{html.text(each, 80)}</span>'
        for each in words[1:]
    ]
    strong = f'<b class="pn-strong"><code>{html.text(name)}</code></b>'
    head = html.spaced(html.mark(columns.mark(row)), strong, html.listed([*inked, _order(row, document)]))
    parts = [f'<div class="pn-l pn-s">{head}</div>']
    if pictures:
        parts.append(_picture(series, reference, word))
    chips, note = _params(row, reference, word)
    facts = f"<div>{chips}{_facts(row, document)}{note}</div>"
    parts.append(f'<div class="pn-2">{_metrics(row, reference, word)}{facts}</div>')
    return html.block(*parts)


def _order(row: Row, document: Mapping[str, Any]) -> str:
    word = columns.ORDER_WORDS.get(row.linearity, "linear")
    evidence = document.get("evidence")
    why = evidence.get("why") if isinstance(evidence, Mapping) else None
    role = "warn" if row.linearity == "out-of-order" else "ok" if row.linearity == "linear" else "muted"
    glyph = {"ok": "✓ ", "warn": "▲ "}.get(role, "")
    title = html.text("; ".join(map(str, why or ())), 300)
    return f'<span class="pn-b pn-{role}" title="{title}">{glyph}{word}</span>'


def _picture(series: Series, reference: Row | None, word: str) -> str:
    from provenote.render import plots

    picture = plots.curves(
        series, reference=columns.flat(reference.metrics) if reference else None, word=word
    )
    return html.picture(picture) if picture else ""


def _metrics(row: Row, reference: Row | None, word: str) -> str:
    """Return the table of metrics, with change and value of the reference where there is one."""
    mine, theirs = columns.flat(row.metrics), columns.flat(reference.metrics) if reference else {}
    keys = columns.shared([mine]) + [key for key in columns.shared([theirs]) if key not in mine]
    if not keys:
        return '<div class="pn-f">No metric was logged.</div>'
    heads = ["metric", "this run", *(["change", word] if reference else [])]
    lines = [
        f'<th scope="col"{"" if not i else " class=pn-num"}>{html.text(each, 24)}</th>'
        for i, each in enumerate(heads)
    ]
    body = []
    for key in keys[:METRICS]:
        cols = [f'<td class="pn-num pn-strong">{_value(mine.get(key))}</td>']
        if reference:
            good = numbers.better(key, mine.get(key), theirs.get(key))
            role = {True: "better", False: "worse", None: "plain"}[good]
            change = numbers.change(mine.get(key), theirs.get(key)) or NONE
            cols.append(f'<td class="pn-num pn-{role}">{change}</td>')
            cols.append(f'<td class="pn-num pn-muted">{_value(theirs.get(key))}</td>')
        name = f'<th scope="row" class="pn-muted">{html.text(columns.heading(key), 40)}</th>'
        body.append(f"<tr>{name}{''.join(cols)}</tr>")
    more = f'<div class="pn-f">{len(keys) - METRICS} more metrics</div>' if len(keys) > METRICS else ""
    inner = f"<thead><tr>{''.join(lines)}</tr></thead><tbody>{''.join(body)}</tbody>"
    table = f'<table class="pn-t" role="table">{inner}</table>'
    return f"<div>{table}{more}</div>" if more else table


def _value(value: Any) -> str:
    return html.text(numbers.text(value, grouped=True), 40)


def _params(row: Row, reference: Row | None, word: str) -> tuple[str, str]:
    """Return the parameters as chips, and a note: bold is what differs from the reference."""
    mine, theirs = columns.flat(row.params), columns.flat(reference.params) if reference else None
    mine = dict(sorted(mine.items(), key=lambda item: "__" in item[0]))  # inner estimators' come last
    chips, bold = [], False
    for key, value in list(mine.items())[:PARAMS]:
        differs = theirs is not None and bool(columns.changed([{"": value}, {"": theirs.get(key)}]))
        bold = bold or differs
        strong = ' class="pn-strong"' if differs else ""
        chips.append(f"<span><i>{html.text(key, 40)}</i> <b{strong}>{_value(value)}</b></span>")
    if len(mine) > PARAMS:
        chips.append(f'<span class="pn-muted">and {len(mine) - PARAMS} more</span>')
    note = f'<div class="pn-n">Bold parameters differ from {html.text(word)}.</div>' if bold else ""
    return (f'<div class="pn-c">{html.listed(chips)}</div>' if chips else ""), note


def _facts(row: Row, document: Mapping[str, Any]) -> str:
    """Return badges: data read, models kept, the notebook on disk, what is worth a look."""
    badges: list[tuple[str, str]] = []
    for read in (document.get("reads") or ())[:4]:
        badges.append((f"data {read.get('path', '')}", "plain"))
    for name, artifact in list((document.get("artifacts") or {}).items())[:6]:
        badges.append(
            (f"{artifact.get('type', 'artifact')} {name}, {numbers.size(artifact.get('size'))}", "plain")
        )
    disk = document.get("disk")
    if disk in ("same", "differs"):
        badges.append((f"notebook on disk: {disk}", "plain" if disk == "same" else "warn"))
    stale = document.get("stale_modules") or ()
    if stale:
        badges.append((f"{numbers.counted(len(stale), 'module')} imported before the file changed", "warn"))
    if document.get("snapshot") == "lost":
        badges.append(("snapshot lost", "warn"))
    if row.status == "finished":
        badges.append((row.reproduced or "not reproduced yet", "muted"))
    inked = [f'<span class="pn-b pn-{role}">{html.text(text, 60)}</span>' for text, role in badges]
    return f'<div class="pn-c">{html.listed(inked)}</div>' if inked else ""
