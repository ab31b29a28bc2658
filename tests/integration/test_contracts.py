"""Contracts by their verbs, as a data engineer meets them: make, check, edit, widen, compare, leave out."""

from __future__ import annotations

import io
import json
import lzma
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from provenote import cli, data, workspace
from provenote.commands.tree import Context
from provenote.contracts import contract_file, engine
from provenote.errors import ProvenoteError, Refused, UsageError
from provenote.keeping import reachable
from provenote.render import terminal


def verb(*words: str) -> Any:
    return cli.run(list(words), Context(face="terminal"))[0]


def said(view: Any) -> str:
    return terminal.render(view, width=400, color=False)


def git(*words: str) -> None:
    subprocess.run(["git", *words], check=True, capture_output=True)


@pytest.fixture
def hours(repo: Path) -> list[str]:
    """Track a thousand hours of bike sharing; return the file's lines."""
    shipped = files("provenote_templates") / "data" / "hour.csv.xz"
    lines = io.TextIOWrapper(io.BytesIO(lzma.decompress(shipped.read_bytes()))).read().splitlines()[:1001]
    Path("data").mkdir()
    put("data/hour.csv", lines)
    verb("data", "add", "data/hour.csv")
    git("add", "-A")
    git("commit", "-qm", "data")
    return lines


def put(path: str, lines: list[str]) -> None:
    Path(path).write_text("\n".join(lines) + "\n")


def spoiled(lines: list[str], line: int, column: str, value: str) -> list[str]:
    """Return the lines with one cell changed; ``line`` counts from 1."""
    cells = lines[line - 1].split(",")
    cells[lines[0].split(",").index(column)] = value
    return [*lines[: line - 1], ",".join(cells), *lines[line:]]


def test_a_contract_from_its_making_to_its_change(hours: list[str]) -> None:
    made = verb("data", "contract", "data/hour.csv", "--label", "cnt", "--windows", "7d", "--accept-rules")
    assert made.status == 0 and made.data["columns"] == 17
    file = Path("data/hour.csv.contract.yaml")
    text = file.read_text()
    assert 'expr: "casual + registered == cnt"' in text and 'windows: {length: "7d"}' in text
    assert verb("data", "check", "data/hour.csv").status == 0
    again = verb("data", "check", "--all")
    assert again.status == 0 and "checked before" in said(again)
    git("add", "-A")
    git("commit", "-qm", "contract")

    put("data/hour.csv", spoiled(spoiled(hours, 500, "temp", "61.0"), 700, "weathersit", "9"))
    bad = verb("data", "check", "data/hour.csv")
    (verdict,) = bad.data["verdicts"]
    assert (
        bad.status == 1 and verdict["outcome"] == "failed" and verdict["subject"]["path"] == "data/hour.csv"
    )
    found = {one["name"]: one for one in verdict["findings"]}
    fault = found["range temp"]
    assert fault["why"].startswith("data/hour.csv line 500 (row 499), column temp: 61 outside [")
    assert fault["evidence"]["owner"] == "Test" and "--widen temp" in fault["mend"]
    assert found["set weathersit"]["outcome"] == "passed", "a rare category is noted"
    assert "data/hour.csv was committed by Test" in said(bad)

    wider = verb("data", "contract", "data/hour.csv", "--widen", "temp", "--widen", "weathersit")
    changes = [(one["place"], one["what"]) for one in wider.data["changes"]]
    assert sorted(changes) == [("temp", "range"), ("weathersit", "in")]
    lines = zip(text.splitlines(), file.read_text().splitlines(), strict=True)
    assert len([old for old, new in lines if old != new]) == 2
    assert verb("data", "check", "data/hour.csv").status == 0
    differs = verb("data", "diff", "data/hour.csv")
    assert {one["place"] for one in differs.data["contract"]} == {"temp", "weathersit"}
    assert "lets more through" in said(differs)

    kept = file.read_bytes()
    refused = verb("data", "contract", "data/hour.csv")
    assert refused.status == 1 and "edited by hand" in said(refused) and file.read_bytes() == kept
    assert verb("data", "contract", "data/hour.csv", "--force", "--from", "HEAD").status == 0
    assert contract_file.parse(file.read_bytes()).label == "cnt", "what people said stays"
    assert verb("data", "check", "data/hour.csv").status == 1

    verb("data", "quarantine", "data/hour.csv", "--why", "wrong sensor")
    out = verb("data", "check", "--all")
    assert out.status == 3 and "is left out" in said(out)
    with pytest.raises(Refused, match="is left out by Test: wrong sensor"):
        data.path("data/hour.csv")
    verb("data", "quarantine", "data/hour.csv", "--lift")

    file.write_text(text + "hook: !!python/object/apply:os.system ['true']\n")
    with pytest.raises(Refused, match="tags"):
        verb("data", "check", "data/hour.csv")
    file.unlink()
    with pytest.raises(UsageError, match="no contract"):
        verb("data", "check", "data/hour.csv")


