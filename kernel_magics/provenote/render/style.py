"""The style sheet of static blocks and widgets, as one string: roles as variables, everything below ``.pn``.

Inside Jupyter its own variables supply grounds and fonts; elsewhere the values after the comma do. Dark is
taken from Jupyter's and VS Code's marks on ``body``, and in a bare page from the reader's preference.
"""

from __future__ import annotations

from functools import cache

from provenote.render.roles import DARK, LIGHT

_JUPYTER = {
    "text": "var(--jp-content-font-color1,{})",
    "ground": "var(--jp-layout-color1,{})",
    "line": "var(--jp-border-color2,{})",
}

_RULES = """
.pn{background:var(--pn-ground);color:var(--pn-text);border:1px solid var(--pn-line);overflow-x:auto;
font:13px/1.4 var(--jp-ui-font-family,system-ui,-apple-system,'Segoe UI',helvetica,arial,sans-serif)}
.pn *{box-sizing:border-box}
.pn.pn.pn code,.pn .pn-code{
font-family:var(--jp-code-font-family,menlo,consolas,'DejaVu Sans Mono',monospace);
font-size:12px;background:none;color:inherit;padding:0}
.pn .pn-muted{color:var(--pn-text2)}.pn .pn-strong{font-weight:600}.pn .pn-ok{color:var(--pn-ok-text)}
.pn .pn-warn{color:var(--pn-warn-text)}.pn .pn-error{color:var(--pn-err-text)}
.pn .pn-run{color:var(--pn-run-text)}
.pn .pn-better{color:var(--pn-better)}.pn .pn-worse{color:var(--pn-worse)}
.pn .pn-m{display:inline-block;width:14px;height:14px;line-height:14px;border-radius:7px;font-size:10px;
text-align:center;color:var(--pn-ground);font-family:system-ui,sans-serif;vertical-align:middle;flex:none}
.pn .pn-m.pn-ok{background:var(--pn-ok)}.pn .pn-m.pn-error{background:var(--pn-err)}
.pn .pn-m.pn-warn{background:var(--pn-warn)}
.pn .pn-m.pn-run{border:2px solid var(--pn-run);border-top-color:transparent;color:transparent;
animation:pn-turn 1.2s linear infinite}
.pn .pn-m.pn-muted{border:1.5px solid var(--pn-text2);color:var(--pn-text2);line-height:11px}
@keyframes pn-turn{to{transform:rotate(360deg)}}
@media (prefers-reduced-motion:reduce){.pn .pn-m.pn-run{animation:none}}
.pn .pn-l{display:flex;align-items:baseline;gap:8px;min-height:24px;padding:3px 8px;font-size:12px}
.pn .pn-l .pn-end{margin-left:auto;white-space:nowrap}
.pn .pn-h{padding:6px 8px 4px;font-size:12px;font-weight:600;border-bottom:1px solid var(--pn-line)}
.pn table.pn-t{border-collapse:separate;border-spacing:0;font-size:12px;width:auto;min-width:50%;margin:0;
table-layout:auto;border:0;color:inherit}
.pn table.pn-t th,.pn table.pn-t td{height:24px;padding:0 8px;text-align:left;white-space:nowrap;
font-weight:400;border:0;border-bottom:1px solid var(--pn-line);background:none;
max-width:none;vertical-align:middle}
.pn table.pn-t td.pn-strong{font-weight:600}
.pn table.pn-t thead th{color:var(--pn-text2);background:var(--pn-head);font-size:11px}
.pn table.pn-t .pn-num{text-align:right;font-variant-numeric:tabular-nums}
.pn.pn table.pn-t tbody tr{background:none}.pn.pn table.pn-t tbody tr:hover{background:var(--pn-hover)}
.pn table.pn-t .pn-first{position:sticky;left:0;background:var(--pn-ground)}
.pn table.pn-t thead .pn-first{background:var(--pn-head)}
.pn table.pn-t tbody th .pn-m,.pn .pn-l .pn-m{margin-right:6px}
.pn .pn-l .pn-m{margin-right:0;align-self:center}
.pn .pn-s{border-bottom:1px solid var(--pn-line);align-items:center}
.pn .pn-2{display:flex;flex-wrap:wrap;gap:8px 24px;padding:2px 8px 8px;align-items:flex-start}
.pn .pn-2 table.pn-t{min-width:320px;flex:none}.pn .pn-2>div{flex:1 1 240px;padding-top:4px}
.pn .pn-c{display:flex;flex-wrap:wrap;gap:4px 12px;font-size:12px;margin:0 0 8px}
.pn .pn-c b{font-weight:400;font-variant-numeric:tabular-nums;margin-left:2px}
.pn .pn-c b.pn-strong{font-weight:600}
.pn .pn-x{display:none}
.pn .pn-n{font-size:11px;color:var(--pn-text2);margin-top:8px}
.pn .pn-c i{font-style:normal;color:var(--pn-text2)}.pn .pn-c span{white-space:nowrap}
.pn .pn-b{display:inline-block;padding:0 7px;line-height:18px;border:1px solid var(--pn-line);
border-radius:10px;font-size:11px;white-space:nowrap}
.pn .pn-b.pn-warn{background:var(--pn-warn-bg);border-color:transparent}
.pn .pn-b.pn-error{background:var(--pn-err-bg);border-color:transparent}
.pn .pn-f{padding:4px 8px;font-size:12px;color:var(--pn-text2)}
.pn dl.pn-d{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:2px 16px;margin:0;
padding:6px 8px;font-size:12px}
.pn.pn pre.pn-p{margin:0;padding:6px 8px;font-size:12px;white-space:pre;color:inherit;background:none}
.pn .pn-v{display:flex;flex-wrap:wrap;gap:8px;padding:4px 8px 8px;align-items:flex-start}
.pn .pn-v>div{flex:1 1 280px;min-width:0;border:1px solid var(--pn-line)}
.pn .pn-k{padding:2px 8px;font-size:11px;color:var(--pn-text2);background:var(--pn-head);
border-bottom:1px solid var(--pn-line)}
.pn.pn .pn-v pre.pn-p{padding:4px 0;overflow-x:auto;line-height:1.35}
.pn .pn-v pre.pn-p{display:grid}.pn .pn-v pre.pn-p span{display:block;padding:0 8px}
.pn .pn-q{container-type:inline-size}.pn .pn-a{display:none}
@container (min-width:860px){.pn .pn-w>.pn-a{display:block}.pn.pn .pn-w>.pn-o .pn-old{display:none}}
.pn .pn-new{background:var(--pn-new-bg)}.pn .pn-old{background:var(--pn-old-bg)}
.pn .pn-new b,.pn .pn-old b{font-weight:600;background:var(--pn-new-in)}
.pn .pn-old b{background:var(--pn-old-in)}
.pn .pn-gap{color:var(--pn-text2);background:var(--pn-head)}.pn .pn-v img{padding:4px}
.pn dl.pn-d dt{color:var(--pn-text2);font-weight:400;margin:0}
.pn dl.pn-d dd{margin:0;overflow-wrap:anywhere}
.pn .pn-charts{display:flex;flex-wrap:wrap;gap:8px 16px;padding:6px 8px 2px;min-height:0}
.pn svg.pn-chart{display:block;font:11px var(--jp-ui-font-family,system-ui,sans-serif);max-width:100%}
.pn svg.pn-chart text{fill:var(--pn-text2);font-variant-numeric:tabular-nums}
.pn svg.pn-chart .pn-title{fill:var(--pn-text);font-weight:600}.pn svg.pn-chart .pn-small{font-size:10px}
.pn svg.pn-chart .pn-last{fill:var(--pn-text);paint-order:stroke;stroke:var(--pn-ground);stroke-width:3px}
.pn svg.pn-chart .pn-grid{stroke:var(--pn-grid)}.pn svg.pn-chart .pn-axis{stroke:var(--pn-axis);fill:none}
.pn svg.pn-chart .pn-curve{stroke:var(--pn-s1);stroke-width:1.8;fill:none;stroke-linejoin:round}
.pn svg.pn-chart .pn-dot{fill:var(--pn-s1)}.pn svg.pn-chart .pn-rule{stroke:var(--pn-axis)}
.pn img{display:block;max-width:100%;height:auto;margin:0}
"""


@cache
def sheet() -> str:
    """Return the style sheet."""
    light = _variables(LIGHT)
    dark = _variables(DARK)
    bare = "body:not([data-jp-theme-light]):not([class*=vscode]) .pn"
    return (
        f".pn{{{light}}}"
        f'body[data-jp-theme-light="false"] .pn{{{dark}}}'
        f"body.vscode-dark .pn,body.vscode-high-contrast .pn{{{dark}}}"
        f"@media (prefers-color-scheme:dark){{{bare}{{{dark}}}}}" + _RULES.replace("\n", "")
    )


def _variables(values: dict[str, str]) -> str:
    return "".join(f"--pn-{name}:{_JUPYTER.get(name, '{}').format(value)};" for name, value in values.items())
