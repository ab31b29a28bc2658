"""The style sheet of a review's page, below ``.pn`` and beside `provenote.render.style`; and its few keys.

Where there is room, threads float in a margin beside the line they are about, one below the other: each is a
float before its line with a negative margin, so that no script has to place it. In a narrower place they
stand above their line, and in a narrow one the two sides of a line stand below each other.
"""

from __future__ import annotations

import base64
import hashlib

_MONO = "var(--jp-code-font-family,menlo,consolas,'DejaVu Sans Mono',monospace)"

SHEET = f"""
.pn .pn-rq{{container-type:inline-size}}
.pn .pn-rb,.pn .pn-ra{{border-top:1px solid var(--pn-line)}}
.pn .pn-r{{display:grid;grid-template-columns:44px minmax(0,1fr) 44px minmax(0,1fr)}}
.pn .pn-one .pn-r{{grid-template-columns:44px minmax(0,1fr)}}
.pn .pn-rd{{padding:4px 0;font:12px/1.4 {_MONO};white-space:pre-wrap;overflow-wrap:anywhere}}
.pn .pn-r>*{{min-height:17px;padding:0 8px 0 4px;font:inherit;text-decoration:none;min-width:0}}
.pn.pn .pn-r>code{{padding:0 8px 0 4px;font:inherit;white-space:inherit}}
.pn .pn-r>i{{padding:0 6px 0 0;text-align:right;color:var(--pn-text2);white-space:nowrap;user-select:none;
font-variant-numeric:tabular-nums}}
.pn .pn-r>.pn-e,.pn .pn-rp>.pn-e,.pn .pn-rt>.pn-e,.pn tr.pn-e td{{background:var(--pn-soft)}}
.pn .pn-r>.pn-hl,.pn .pn-hl>:last-child{{box-shadow:inset 3px 0 0 var(--pn-run)}}
.pn .pn-r b,.pn .pn-rt b{{font-weight:600;border-radius:2px}}.pn .pn-new b{{background:var(--pn-new-in)}}
.pn .pn-old b{{background:var(--pn-old-in)}}
.pn .pn-g{{padding:2px 8px 2px 44px;color:var(--pn-text2);background:var(--pn-head);
font:11px/1.5 var(--jp-ui-font-family,system-ui,sans-serif)}}
.pn .pn-ra{{display:flow-root}}.pn .pn-rc{{display:flow-root;border-bottom:1px solid var(--pn-line)}}
.pn.pn h1.pn-r1{{font-size:15px;font-weight:600;line-height:1.4;margin:0;padding:8px 10px 0;border:0;
overflow-wrap:anywhere}}
.pn.pn h2.pn-rh{{font-size:12px;font-weight:600;line-height:1.5;margin:0;padding:4px 10px;border:0;
background:var(--pn-head);border-bottom:1px solid var(--pn-line)}}
.pn .pn-rh span,.pn .pn-ri span{{font-weight:400;color:var(--pn-text2)}}
.pn .pn-rh>span{{margin-left:6px}}
.pn .pn-rk{{padding:4px 10px;font-size:11px;color:var(--pn-text2);border-top:1px solid var(--pn-line)}}
.pn details.pn-fold>summary{{padding:3px 10px;font-size:12px;line-height:18px;color:var(--pn-text2);
background:var(--pn-soft);cursor:pointer;border-bottom:1px solid var(--pn-line)}}
.pn .pn-rc details.pn-fold>summary{{background:none;border-bottom:0;font-size:11px}}
.pn details.pn-fold[open]{{border-bottom:1px solid var(--pn-line)}}
.pn .pn-rp,.pn .pn-rt{{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:8px;
padding:4px 10px 8px}}
.pn .pn-rp.pn-one,.pn .pn-rt.pn-one{{grid-template-columns:minmax(0,1fr)}}
.pn .pn-rp figure{{margin:0;min-width:0}}.pn .pn-rp img{{background:#fff;max-height:80vh;object-fit:contain;
width:auto;object-position:left top}}
.pn .pn-rp figcaption{{font-size:11px;color:var(--pn-text2);padding:2px 0;overflow-wrap:anywhere}}
.pn .pn-rx{{overflow-x:auto;min-width:0}}
.pn.pn .pn-rt table{{border-collapse:collapse;font-size:12px;margin:0;border:0;table-layout:auto;
color:inherit}}
.pn.pn .pn-rt :is(th,td){{height:22px;padding:0 8px;text-align:right;white-space:nowrap;font-weight:400;
border:0;
border-bottom:1px solid var(--pn-line);font-variant-numeric:tabular-nums;max-width:none;background:none}}
.pn.pn .pn-rt tr{{background:none}}.pn.pn .pn-rt tr.pn-new{{background:var(--pn-new-bg)}}
.pn.pn .pn-rt tr.pn-old{{background:var(--pn-old-bg)}}.pn.pn .pn-rt tr.pn-g td{{text-align:left;
height:18px}}
.pn.pn .pn-rt th{{color:var(--pn-text2)}}.pn.pn .pn-rt td.pn-sg{{padding:0 0 0 6px;width:14px;
color:var(--pn-text2)}}
.pn .pn-rt :is(ins,del){{text-decoration:none;font-weight:600}}
.pn .pn-rt ins{{background:var(--pn-new-in)}}.pn .pn-rt del{{background:var(--pn-old-in)}}
.pn .pn-th{{background:var(--pn-ground);border:1px solid var(--pn-axis);margin:4px 10px;max-width:640px;
font:12px/1.4 var(--jp-ui-font-family,system-ui,-apple-system,'Segoe UI',helvetica,arial,sans-serif);
white-space:normal;overflow-wrap:anywhere}}
.pn .pn-th.pn-open{{border-color:var(--pn-run)}}
.pn .pn-th.pn-guessed,.pn .pn-th.pn-outdated,.pn .pn-th.pn-orphan{{border-style:dashed}}
.pn .pn-tk,.pn .pn-th summary{{padding:3px 8px;font-size:11px}}
.pn .pn-th summary{{cursor:pointer;color:var(--pn-text2)}}
.pn .pn-tk{{display:flex;flex-wrap:wrap;gap:0 6px;align-items:center;border-bottom:1px solid var(--pn-line)}}
.pn .pn-tk .pn-st{{margin-left:auto;font-weight:600}}
.pn .pn-tn{{display:inline-block;min-width:16px;height:16px;line-height:16px;padding:0 4px;
border-radius:8px;
text-align:center;font:600 11px/16px var(--jp-ui-font-family,system-ui,sans-serif);text-decoration:none;
user-select:none}}
.pn.pn .pn-tn{{background:var(--pn-run);color:var(--pn-ground)}}
.pn.pn .pn-resolved .pn-tn{{background:var(--pn-text2)}}
.pn .pn-tc,.pn .pn-ts,.pn .pn-tu{{padding:3px 8px}}
.pn .pn-tc p{{margin:0}}.pn .pn-tc b{{font-weight:600}}
.pn .pn-ty span,.pn .pn-tu{{font-size:11px;
color:var(--pn-text2)}}
.pn.pn .pn-ty .pn-warn{{color:var(--pn-warn-text)}}
.pn.pn .pn-th code.pn-ti{{white-space:nowrap;font-size:11px;color:var(--pn-text2)}}
.pn .pn-guessed .pn-tu,.pn .pn-outdated .pn-tu{{color:var(--pn-warn-text)}}
.pn .pn-ts .pn-tu{{padding:0 0 2px;color:var(--pn-text2)}}
.pn .pn-ts .pn-rd{{border:1px solid var(--pn-line);
font-size:11px;padding:2px 0}}
.pn .pn-ts .pn-r{{grid-template-columns:34px minmax(0,1fr)}}
.pn .pn-ts .pn-r>.pn-e,.pn .pn-ts .pn-r>[aria-hidden]{{display:none}}.pn .pn-ts .pn-g{{padding-left:34px}}
.pn .pn-ri{{padding:4px 10px 8px;font-size:12px;overflow-wrap:anywhere}}.pn .pn-ri p{{margin:2px 0}}
.pn.pn ul.pn-vs{{margin:2px 0;padding:0;list-style:none}}.pn.pn ul.pn-vs li{{margin:2px 0}}
.pn .pn-ri b{{font-weight:600}}.pn.pn .pn-ri .pn-m{{color:var(--pn-ground)}}
.pn.pn .pn-ri .pn-warn:not(.pn-m){{color:var(--pn-warn-text)}}
.pn .pn-rn{{display:flex;flex-wrap:wrap;gap:2px 10px}}
.pn .pn-rs{{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));font-size:12px;
background:var(--pn-ground);
border-bottom:1px solid var(--pn-line)}}.pn .pn-rs.pn-one{{grid-template-columns:minmax(0,1fr)}}
.pn .pn-rs>div{{padding:4px 10px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;
color:var(--pn-text2)}}
.pn .pn-rs b{{font-weight:600;color:var(--pn-text)}}
.pn .pn-rs .pn-rm{{display:none}}
.pn.pn a{{color:var(--pn-run-text)}}.pn :focus-visible{{outline:2px solid var(--pn-run);
outline-offset:-2px}}
@container (min-width:1020px){{
.pn .pn-rb,.pn .pn-rs{{--pn-margin:300px}}.pn .pn-rb{{margin-right:var(--pn-margin)}}
.pn .pn-rc .pn-th{{float:right;clear:right;width:calc(var(--pn-margin) - 16px);
margin:0 calc(8px - var(--pn-margin)) 8px 0}}
.pn .pn-rs{{grid-template-columns:repeat(2,minmax(0,1fr)) var(--pn-margin)}}
.pn .pn-rs.pn-one{{grid-template-columns:minmax(0,1fr) var(--pn-margin)}}.pn .pn-rs .pn-rm{{display:block}}
.pn .pn-rb>*{{border-right:1px solid var(--pn-line)}}
}}
@container (min-width:1300px){{.pn .pn-rb,.pn .pn-rs{{--pn-margin:344px}}}}
@container (max-width:719px){{
.pn .pn-r{{grid-template-columns:34px minmax(0,1fr)}}
.pn .pn-r>.pn-e,.pn .pn-r>[aria-hidden],.pn .pn-rp>.pn-e,.pn .pn-rt>.pn-e{{display:none}}
.pn .pn-rp,.pn .pn-rt,.pn .pn-rs{{grid-template-columns:minmax(0,1fr)}}
}}
@media print{{.pn details.pn-fold:not([open])>:not(summary){{display:none}}}}
""".replace("\n", "")
"""What a review adds to the sheet of all blocks."""

