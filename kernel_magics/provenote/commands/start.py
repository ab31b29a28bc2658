"""Verbs to start with: set up a project, walk the whole loop, examine the project, begin a notebook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from provenote.commands.tree import Context, verb
from provenote.view import Line, View, said


@verb("init")
def init(context: Context, folder: str = ".", *, solo: bool = False, subdir: bool = False) -> View:
    """Make this folder a project: Git, DVC and a first commit where they are missing.

    What is there already stays as it is; calling it again does no harm. No key is needed.

    Parameters
    ----------
    folder : str
        Where; default: here.
    solo : bool
        Also start the governance of models with you as the only owner.
    subdir : bool
        Make the folder a DVC project of its own inside a larger repository.
    """
    from provenote import project

    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    steps = project.initialise(root, subdir=subdir)
    parts = [Line(step.what, "ok", aside="made" if step.made else "there already") for step in steps]
    data: dict[str, Any] = {"steps": [{"what": step.what, "made": step.made} for step in steps]}
    if solo:
        from provenote import registry, workspace

        started = registry.start_solo(workspace.find(root))
        parts += [Line(text, "ok") for text in started.lines]
        data["root"] = started.root
    parts.append(
        Line("Next: `%load_ext provenote` in a notebook, then `%%track NAME` on top of the cell that trains")
    )
    return View(parts, data)


@verb("doctor")
def doctor(context: Context) -> View:
    """Examine the project and its surroundings: what is in force, what is wrong, and how to mend it."""
    from provenote import doctor as examination
    from provenote.errors import ProvenoteError

    found = list(examination.examine(Path.cwd()))
    marks = {"ok": "ok", "warn": "warn", "failed": "failed"}
    parts = [Line(finding.what, marks[finding.state], aside=finding.mend) for finding in found]  # type: ignore[arg-type]
    try:
        settings = examination.settings(Path.cwd())
    except ProvenoteError:
        settings = {}
    wrong = sum(finding.state == "failed" for finding in found)
    odd = sum(finding.state == "warn" for finding in found)
    parts.append(
        Line(f"{wrong} wrong, {odd} to look at" if wrong or odd else "All is well", "failed" if wrong else "")
    )
    findings = [{"what": finding.what, "state": finding.state, "mend": finding.mend} for finding in found]
    return View(parts, {"findings": findings, "settings": settings}, status=1 if wrong else 0)


@verb("demo")
def demo(context: Context, *, dir: str = "provenote-demo") -> View:
    """Walk the whole loop on real data: version, track, sweep, compare, promote, load, predict.

    It makes a project in a folder of its own with a throw-away key, and needs no network. Stopped or killed,
    it goes on from where it was.

    Parameters
    ----------
    dir : str
        Folder of the demo; default: ./provenote-demo.
    """
    from provenote import demo as journey

    return journey.run(Path(dir), context.tell)


@verb("new", template="--from")
def new(context: Context, notebook: str, *, template: str = "train") -> View:
    """Begin a notebook from a template, with a parameters cell, tracking and tests in place.

    Parameters
    ----------
    notebook : str
        Path of the notebook to write; one that exists is never overwritten.
    template : str
        Its template: train, evaluate, compare-with-champion, test-model or data-check.
    """
    from provenote.jobs import templates

    path = templates.create(Path(notebook), template)
    return said(
        f"{path} made from the template {template}. Open it: `jupyter lab {path}`",
        notebook=str(path),
        template=template,
    )
