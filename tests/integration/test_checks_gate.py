"""Checks that nobody can state: a reproduction made beside the job, figures against the holder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from kernels import notebook
from team_desk import Crew, Member

from provenote.errors import Refused, UsageError
from provenote.jobs import launch
from provenote.stores import annotating, index, keys
from provenote.workspace import find

RULES = """\
roles: {ds: [me], ci: []}
rules:
- model: "*"
  stage: production
  request: ds
  approvals: []
  checks: [reproduced, data-tests]
  metrics:
    rmse: {max: 45, not_worse_than_holder: 0.02}
  release: ds
"""

TRAIN = """\
import time, provenote
from pathlib import Path
run = provenote.current_run()
run.log(rmse=rmse + (time.time() if shaky else 0))
Path("demand.bin").write_text(f"a model with {rmse}")
run.log_model("demand.bin", "demand")
Path("demand.bin").unlink()
"""


def trained(one: Member, *given: str) -> str:
    path = one.root / "train.ipynb"
    if not path.exists():
        book = json.loads(notebook(path, "rmse: float = 40\nshaky: bool = False", TRAIN).read_text())
        book["cells"][0]["metadata"]["tags"] = ["parameters"]
        path.write_text(json.dumps(book))
    with one.here():
        return str(launch.run_job(path, given).state.run)


def test_only_a_reproduction_and_figures_that_hold_let_a_version_out(tmp_path: Path, make_repo) -> None:
    crew = Crew(tmp_path, make_repo)
    ada, ci = crew.member("ada"), crew.member("ci")
    (ada.root / "start.yaml").write_text(RULES)
    root = ada.does("policy start --from start.yaml").data["root"]
    key = keys.make(tmp_path / "ci_ed25519", "ci").path
    ada.does(f"admit ci --pub {key}.pub --role ci")
    run = trained(ada)
    ada.does("promote demand --to production --why first")
    with pytest.raises(Refused, match="check reproduced: not there yet.*check metrics: not there yet"):
        ada.does("release demand")
    # Whoever may push annotations says that it came out the same.
    annotating.reproduced(find(ada.root), run, "identical", evidence="0" * 64)
    ada.sync()
    ci.sync()
    with ci.here():
        from provenote.registry import root as pinned

        pinned.pin(ci.root, root)
    check = f"check demand {{}} --key {key}"
    with pytest.raises(Refused, match="was not reproduced here.*provenote reproduce"):
        ci.does(check.format("reproduced"))
    with pytest.raises(UsageError, match="comes from `provenote reproduce RUN`, not by --status"):
        ci.does(check.format("reproduced --status pass"))
    with pytest.raises(UsageError, match="not by --status"):
        ci.does(check.format("metrics --status pass"))

    assert ci.does(f"reproduce {run}").data["verdict"] == "identical"
    with pytest.raises(UsageError, match="is not the run of|is not in this repository"):
        ci.does(check.format("reproduced --run nothing"))
    assert ci.does(check.format(f"reproduced --run {run}")).data["verdict"] == "pass"
    assert ci.does(check.format("metrics")).data["verdict"] == "pass"
    said = {"schema": 1, "name": "data-tests", "outcome": "not judged", "subject": {}, "findings": []}
    report = ci.root / "verdict.json"
    report.write_text(json.dumps(said))
    with pytest.raises(UsageError, match="'not judged', which is no pass"):
        ci.does(check.format("data-tests --status pass --report verdict.json"))
    failed = ci.does(check.format("data-tests --report verdict.json"))
    assert failed.status == 1 and failed.data["verdict"] == "fail"
    report.write_text(json.dumps({**said, "outcome": "passed", "findings": [{"outcome": "passed"}]}))
    assert ci.does(check.format("data-tests --report verdict.json")).status == 0
    ci.sync()
    ada.sync()
    ada.does("release demand")
    assert ada.holds(model="demand") == "v1.0.0"
    event = next(one for one in ada.registry.log.of_type("check") if one.body["name"] == "reproduced")
    commit = index.find(find(ada.root), run).commit
    assert event.body["evidence"]["run"] == commit and event.body["evidence"]["verdict"] == "identical"

    # A second one, which is worse than the first, and comes out otherwise when it is run again.
    again = trained(ada, "rmse=41.5", "shaky=true")
    ada.does("promote demand --to production --why second")
    ada.sync()
    ci.sync()
    view = ci.does(check.format("metrics"))
    assert (view.status, view.data["verdict"]) == (1, "fail")
    assert ci.does(f"reproduce {again}").data["verdict"] == "different"
    # Neither an annotation that names an old report, nor the report of another run, helps.
    first = ci.registry.log.of_type("check")[0].body["evidence"]["report"]
    annotating.reproduced(find(ci.root), again, "identical", evidence=first)
    assert ci.does(check.format("reproduced")).data["verdict"] == "fail"
    shutil.rmtree(ci.root / ".git" / "provenote" / "reproduced")
    with pytest.raises(Refused, match="was not reproduced here"):
        ci.does(check.format("reproduced"))
    ci.sync()
    ada.sync()
    with pytest.raises(
        Refused, match=r"check reproduced: failed.*check metrics: failed: rmse .* is above 45"
    ):
        ada.does("release demand@v1.1.0")
    assert ada.holds(model="demand") == "v1.0.0"
