"""The magics in a shell: tracked cells, logs, refusals, verbs; real kernels where only they can show it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from kernels import Kernel, executed, finished, notebook, whole
from traitlets.config import Config

from provenote import magics
from provenote.errors import ProvenoteError, Refused
from provenote.magics import lines, shown, tracked, verbs
from provenote.tracking import active, capture, starting


@pytest.fixture
def shell(repo: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """Make a shell with the extension loaded, in a project."""
    InteractiveShell.clear_instance()
    config = Config()
    config.HistoryManager.hist_file = ":memory:"
    shell = InteractiveShell.instance(config=config)
    shell.run_line_magic("load_ext", "provenote")
    yield shell
    magics.unload(shell)
    capture._capture = None
    InteractiveShell.clear_instance()


def ok(shell: InteractiveShell, code: str) -> Any:
    result = shell.run_cell(code, store_history=True)
    result.raise_error()
    return result.result


def fails(shell: InteractiveShell, code: str) -> BaseException:
    result = shell.run_cell(code, store_history=True)
    error = result.error_before_exec or result.error_in_exec
    assert error is not None
    return error


# ---------------------------------------------------------------------- tracked cells


def test_a_tracked_cell_is_a_run(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    ok(shell, "a = 2")
    ok(
        shell,
        '%%track my first/run --reason "new method"\nfor i in range(3):\n    %log loss=a / (i + 1) --step i',
    )
    row = finished("my first/run")[0]
    assert (row.status, row.metrics, row.parent) == ("finished", {"loss": 2 / 3}, None)
    assert whole(row)["why"] == "new method"
    assert row.name in capsys.readouterr().out
    assert shell.user_ns["i"] == 2


def test_line_numbers_and_the_last_expression_stay(shell: InteractiveShell) -> None:
    error = fails(shell, "%%track t\n\n1 / 0")
    trace = error.__traceback__
    assert trace is not None
    while trace.tb_next:
        trace = trace.tb_next
    assert trace.tb_lineno == 3
    assert ok(shell, "%%track t\n40 + 2") == 42
    assert ok(shell, "   %%track t\n   43") == 43
    assert ok(shell, "\n\n%%track t\n44") == 44


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("%%track t\nraise ValueError('two\\nlines')", "ValueError: two lines"),
        ("%%track t\ndef f(", "SyntaxError: "),
        ("%%track t\nraise KeyboardInterrupt", "KeyboardInterrupt"),
        ("%%track t\nimport asyncio\nraise asyncio.CancelledError", "KeyboardInterrupt"),
        ("%%track t\nraise SystemExit(3)", "SystemExit: 3"),
        ("%%track t\n%log a=missing", "UsageError: %log: name 'missing' is not defined"),
    ],
)
@pytest.mark.filterwarnings("ignore:To exit")
def test_a_failed_cell_is_a_failed_run_with_its_reason(
    shell: InteractiveShell, code: str, reason: str
) -> None:
    fails(shell, code)
    row = finished("t")[0]
    assert row.status == "failed"
    assert (row.reason or "").startswith(reason)
    assert active.current() is None


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("%%track", "a run needs a name"),
        ("%%track t --reason nope", "is no reason of change"),
        ("%%track t --reason", "--reason has no value"),
        ("%%track t --fast", "no option --fast"),
        ("%%track 'open", "not closed"),
        ("%%time\n%%track t", "stands below %%time"),
        ("%%capture out\n%%track t", "stands below %%capture"),
        ("%%track t\n%%track u", "two %%track lines"),
    ],
)
def test_a_cell_that_cannot_be_tracked_does_not_run(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], code: str, why: str
) -> None:
    error = fails(shell, f"{code}\nran = True")
    assert why in str(error)
    assert "ran" not in shell.user_ns
    said = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert len(said) == 1 and said[0].startswith("provenote: ")
    assert active.current() is None
    ok(shell, "ran = False")  # the refusal holds for that cell alone


def test_a_cell_is_refused_where_no_run_can_be(
    shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "not a Git repository" in str(fails(shell, "%%track t\nran = True"))
    assert "ran" not in shell.user_ns


def test_even_a_defect_of_ours_never_lets_a_cell_run_untracked(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError("disk on fire")

    monkeypatch.setattr(starting, "start", broken)
    assert "OSError: disk on fire" in str(fails(shell, "%%track t\nran = True"))
    assert "ran" not in shell.user_ns


def test_a_thread_cannot_run_a_tracked_cell_untracked(shell: InteractiveShell) -> None:
    ok(
        shell,
        "import threading\nfound = []\nip = get_ipython()\n"
        "thread = threading.Thread(target=lambda: found.append(ip.run_cell('%%track t\\nran = True')))\n"
        "thread.start()\nthread.join()",
    )
    assert finished("t") == []
    assert "ran" not in shell.user_ns
    assert "silent request or a thread" in str(shell.user_ns["found"][0].error_before_exec)


def test_runs_inside_a_tracked_cell_are_its_children(shell: InteractiveShell) -> None:
    ok(
        shell,
        "%%track outer\nimport provenote\nfor i in range(2):\n    with provenote.track('inner') as run:\n"
        "        run.log(i=i)\n%log total=2",
    )
    outer = finished("outer")[0]
    assert [row.parent for row in finished("inner")] == [outer.id, outer.id]
    assert outer.metrics == {"total": 2}
    ok(shell, "import provenote\nfor i in range(2):\n    with provenote.track('loose'):\n        pass")
    assert [row.parent for row in finished("loose")] == [None, None]


def test_tracked_cells_inside_a_cell(shell: InteractiveShell, repo: Path) -> None:
    notebook(repo / "other.ipynb", "%%track from_file\n%log x=1")
    ok(
        shell,
        "get_ipython().run_cell('%%track nested\\n%log x=2').raise_error()\n%run other.ipynb\nafter = 1",
    )
    assert finished("nested")[0].metrics == {"x": 2}
    assert finished("from_file")[0].metrics == {"x": 1}
    assert len(executed(finished("from_file")[0])) == 1


def test_the_run_can_be_ended_inside_its_cell(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    ok(shell, "%%track t\n%log a=1\n%track end\nlater = 1")
    assert finished("t")[0].metrics == {"a": 1}
    assert "provenote:" not in capsys.readouterr().err
    assert "no run is active" in str(fails(shell, "%track end"))


def test_a_run_over_several_cells(shell: InteractiveShell) -> None:
    ok(shell, '%track start long one --reason "new data"')
    ok(shell, "x = 1")
    ok(shell, "%log x=x")
    ok(shell, "%track end")
    row = finished("long one")[0]
    assert row.metrics == {"x": 1}
    assert len(executed(row)) == 4
    assert "%track has no verb 'begin'" in str(fails(shell, "%track begin a"))
    assert "a run needs a name" in str(fails(shell, "%track start"))


def test_a_cell_magic_below(shell: InteractiveShell) -> None:
    ok(shell, "%%track t\n%%time\ny = 5\n%log y=y")
    ok(shell, "%%track t\n%%capture out\nprint('held')\n%log y=6")
    assert [row.metrics for row in finished("t")] == [{"y": 5}, {"y": 6}]
    assert shell.user_ns["out"].stdout == "held\n"


def test_threads_and_processes_of_a_tracked_cell(shell: InteractiveShell) -> None:
    ok(
        shell,
        "%%track t\nimport provenote, threading, multiprocessing\nrun = provenote.current_run()\n"
        "thread = threading.Thread(target=lambda: provenote.current_run().log(thread=1))\n"
        "thread.start()\nthread.join()\n"
        "def work(n):\n    run.log(process=n)\n    get_ipython().run_line_magic('log', 'magic=1')\n"
        "with multiprocessing.get_context('fork').Pool(2) as pool:\n    pool.map(work, range(4))\n"
        "%log last=1",
    )
    row = finished("t")[0]
    assert row.status == "finished"
    assert set(row.metrics) == {"thread", "process", "magic", "last"}


def test_a_forked_child_that_exits_leaves_the_run_alone(
    shell: InteractiveShell, capfd: pytest.CaptureFixture[str]
) -> None:
    ok(
        shell,
        "%%track t\nimport os\nfrom provenote import magics\npid = os.fork()\nif not pid:\n"
        "    magics._loaded.shutdown()\n    os._exit(0)\nos.waitpid(pid, 0)\n%log a=1",
    )
    row = finished("t")[0]
    assert (row.status, row.metrics) == ("finished", {"a": 1})
    assert capfd.readouterr().err == ""


# ---------------------------------------------------------------------- %log


def test_log_sees_local_names_and_rewrites_nothing(shell: InteractiveShell) -> None:
    ok(
        shell,
        "%%track t\nglobal_name = 1\ndef f(inner):\n    local = inner + global_name\n"
        "    %log local=local, inner=inner, text='$global_name {local}'\n"
        "    %log {'a/b': local} --step inner\nf(3)",
    )
    assert finished("t")[0].metrics == {"local": 4, "inner": 3, "text": "$global_name {local}", "a/b": 4}


def test_log_without_a_run_says_how_to_start_one(shell: InteractiveShell) -> None:
    error = fails(shell, "%log a=1")
    assert isinstance(error, ProvenoteError)
    assert "`%%track NAME`" in error.line


def test_a_module_that_autoreload_patched_is_not_stale(
    shell: InteractiveShell, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(repo))
    module = repo / "patched_aid.py"
    module.write_text("def f():\n    return 1\n")
    ok(shell, "%load_ext autoreload\n%autoreload 2\nimport patched_aid")
    ok(shell, "patched_aid.f()")
    time.sleep(0.02)
    module.write_text("def f():\n    return 22\n")
    ok(shell, "%%track fresh\n%log s=patched_aid.f()")
    ok(shell, "%autoreload 0")
    time.sleep(0.02)
    module.write_text("def f():\n    return 333\n")
    ok(shell, "%%track stale\n%log s=patched_aid.f()")
    told = {
        label: (finished(label)[0].metrics["s"], whole(finished(label)[0])["stale_modules"])
        for label in ("fresh", "stale")
    }
    assert told == {"fresh": (22, []), "stale": (22, ["patched_aid"])}
    sys.modules.pop("patched_aid", None)


# ---------------------------------------------------------------------- loading


def test_loading_twice_and_reloading_and_unloading(shell: InteractiveShell) -> None:
    before = len(shell.events.callbacks["pre_run_cell"])
    ok(shell, "x = 1")
    magics.load(shell)
    assert len(shell.events.callbacks["pre_run_cell"]) == before
    ok(shell, "%reload_ext provenote")
    ok(shell, "%%track t\n%log x=x")
    assert len(finished("t")) == 1
    assert [cell["source"] for cell in executed(finished("t")[0])] == [
        "x = 1",
        "%reload_ext provenote",
        "%%track t\n%log x=x",
    ]
    ok(shell, "%unload_ext provenote")
    assert len(shell.events.callbacks["pre_run_cell"]) == before - 1
    assert "log" not in shell.magics_manager.magics["line"]
    assert not any(isinstance(one, tracked.StripTrack) for one in shell.input_transformers_cleanup)
    ok(shell, "unseen = 1")
    ok(shell, "%load_ext provenote")
    ok(shell, "%%track again\n1")
    sources = [cell["source"] for cell in executed(finished("again")[0])]
    assert sources[-3:] == ["unseen = 1", "%load_ext provenote", "%%track again\n1"]
    ok(shell, "%unload_ext provenote")
    ok(shell, "import provenote\nwith provenote.track('without magics'):\n    pass")
    assert [cell["source"] for cell in executed(finished("without magics")[0])][-2:] == [
        "%unload_ext provenote",
        "import provenote\nwith provenote.track('without magics'):\n    pass",
    ]


def test_a_name_that_is_taken_is_left_alone(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    try:
        theirs = shell.register_magic_function(lambda line: "theirs", "line", "runs")
        shell.register_magic_function(lambda line, cell: "theirs", "cell", "track")
        del theirs
        magics.load(shell)
        said = capsys.readouterr().err.splitlines()
        assert said == [
            "provenote: %%track is taken by another extension and left alone; "
            "use `with provenote.track(name) as run:`",
            "provenote: %runs is taken by another extension and left alone; use `%pv runs`",
        ]
        assert shell.run_line_magic("runs", "") == "theirs"
        assert shell.run_cell("%%track a\nx = 1").result == "theirs"
        magics.unload(shell)
        assert shell.run_line_magic("runs", "") == "theirs"
    finally:
        capture._capture = None
        InteractiveShell.clear_instance()


def test_every_magic_takes_its_text_as_it_stands(shell: InteractiveShell) -> None:
    for (kind, _), function in lines.made(shell).items():
        assert kind == "cell" or getattr(function, "_ipython_magic_no_var_expand", False)


def test_loading_imports_nothing_heavy() -> None:
    heavy = [
        "pandas",
        "sklearn",
        "plotly",
        "dvc",
        "papermill",
        "nbformat",
        "pygit2",
        "ipywidgets",
        "anywidget",
    ]
    heavy += ["matplotlib", "cryptography", "skops", "rich", "psutil", "numpy"]
    code = (
        "import sys\nfrom IPython.core.interactiveshell import InteractiveShell as S\ns = S.instance()\n"
        "before = set(sys.modules)\ns.run_line_magic('load_ext', 'provenote')\n"
        f"print(sorted((set(sys.modules) - before) & set({heavy!r})))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )


def test_a_terminal_goes_on_after_the_line(shell: InteractiveShell) -> None:
    assert shell.check_complete("%%track a")[0] == "incomplete"
    assert shell.check_complete("x = 1")[0] == "complete"


# ---------------------------------------------------------------------- verbs


def test_short_magics_are_those_of_the_tree() -> None:
    from provenote.commands import tree

    firsts = {path[0] for path in tree.verbs()}
    designed = {"data", "runs", "compare", "job", "sweep", "promote", "inbox", "review", "test"}
    assert set(verbs.SHORT) == designed & firsts


def test_a_short_magic_is_its_verb() -> None:
    assert verbs.short("runs", '"metrics.a < 3" -A') == ["runs", "metrics.a < 3", "-A"]
    assert verbs.short("job", "train.ipynb -p a=[1, 2]") == ["job", "run", "train.ipynb", "-p", "a=[1, 2]"]
    assert verbs.short("job", "logs x") == ["job", "logs", "x"]


def test_a_verb_is_shown_and_a_no_fails_the_cell(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from provenote import cli
    from provenote.view import Line, View

    asked: list[Any] = []

    def answer(given: list[str], context: Any) -> tuple[View, bool]:
        asked.append((given, context))
        return View([Line("the reasons", "failed")], {"verdict": "no"}, status=1), "--json" in given

    monkeypatch.setattr(cli, "run", answer)
    shell.user_ns["depth"] = 6
    error = fails(shell, "%pv verify m -p d=depth")
    assert isinstance(error, Refused)
    said = capsys.readouterr().out
    assert "the reasons" in said and "the verdict of `%pv verify m -p d=depth` is no" in said
    assert asked[0][0] == ["verify", "m", "-p", "d=depth"]
    assert asked[0][1].names["depth"] == 6
    fails(shell, "%runs --json")
    assert json.loads(capsys.readouterr().out.splitlines()[0]) == {"verdict": "no"}
    assert asked[1][0] == ["runs", "--json"]


@pytest.mark.parametrize("code", ["%pv nonsense", "%pv runs --nonsense", "%runs 'metrics.a <'"])
def test_a_users_mistake_is_one_line_and_fails_the_cell(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], code: str
) -> None:
    assert isinstance(fails(shell, code), ProvenoteError)
    said = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert len(said) == 1 and said[0].startswith("provenote: ")


def test_nobody_is_asked_in_a_job_or_where_no_input_is_allowed(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Kernel:
        _allow_stdin = True

    monkeypatch.setattr(type(shell), "kernel", Kernel(), raising=False)
    assert verbs.person(shell)
    Kernel._allow_stdin = False
    assert not verbs.person(shell)
    Kernel._allow_stdin = True
    monkeypatch.setenv("PROVENOTE_DOC", "x")
    assert not verbs.person(shell)
    assert shown.in_job()


# ---------------------------------------------------------------------- real kernels


def test_interrupts_shutdown_and_what_a_cell_shows(repo: Path) -> None:
    cells = [
        "%load_ext provenote",
        "%%track shown\n%log a=1 --step 0\n%log a=2 --step 1",
        "%%track stopped\n%log a=1\nimport time\ntime.sleep(60)",
        "%%track awaited\n%log a=1\nimport asyncio\nfor _ in range(600):\n    await asyncio.sleep(0.1)",
        "%%track refused --reason x",
        "%track start open",
        "%log b=3",
    ]
    with Kernel(notebook(repo / "n.ipynb", *cells)) as kernel:
        kernel.run(cells[0], "c0")
        outputs = kernel.run(cells[1], "c1")["outputs"]
        silent = kernel.run("%%track quiet\nunseen = 1", silent=True)
        assert silent["status"] == "error" and "silent request" in silent["evalue"]
        assert kernel.run("unseen")["ename"] == "NameError"
        blocks = [one["data"] for one in outputs if one["type"] in ("display_data", "update_display_data")]
        assert any("shown-" in block["text/html"] and "finished" in block["text/html"] for block in blocks)
        assert all("text/plain" in block for block in blocks)
        for n in (2, 3):
            request = kernel.send(cells[n], f"c{n}")
            label = cells[n].split()[1]
            _until(lambda label=label: [row.metrics for row in finished(label)] == [{"a": 1}])
            os.kill(kernel.manager.provisioner.pid, signal.SIGINT)
            reply, _ = kernel.wait(request)
            assert reply["status"] == "error"
        reply = kernel.run(cells[4], "c4")
        assert (reply["status"], reply["traceback"]) == ("error", [f"provenote: {reply['evalue']}"])
        kernel.run(cells[5], "c5")
        kernel.run(cells[6], "c6")
    for label in ("stopped", "awaited"):
        row = finished(label)[0]
        assert (row.status, row.reason, row.metrics) == ("failed", "KeyboardInterrupt", {"a": 1})
    row = finished("open")[0]
    assert (row.status, row.metrics, whole(row)["ended_by"]) == ("finished", {"b": 3}, "shutdown")


def test_a_killed_kernel_keeps_its_points_and_what_ran(repo: Path) -> None:
    cells = [
        "%load_ext provenote",
        "a = 1",
        "%%track t\n%log a=a\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    ]
    with Kernel(notebook(repo / "n.ipynb", *cells)) as kernel:
        kernel.run(cells[0], "c0")
        kernel.run(cells[1], "c1")
        kernel.send(cells[2], "c2")
        _until(lambda: not kernel.manager.is_alive())
        _until(lambda: [row.status for row in finished("t")] == ["killed"])
    row = finished("t")[0]
    assert row.metrics == {"a": 1}
    assert row.linearity == "linear"
    assert [cell["source"] for cell in executed(row)] == cells


def test_a_kernel_without_a_cell_id_shows_no_widget(repo: Path) -> None:
    with Kernel() as kernel:
        kernel.run("%load_ext provenote")
        outputs = kernel.run("%%track t\n%log a=1 --step 0\n%log a=2 --step 1")["outputs"]
        plain = kernel.run("import sys; print('ipywidgets' in sys.modules, 'anywidget' in sys.modules)")[
            "outputs"
        ]
    blocks = [one["data"] for one in outputs if one["type"] == "display_data"]
    assert len(blocks) == 1
    assert "data:image/png;base64" in blocks[0]["text/html"]
    assert [one["text"] for one in plain if one["type"] == "stream"] == ["False False\n"]


def _until(holds: Any, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.1)
