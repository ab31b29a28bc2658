"""Verbs of environments: the packages of a run, what differs, and how they come back."""

from __future__ import annotations

from provenote.commands.tree import Context, verb
from provenote.view import View


@verb("env show")
def env_show(context: Context, run: str | None = None, *, all: bool = False, lock: bool = False) -> View:
    """Show the environment of a run: Python, platform, packages, the imported ones first.

    Parameters
    ----------
    run : str
        The run: name, label, id, or the start of its id or commit; default: this Python.
    all : bool
        Also the packages that the run did not import.
    lock : bool
        As a requirements file.
    """
    from provenote.environments import known, show

    found = (
        known.here(context.workspace, imported=context.face == "notebook")
        if run is None
        else known.of_run(context.workspace, run)
    )
    return show.requirements(found) if lock else show.one(found, everything=all)


@verb("env diff")
def env_diff(context: Context, a: str, b: str | None = None) -> View:
    """Compare two environments: packages added, removed, changed, the imported ones first.

    Parameters
    ----------
    a : str
        A run: name, label, id, or the start of its id or commit.
    b : str
        Another run; default: this Python.
    """
    from provenote.environments import known, show

    before = known.of_run(context.workspace, a)
    return show.two(
        before, known.here(context.workspace) if b is None else known.of_run(context.workspace, b)
    )


@verb("env check")
def env_check(context: Context, model: str, *, all: bool = False) -> View:
    """Hold this Python against the environment that a model was trained in, and look for known weaknesses.

    Packages that the training imported fail when they are another major or minor version here, are missing
    or were edited; every file of them is hashed. What was not imported is told. Exit status: 0 nothing
    counts, 1 something does, 3 it cannot be judged.

    Parameters
    ----------
    model : str
        The model: `NAME`, `NAME@v1.2.3`, `NAME@production`, or `NAME@RUN`.
    all : bool
        Also what is the same.
    """
    from provenote.environments import check_page, watch
    from provenote.registry import recorded

    found = recorded.find(context.workspace, model)
    verdict = watch.against(context.workspace, found.subject(), found.commit, found.document)
    return check_page.view(verdict, found.reference, everything=all)


@verb("env advisories")
def env_advisories(context: Context, file: str | None = None, *, as_of: str | None = None) -> View:
    """Bring a snapshot of known weaknesses of packages, for `env check`; without a file: say which is here.

    The snapshot is OSV's export for PyPI (all.zip), a folder of its JSON records, or a file with one a line.
    What a match needs of it is kept in advisories.osv.jsonl, versioned by DVC. Nothing is fetched.

    Parameters
    ----------
    file : str
        The zip, folder or file.
    as_of : str
        The day of the snapshot, as 2026-11-25; default: that of its newest record.
    """
    from provenote.environments import check_page, snapshot

    if file is None:
        return check_page.advisories(snapshot.standing(context.workspace))
    brought, added = snapshot.bring(context.workspace, file, as_of, context.tell)
    return check_page.advisories(brought, added)


@verb("env create")
def env_create(
    context: Context,
    run: str,
    path: str | None = None,
    *,
    skip_missing: bool = False,
    from_index: bool = False,
    kernel: str | None = None,
) -> View:
    """Build the environment of a run again, with uv: its Python and the very versions of its packages.

    It stands once for all runs that had it, in past/.envs, which Git ignores. The environment that you work
    in stays as it is. If packages cannot be installed any more, nothing is made and they are named.

    Parameters
    ----------
    run : str
        The run: name, label, id, or the start of its id or commit.
    path : str
        Where to build it instead.
    skip_missing : bool
        Leave out what cannot be installed any more: editable folders, local files, what the index has not.
    from_index : bool
        Take what was installed from a local path (as conda does) from the index, by name and version. Know
        who may have registered these names there.
    kernel : str
        Also register it for Jupyter as a kernel of this name.
    """
    import os

    from provenote.environments import create, known, show

    place = context.workspace
    found = known.of_run(place, run)
    built = create.create(
        place,
        found,
        path,
        skip_missing=skip_missing,
        from_index=from_index,
        kernel=kernel,
        tell=context.tell,
    )
    return View(show.built(built, found, os.path.relpath(built.folder)), create.to_json(built))
