"""Two runs are asked why they differ: the shares sum to the difference, and nothing of the user's changes."""

from __future__ import annotations

import importlib.resources
import json
import lzma
from pathlib import Path
from typing import Any

import pytest
from kernels import notebook

from provenote import data, workspace
from provenote.commands.tree import Context, load_verb
from provenote.errors import UsageError
from provenote.jobs import launch
from provenote.model import Row
from provenote.stores import index
from provenote.view import View

READ = "import csv, provenote\nrows = [float(r['x']) for r in csv.DictReader(open('data/x.csv'))]"


def why(*runs: str, **options: Any) -> View:
    verb = load_verb(("why",))
    assert verb is not None
    return verb.function(Context(), *runs, **options)


def table(root: Path, values: list[float], extra: str = "y") -> None:
    path = root / "data" / "x.csv"
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(f"x,{extra}\n" + "".join(f"{value},{place}\n" for place, value in enumerate(values)))
    data.add(path)


def job(root: Path, *sources: str, given: tuple[str, ...] = ()) -> Row:
    path = notebook(root / "train.ipynb", *sources)
    book = json.loads(path.read_text())
    book["cells"][0]["metadata"]["tags"] = ["parameters"]
    path.write_text(json.dumps(book))
    result = launch.run_job(path, given)
    return index.find(workspace.find(), str(result.state.run))


def test_the_shares_sum_to_the_difference_and_are_known_the_next_time(repo: Path) -> None:
    (repo / "helper.py").write_text("def score(total, k):\n    return total * k\n")
    table(repo, [1.0] * 100)
    log = "from helper import score\nprovenote.current_run().log(total=0.0, r2=score(sum(rows), k) {})"
    old = job(repo, "k: float = 1.0\nunused = 1", READ, log.format(""))
    # More rows (x2), another helper (+ 10), k three times as large: nothing adds up one at a time.
    table(repo, [1.0] * 100 + [2.0] * 50)
    (repo / "helper.py").write_text("def score(total, k):\n    return total * k + 10\n")
    (repo / "README.md").write_text("no factor\n")
    new = job(repo, "k: float = 2.0\nunused = 1", READ, log.format("+ 5"), given=("k=3.0",))
    assert old.metrics["r2"] == 100 and new.metrics["r2"] == 615
    view = why(old.name, new.name)
    shares = {factor["name"]: factor["share"] for factor in view.data["factors"]}
    # v(data, k) = total * k; code adds 15 whatever else: its share is exactly 15.
    assert shares == pytest.approx({"data": 200.0, "code": 15.0, "params": 300.0})
    assert sum(shares.values()) == pytest.approx(515.0, abs=1e-9)
    assert view.data["interactions"] == [["data", "params", pytest.approx(200.0)]]
    assert view.data["differs"]["params"] == "k 1 → 3"
    assert (view.data["runs"]["made"], view.data["noise"]) == (9, {"sd": 0.0, "runs": 2})
    assert view.data["leaks"][0]["outcome"] == "not judged"  # no target is known
    again = why(old.name, new.name)
    assert again.data["runs"]["made"] == 0 and again.data["factors"] == view.data["factors"]
    # The other way round is another question; but for its own noise all of it is known.
    back = why(new.name, old.name)
    assert back.data["runs"]["made"] == 1
    assert sum(factor["share"] for factor in back.data["factors"]) == pytest.approx(-515.0)
    assert len(index.rows(workspace.find(), everything=True)[0]) == 2 and not (repo / "past").exists()


def test_factors_that_cannot_be_parted_count_as_one_and_pieces_are_put_back(repo: Path) -> None:
    table(repo, [1.0, 2.0, 3.0], extra="y")
    read = "import csv, provenote\nrows = list(csv.DictReader(open('data/x.csv')))"
    old = job(
        repo, "scale = 1", read, "provenote.current_run().log(rmse=scale * len({r['y'] for r in rows}))"
    )
    table(repo, [1.0, 2.0, 3.0, 4.0], extra="z")
    new = job(
        repo, "scale = 2", read, "provenote.current_run().log(rmse=scale * len({r['z'] for r in rows}))"
    )
    view = why(old.name, new.name)
    shares = {factor["name"]: factor["share"] for factor in view.data["factors"]}
    assert set(shares) == {"data + code", "params"} and sum(shares.values()) == pytest.approx(5.0)
    assert "KeyError" in view.data["together"][0]
    # Within one factor, each piece is put back by itself, also in a table.
    table(repo, [1.0, 20.0, 3.0, 4.0, 5.0], extra="z")
    sums = "provenote.current_run().log(rmse=sum(float(r['x']) for r in rows))"
    one = job(repo, "scale = 1", read, sums)
    table(repo, [1.0, 20.0, 3.0, 7.0, 5.0, 100.0], extra="z")
    other = job(repo, "scale = 1", read, sums)
    inside = {put["put_back"]: put["effect"] for put in why(one.name, other.name).data["inside"]}
    assert inside == {"the first 5 rows alone": 100.0, "column x, 1 values": 3.0}
    with pytest.raises(UsageError, match="no number 'acc' in common"):
        why(one.name, other.name, metric="acc")
    same = why(one.name, one.name)
    assert same.data["verdict"] == "same" and same.data["runs"]["made"] == 0


def test_chance_is_told_apart_and_a_rise_opens_the_leak_screen(repo: Path) -> None:
    shipped = importlib.resources.files("provenote_templates") / "data" / "hour.csv.xz"
    (repo / "hour.csv").write_bytes(lzma.decompress(shipped.read_bytes()))
    data.add(repo / "hour.csv")
    fit = (
        "import numpy, pandas, provenote\n"
        "from sklearn.ensemble import HistGradientBoostingRegressor\n"
        "hours = pandas.read_csv('hour.csv')\n"
        "X, y = hours[{columns}], hours['cnt']\n"
        "cut = int(len(X) * 0.8)\n"
        "model = HistGradientBoostingRegressor(max_iter=20, random_state=0).fit(X[:cut], y[:cut])\n"
        "provenote.current_run().log(r2=model.score(X[cut:], y[cut:]))"
    )
    honest = ["season", "hr", "workingday", "temp", "hum", "windspeed"]
    old = job(repo, "seed = 0", fit.format(columns=honest))
    leak = job(repo, "seed = 0", fit.format(columns=[*honest, "registered"]))
    view = why(old.name, leak.name, label="cnt", time=["dteday", "hr"])
    (factor,) = view.data["factors"]
    assert factor["name"] == "code" and factor["share"] > 0.2
    signs = [one["name"] for one in view.data["leaks"] if one["outcome"] == "failed"]
    assert "alone: registered" in signs
    noisy = "import provenote\nimport random\nprovenote.current_run().log(r2=random.Random(seed).random())"
    one = job(repo, "seed = 0", noisy)
    other = job(repo, "seed = 3", noisy)
    view = why(one.name, other.name)
    assert view.data["verdict"] == "noise" and view.data["noise"]["runs"] == 5
