"""What ran, told truly, by real kernels: fed as JupyterLab, VS Code and others do, papermill, ipython."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kernels import Kernel, executed, finished, notebook, whole

from provenote.tracking.linearity import digest, recompute

CELLS = ["%load_ext provenote", "a = 1\nprint('one')", "b = a + 1", "%%track t\n%log s=b"]


def verdicts(label: str = "t") -> list[str]:
    return [row.linearity for row in finished(label)]


def test_a_session_of_jupyterlab(repo: Path) -> None:
    path = notebook(repo / "n.ipynb", *CELLS)
    with Kernel(path) as kernel:
        for n, source in enumerate(CELLS):
            kernel.run(source, f"c{n}")
        kernel.run(CELLS[3], "c3")
        kernel.run("%runs", "c9")  # looks only; a cell that was typed and never saved
        kernel.run("b = a +", "c2")  # ran nothing
        kernel.run(CELLS[3], "c3")
        kernel.run(CELLS[1], "c1")
        kernel.run(CELLS[3], "c3")
    assert verdicts() == ["linear", "rerun", "rerun", "out-of-order"]
    first, *_, last = finished("t")
    document = whole(first)
    assert document["notebook"] == "n.ipynb"
    assert document["disk"] == "same"
    assert [cell["source"] for cell in executed(first)] == CELLS
    assert [cell["metadata"]["provenote"]["cell"] for cell in executed(first)] == ["c0", "c1", "c2", "c3"]
    assert executed(first)[1]["outputs"] == [{"name": "stdout", "output_type": "stream", "text": ["one\n"]}]
    assert [cell["id"] for cell in executed(last)][4:7] == ["c3-2", "c9", "c2-2"]
    assert [cell["outputs"] for cell in executed(last) if "%%track" in cell["source"]] == [[]] * 4
    for row in finished("t"):
        assert recompute(whole(row)["evidence"]).verdict == row.linearity
    assert "In[3] (cell c2)" in whole(last)["evidence"]["why"][0]
    assert first.metrics == {"s": 2}


def test_a_deleted_cell_and_an_edited_one(repo: Path) -> None:
    path = notebook(repo / "n.ipynb", *CELLS)
    with Kernel(path) as kernel:
        for n, source in enumerate(CELLS[:3]):
            kernel.run(source, f"c{n}")
        kernel.run("1", "c9", deleted=["c1"])  # the list is spliced after each reply, also outside of runs
        kernel.run(CELLS[3], "c3")
    assert verdicts() == ["out-of-order"]
    assert "In[2] (cell c1) was deleted after it ran" in whole(finished("t")[0])["evidence"]["why"]

    with Kernel(path) as kernel:
        for n, source in enumerate(CELLS[:3]):
            kernel.run(source, f"c{n}")
        time.sleep(0.05)
        notebook(path, CELLS[0], "a = 5", *CELLS[2:])
        kernel.run(CELLS[3].replace(" t", " edited"), "c3")
    assert verdicts("edited") == ["out-of-order"]
    assert whole(finished("edited")[0])["disk"] == "differs"


def test_a_new_notebook_is_unknown_until_the_extension_tells(repo: Path) -> None:
    with Kernel(repo / "Untitled.ipynb") as kernel:
        for n, source in enumerate(CELLS):
            kernel.run(source, f"c{n}")
        cells = [[f"c{n}", digest(source)] for n, source in enumerate(CELLS)]
        kernel.tell("provenote.document", {"path": "Untitled.ipynb", "cells": cells, "at": 0})
        kernel.run(CELLS[3], "c3")
        kernel.tell(
            "provenote.document", {"path": "Untitled.ipynb", "cells": [cells[1], cells[0], *cells[2:]]}
        )
        kernel.run(CELLS[3], "c3")
    assert verdicts() == ["unknown", "rerun", "out-of-order"]
    assert "not saved yet" in whole(finished("t")[0])["evidence"]["why"][0]
    assert whole(finished("t")[1])["disk"] == "unknown"


def test_a_session_of_vs_code(repo: Path) -> None:
    path = notebook(repo / "v.ipynb", *CELLS)
    with Kernel() as kernel:
        kernel.run(f"__vsc_ipynb_file__ = {str(path)!r}", silent=True)
        for n in (0, 1, 2, 3, 3, 1, 3):
            kernel.run(CELLS[n], f"vscode-notebook-cell:{path}#W{n}sZmlsZQ==")
    assert verdicts() == ["linear", "rerun", "out-of-order"]
    assert executed(finished("t")[0])[1]["id"] == "W1sZmlsZQ-"
    assert whole(finished("t")[0])["notebook"] == "v.ipynb"


def test_a_client_without_ids_and_cells_before_loading(repo: Path) -> None:
    cells = ["import math", "def f(", "a = 1", *CELLS]
    path = notebook(repo / "n.ipynb", *cells, ids=False)
    with Kernel(path) as kernel:
        for source in cells:
            kernel.run(source)
        kernel.run(CELLS[3])
        kernel.run("a = 1")
        kernel.run(CELLS[3])
    assert verdicts() == ["linear", "rerun", "out-of-order"]
    before = [cell["metadata"]["provenote"].get("before_load", False) for cell in executed(finished("t")[0])]
    assert before == [True, True, True, False, False, False, False]
    assert executed(finished("t")[0])[1]["metadata"]["provenote"]["counts"] is False


def test_without_a_document_it_is_unknown(repo: Path) -> None:
    with Kernel() as kernel:
        for source in CELLS:
            kernel.run(source)
    assert verdicts() == ["unknown"]
    assert whole(finished("t")[0])["notebook"] is None


def test_an_import_alone_captures_what_it_can(repo: Path) -> None:
    cells = [
        "a = 1",
        "import provenote\nwith provenote.track('t') as run:\n    run.log(s=a)\nlast = 1",
        "b = 2",
    ]
    path = notebook(repo / "n.ipynb", *cells)
    with Kernel(path) as kernel:
        for n in (0, 1, 2, 1):
            kernel.run(cells[n], f"c{n}")
    assert verdicts() == ["linear", "out-of-order"]
    assert [cell["source"] for cell in executed(finished("t")[0])] == cells[:2]


def test_what_a_kernel_does_besides(repo: Path) -> None:
    """Nested executions, await, threads, displays, a stale module: each told as it was."""
    (repo / "helper.py").write_text("def f():\n    return 1\n")
    cells = [
        "%load_ext provenote",
        "import helper, threading, asyncio\nfrom IPython.display import display, HTML",
        "%%capture held\nprint('inside')",
        "get_ipython().run_cell('hidden = 3')\n"
        "thread = threading.Thread(target=print, args=('from a thread',))\n"
        "thread.start(); thread.join(); display(HTML('<b>shown</b>')); 41 + 1",
        "await asyncio.sleep(0)\nprint('awaited')",
        "",
        "%%track all\nawait asyncio.sleep(0)\n%log s=helper.f()",
        "%%track caught\n%%capture x\n%log s=4\nprint(1)\nget_ipython().run_cell('print(2)')",
    ]
    path = notebook(repo / "n.ipynb", *cells)
    with Kernel(path) as kernel:
        for n, source in enumerate(cells):
            if n == 6:
                (repo / "helper.py").write_text("def f():\n    return 2\n")
            kernel.run(source, f"c{n}")
    row = finished("all")[0]
    assert row.status == "finished"
    assert row.linearity == "linear", whole(row)["evidence"]["why"]
    assert row.metrics == {"s": 1}
    assert whole(row)["stale_modules"] == ["helper"]
    ran = executed(row)
    assert [cell["source"] for cell in ran] == [source for source in cells[:7] if source]
    kinds = [(output["output_type"], output.get("text")) for output in ran[3]["outputs"]]
    assert ("stream", ["from a thread\n"]) in kinds
    assert [kind for kind, _ in kinds][-2:] == ["display_data", "execute_result"]
    assert ran[4]["outputs"][0]["text"] == ["awaited\n"]
    caught = finished("caught")[0]
    assert caught.status == "finished"
    assert caught.metrics == {"s": 4}
    assert len(executed(caught)) == 7


def test_settings_and_secrets(repo: Path) -> None:
    token = "ghp_" + "a1B2" * 9
    (repo / "provenote.toml").write_text("output_limit = 1000\n")
    cells = ["%load_ext provenote", f"token = '{token}'\nprint(token)", "print('x' * 5000)", "%%track t\n1"]
    with Kernel(notebook(repo / "n.ipynb", *cells)) as kernel:
        for n, source in enumerate(cells):
            kernel.run(source, f"c{n}")
        (repo / "provenote.toml").write_text("store_outputs = false\n")
        kernel.run(cells[3], "c3")
        kernel.run("%%track broken\nopen('provenote.toml', 'w').write('store_outputs = maybe')", "c4")
    first, second = finished("t")
    assert finished("broken")[0].status == "finished"
    assert not any(cell["outputs"] for cell in executed(finished("broken")[0]))
    assert whole(first)["redacted"] == 2
    assert token not in str(executed(first))
    assert "left out" in executed(first)[2]["outputs"][0]["text"][0]
    assert not any(cell["outputs"] for cell in executed(second))


def ipython(repo: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", *arguments]
    answer = subprocess.run(command, cwd=repo, capture_output=True, text=True, timeout=120, env=os.environ)
    return answer.stdout + answer.stderr


def test_ipython_runs_a_notebook(repo: Path) -> None:
    twins = ["x = 1", "x = 1", *CELLS, "print('after')"]
    notebook(repo / "n.ipynb", *twins)
    said = ipython(repo, "n.ipynb")
    assert "after" in said
    row = finished("t")[0]
    assert row.linearity == "linear"
    assert [cell["source"] for cell in executed(row)] == twins[:-1]
    assert executed(row)[3]["outputs"][0]["text"] == ["one\n"]
    assert whole(row)["notebook"] == "n.ipynb"


def test_ipython_runs_a_script(repo: Path) -> None:
    (repo / "s.ipy").write_text("%%track whole\na = 1\n%log s=a\n")
    ipython(repo, "--ext=provenote", "s.ipy")
    (repo / "with.ipy").write_text("%load_ext provenote\n%track start part\n%log s=2\n%track end\n")
    ipython(repo, "with.ipy")
    (repo / "plain.py").write_text(
        "import provenote\nwith provenote.track('plain') as run:\n    run.log(s=3)\n"
    )
    ipython(repo, "plain.py")
    subprocess.run([sys.executable, "plain.py"], cwd=repo, check=True)
    for label, name in (("whole", "s.ipy"), ("part", "with.ipy"), ("plain", "plain.py")):
        for row in finished(label):
            assert row.linearity == "linear", (label, whole(row)["evidence"])
            assert whole(row)["evidence"]["script"] == name
            assert recompute(whole(row)["evidence"]).verdict == "linear"
    assert len(finished("plain")) == 2
    assert executed(finished("whole")[0])[0]["source"].startswith("%%track whole")
    assert finished("part")[0].metrics == {"s": 2}


def test_a_terminal_session_is_unknown(repo: Path) -> None:
    script = "%load_ext provenote\n%track start t\n%log s=1\n%track end\nexit\n"
    subprocess.run(
        [sys.executable, "-m", "IPython", "--simple-prompt"],
        cwd=repo,
        input=script,
        text=True,
        timeout=120,
        capture_output=True,
        check=True,
    )
    row = finished("t")[0]
    assert row.linearity == "unknown"
    assert whole(row)["evidence"]["why"] == ["a terminal session has no document"]


@pytest.mark.filterwarnings("ignore")
def test_plain_papermill_is_unknown_and_its_sources_are_true(repo: Path) -> None:
    notebook(repo / "n.ipynb", *CELLS)
    subprocess.run(
        [sys.executable, "-m", "papermill", "n.ipynb", "out.ipynb", "--no-progress-bar"],
        cwd=repo,
        check=True,
        capture_output=True,
        timeout=120,
        env={**os.environ, "JPY_SESSION_NAME": str(notebook(repo / "outer.ipynb", "q"))},
    )
    row = finished("t")[0]
    assert row.linearity == "unknown"
    assert [cell["source"] for cell in executed(row)] == CELLS
