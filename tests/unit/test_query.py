"""The query language: what it means, what it refuses, and that it is total."""

from __future__ import annotations

import json
import math
import pickle
import re
import time
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from provenote.compare import clauses as c
from provenote.compare.query import Query, QueryError, bound, parse, parse_field
from provenote.compare.values import NAN, Ago, Moment
from provenote.errors import UsageError
from provenote.model import Row

NOW = 1_795_000_000.0


def row(**given):
    facts = {
        "id": "01",
        "name": "hgb-c57a",
        "label": "hgb",
        "status": "finished",
        "reason": None,
        "started": NOW - 100,
        "ended": NOW - 40,
        "baseline": "0" * 40,
        "linearity": "linear",
        "params": {
            "depth": 8,
            "lr": 0.1,
            "loss": "poisson",
            "opt": {"lr": 0.01, "name": "adam"},
            "early": True,
            "gone": None,
            "layers": [64, 32],
            "a.b": 1,
            "train/x": 2,
        },
        "metrics": {"rmse": 61.4, "r2": 0.876, "train/loss": 0.3, "bad": "NaN", "up": "inf", "step": 3},
        "tags": ["best", "Night"],
        "notes": [],
    }
    return Row(**(facts | given))


@pytest.mark.parametrize(
    "text",
    [
        "metrics.rmse < 60 or params.depth >= 6",
        "metrics.rmse < 61.5 and params.depth = 8",
        "not (metrics.rmse > 61.5)",
        "not metrics.rmse > 61.5 and status == finished",
        "METRICS.rmse < 1 or status=='finished'".replace("METRICS", "metrics"),
        'metrics["train/loss"] <= 0.3',
        "metrics['train/loss'] == 3e-1",
        '["rmse"] == 61.4',
        "rmse == 61.4 and depth == 8",
        "params.opt.lr == .01",
        'params.opt["lr"] == 1E-2',
        "opt.lr < 1",
        "params.a.b == 1",
        'params["a.b"] == 1',
        'params["train/x"] == 2',
        "params.gone == null and params.absent == null",
        "params.depth != null",
        "params.gone != 3 or true_is_not_a_field == null or params.depth == 8",
        "params.loss ~ POIS",
        "loss == poisson",
        'loss in (squared, "poisson")',
        "loss not in (squared)",
        "params.early == true",
        "params.early",
        "not starred",
        "starred == false",
        "tags == best",
        "tags ~ night",
        "tags != worst",
        "tags in (worst, best)",
        "notes == null",
        "not notes",
        "params.layers == 64",
        "metrics.bad == nan",
        "metrics.bad != 3",
        "not metrics.bad < 3 and not metrics.bad >= 3",
        "metrics.up > 1e300",
        "metrics.up == inf",
        "linearity != out-of-order",
        "name ~ c57a",
        "id == 01",
        "reason == null",
        "started > 7d",
        "started < 1s",
        "duration == 1m",
        "duration >= 60",
        "duration < 0.1h",
        "parent == null",
        "params.depth != eight",
        "params.depth in (null, 8)",
        "params.opt != 3",
        "",
        "   ",
    ],
)
def test_holds(text):
    assert parse(text).matches(row(), NOW)


@pytest.mark.parametrize(
    "text",
    [
        "params.gone < 3",
        "params.gone != 3",
        "params.absent == 3",
        "params.gone ~ a",
        "params.gone in (1, 2)",
        "params.absent",
        "starred",
        "notes",
        "params.depth == '8'",
        "params.early == 1",
        "params.depth ~ 8",
        "metrics.bad == 3",
        "metrics.bad < 3",
        "metrics.bad > 3",
        "tags != best",
        "tags == nigh",
        "reason ~ a",
        "started < 7d",
        "started == 2019-01-01",
        "params.opt == adam",
        "params.opt.lr.x == 1",
        "tags > a",
        "params.depth < null",
        "metrics.up < 1e300",
    ],
)
def test_does_not_hold(text):
    assert not parse(text).matches(row(), NOW)


def test_a_running_run_has_no_duration():
    assert parse("duration == null").matches(row(ended=None, status="running"), NOW)


