"""The pure parts of monitors: performance of windows, alerts from records, the file that a person edits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from provenote.errors import UsageError
from provenote.monitor import alerts, charts, definition, page, performance, record
from provenote.monitor.causes import Cause
from provenote.monitor.definition import Monitor, Snoozed
from provenote.monitor.performance import Score
from provenote.monitor.record import Record
from provenote.statistics.frame import Frame
from provenote.statistics.windows import Window

DAY = 86_400
MONITOR = Monitor("m", "m", ("a.csv",), "ref.csv", "0" * 32, label="y", prediction="p", window=7 * DAY)


def _windows(biases: list[float]) -> list[tuple[Window, Frame]]:
    made = []
    for place, bias in enumerate(biases):
        random = np.random.default_rng(place)
        begin = place * 7 * DAY
        truth = 100 + random.normal(0, 10, 168)
        guess = truth * (1 + bias) + random.normal(0, 5, 168)
        times = np.datetime64(begin, "s") + np.arange(168) * np.timedelta64(3600, "s")
        window = Window(begin, begin + 7 * DAY, slice(0, 168))
        made.append((window, Frame({"y": truth, "p": guess}, {}, times)))
    return made


class Column(performance.Predictor):
    def __init__(self) -> None:
        pass

    def predict(self, rows: Frame) -> np.ndarray:
        return rows.numbers["p"]


def _past(count: int) -> list[Score]:
    random = np.random.default_rng(0)
    draws = [(float(a), float(b)) for a, b in random.normal((0.04, 0.0), (0.003, 0.003), (count, 2))]
    return [Score(str(place), a, b, (a, a), (b, b), 168) for place, (a, b) in enumerate(draws)]


def test_a_bias_that_stays_is_one_event_and_its_direction_is_told() -> None:
    made, why = performance.judge(MONITOR, _windows([0.0] * 6 + [-0.3] * 3), Column(), _past(40))
    assert not why and [one.level for one in made[:6]] == ["healthy"] * 6
    ids = [{cause.id for cause in one.causes} for one in made[6:]]
    assert all("performance:bias:down" in each and "performance:error:up" in each for each in ids)
    assert "predicts too low" in next(c.title for c in made[6].causes if c.id.startswith("performance:bias"))


def test_a_model_that_is_suddenly_too_good_is_told_apart() -> None:
    exact = [
        (window, replace(rows, numbers={**rows.numbers, "p": rows.numbers["y"] + 0.001}))
        for window, rows in _windows([0.0] * 2)
    ]
    made, _ = performance.judge(MONITOR, exact, Column(), _past(40))
    assert "performance:error:down" in {cause.id for cause in made[-1].causes}


def test_without_history_it_learns_and_without_labels_it_says_so() -> None:
    made, _ = performance.judge(MONITOR, _windows([0.0] * 3), Column(), [])
    assert {one.level for one in made} == {"not judged"}
    assert "learning: 2 of 20" in made[-1].verdict["findings"][0]["why"]
    gone = [(window, replace(rows, numbers={"p": rows.numbers["p"]})) for window, rows in _windows([0.0])]
    assert performance.judge(MONITOR, gone, Column(), []) == ([], "no window has enough labels yet")
    words = performance.score(
        "w", np.array(["a", "b"] * 60, object), np.array(["a", "a"] * 60, object), _times(120)
    )
    assert words is not None and words.error == 0.5 and np.isnan(words.bias)


def test_a_model_predicts_and_its_history_comes_from_fits_that_had_not_seen_a_window() -> None:
    import pandas
    from sklearn.linear_model import LinearRegression

    from provenote.statistics import reference

    random = np.random.default_rng(1)
    rows = 24 * 7 * 24
    warmth = random.normal(10, 5, rows)
    frame = Frame({"warmth": warmth, "y": 50 + 3 * warmth + random.normal(0, 1, rows)}, {}, _times(rows))
    model = LinearRegression().fit(pandas.DataFrame({"warmth": warmth}), np.zeros(rows))
    assert performance._predictions(model, frame) == pytest.approx(0)
    with pytest.raises(performance.NotPredicted, match="no column 'warmth'"):
        performance._predictions(model, frame.without(["warmth"]))

    class Holder(performance.Predictor):
        def __init__(self) -> None:
            pass

        def model(self) -> object:
            return model

    learned = reference.learn(frame, 7 * DAY, ["y"])
    past = performance.history(Holder(), replace(MONITOR, prediction=""), learned, frame)
    assert len(past) == 24 and max(one.error for one in past) < 0.05, "fitted anew: the model itself says 0"


def _times(rows: int) -> np.ndarray:
    return np.datetime64(0, "s") + np.arange(rows) * np.timedelta64(3600, "s")


def _record(place: int, *ids: str, level: str = "act", at: float = 0.0, judged: bool = True) -> Record:
    causes = tuple(Cause(one, one, "why", "mend", level, (one,)) for one in ids)  # type: ignore[arg-type]
    found = record.level(causes) if judged else "not judged"
    return Record(
        "m", f"w{place}", "data", place * 100, place * 100 + 100, 168, "d", found, causes, {}, {}, "r", at
    )


def test_alerts_are_folded_from_records_and_decisions_alone() -> None:
    records = [
        _record(0),
        _record(1, "clock"),
        _record(2, "clock", "missing:hum"),
        _record(3, "drift:x", level="look"),
    ]
    standing = alerts.fold(MONITOR, records, 1000.0, 1000.0)
    assert {one.id: len(one.windows) for one in standing.alerts} == {
        "clock": 2,
        "missing:hum": 1,
        "drift:x": 1,
    }
    assert standing.level == "act" and standing.status == 1
    # What was mended is judged anew: the newer judgement counts, in whatever order they come.
    mended = [_record(1, at=5.0), *records, _record(2, at=5.0)]
    standing = alerts.fold(MONITOR, mended, 1000.0, 1000.0)
    assert standing.level == "look" and standing.status == 0
    # Four quiet windows end it; a snooze rests until its day; an accepted window calls nobody.
    quiet = [*records, *(_record(place) for place in range(4, 8))]
    assert {one.state for one in alerts.fold(MONITOR, quiet, 1000.0, 1000.0).alerts} == {"over"}
    resting = replace(MONITOR, snoozed=tuple(Snoozed(one, "1970-01-02") for one in ("clock", "missing:hum")))
    assert alerts.fold(resting, records, 1000.0, 1000.0).level == "look"
    assert alerts.fold(resting, records, 90_000.0, 90_000.0).level == "act"
    accepted = replace(MONITOR, accepted=tuple(definition.Accepted(f"w{place}", "x") for place in (1, 2, 3)))
    assert alerts.fold(accepted, records, 1000.0, 1000.0).level == "healthy"
    # Nothing judged is not healthy, and nobody's look for two intervals is an alert.
    assert alerts.fold(MONITOR, [], 1000.0, 1000.0).status == 3
    assert alerts.fold(MONITOR, [_record(0, judged=False)], 1000.0, 1000.0).status == 3
    assert alerts.fold(MONITOR, [_record(0)], 0.0, 3.0 * DAY).level == "act"
    assert alerts.fold(MONITOR, [_record(0)], 0.0, 3.0 * DAY, here=False).level == "healthy"


def test_a_record_survives_its_json() -> None:
    one = _record(2, "clock")
    assert record.parse(one.plain()) == one
    assert record.parse({**one.plain(), "schema": 2}) is None and record.parse([]) is None
    assert record.parse({"schema": 1}) is None


def test_the_file_keeps_comments_and_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    definition.add(tmp_path, MONITOR)
    file = tmp_path / definition.FILE
    file.write_text(file.read_text().replace("every: 1d", "every: 12h # twice a day"))
    definition.append(tmp_path, "m", "snoozed", {"alert": "clock", "until": "2999-01-01", "why": "a: b # c"})
    found = definition.pick(tmp_path, None)
    assert "# twice a day" in file.read_text() and found.every == 43_200
    assert found.snoozed[0].why == "a: b # c" and found.label == "y"
    whole = file.read_text()
    for bad in (
        whole.replace("- a.csv", "- ../../etc/passwd"),
        whole.replace("- a.csv", "- /etc/passwd"),
        whole.replace("every:", "evry:"),
        whole.replace("12h", "soon"),
        whole.replace("  m:", "  'm/../x':"),
        "monitors: [1]",
        "monitors: {a: &x {}, b: *x}",
        "\0",
    ):
        file.write_text(bad)
        with pytest.raises(UsageError):
            definition.read(tmp_path)
    for text, seconds in (("90m", 5400), ("2w", 14 * DAY)):
        assert definition.span(text) == seconds
    with pytest.raises(UsageError):
        definition.span("7")


def test_no_name_of_a_column_runs_in_the_report() -> None:
    name = "relation:</script><script>alert(1)</script>:shift"
    one = _record(1, name)
    one = replace(one, values={name: [2.0, 1.0, True, 0.1, 0.5]})
    standing = alerts.fold(MONITOR, [one, _record(2)], 1000.0, 1000.0)
    drawn = charts.charts(standing)
    assert [chart.band for chart in drawn] == [(0.1, 0.5)]
    told = page._json([page._plain(chart, "c") for chart in drawn]) + page._alert(
        standing.alerts[0], {name: "c"}
    )
    assert "<script>alert" not in told and "</script>" not in told
