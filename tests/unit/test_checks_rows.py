"""Labelled rows, their time and blocks, and the traces that tell which a model learned by heart."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from provenote.checks import golden, rows
from provenote.checks.subject import Examined
from provenote.errors import UsageError
from provenote.tracking import learned

DAYS = pd.date_range("2012-01-01", periods=60, freq="D")
FRAME = pd.DataFrame(
    {
        "day": DAYS.strftime("%Y-%m-%d"),
        "kind": ["a", "b", "c"] * 20,
        "heat": np.linspace(0, 1, 60),
        "count": range(60),
    }
)


def test_rows_are_chosen_and_put_in_the_order_of_time() -> None:
    shuffled = FRAME.sample(frac=1, random_state=1)
    found = rows.labelled(shuffled, answer="count", since="2012-01-10", until="2012-02-01")
    assert found.time == "day" and list(found.truth) == list(range(9, 32)), "the last day is taken whole"
    assert list(rows.labelled(shuffled, answer="count", newest=3).truth) == [57, 58, 59]
    gaps = FRAME.assign(count=FRAME["count"].where(FRAME["count"] > 9))
    assert rows.labelled(gaps, answer="count").told == ("10 rows have no answer and are left out",)
    alone = rows.labelled(FRAME, answer="count", time="none")
    assert alone.times is None and rows.blocks(alone) == (None, "rows, taken as independent")
    named, words = rows.blocks(found)
    assert words == "weeks" and named.max() == 3
    assert rows.blocks(found, "2d")[1] == "blocks of 2d"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"answer": "cuont"}, "--answer count"),
        ({"answer": "count", "time": "dya"}, "--time day"),
        ({"answer": "count", "time": "kind"}, "holds no times"),
        ({"answer": "count", "since": "2030-01-01"}, "no row with an answer"),
        ({"answer": "count", "since": "soon"}, "is no time"),
        ({"answer": "count", "time": "none", "since": "2012-01-01"}, "no time to choose"),
    ],
)
def test_what_cannot_be_chosen_is_told(given: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        rows.labelled(FRAME, **given)
    with pytest.raises(UsageError, match="no length of a block"):
        rows.span("a week")


def test_the_answer_is_what_the_record_says_or_the_only_column_left() -> None:
    columns = list(FRAME.columns)
    assert rows.answer_of("heat", {"answer": "count"}, columns, ["kind"]) == "heat"
    assert rows.answer_of(None, {"answer": "count"}, columns, ["kind"]) == "count"
    assert rows.answer_of(None, {}, columns, ["kind", "heat", "day"]) == "count"
    with pytest.raises(UsageError, match="one of day, count"):
        rows.answer_of(None, {}, columns, ["kind", "heat"])


def test_traces_know_the_rows_in_any_form() -> None:
    model = LinearRegression().fit(FRAME[["heat"]], FRAME["count"])
    kept = learned.make(model, FRAME[["heat"]], FRAME["count"])
    kept = learned.Kept.read(json.loads(json.dumps(kept.plain())), "here")
    assert (kept.answer, kept.learned, len(kept.rows)) == ("count", 60, 20)
    assert model.predict(kept.frame()) == pytest.approx(kept.said)
    part = FRAME.iloc[30:].assign(more=1, count=FRAME["count"].astype(float)).sample(frac=1, random_state=0)
    new = part.assign(heat=part.heat + 5)
    both = pd.concat([part.iloc[:10], new])
    assert golden.share_known(kept, part, part["count"]) == 1
    assert golden.share_known(kept, new, new["count"]) == 0
    assert golden.share_known(kept, both, both["count"]) == pytest.approx(0.25)
    assert golden.share_known(kept, part, part["count"] + 1) == 0, "the answer belongs to the row"
    assert golden.share_known(kept, part[["kind"]], part["count"]) is None


def test_traces_of_many_rows_are_thinned_and_keep_their_shares() -> None:
    many = pd.DataFrame({"x": np.arange(400_000), "k": pd.Categorical(["u", "v"] * 200_000)})
    found, every = learned.thinned(learned.hashes(many))
    assert every == 8 and 40_000 < len(found) < 60_000
    model = LinearRegression().fit(many[["x"]], many["x"])
    kept = learned.make(model, many[["x"]])
    asked = pd.DataFrame({"x": np.arange(300_000, 500_000)})
    assert golden.share_known(kept, asked, None) == pytest.approx(0.5, abs=0.02)


def test_rows_that_are_no_table_are_refused() -> None:
    model = LinearRegression().fit(FRAME[["heat"]], FRAME["count"])
    for features, answers, says in (
        ([[1.0]], None, "X is a list"),
        (FRAME[["heat"]].head(0), None, "has some"),
        (FRAME[["heat"]], [1, 2], "60 rows and y has 2"),
        (FRAME[["kind"]], None, "cannot be asked about X"),
    ):
        with pytest.raises(UsageError, match=says):
            learned.make(model, features, answers)


def test_a_model_without_golden_rows_gets_them_at_its_first_test(tmp_path: Path) -> None:
    place = SimpleNamespace(home=tmp_path)
    model = LinearRegression().fit(FRAME[["heat"]], FRAME["count"])
    tested = Examined(model, "m", "m", sha256="ab" * 32)
    assert golden.of(place, tested) is None  # type: ignore[arg-type]
    golden.first(place, tested, FRAME[["heat"]])  # type: ignore[arg-type]
    kept = golden.of(place, tested)  # type: ignore[arg-type]
    assert kept is not None and kept.since == "kept at its first test in this clone"
    assert len(kept.said) == 20 and kept.learned == 0
    assert golden.share_known(kept, FRAME, FRAME["count"]) is None, "it tells nothing of what was learned"
    assert golden.first(place, Examined(model, "m", "m"), FRAME[["heat"]]) is None  # type: ignore[arg-type]
    for content in ("no JSON", "{}", '{"schema": 9}', "[]"):
        (tmp_path / "golden" / f"{'ab' * 32}.json").write_text(content)
        with pytest.raises(UsageError, match="kept beside the model"):
            golden.of(place, tested)  # type: ignore[arg-type]
