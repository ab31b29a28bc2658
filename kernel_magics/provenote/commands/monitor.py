"""Verbs of monitoring: watch a model in use, window by window, against its reference."""

from __future__ import annotations

from provenote.commands.tree import Context, verb
from provenote.view import Line, View, said


@verb("monitor")
def monitor(context: Context, name: str = "") -> View:
    """Show how the monitors stand: healthy, look or act, and why.

    Nothing is judged anew. Exit status: 0 healthy or look, 1 act (also when nobody looked for two
    intervals), 3 the newest window could not be judged.

    Parameters
    ----------
    name : str
        One monitor; default: all, one a line.
    """
    from provenote.monitor import definition, show, watching

    workspace = context.workspace
    if name:
        return show.standing_view(watching.standing(workspace, definition.pick(workspace.dvc_root, name)))
    known = definition.read(workspace.dvc_root).values()
    return show.list_view([watching.standing(workspace, one) for one in known])


@verb("monitor add")
def monitor_add(
    context: Context,
    model: str,
    *,
    data: list[str] | None = None,
    every: str = "1d",
    window: str = "7d",
    time: list[str] | None = None,
    reference: str | None = None,
    until: str = "",
    label: str = "",
    prediction: str = "",
    labels_after: str = "",
    contract: str = "",
    name: str = "",
    force: bool = False,
) -> View:
    """Watch a model's data: learn from a reference what its windows look like, and write a monitor.

    The monitor is an entry of provenote.monitors.yaml, to be committed. What is printed is measured on the
    reference: how often each check would alarm on clean windows, and the smallest change that it sees.

    Parameters
    ----------
    model : str
        The model that is in use.
    data : list of str
        Files that come in, as a pattern in quotes: `'data/live/*.csv'`; may be repeated.
    every : str
        How often somebody should look: 12h, 1d. Twice as long without a look is an alert.
    window : str
        Length of a window: 1d, 7d, 4w. A reference needs twenty of them.
    time : list of str
        Column of the time; a date and an hour are given as two. Default: found by their look.
    reference : str
        What is normal: `PATH`, `PATH@REV`, or a revision of the data. Default: what the version in
        production was trained on.
    until : str
        The reference ends before this date; what is later is watched.
    label : str
        Column of the truth that the model predicts.
    prediction : str
        Column of what the model predicted. Default: the version in production predicts.
    labels_after : str
        How long after a window's end its labels are there: 7d. Default: at once.
    contract : str
        Data whose contract the files must keep. Default: the reference's, where it has one.
    name : str
        Name of the monitor; default: the model's.
    force : bool
        Make it anew where there is one of that name; accepted windows stay.
    """
    from provenote.monitor import deciding, show

    made = deciding.add(
        context.workspace,
        model,
        data or [],
        name=name,
        every=every,
        window=window,
        time_columns=time or (),
        reference=reference,
        until=until,
        label=label,
        prediction=prediction,
        labels_after=labels_after,
        contract=contract,
        force=force,
        tell=context.tell,
    )
    return show.made_view(made)


@verb("monitor run")
def monitor_run(context: Context, name: str = "") -> View:
    """Judge the windows that came since the last look; each becomes a run with its verdict.

    `provenote tick` does it when it is due. Exit status: 0 healthy or look, 1 act, 3 the newest window could
    not be judged.

    Parameters
    ----------
    name : str
        The monitor; may be left out where there is only one.
    """
    from provenote.monitor import definition, show, watching

    workspace = context.workspace
    chosen = definition.pick(workspace.dvc_root, name or None)
    return show.run_view(watching.look(workspace, chosen, tell=context.tell))


@verb("monitor show")
def monitor_show(context: Context, name: str = "", *, report: str = "", force: bool = False) -> View:
    """Show one monitor in full, or write its report: one HTML file that needs no network.

    Exit status as of `monitor run`.

    Parameters
    ----------
    name : str
        The monitor; may be left out where there is only one.
    report : str
        Where to write the report: `report.html`. It holds plotly, 5 MB.
    force : bool
        Replace a file there that is no report of ours.
    """
    from pathlib import Path

    from provenote.monitor import charts, definition, page, references, show, watching

    workspace = context.workspace
    chosen = definition.pick(workspace.dvc_root, name or None)
    if report:
        page.check(Path(report), force=force)
    standing = watching.standing(workspace, chosen)
    moved = references.learn(workspace, chosen, context.tell).moved if chosen.accepted else {}
    pictures = charts.pictures(standing) if context.face == "notebook" else []
    made = show.standing_view(standing, pictures, moved)
    if not report:
        return made
    path = page.write(Path(report), standing, made)
    written = Line(f"{path} is written, {path.stat().st_size / 1e6:.1f} MB", "ok")
    return View([made.parts[0], written], {**made.data, "report": str(path)}, made.status)


