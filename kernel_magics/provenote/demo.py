"""The demo: the whole loop on real data in a project of its own, from versioned data to a loaded model.

Every step asks first whether it is done, so a demo that was stopped or killed goes on from there. It signs
with a throw-away key inside its own ``.git``, never with a key of the user's; its policy says ``demo: true``.
"""

from __future__ import annotations

import importlib.resources
import json
import lzma
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote import project, workspace
from provenote.errors import Refused, UsageError
from provenote.events import Progress, Tell
from provenote.git.command import git
from provenote.git.command import run as git_run
from provenote.view import Cell, Column, Line, Part, Table, View

if TYPE_CHECKING:
    from provenote.model import Row
    from provenote.workspace import Workspace

MODEL, STAGE, METRIC = "bike-demand", "production", "rmse"
GRID: dict[str, list[Any]] = {"depth": [4, 8, 12], "lr": [0.05, 0.1]}
JOBS = 6
WEEK = ("2012-12-24", "2012-12-30")
DATA, NOTEBOOK = "data/hour.csv", "train.ipynb"


@dataclass
class _Demo:
    """One demo: where it is, what it knows so far, and who listens."""

    root: Path
    tell: Tell

    @property
    def _notes(self) -> Path:
        return self.root / ".git" / "provenote" / "demo.json"

    def known(self) -> dict[str, Any]:
        """Return what earlier steps found out; it survives the process."""
        try:
            known: dict[str, Any] = json.loads(self._notes.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return known

    def remember(self, **facts: Any) -> None:
        """Keep what a step found out."""
        self._notes.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._notes.with_suffix(".new")
        temporary.write_text(json.dumps({**self.known(), **facts}), encoding="utf-8")
        temporary.replace(self._notes)

    @contextmanager
    def step(self, label: str) -> Iterator[Callable[[str], None]]:
        """Tell a step's begin and end; the body may set the words of its end."""
        words = [""]
        self.tell(Progress(label))
        try:
            yield lambda text: words.__setitem__(0, text)
        except BaseException:
            self.tell(Progress(label, state="failed", detail="the same command goes on from here"))
            raise
        self.tell(Progress(label, state="done", detail=words[0]))


def run(folder: Path, tell: Tell) -> View:
    """Walk the whole loop in ``folder`` and return what came out.

    Parameters
    ----------
    folder : Path
        A folder that does not exist, is empty, or holds a demo that was stopped.
    tell : Tell
        Where progress goes.

    Raises
    ------
    UsageError
        If the folder holds something else, or a demo that is complete.
    Refused
        If a job of the demo failed.
    """
    began = time.monotonic()
    root = Path(os.path.abspath(folder))
    demo = _Demo(root, tell)
    resumed = _check(demo, folder)
    root.mkdir(parents=True, exist_ok=True)
    with chdir(root), _own_process():
        with demo.step("Git and DVC project"):
            place = _project(demo)
        with demo.step(DATA) as ended:
            ended(_data(demo, place))
        with demo.step(NOTEBOOK) as ended:
            ended(_train(demo, place))
        with demo.step(f"sweep of {JOBS} jobs") as ended:
            ended(_sweep(demo, place))
        _, best = _compare(place)
        with demo.step("the best run again, in a clean kernel") as ended:
            ended(_reproduce(demo, place, best))
        table, best = _compare(place)
        with demo.step(f"{MODEL} to {STAGE}") as ended:
            ended(_promote(demo, place, best))
        with demo.step("loaded by stage, bytes verified") as ended:
            ended(_use(demo))
        demo.remember(complete=True)
    seconds = time.monotonic() - began
    return View(_ending(folder, table, seconds, resumed), {**demo.known(), "seconds": round(seconds, 1)})


def _check(demo: _Demo, folder: Path) -> bool:
    """Refuse a folder that is not ours to fill; return whether a demo goes on there."""
    if not demo.root.exists() or not any(demo.root.iterdir()):
        return False
    known = demo.known()
    if known.get("complete"):
        raise UsageError(
            f"{folder} holds a demo that is complete",
            f"Look at it: `cd {folder}`; or make another: `provenote demo --dir OTHER`",
        )
    if known.get("demo"):
        return True
    raise UsageError(
        f"{folder} is not empty and holds no demo", "Choose another folder: `provenote demo --dir OTHER`"
    )


@contextmanager
def _own_process() -> Iterator[None]:
    """Keep settings of the user's shell (another repository, an author, an agent) out of the demo."""
    mine = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "SSH_AUTH_SOCK", "PROVENOTE_RUN", "PROVENOTE_ROOT")
    kept = {name: os.environ.pop(name) for name in mine if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


def _project(demo: _Demo) -> Workspace:
    if not (demo.root / ".git").exists():  # also inside another repository: the demo is one of its own
        git(demo.root, "init", "--quiet", "--initial-branch=main")
    demo.remember(demo=True)
    for key, value in (
        ("user.name", "Provenote demo"),
        ("user.email", "demo@localhost"),
        ("commit.gpgsign", "false"),
    ):
        if git_run(demo.root, "config", "--local", key).returncode:
            git(demo.root, "config", "--local", key, value)
    project.initialise(demo.root)
    return workspace.find(demo.root)


def _data(demo: _Demo, place: Workspace) -> str:
    from provenote import data

    target = demo.root / DATA
    if not target.exists():
        target.parent.mkdir(exist_ok=True)
        shipped = importlib.resources.files("provenote_templates") / "data"
        (target.parent / "README.md").write_bytes((shipped / "README.md").read_bytes())
        temporary = target.with_suffix(".new")
        temporary.write_bytes(lzma.decompress((shipped / "hour.csv.xz").read_bytes()))
        temporary.replace(target)
    if not (demo.root / f"{DATA}.dvc").exists():
        data.add(target, tell=demo.tell)
    _commit(demo, "Version the data")
    profile = json.loads((demo.root / f"{DATA}.profile.json").read_text(encoding="utf-8"))
    return f"versioned, {profile['rows']:,} rows, {len(profile['columns'])} columns"


def _commit(demo: _Demo, message: str) -> None:
    git(demo.root, "add", "--all")
    if git_run(demo.root, "diff", "--cached", "--quiet").returncode:
        git(demo.root, "commit", "--quiet", "--no-verify", "-m", message)


def _train(demo: _Demo, place: Workspace) -> str:
    from provenote.jobs import launch, templates
    from provenote.stores import index

    if not (demo.root / NOTEBOOK).exists():
        templates.create(demo.root / NOTEBOOK, "train")
        _commit(demo, "Begin the training notebook")
    name = demo.known().get("train")
    if name is None:
        result = launch.run_job(demo.root / NOTEBOOK, tell=demo.tell)
        if result.exit_status:
            raise Refused(
                f"{NOTEBOOK} failed: {result.state.reason or result.state.state}", "See `provenote jobs`"
            )
        name = result.state.name
        demo.remember(train=name)
    row = index.find(place, str(name))
    return f"run and tracked as {row.name}, {METRIC} {row.metrics[METRIC]:.2f}, {row.linearity}"


def _sweep(demo: _Demo, place: Workspace) -> str:
    from provenote.jobs import sweeps

    if demo.known().get("sweep") is None:
        result = sweeps.sweep(demo.root / NOTEBOOK, GRID, metric=METRIC, tell=demo.tell)
        failed = sum(job.exit_status != 0 for job in result.jobs)
        if failed:
            raise Refused(f"{failed} of {len(result.jobs)} jobs of the sweep failed", "See `provenote jobs`")
        demo.remember(sweep=[job.state.name for job in result.jobs])
    return f"{len(demo.known()['sweep'])} finished over {' and '.join(GRID)}"


def _compare(place: Workspace) -> tuple[Table, str]:
    """Return the table of the runs, best first, and the name of the best."""
    from provenote.stores import index

    rows = [row for row in index.rows(place)[0] if row.status == "finished" and METRIC in row.metrics]
    rows.sort(key=lambda row: float(row.metrics[METRIC]))
    columns = [Column("run"), Column("loss"), *(Column(name, "right") for name in ("depth", "lr"))]
    columns += [
        Column(f"{name} {arrow}", "right") for name, arrow in (("rmse", "↓"), ("mae", "↓"), ("r2", "↑"))
    ]
    columns.append(Column(""))
    cells = [
        [
            Cell(row.name, "code"),
            Cell(str(row.params.get("loss"))),
            Cell(str(row.params.get("depth"))),
            Cell(f"{row.params.get('lr'):.2f}"),
            Cell(f"{row.metrics['rmse']:.2f}"),
            Cell(f"{row.metrics['mae']:.2f}"),
            Cell(f"{row.metrics['r2']:.3f}"),
            Cell(", ".join(_said(row, row is rows[0])), "better"),
        ]
        for row in rows
    ]
    return Table(columns, cells), rows[0].name


def _said(row: Row, best: bool) -> Iterator[str]:
    """Yield what a table says of a run besides its numbers."""
    if best:
        yield "best"
    if row.reproduced is not None:
        yield "not reproduced" if row.reproduced == "different" else "reproduced"


def _reproduce(demo: _Demo, place: Workspace, best: str) -> str:
    from provenote.reproducing import journey, show

    said = demo.known().get("reproduced")
    if said is None:
        made = journey.reproduce(place, best, tell=demo.tell)
        said = {"verdict": made.verdict.word, "summary": show.summary(made)}
        demo.remember(reproduced=said)
    return f"{best} {said['verdict']}: {said['summary'].split('. ')[0]}"


def _promote(demo: _Demo, place: Workspace, best: str) -> str:
    """Start the demo's own governance, then ask, approve and release with its throw-away key."""
    from provenote import registry
    from provenote.registry import acting
    from provenote.stores import keys
    from provenote.stores.ledger import Ledger

    key = place.home / "keys" / "demo_ed25519"
    if not Ledger(place.top).tip():
        registry.start_solo(place, key if key.exists() else None, demo=True)
    version = demo.known().get("version")
    if version is None:
        signer = keys.open_key(key)
        acting.promote(
            place,
            MODEL,
            to=STAGE,
            why=f"least {METRIC} of the sweep",
            run=best,
            reason="new method",
            release=True,
            confirm=lambda subject, word: word,  # the demo's own key, in the process that made it
            signers=[signer],
        )
        version = "v1.0.0"
        demo.remember(version=version, best=best)
    return f"{version} ({best}), signed (solo mode, throw-away key)"


def _use(demo: _Demo) -> str:
    """Load the promoted model as an application would, and predict the last week."""
    import numpy
    import pandas

    from provenote.registry.load import DemoWarning, load

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DemoWarning)  # the demo says so itself
        model: Any = load(MODEL, STAGE)
    hours = pandas.read_csv(demo.root / DATA, parse_dates=["dteday"])
    week = hours[hours["dteday"].between(*WEEK)]
    error = float(numpy.sqrt(numpy.mean((model.predict(week) - week["cnt"]) ** 2)))
    demo.remember(week_rmse=error)
    return f"{_short(WEEK[0])} to {_short(WEEK[1])}: {METRIC} {error:.2f}"


def _short(day: str) -> str:
    return time.strftime("%d %b", time.strptime(day, "%Y-%m-%d"))


def _ending(folder: Path, table: Table, seconds: float, resumed: bool) -> list[Part]:
    done = f"Done in {seconds:.0f} s{', going on from where it was stopped' if resumed else ''}. Go on with:"
    commands = (f"cd {folder}", f"jupyter lab {NOTEBOOK}", f"provenote verify {MODEL}")
    return [
        table,
        Line(""),
        Line(done, role="strong"),
        *(Line(f"  {command}", role="code") for command in commands),
    ]
