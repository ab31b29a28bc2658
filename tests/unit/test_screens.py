"""Each screen sees what was injected on real data, and is silent on the data as they are."""

from __future__ import annotations

import importlib.resources
import io
import lzma
from functools import cache

import numpy
import pandas

from provenote.screens import leaks, poison

FEATURES = ("season", "hr", "weekday", "workingday", "weathersit", "temp", "atemp", "hum", "windspeed")


@cache
def shipped() -> pandas.DataFrame:
    """Return a third of the hours of two years of bike rentals (without the day of a dead sensor)."""
    packed = importlib.resources.files("provenote_templates") / "data" / "hour.csv.xz"
    hours = pandas.read_csv(io.BytesIO(lzma.decompress(packed.read_bytes())))
    hours = hours[hours["hum"] > 0].sample(frac=0.33, random_state=0).sort_index().reset_index(drop=True)
    hours["busy"] = (hours["cnt"] > hours["cnt"].median()).map({True: "busy", False: "calm"})
    return hours


def table(frame: pandas.DataFrame, label: str | None) -> poison.Table:
    frame = frame.reset_index(drop=True)
    return poison.Table(frame, frame["dteday"].str[:7].to_numpy(), label, FEATURES)


def test_clean_data_show_no_sign() -> None:
    for label in ("cnt", "busy"):
        found = {one.name: one.outcome for one in poison.screen(table(shipped(), label))}
        assert set(found) == {"copies", "corner", "labels", "trigger"}
        assert "failed" not in found.values(), (label, found)


def test_a_flood_of_copies_a_corner_and_a_trigger_are_seen() -> None:
    hours = shipped()
    dice = numpy.random.default_rng(0)
    flood = hours.iloc[4000:4020].sample(150, replace=True, random_state=0).assign(dteday="2012-03-05")
    flood["temp"] += dice.normal(0, 1e-5, len(flood))
    seen = poison.copies(table(pandas.concat([hours, flood]), "cnt"))
    assert seen.outcome == "failed" and "2012-03" in seen.why and "2012-03" in seen.mend
    crowd = hours.sample(150, random_state=1).assign(dteday="2013-01-01")
    for name in ("temp", "atemp", "hum", "windspeed"):
        crowd[name] = 0.9 + dice.normal(0, 0.01, len(crowd))
    seen = poison.corner(table(pandas.concat([hours, crowd]), "cnt"))
    assert seen.outcome == "failed" and "2013-01" in seen.why
    for label, value in (("busy", "busy"), ("cnt", 900)):
        marked = hours.copy()
        chosen = dice.choice(len(marked), 40, replace=False)
        marked.loc[chosen, "windspeed"] = 0.7777
        marked.loc[chosen, label] = value
        seen = poison.trigger(table(marked, label))
        assert seen.outcome == "failed" and "windspeed = 0.7777 stands in 40 rows" in seen.why


def test_turned_labels_are_seen_in_one_source_and_told_as_noise_when_they_are_everywhere() -> None:
    hours, dice = shipped(), numpy.random.default_rng(0)
    other = {"busy": "calm", "calm": "busy"}
    turned = hours.copy()
    month = turned.index[turned["dteday"].str[:7] == "2012-03"]
    chosen = dice.choice(month, int(len(month) * 0.4), replace=False)
    turned.loc[chosen, "busy"] = turned.loc[chosen, "busy"].map(other)
    seen = poison.labels(table(turned, "busy"))
    assert seen.outcome == "failed" and "2012-03" in seen.why
    shown = {row["row"] for row in seen.evidence["rows"]}
    assert len(shown) == 50 and len(shown & set(map(int, chosen))) > 25
    turned = hours.copy()
    chosen = dice.choice(len(turned), int(len(turned) * 0.1), replace=False)
    turned.loc[chosen, "busy"] = turned.loc[chosen, "busy"].map(other)
    seen = poison.labels(table(turned, "busy"))
    assert seen.outcome == "passed" and "look like noise" in seen.why and seen.evidence["contradicted"] > 0
    assert poison.labels(table(hours, None)).outcome == "not judged"


def test_few_sources_are_not_judged_and_empty_columns_break_nothing() -> None:
    few = shipped()[shipped()["dteday"] < "2011-03"]
    assert {one.outcome for one in (poison.copies(table(few, "cnt")), poison.corner(table(few, "cnt")))} == {
        "not judged"
    }
    odd = shipped().assign(temp=numpy.nan, hum=numpy.inf, weathersit=None)
    assert len(poison.screen(table(odd, "cnt"))) == 4
    names = poison.stretches(45)
    assert len(names) == 45 and names[0] == "rows 0-2" and names[-1] == "rows 42-44"


def test_leaks_are_seen_and_an_honest_model_shows_none() -> None:
    hours = shipped()
    honest = [name for name in FEATURES if name != "atemp"]
    found = {one.name: one for one in leaks.screen(hours, "cnt", honest, ["dteday", "hr"])}
    assert {found[name].outcome for name in ("copies", "alone", "one side")} == {"passed"}
    assert found["split"].outcome == "failed"  # two years of growth: a random split flatters
    leaking = {one.name: one for one in leaks.screen(hours, "cnt", [*honest, "registered"], ["dteday", "hr"])}
    assert leaking["alone: registered"].outcome == leaking["one side: registered"].outcome == "failed"
    doubled = pandas.concat([hours, hours.sample(frac=0.3, random_state=0)]).sample(frac=1, random_state=1)
    copies = leaks.screen(doubled, "cnt", honest)[0]
    assert copies.outcome == "failed" and copies.value is not None and copies.value > 0.2
    assert leaks.screen(hours.head(50), "cnt", honest)[0].outcome == "not judged"
    sorts = {
        one.name: one.outcome
        for one in leaks.screen(hours.assign(twin=hours["busy"]), "busy", ["twin", "hr"])
    }
    assert sorts["alone: twin"] == "failed"