PAGE = """
body{margin:0;background:#fff;color-scheme:light dark}
@media (prefers-color-scheme:dark){body{background:#212121}}
body .pn{border:0;overflow:visible;max-width:1680px;margin:0 auto}
.pn .pn-rs{position:sticky;top:0;z-index:1}
.pn [id]{scroll-margin-top:32px}
.pn .pn-skip{position:absolute;left:-9999px}.pn .pn-skip:focus{left:8px;top:8px;background:var(--pn-ground);
padding:4px 8px;z-index:2}
""".replace("\n", "")
"""What a page of its own adds to that."""

KEYS = (
    "(()=>{const all=[...document.querySelectorAll('.pn-rc,.pn-th')].filter(e=>e.id);let at=-1;"
    "document.addEventListener('keydown',e=>{if(e.ctrlKey||e.metaKey||e.altKey)return;"
    "const step={j:1,']':1,k:-1,'[':-1}[e.key];if(!step||!all.length)return;"
    "const here=all.indexOf(document.activeElement);if(here>=0)at=here;"
    "at=Math.min(all.length-1,Math.max(0,at+step));const to=all[at];"
    "for(let d=to.parentElement;d;d=d.parentElement)if(d.tagName==='DETAILS')d.open=true;"
    "to.focus({preventScroll:true});to.scrollIntoView({block:'nearest'})})})()"
)
"""Goes to the next and the previous change or thread; the page is whole without it."""

POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    f"script-src 'sha256-{base64.b64encode(hashlib.sha256(KEYS.encode()).digest()).decode()}'"
)
"""The page's Content-Security-Policy: nothing is loaded, and no script runs but that one."""
