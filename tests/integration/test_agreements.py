"""An agreement about data ends: whom it concerns, what is refused and deleted, and what a hold keeps."""

from __future__ import annotations

import datetime
import json
import subprocess
from pathlib import Path

import pytest
from kernels import notebook

import provenote
from provenote import cli, data
from provenote.errors import Refused
from provenote.jobs import launch
from provenote.stores import agreements, cache
from provenote.workspace import find

PAST = "2020-01-31"


def say(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, object]]:
    capsys.readouterr()
    status = cli.main([*words, "--json"])
    out, err = capsys.readouterr()
    return status, json.loads(out) if out.strip() else {"error": err}


def test_an_agreement_ends_and_its_data_are_refused_and_deleted_with_a_certificate(
    repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remote = tmp_path / "remote"
    subprocess.run(["dvc", "remote", "add", "-q", "-d", "store", str(remote)], check=True)
    for name, text in (("a.csv", "x\n1\n"), ("b.csv", "x\n2\n")):
        (repo / name).write_text(text)
        data.add(repo / name)
    (repo / "twin.csv").write_text("x\n2\n")  # the same bytes as b.csv, which another agreement is about
    data.add(repo / "twin.csv")
    data.push(tell=lambda _: None)
    place = find()
    with provenote.track("fit") as run:
        provenote.data.path("a.csv")
        run.log(rmse=1.0)
    status, told = say(
        capsys, "data", "agreement", "a.csv", "--owner", "Anna <b>x</b>", "--ends", "2999-12-31"
    )
    assert (status, told["state"], told["ends"], len(told["runs"])) == (0, "in force", "2999-12-31", 1)  # type: ignore[arg-type]
    subprocess.run(["git", "add", "-A"], check=True)
    subprocess.run(["git", "commit", "-qm", "agreed"], check=True)
    say(capsys, "data", "agreement", "b.csv", "--ends", PAST, "--licence", "CC-BY-4.0")
    status, told = say(capsys, "data", "agreement", "a.csv", "--ends", PAST)
    assert status == 1 and told["state"] == "ended"
    subprocess.run(["git", "commit", "-qam", "it ended"], check=True)
    change = say(capsys, "data", "agreement", "a.csv")[1]["changes"][0]  # type: ignore[index]
    assert change["what"] == [["ends", "2999-12-31", PAST]]
    # Nothing new is trained on it, in a notebook or in a job.
    with pytest.raises(Refused, match="a.csv may not be used any more: the agreement with Anna"):
        provenote.data.path("a.csv")
    result = launch.run_job(notebook(repo / "n.ipynb", "import provenote\nprovenote.data.path('a.csv')"))
    assert result.exit_status == 1 and "may not be used any more" in str(result.state.reason)
    read = "open('late.txt', 'w').write('x')\nopen('a.csv').read()"  # by itself: the job is told before
    result = launch.run_job(notebook(repo / "n.ipynb", read))
    assert result.exit_status == 1 and "may not be used any more" in str(result.state.error)
    assert not (repo / "late.txt").exists()
    # A hold wins over the end.
    assert say(capsys, "data", "agreement", "a.csv", "--hold", "case 12")[1]["state"] == "on hold"
    status, told = say(capsys, "gc", "--ended", "--yes")
    assert told["held"] == ["a.csv"] and (repo / "a.csv").exists()
    say(capsys, "data", "agreement", "a.csv", "--lift")
    md5 = {name: provenote.data.tracked.at(place, name).stored.md5 for name in ("a.csv", "b.csv")}  # type: ignore[union-attr]
    assert say(capsys, "gc", "--ended")[1]["erased"] == []  # nobody was asked
    status, told = say(capsys, "gc", "--ended", "--yes", "--why", "consent ended")
    assert status == 0
    (erased,) = [one for one in told["erased"] if one["path"] == "a.csv"]  # type: ignore[attr-defined]
    certificate = json.loads((repo / erased["certificate"]).read_text())
    assert certificate["why"] == "consent ended" and certificate["deleted"][0]["md5"] == md5["a.csv"]
    assert "1 of 1 were pushed there" in certificate["others_must_delete"]["remotes"]["store"]
    assert cache.locate(place.cache_dir, md5["a.csv"]) is None and not (repo / "a.csv").exists()
    # Bytes that other data need stay, and the certificate says so.
    assert cache.locate(place.cache_dir, md5["b.csv"]) is not None and (repo / "twin.csv").exists()
    status, told = say(capsys, "gc", "--ended", "--yes", "--remote", "store")
    kept = [path.name for path in remote.rglob("*") if path.is_file()]
    assert md5["a.csv"][2:] not in kept and md5["b.csv"][2:] in kept
    assert say(capsys, "gc", "--ended", "--yes", "--remote", "nowhere")[0] == 2
    status, told = say(capsys, "data", "agreements")
    assert status == 1 and [one["path"] for one in told["agreements"]] == ["a.csv", "b.csv"]  # type: ignore[attr-defined]


def test_a_file_that_is_no_agreement_stops_its_data_and_no_others(
    repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.csv", "b.csv"):
        (repo / name).write_text("x\n1\n")
        data.add(repo / name)
    file = repo / "a.csv.agreement.yaml"
    for text in ("provenote_agreement: 1\nends: 2027-13-01\n", "- 1\n", "provenote_agreement: 1\nowned: x\n",
                 "provenote_agreement: 1\nowner: &a x\n", "provenote_agreement: 9\n", "\x00"):  # fmt: skip
        file.write_text(text)
        with pytest.raises(agreements.BadAgreement, match="is no agreement"):
            provenote.data.path("a.csv")
        provenote.data.path("b.csv")
    status, told = say(capsys, "data", "agreements")
    assert status == 1 and len(told["broken"]) == 1  # type: ignore[arg-type]
    file.unlink()
    assert "is no day" in str(say(capsys, "data", "agreement", "a.csv", "--ends", "soon")[1]["error"])
    assert "there is no agreement" in str(say(capsys, "data", "agreement", "a.csv")[1]["error"])
    assert "under no hold" in str(say(capsys, "data", "agreement", "a.csv", "--lift")[1]["error"])


def test_an_agreement_is_read_as_it_is_written() -> None:
    day = datetime.date(2027, 1, 31)
    one = agreements.Agreement(
        "Ann: x", "CC-BY-4.0", "no: 'profiling'\nof \"persons\"", "https://x", day, ("0" * 32,),
        agreements.Hold("case #1", "Bob <b@x>", day),
    )  # fmt: skip
    assert agreements.parse(agreements.text(one).encode()) == one
    assert one.ended(datetime.date(2027, 2, 1)) and not one.ended(day)
