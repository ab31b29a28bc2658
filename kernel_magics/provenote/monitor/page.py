"""The report of a monitor: one HTML file that loads nothing. Its charts are drawn by the plotly inside it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from provenote.compare import report_file
from provenote.errors import UsageError, WorldError
from provenote.monitor import show
from provenote.monitor.alerts import Alert, Standing
from provenote.monitor.charts import Chart, charts
from provenote.render import html
from provenote.render.roles import LIGHT
from provenote.render.style import sheet
from provenote.view import Line, View

MOST = 40
"""Charts in a report; those with an alarm come first."""
_GROUND = {"act": "err-bg", "look": "warn-bg", "healthy": "new-bg", "not judged": "soft"}

_PAGE = """
body{margin:0;background:#fff}
main.pn{max-width:1200px;margin:0 auto;padding:16px;border:0}
main.pn h1{font-size:15px;font-weight:600;margin:0;padding:10px 12px;overflow-wrap:anywhere}
main.pn h2{font-size:15px;font-weight:600;margin:24px 8px 8px}
main.pn .alert{border:1px solid var(--pn-line);margin:12px 0;padding:8px 12px}
main.pn .alert h3{font-size:13px;margin:0 0 4px;overflow-wrap:anywhere}
main.pn .alert p{margin:4px 0;overflow-wrap:anywhere}
main.pn section{overflow-x:auto}
main.pn .chart{height:240px;width:100%}
@media print{main.pn{max-width:none}}
"""

_DRAW = """
for (const one of JSON.parse(document.getElementById("charts").textContent)) {
  const traces = [];
  if (one.band) {
    const up = one.windows.map(() => one.band[1]), low = one.windows.map(() => one.band[0]);
    traces.push({x: one.windows, y: up, mode: "lines", line: {width: 0}, hoverinfo: "skip",
      showlegend: false});
    traces.push({x: one.windows, y: low, mode: "lines", line: {width: 0}, fill: "tonexty",
      fillcolor: "rgba(0,0,0,0.08)", name: "nine of ten own windows", hoverinfo: "skip"});
  }
  traces.push({x: one.windows, y: one.limits, mode: "lines", name: "limit",
    line: {color: one.colors.limit, dash: "dash", width: 1}});
  traces.push({x: one.windows, y: one.values, mode: "lines+markers", name: "this window",
    line: {color: one.colors.line, width: 1.5},
    marker: {size: one.over.map((bad) => bad ? 10 : 5),
      symbol: one.over.map((bad) => bad ? "triangle-up" : "circle"),
      color: one.over.map((bad) => bad ? one.colors.limit : one.colors.line)}});
  Plotly.newPlot(one.place, traces, {margin: {l: 60, r: 10, t: 10, b: 40},
    font: {size: 11}, xaxis: {type: "category", nticks: 12}, legend: {orientation: "h", y: 1.15},
    paper_bgcolor: "#fff", plot_bgcolor: "#fff"}, {displaylogo: false, responsive: true});
}
"""


def check(path: Path, *, force: bool = False) -> None:
    """Refuse a place where a report must not be written, before it is made.

    Raises
    ------
    UsageError
        If it is no HTML file, or its folder is not there.
    Refused
        If something stands there that is no report of ours.
    """
    if path.suffix.lower() not in report_file.HTML:
        raise UsageError(f"{path.name} tells no form of a report", "Name it `report.html`")
    report_file.check(path, force=force)


def write(path: Path, standing: Standing, view: View) -> Path:
    """Write the report of a monitor.

    Parameters
    ----------
    path : Path
        As `check` lets it pass.
    standing : Standing
    view : View
        What `provenote.monitor.show.standing_view` made of it.

    Raises
    ------
    WorldError
        If the disk does not take it; the report that was there is left.
    """
    waiting = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        waiting.write_text(page(standing, view), encoding="utf-8", errors="replace", newline="\n")
        waiting.replace(path)
    except OSError as error:
        raise WorldError(
            f"{path} cannot be written: {error.strerror or error}", "Choose another place"
        ) from error
    finally:
        waiting.unlink(missing_ok=True)
    return path


def page(standing: Standing, view: View) -> str:
    """Return the report as one page."""
    from plotly.offline import get_plotlyjs

    drawn = charts(standing)[:MOST]
    places = {chart.name: f"chart{place}" for place, chart in enumerate(drawn)}
    left = dict(places)
    body = []
    alerts = [_alert(one, left) for one in standing.alerts if one.state != "over"]
    if alerts:
        body.append(f"<h2>Alerts</h2>{''.join(alerts)}")
    titles = {chart.name: chart.title for chart in drawn}
    others = "".join(_chart(place, titles[name]) for name, place in left.items())
    body += [f"<section>{html.part(part)}</section>" for part in view.parts if not isinstance(part, Line)]
    if others:
        body.append(f"<h2>Other statistics</h2>{others}")
    plain = [_plain(chart, places[chart.name]) for chart in drawn]
    title = html.text(show.headline(standing), 300)
    ground = LIGHT[_GROUND[standing.level]]
    state = html.part(Line(show.headline(standing), show.MARKS[standing.level], "strong"))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="generator" content="{report_file.MARK}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{sheet()}{_PAGE}</style></head>\n"
        f'<body><main class="pn"><h1 style="background:{ground}">{state}</h1>\n'
        + "\n".join(body)
        + f'</main>\n<script type="application/json" id="charts">{_json(plain)}</script>\n'
        f"<script>{get_plotlyjs()}</script>\n<script>{_DRAW}</script></body></html>\n"
    )


def _alert(one: Alert, left: dict[str, str]) -> str:
    """Return one alert with the charts of what it explains, which are taken out of ``left``."""
    state = "" if one.state == "open" else f" (snoozed until {one.snoozed_until})"
    charts_ = "".join(
        f'<div class="chart" id="{left.pop(name)}"></div>' for name in one.cause.signals if name in left
    )
    windows = ", ".join(one.windows[-12:]) + (" ..." if len(one.windows) > 12 else "")
    mend = f"<p>Next: {html.prose(one.cause.mend)}</p>" if one.cause.mend else ""
    return (
        f'<div class="alert"><h3>{html.text(one.cause.title + state, 300)}</h3>'
        f"<p>{html.text(one.cause.why, 1000)}</p>{mend}"
        f'<p class="pn-muted">{show.counted(len(one.windows), "window")}: {html.text(windows, 400)}; '
        f"run {html.text(one.run, 80)}; id {html.text(one.id, 120)}</p>{charts_}</div>"
    )


def _chart(place: str, title: str) -> str:
    return f'<div class="alert"><h3>{html.text(title, 200)}</h3><div class="chart" id="{place}"></div></div>'


def _plain(chart: Chart, place: str) -> dict[str, Any]:
    return {
        "place": place,
        "windows": list(chart.windows),
        "values": list(chart.values),
        "limits": list(chart.limits),
        "over": list(chart.over),
        "band": list(chart.band) if chart.band else None,
        "colors": {"line": LIGHT["run"], "limit": LIGHT["err"]},
    }


def _json(data: Any) -> str:
    """Return JSON that ends no script: no name of a column can close it."""
    return json.dumps(data).replace("<", "\\u003c").replace("\u2028", "").replace("\u2029", "")