def test_times_are_stretches_in_local_time():
    begin = datetime(2026, 11, 1).timestamp()
    last, after = row(started=begin + 86399), row(started=begin + 86400)
    for text, inside, outside in [
        ("== 2026-11-01", True, False),
        ("<= 2026-11-01", True, False),
        ("< 2026-11-01", False, False),
        ("> 2026-11-01", False, True),
        (">= '2026-11-01'", True, True),
        ("!= 2026-11-01", False, True),
        ("in (2026-10, 2026-11)", True, True),
    ]:
        assert parse(f"started {text}").matches(last, NOW) is inside, text
        assert parse(f"started {text}").matches(after, NOW) is outside, text
    assert parse("started == 2026-11-01T12:00Z").matches(row(started=1793534400.0 + 59), NOW)
    assert not parse("started == 2026-11-01T12:00:00Z").matches(row(started=1793534400.0 + 1), NOW)


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("metrics.rmse <", 15, "a value"),
        ("metrics.rmse 60", 14, "a comparison"),
        ("metrics < 3", 9, "a key"),
        ("status.x == 3", 7, "no parts"),
        ("rmse < 60 foo", 11, "'and', 'or' or the end"),
        ("rmse < 60 and", 14, "a field"),
        ("(rmse < 60", 11, "')'"),
        ("rmse < 60)", 10, "'and'"),
        ("loss == 'a", 9, "a closing quote"),
        ("loss in a", 9, "'('"),
        ("loss in (a b)", 12, "')'"),
        ("status == finish", 11, "one of queued"),
        ("started > monday", 11, "a time"),
        ("started > 2026-13-01", 11, "a time"),
        ("started ~ 2026", 11, "a time"),
        ("starred == 3", 12, "true"),
        ("duration < long", 12, "a duration"),
        ("0 < metrics.rmse", 1, "a field"),
        ("rmse < and", 8, "a value"),
        ("metrics. < 3", 10, "a name after the dot"),
        ("metrics[x] < 3", 9, "a key in quotes"),
        ("__import__('os').system('x')", 11, "a comparison"),
        ("not", 4, "a field"),
        ("(" * 60 + "a" + ")" * 60, 51, "at most 50 levels"),
        ("not " * 5000 + "a", 201, "at most 50 levels"),
    ],
)
def test_errors_point_at_the_column(text, column, expected):
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert caught.value.column == column
    assert f"column {column}: expected" in caught.value.line and expected in caught.value.line
    assert "\n" not in caught.value.line
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.line, again.column) == (caught.value.line, column)


def test_bare_names_are_bound_by_the_rows():
    rows = [row(), row(params={"rmse2": 1}, metrics={"other": 1})]
    query = parse("rmse < 60 and not depth == 8").bind(rows)
    assert str(query) == "metrics.rmse < 60 and not params.depth == 8"
    assert parse("status == finished").bind(rows) == parse("status == finished")
    with pytest.raises(QueryError, match="nearest is `rmse`"):
        parse("rmsee < 60").bind([row()])
    with pytest.raises(QueryError, match="both a metric and a parameter"):
        parse("lr < 60").bind([row(metrics={"lr": 1})])
    assert parse("anything < 60").bind([])
    assert bound(parse_field("opt.lr"), rows) == parse_field("params.opt.lr")


@pytest.mark.parametrize("text", ["metrics.rmse < 3", "", "a b", "3"])
def test_a_field_alone(text):
    with pytest.raises(QueryError):
        parse_field(text)