@pytest.mark.parametrize(
    "words",
    [
        "a.txt",
        "nope.csv",
        "data/hour.csv --time nope",
        "data/hour.csv --key weekday+",
        "data/hour.csv --windows x",
    ],
)
def test_what_cannot_be_a_contract_is_said(words: str, hours: list[str]) -> None:
    if words.endswith("+"):
        assert verb("data", "contract", *words.split()).status == 0
        assert verb("data", "check", "data/hour.csv").status == 1, "a key that repeats is told by the check"
        return
    with pytest.raises(ProvenoteError) as caught:
        verb("data", "contract", *words.split())
    assert "\n" not in caught.value.line


def test_a_folder_of_files_and_one_bad_one(hours: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path("data/live")
    folder.mkdir()
    for number in range(40):
        put(f"data/live/{number:02}.csv", [hours[0], *hours[1 + 24 * number : 25 + 24 * number]])
    verb("data", "add", "data/live")
    git("add", "-A")
    git("commit", "-qm", "live")
    assert verb("data", "contract", "data/live").status == 0
    assert verb("data", "check", "data/live").status == 0

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("an unchanged file is read again")

    with monkeypatch.context() as patch:
        patch.setattr(engine, "check_file", never)
        assert verb("data", "check", "data/live").status == 0
    lines = Path("data/live/31.csv").read_text().splitlines()
    put("data/live/31.csv", spoiled(lines, 5, "hum", "x"))
    put("data/live/07.csv", Path("data/live/06.csv").read_text().splitlines())
    bad = verb("data", "check", "data/live", "--since", "HEAD")
    assert bad.status == 1 and "38 unchanged" in said(bad)
    assert "data/live/31.csv line 5 (row 4), column hum: x is no number" in said(bad)
    whole = verb("data", "check", "data/live")
    assert "column instant" in said(whole) and "in 06.csv and 07.csv" in json.dumps(whole.data)

    out = verb("data", "quarantine", "data/live/31.csv", "--why", "hum is no number")
    assert out.status == 0 and not Path("data/live/31.csv").exists()
    listed = verb("data", "quarantine")
    assert "data/live/31.csv" in said(listed) and "hum is no number" in said(listed)
    assert "31.csv" not in said(verb("data", "check", "data/live"))
    Path("data/live/31.csv").write_text("another\n")
    with pytest.raises(UsageError, match="another file"):
        verb("data", "quarantine", "data/live/31.csv", "--lift")
    Path("data/live/31.csv").unlink()
    assert out.data["md5"] in reachable.needed(workspace.find()), "nothing else names its bytes"
    verb("data", "quarantine", "data/live/31.csv", "--lift")
    assert Path("data/live/31.csv").read_text().splitlines()[4].count(",x,") == 1
    assert not Path("data/live.quarantine.json").exists()
    with pytest.raises(UsageError, match="not left out"):
        verb("data", "quarantine", "data/live/31.csv", "--lift")
    with pytest.raises(UsageError, match="why"):
        verb("data", "quarantine", "data/live/31.csv")
    with pytest.raises(UsageError, match="is a folder"):
        verb("data", "quarantine", "data/live", "--why", "x")


def test_pandera_reads_what_we_write_and_we_what_it_writes(hours: list[str], tmp_path: Path) -> None:
    pandera = pytest.importorskip("pandera.pandas", reason="pandera is not installed: `pip install pandera`")
    import pandas

    verb("data", "contract", "data/hour.csv", "--pandera", "schema.py")
    names: dict[str, Any] = {}
    exec(Path("schema.py").read_text(), names)
    frame = pandas.read_csv("data/hour.csv", parse_dates=["dteday"])
    assert len(names["schema"].validate(frame)) == 1000
    with pytest.raises(pandera.errors.SchemaErrors):
        names["schema"].validate(frame.assign(temp=50.0), lazy=True)
    before = contract_file.parse(Path("data/hour.csv.contract.yaml").read_bytes())
    Path("schema.yml").write_text(names["schema"].to_yaml())
    assert verb("data", "contract", "data/hour.csv", "--from-pandera", "schema.yml").status == 0
    after = contract_file.parse(Path("data/hour.csv.contract.yaml").read_bytes())
    assert after.key == before.key == ("instant",)
    for name, rule in before.columns.items():
        assert (after.columns[name].range, after.columns[name].values) == (rule.range, rule.values), name
    Path("schema.yml").write_text("columns: 7")
    with pytest.raises(UsageError, match="no pandera schema"):
        verb("data", "contract", "data/hour.csv", "--from-pandera", "schema.yml")
    with pytest.raises(UsageError, match="is there already"):
        verb("data", "contract", "data/hour.csv", "--pandera", "schema.py")
