"""What a notebook shows of a run: the static block, the curves, and what the live block follows."""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenote.model import Row
from provenote.render import plots
from provenote.widgets import live, static, tail

NOW = 1_795_000_000.0
CURVE = [(step, 60 + 90 * math.exp(-step / 9)) for step in range(1, 301)]


def row(**given):
    facts = {
        "id": "c57a",
        "name": "hgb-c57a",
        "label": "hgb",
        "status": "finished",
        "reason": None,
        "started": NOW,
        "ended": NOW + 11.4,
        "baseline": "0" * 40,
        "linearity": "linear",
        "params": {"depth": 8, "lr": 0.1},
        "metrics": {"rmse": 61.40, "r2": 0.876},
    }
    return Row(**(facts | given))


HOLDER = row(
    name="hgb-7963", params={"depth": 6, "lr": 0.1}, metrics={"rmse": 71.89, "r2": 0.830, "bias": -8.34}
)
DOCUMENT = {
    "reads": [{"path": "data/hour.csv", "md5": "ab"}],
    "artifacts": {"model": {"type": "model", "size": 1_200_000}},
    "disk": "differs",
    "stale_modules": ["features"],
    "evidence": {"why": ["In[5] ran after In[4]"]},
}


# The static block -------------------------------------------------------------------------------


def test_the_words_carry_the_same_facts():
    words = static.run_block(
        row(), {"rmse": CURVE}, DOCUMENT, reference=HOLDER, word="production", pictures=False
    )
    assert words["text/plain"].splitlines() == [
        "✓ hgb-c57a  finished  11.4 s  300 steps  linear",
        "  rmse  61.4  (−10.49 against production)",
        "  r2    0.876  (+0.046 against production)",
        "  provenote show hgb-c57a",
    ]


def test_the_page_says_what_to_look_at():
    page = static.run_block(
        row(linearity="out-of-order"), {"rmse": CURVE}, DOCUMENT, reference=HOLDER, word="production"
    )["text/html"]
    assert 'title="In[5] ran after In[4]">▲ out of order' in page
    assert (
        'src="data:image/png;base64,' in page
        and 'alt="rmse by step, from 140.5 to 60.00 at step 300"' in page
    )
    assert '<td class="pn-num pn-better">−10.49</td>' in page and "production</th>" in page
    assert '<b class="pn-strong">8</b>' in page and "<i>lr</i> <b>0.1</b>" in page
    for badge in (
        "data data/hour.csv",
        "model model, 1.2 MB",
        "notebook on disk: differs",
        "1 module imported before the file changed",
        "not reproduced yet",
    ):
        assert badge in page
    assert "http" not in page.replace("data:", "")


def test_a_failed_run_says_why():
    bundle = static.run_block(row(status="failed", reason="KeyError: 'windspeed'", metrics={}), {}, {})
    assert bundle["text/plain"].startswith("✗ hgb-c57a  failed  KeyError: 'windspeed'  11.4 s  linear")
    assert '<span class="pn-error">KeyError: &#x27;windspeed&#x27;</span>' in bundle["text/html"]
    assert "No metric was logged." in bundle["text/html"]


def test_hostile_names_keys_and_values_stay_text():
    evil = "</style><script>x</script>\x1b[31m\u202e\n"
    bundle = static.run_block(
        row(name=evil, reason=evil, status="failed", params={evil: evil}, metrics={evil: evil, "m": 1}),
        {evil: [(0, 1), (1, 2)]},
        {"reads": [{"path": evil}], "artifacts": {evil: {"type": evil}}, "evidence": {"why": [evil]}},
        reference=row(name=evil),
    )
    assert "<script" not in bundle["text/html"] and bundle["text/html"].count("</style>") == 1
    for form in bundle.values():
        assert "\x1b" not in form and "\u202e" not in form
    assert len(bundle["text/plain"].splitlines()) == 4


def test_many_metrics_and_params_are_counted():
    many = {f"m{i:02}": i for i in range(40)}
    bundle = static.run_block(row(metrics=many, params=many), {}, {}, pictures=False)
    assert "28 more metrics" in bundle["text/plain"] and "28 more metrics" in bundle["text/html"]
    assert "and 16 more" in bundle["text/html"]


# Pictures ---------------------------------------------------------------------------------------


def test_a_picture_has_its_words_and_leaves_pyplot_alone():
    import sys

    import matplotlib

    before = dict(matplotlib.rcParams)
    picture = plots.curves(
        {"rmse": CURVE, "r2": [(1, 0.5), (2, 0.8)], "flat": [(1, 3), (2, 3)]},
        reference={"rmse": 71.89},
        word="production",
    )
    assert picture.png.startswith(b"\x89PNG") and len(picture.png) < 60_000
    assert picture.alt.startswith("r2 by step, from 0.5 to 0.8 at step 2; rmse by step")
    assert dict(matplotlib.rcParams) == before
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_no_picture_without_two_points():
    assert plots.curves({}) is None and plots.curves({"x": [(0, 1)], "t": [(0, "a"), (1, "b")]}) is None
    assert plots.curves({"x": [(0, 1), (1, "nan")]}) is None


