"""What rings is judged again before a person is called; what does not come again calls nobody."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from provenote.monitor import again
from provenote.monitor.causes import Cause
from provenote.monitor.record import Record

VALUES = {"missing:temp": [math.nan, 0.1, True, None]}


def record(level: str = "act", begin: int = 7, part: str = "data") -> Record:
    cause = Cause(id="unit:temp", level="act", title="temp is 100 times as large", why="", mend="")
    verdict = {"schema": 1, "findings": [{"name": "temp"}]}
    return Record(
        "demand", "2012-01-29", part, begin, 9, 168, "d", level, (cause,), VALUES, verdict, "m", 1.0
    )  # fmt: skip


@pytest.mark.parametrize(
    ("second", "level", "outcome", "says"),
    [
        ([{"part": "data", "begin": 7, "level": "act", "values": VALUES}], "act", "passed", "the same"),
        ([{"part": "data", "begin": 7, "level": "healthy", "values": VALUES}], "not judged", "not judged",
         "it is healthy: data or model changed"),
        ([{"part": "data", "begin": 7, "level": "act", "values": {}}], "not judged", "not judged", "changed"),
        ([], "not judged", "not judged", "its rows are not there"),
        ("out of memory", "act", "skipped", "could not be judged again: out of memory"),
    ],
)  # fmt: skip
def test_a_second_judgement_holds_the_first(second, level, outcome, says, monkeypatch):
    told = second if isinstance(second, str) else {(one["part"], one["begin"]): one for one in second}
    monkeypatch.setattr(again, "_asked", lambda *_: told)
    calm = record("healthy", 1)
    one, other = again.confirmed(SimpleNamespace(), "demand", [record(), calm], 0.0)
    assert other is calm and one.level == level and bool(one.causes) == (level == "act")
    finding = one.verdict["findings"][-1]
    assert (finding["name"], finding["outcome"]) == ("judged again", outcome) and says in finding["why"]
    assert (one.digest == "") == (level != "act"), "the next look judges it as if it were new"


def test_where_nothing_rings_no_process_is_started(monkeypatch):
    monkeypatch.setattr(again, "_asked", None)
    assert again.confirmed(SimpleNamespace(), "demand", [record("look")], 0.0) == [record("look")]