def test_the_page_of_the_language_tells_the_truth():
    page = (Path(__file__).parents[2] / "docs" / "reference" / "query.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    told = {word.split(".")[0] for cell in rows for word in re.findall(r"`([\w.]+)`", cell)} - {"KEY"}
    assert told == set(c.FIELDS)
    asked = re.findall(r"provenote runs [\"'](.+?)[\"'](?: --| *\n)", page)
    assert len(asked) >= 4
    for text in asked:
        try:
            parse(text)
        except QueryError as error:
            assert f"provenote: {error.line}" in page
    examples = re.findall(r"`((?:metrics|params|started|label|duration|not )[^`]*[<>=~][^`]*)`", page)
    assert len(examples) >= 7
    for text in examples:
        parse(text)


# Properties ------------------------------------------------------------------------------------

fragments = st.sampled_from(
    [
        "metrics",
        "params",
        ".",
        "rmse",
        "[",
        "]",
        '"',
        "'",
        "\\",
        "(",
        ")",
        "and",
        "or",
        "not",
        "in",
        ",",
        "<",
        "==",
        "=",
        "!=",
        "~",
        " ",
        "1e999",
        "nan",
        "7d",
        "2026-11-01",
        "null",
        "true",
        "status",
        "started",
        "duration",
        "starred",
        "tags",
        "\x00",
        "é",
        "\ud800",
        "9" * 5000,
        "-",
        "٣",
        "1_0",
        "9999-12-31",
    ]
)


@given(
    st.one_of(
        st.text(),
        st.lists(fragments, max_size=14).map("".join),
        st.lists(fragments, max_size=14).map(" ".join),
    )
)
@example("started > 99999999999999999999w")
@example("started > 9000-12")
@example("rmse < " + "9" * 5000)
def test_any_text_is_read_or_refused(text):
    try:
        query = parse(text)
    except UsageError:
        return
    assert parse(str(query)) == query
    assert query.matches(row(), NOW) in (True, False)


keys = st.one_of(
    st.sampled_from(["rmse", "lr", "opt", "train/loss", "a.b", "or", "x-y", "0", "ü"]), st.text(max_size=5)
)
texts = st.one_of(
    st.sampled_from(["poisson", "nan", "NaN", "inf", "true", "null", "and", "a\"b'c", "\\", "\\n"]),
    st.text(max_size=6),
)
numbers = st.one_of(st.integers(), st.floats(allow_nan=False), st.just(NAN))
plain_values = st.one_of(st.none(), st.booleans(), numbers, texts)
ops = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
keyed = st.builds(
    lambda kind, path: c.Field((kind, *path)),
    st.sampled_from(c.KEYED),
    st.lists(keys, min_size=1, max_size=3),
)
bare = st.builds(
    lambda path: c.Field(tuple(path)),
    st.lists(keys, min_size=1, max_size=2).filter(lambda path: path[0] not in c.FIELDS),
)
loose = st.one_of(keyed, bare)
moments = st.builds(
    lambda y, m, d: Moment(f"{y}-{m:02}-{d:02}"),
    st.integers(1971, 2200),
    st.integers(1, 12),
    st.integers(1, 28),
)
times = st.one_of(st.none(), moments, st.builds(Ago, st.floats(0, 1e12)))
equal = st.sampled_from(["==", "!="])


def named(*names):
    return st.sampled_from(names).map(lambda name: c.Field((name,)))


comparisons = st.one_of(
    st.builds(c.Compare, loose, ops, plain_values),
    st.builds(c.Compare, loose, st.just("~"), st.one_of(st.none(), texts)),
    st.builds(
        c.Compare,
        named("label", "reason", "commit", "tags", "notes"),
        st.one_of(ops, st.just("~")),
        st.one_of(st.none(), texts),
    ),
    st.builds(c.Compare, named("status"), equal, st.sampled_from(["finished", "killed", None])),
    st.builds(c.Compare, named("started", "ended"), ops, times),
    st.builds(c.Compare, named("duration"), ops, st.one_of(st.none(), numbers)),
    st.builds(c.Compare, named("starred", "archived"), equal, st.one_of(st.none(), st.booleans())),
    st.builds(c.Among, loose, st.lists(plain_values, min_size=1, max_size=3).map(tuple)),
    st.builds(c.Has, st.one_of(loose, named("starred", "tags", "reason"))),
)
trees = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.builds(c.Not, inner),
        st.builds(c.And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(c.Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


@given(trees)
def test_a_written_tree_reads_back_as_itself(tree):
    assert parse(str(Query(tree))).clause == tree


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.floats(-5, 5), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(keys, inner, max_size=2)),
    max_leaves=5,
)
maps = st.dictionaries(keys, json_values, max_size=4)
some_rows = st.builds(
    row,
    params=maps,
    metrics=maps,
    tags=st.lists(texts, max_size=2),
    notes=st.lists(texts, max_size=2),
    starred=st.booleans(),
    reason=st.one_of(st.none(), texts),
    label=texts,
    started=st.floats(0, 4e9),
    ended=st.one_of(st.none(), st.floats(0, 4e9)),
)


def naive(tree, r):
    """Answer as the page of the language says, without any of its code."""
    if isinstance(tree, c.Not):
        return not naive(tree.clause, r)
    if isinstance(tree, c.And):
        return False not in [naive(each, r) for each in tree.clauses]
    if isinstance(tree, c.Or):
        return True in [naive(each, r) for each in tree.clauses]
    found = naive_find(tree.field.path, r)
    if isinstance(tree, c.Has):
        return found not in (None, False, "", [], {}) or (found == 0 and found is not False)
    if isinstance(tree, c.Among):
        return any(naive_test(found, "==", v) for v in tree.values)
    return naive_test(found, tree.op, tree.value)


def naive_find(path, r):
    document = json.loads(json.dumps(r.to_json()))
    document["duration"] = None if r.ended is None else r.ended - r.started
    if path[0] in document:
        return naive_walk(document[path[0]], path[1:])
    found = naive_walk(document["metrics"], path)
    return naive_walk(document["params"], path) if found is None else found


def naive_walk(value, path):
    if not path:
        return value
    answers = []
    for cut in range(len(path), 0, -1):
        key = ".".join(path[:cut])
        if isinstance(value, dict) and key in value:
            if cut == len(path):
                return value[key]
            answers.append(naive_walk(value[key], path[cut:]))
    return next((a for a in answers if a is not None), None)


def naive_test(found, op, value):
    if found == [] or found is None:
        return (op == "==") if value is None else False
    if value is None:
        return op == "!="
    if isinstance(found, list):
        if op == "!=":
            return all(not naive_test(each, "==", value) or each in (None, []) for each in found)
        return op in ("==", "~") and any(naive_one(each, op, value) for each in found)
    return naive_one(found, op, value)


def naive_one(found, op, value):
    if op == "~":
        return type(found) is type(value) is str and value.casefold() in found.casefold()
    if isinstance(value, (Moment, Ago)):
        if isinstance(value, Ago):
            begin = end = NOW - value.seconds
        else:
            day = datetime.strptime(value.text, "%Y-%m-%d")
            begin = time.mktime(day.timetuple())
            end = time.mktime((day.year, day.month, day.day + 1, 0, 0, 0, 0, 0, -1))
        place = -1 if found < begin else 0 if found == begin or found < end else 1
        return {
            "==": place == 0,
            "!=": place != 0,
            "<": place < 0,
            "<=": place <= 0,
            ">": place > 0,
            ">=": place >= 0,
        }[op]
    if type(found) is not str or type(value) is not str:
        found, value = naive_figure(found), naive_figure(value)
    kinds = [float if type(x) is int else type(x) for x in (found, value)]
    if kinds[0] is not kinds[1] or kinds[0] in (list, dict, type(None)):
        return op == "!="
    if kinds[0] is float and (math.isnan(found) or math.isnan(value)):
        same = math.isnan(found) and math.isnan(value)
        return same if op == "==" else not same if op == "!=" else False
    sign = (found > value) - (found < value)
    return {"==": sign == 0, "!=": sign != 0, "<": sign < 0, "<=": sign <= 0, ">": sign > 0, ">=": sign >= 0}[
        op
    ]


def naive_figure(value):
    special = type(value) is str and value.lower().lstrip("+-") in ("nan", "inf", "infinity")
    return float(value) if special and not value.lower().endswith(("+nan", "-nan")) else value


@given(trees, some_rows)
def test_matches_agrees_with_a_naive_reading(tree, some_row):
    assert Query(tree).matches(some_row, NOW) is naive(tree, some_row)