@pytest.mark.parametrize(
    "points",
    [
        [(0, 1), (1, "nan"), (2, "inf"), (3, 2)],
        [(0, 1e300), (1, -1e300)],
        [(0, 10**400), (1, 2), (2, 3)],
        [(0, 5), (0, 6)],
        [(1e-9, 1e-12), (2e-9, 2e-12)],
        [(True, 1), (0, 1), (1, 2)],
    ],
)
def test_odd_points_are_drawn(points):
    assert plots.curves({"$x^2$ \\frac{": points}).png


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(-5, 5)), min_size=9, max_size=400), st.integers(8, 50))
def test_thinning_keeps_ends_and_extremes(points, most):
    points = [(float(x), y) for x, y in points]
    kept = plots.thinned(points, most)
    assert kept[0] == points[0] and kept[-1] == points[-1]
    assert {min(y for _, y in points), max(y for _, y in points)} <= {y for _, y in kept}
    assert len(kept) <= max(most, 4)


# Following the event file -----------------------------------------------------------------------


def write(path, *events):
    with path.open("ab") as file:
        for event in events:
            file.write(event if isinstance(event, bytes) else (json.dumps(event) + "\n").encode())


def test_the_tail_reads_only_what_is_new(tmp_path):
    path = tmp_path / "events.jsonl"
    found = tail.Tail(path)
    assert not found.read()
    write(
        path,
        {"t": 1, "p": {"depth": 8, "opt": {"lr": 0.1}}},
        {"t": 1, "s": 1, "m": {"rmse": 70, "r2": "nan"}},
    )
    assert found.read() and not found.read()
    write(path, b'{"t":2,"s":2,"m":{"rm')
    assert not found.read()
    write(
        path,
        b'se":65}}\n',
        b"torn line\n",
        b"[1]\n",
        {"t": 3, "s": None, "m": {"acc": 1}},
        {"t": 3, "tag": "x"},
    )
    assert found.read()
    assert found.params == {"depth": 8, "opt.lr": 0.1} and found.last == {"rmse": 65, "r2": "nan", "acc": 1}
    assert found.curves["rmse"] == [[1, 70], [2, 65]] and found.curves["r2"] == [[1, None]]
    assert (found.step, found.points) == (2, 3)


def test_a_flood_of_points_is_sampled(tmp_path):
    path = tmp_path / "events.jsonl"
    lines = [
        json.dumps({"t": 1, "s": step, "m": {"even" if step % 2 else "odd": step}}) + "\n"
        for step in range(200_000)
    ]
    path.write_text("".join(lines))
    found = tail.Tail(path)
    begun = time.thread_time()
    found.read()
    assert time.thread_time() - begun < 5  # a bound on hanging, not a budget
    assert found.points == pytest.approx(
        200_000, abs=70_000
    )  # the part beyond what one tick reads is passed over
    assert found.last == {"even": 199_999, "odd": 199_998}
    for key in ("even", "odd"):
        curve = found.curve(key)
        assert 100 < len(curve) <= tail.KEPT + 1 and curve[-1][1] == found.last[key]


def test_a_long_curve_is_thinned_evenly(tmp_path):
    path = tmp_path / "events.jsonl"
    found = tail.Tail(path)
    for chunk in range(20):
        write(
            path, *({"t": 1, "s": step, "m": {"x": step}} for step in range(chunk * 500, chunk * 500 + 500))
        )
        found.read()
    steps = [step for step, _ in found.curve("x")]
    assert 400 < len(steps) <= tail.KEPT + 1 and steps[0] == 0 and steps[-1] == 9999
    gaps = {b - a for a, b in zip(steps[:-2], steps[1:-1], strict=True)}
    assert len(gaps) <= 2


# The live block ---------------------------------------------------------------------------------


class Screen:
    """A front end: what was displayed, in order."""

    def __init__(self, monkeypatch):
        self.shown = []
        monkeypatch.setattr("IPython.display.display", self.display)

    def display(self, bundle, raw, display_id=False):
        self.shown.append(bundle)
        return self

    def update(self, bundle, raw):
        self.shown.append(bundle)


class Widget:
    model_id = "w"

    def __init__(self, state):
        self.states = [state]
        self.closed = False

    def __setattr__(self, name, value):
        if name == "state":
            self.states.append(value)
        else:
            object.__setattr__(self, name, value)

    def close(self):
        self.closed = True