@verb("monitor accept")
def monitor_accept(context: Context, *windows: str, why: str, monitor: str = "") -> View:
    """Take windows as normal: their rows teach from now on, and their alerts end.

    The first reference stays: `monitor show` tells how far the accepted windows have moved from it.

    Parameters
    ----------
    windows : str
        Their names, as the tables show them: 2012-10-29.
    why : str
        The reason, for those who read it in a year.
    monitor : str
        The monitor; may be left out where there is only one.
    """
    import os
    import shlex

    from provenote.monitor import deciding, definition

    workspace = context.workspace
    chosen = definition.pick(workspace.dvc_root, monitor or None)
    files = deciding.accept(workspace, chosen, windows, why, context.tell)
    are = "is" if len(set(windows)) == 1 else "are"
    named = shlex.join(os.path.relpath(file) for file in files)
    return said(
        f"{', '.join(dict.fromkeys(windows))} {are} normal for {chosen.name} from now on. "
        f"Next: `git add {named}` and `git commit`",
        monitor=chosen.name,
        windows=list(dict.fromkeys(windows)),
        files=[os.path.relpath(file) for file in files],
    )


@verb("monitor snooze")
def monitor_snooze(context: Context, alert: str, *, until: str, why: str, monitor: str = "") -> View:
    """Let an alert call nobody until a day; it is still shown.

    Parameters
    ----------
    alert : str
        Its id, as `monitor show` tells it: growth:cnt.
    until : str
        The first day on which it calls again: 2027-01-31.
    why : str
        The reason.
    monitor : str
        The monitor; may be left out where there is only one.
    """
    from provenote.monitor import deciding, definition

    workspace = context.workspace
    chosen = definition.pick(workspace.dvc_root, monitor or None)
    deciding.snooze(workspace, chosen, alert, until, why)
    text = f"{alert} rests until {until}. Next: `git add {definition.FILE}` and `git commit`"
    return said(text, monitor=chosen.name, alert=alert, until=until)


@verb("monitor trial")
def monitor_trial(
    context: Context,
    data: str,
    *,
    window: str = "7d",
    time: list[str] | None = None,
    until: str = "",
    label: str = "",
    random: int = 200,
) -> View:
    """Try a monitor on your own data: clean windows, and faults put into each of them.

    The table says how many windows of a hundred alarm. It is what a monitor with these data as its reference
    can promise; nothing is written.

    Parameters
    ----------
    data : str
        A table with a column of time, versioned or not.
    window : str
        Length of a window: 1d, 7d, 4w.
    time : list of str
        Column of the time; a date and an hour are given as two. Default: found by their look.
    until : str
        Take only rows before this date.
    label : str
        Column of the truth, which may grow without being a fault.
    random : int
        Clean windows that begin anywhere, beside those of the grid.
    """
    from pathlib import Path

    from provenote.errors import UsageError
    from provenote.monitor import definition, reading, references, show, trial
    from provenote.statistics import reference

    path = Path(data)
    if not path.is_file():
        raise UsageError(f"there is no file {data}", "Name a table: `provenote monitor trial data.csv`")
    length = definition.span(window)
    whole = references.until(reading.table(path, path.name, tuple(time or ())).sorted(), until)
    if label and label not in whole.columns:
        raise UsageError(f"{data} has no column {label!r}")
    learned = reference.learn(whole, length, [label] if label else [])
    if len(learned.own) < 3:
        raise UsageError(
            f"{data} has {len(learned.own)} windows of {window} with 100 rows and more",
            "Give shorter windows: `--window 1d`",
        )
    tried = trial.run(learned, random=max(random, 0), tell=context.tell)
    return show.trial_view(learned, tried, path.name)