@pytest.fixture
def screen(monkeypatch):
    return Screen(monkeypatch)


@pytest.fixture
def run(tmp_path, monkeypatch):
    ended = row(), {"rmse": CURVE}, {}
    monkeypatch.setattr(live, "ended", lambda run: ended)
    monkeypatch.setattr(live, "find_reference", lambda *_: None)
    facts = {"id": "c57a", "label": "hgb", "name": "hgb-c57a", "commit": "c"}
    return SimpleNamespace(**facts, folder=tmp_path, started=time.time(), workspace=None)


def until(condition):
    for _ in range(400):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def test_a_short_cell_never_opens_a_widget(screen, run, monkeypatch):
    monkeypatch.setattr(live, "_make", lambda state: pytest.fail("a widget was made"))
    block = live.Live(run, widget=True).start()
    block.finish()
    live.settle()
    assert [sorted(each) for each in screen.shown] == [["text/html", "text/plain"]] * 3
    assert "running" in screen.shown[0]["text/plain"] and "data:image/png" in screen.shown[-1]["text/html"]
    assert block.trouble == []


def test_a_long_cell_is_followed_and_frozen(screen, run, monkeypatch):
    made = []
    monkeypatch.setattr(live, "_make", lambda state: made.append(Widget(state)) or made[0])
    monkeypatch.setattr(live, "PATIENCE", 0.01)
    monkeypatch.setattr(live, "EVERY", 0.02)
    write(run.folder / "events.jsonl", {"t": 1, "p": {"depth": 8}}, {"t": 1, "s": 1, "m": {"rmse": 70}})
    block = live.Live(run, reference=HOLDER, word="production", widget=True).start()
    until(lambda: made)
    write(run.folder / "events.jsonl", {"t": 2, "s": 2, "m": {"rmse": 61.4}})
    until(lambda: made[0].states[-1]["step"] == "2")
    block.finish()
    live.settle()
    state = made[0].states[-1]
    assert state["curves"] == [{"key": "rmse", "points": [[1, 70], [2, 61.4]], "level": 71.89}]
    assert state["metrics"] == [{"heading": "rmse ↓", "value": "61.4", "change": "−10.49", "other": "71.89"}]
    assert state["params"] == [["depth", "8"]] and "B" in state["load"]
    assert json.dumps(state)
    assert any("application/vnd.jupyter.widget-view+json" in each for each in screen.shown)
    assert all("text/html" in each for each in screen.shown), "readers without widgets get the static form"
    assert "application/vnd.jupyter.widget-view+json" not in screen.shown[-1]
    assert made[0].closed and block.trouble == []
    assert not any(thread.name == "provenote-live" for thread in threading.enumerate())


def test_changes_are_counted_against_what_is_found(screen, run, monkeypatch):
    monkeypatch.setattr(live, "find_reference", lambda *_: (HOLDER, "production"))
    block = live.Live(run, widget=True).start()
    block.finish()
    live.settle()
    assert "against" not in screen.shown[1]["text/plain"], "the first form waits for nothing"
    assert "(−10.49 against production)" in screen.shown[-1]["text/plain"] and block.trouble == []


def test_where_no_widget_can_be_shown_only_the_static_form_appears(screen, run):
    block = live.Live(run, widget=False).start()
    assert screen.shown == []
    block.finish()
    assert len(screen.shown) == 1 and "data:image/png" in screen.shown[0]["text/html"]


def test_a_widget_that_fails_is_one_warning_and_the_static_form_comes(screen, run, monkeypatch, caplog):
    def broken(state):
        raise RuntimeError("no comm")

    monkeypatch.setattr(live, "_make", broken)
    monkeypatch.setattr(live, "PATIENCE", 0.01)
    with caplog.at_level(logging.WARNING):
        block = live.Live(run, widget=True).start()
        until(lambda: block.trouble)
        block.finish()
        live.settle()
    assert block.trouble == ["RuntimeError: no comm"]
    assert caplog.messages == ["the curves of hgb-c57a are not drawn: RuntimeError: no comm"]
    assert "✓ hgb-c57a  finished" in screen.shown[-1]["text/plain"]


def test_nothing_reaches_the_cell_when_everything_fails(run, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("gone")

    monkeypatch.setattr("IPython.display.display", broken)
    monkeypatch.setattr(live, "ended", broken)
    block = live.Live(run, widget=True).start()
    block.finish()
    live.settle()
    assert set(block.trouble) == {"RuntimeError: gone"}


def test_no_widget_outside_a_notebook_or_in_a_job(monkeypatch):
    assert not live.interactive()
    monkeypatch.setenv("PROVENOTE_RUN", "x")
    assert not live.interactive()
