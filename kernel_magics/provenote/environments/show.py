"""Environments laid out as views: one in full, and two held against each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from provenote.compare import numbers
from provenote.environments import difference
from provenote.environments.known import HERE, Known
from provenote.model import SCHEMA
from provenote.stores.environments import Package
from provenote.view import Cell, Column, Facts, Line, Part, Table, Text, View

if TYPE_CHECKING:
    from provenote.environments.create import Built


def one(known: Known, *, everything: bool = False) -> View:
    """Show an environment: Python, machine, packages.

    Parameters
    ----------
    known : Known
    everything : bool
        Also the packages that were not imported.
    """
    found = known.environment
    facts = [
        ("environment of", Cell("this Python" if known.name == HERE else known.name, "code")),
        ("python", Cell(" ".join(filter(None, (found.python, found.implementation))) or "not known")),
        ("platform", Cell(found.platform or "not known")),
        *((name, Cell(text)) for name, text in machine(known.machine)),
        ("lock", Cell(found.sha256[:12], "code", found.sha256)),
    ]
    parts: list[Part] = [Facts(facts), _packages(known, everything)]
    if known.name != HERE:
        parts.append(Line(f"Build it again: `provenote env create {known.name}`", "", "muted"))
    return View(parts, {"schema": SCHEMA, **data_of(known)})


def machine(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a run kept of its machine as names and texts; what it did not keep is left out."""
    threads, blas = facts.get("threads"), facts.get("blas")
    named = (
        ", ".join(f"{name}={value}" for name, value in threads.items())
        if isinstance(threads, Mapping)
        else ""
    )
    pools = ", ".join(
        f"{pool.get('library')} with {pool.get('threads')} threads"
        for pool in (blas if isinstance(blas, list) else ())
        if isinstance(pool, Mapping)
    )
    pairs = [
        ("ran on", facts.get("platform")),
        ("processors", facts.get("cpus")),
        ("thread variables", named),
        ("BLAS and OpenMP", pools),
        ("hash seed", facts.get("hash_seed")),
        ("GPU driver", facts.get("gpu_driver")),
    ]
    return [(name, str(value)) for name, value in pairs if value not in (None, "")]


def _packages(known: Known, everything: bool) -> Table:
    found, imported = known.environment.packages, known.imported
    first = sorted(found.values(), key=lambda package: (package.name not in imported, package.name))
    shown = [p for p in first if everything or not imported or p.name in imported or p.origin]
    rows = [
        [
            Cell(package.name, "code"),
            Cell(package.version),
            Cell("imported" if package.name in imported else "", "muted"),
            Cell(
                _origin(package),
                "warn" if package.origin and not package.address else "plain",
                package.origin,
            ),
        ]
        for package in shown
    ]
    caption = numbers.counted(len(found), "package")
    caption += f", {len(imported & set(found)):,} imported" if imported else ""
    hidden = len(first) - len(shown)
    foot = [f"{numbers.counted(hidden, 'package')} not imported hidden: `--all`"] if hidden else []
    heads = [Column("package"), Column("version", keep=True), Column(""), Column("from")]
    return Table(heads, rows, caption=caption, foot=foot, empty="No package was installed.")


def _origin(package: Package) -> str:
    if package.origin == "editable":
        return "a folder, editable"
    if package.origin.startswith("local"):
        return f"a local file, SHA-256 {package.digest[:12]}" if package.digest else "a local path"
    return package.origin


def requirements(known: Known) -> View:
    """Show an environment as a requirements file, each line read and written anew."""
    found = known.environment
    lines = [f"# environment of {known.name}: Python {found.python}, {found.platform}"]
    lines += [
        f"{p.name} @ {p.address}"
        if p.address
        else f"{p.name}=={p.version}" + (f"  # {p.origin}" if p.origin else "")
        for p in found.packages.values()
    ]
    return View([Text("\n".join(lines))], {"schema": SCHEMA, **data_of(known)})


def two(a: Known, b: Known) -> View:
    """Show what differs between two environments, Python and platform first, then what was imported."""
    imported = a.imported | b.imported
    settings = difference.settings(a.environment, b.environment)
    if HERE not in (a.name, b.name):  # of this process they say nothing about a run that may come
        before, after = dict(machine(a.machine)), dict(machine(b.machine))
        names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        settings += tuple((name, before.get(name, ""), after.get(name, "")) for name in names)
    changes = difference.changes(a.environment, b.environment, imported)
    identical = len({*a.environment.packages, *b.environment.packages}) - len(changes)
    data = {
        "schema": SCHEMA,
        "a": a.name,
        "b": b.name,
        "settings": [{"what": what, "a": old or None, "b": new or None} for what, old, new in settings],
        "packages": [
            {
                "name": change.name,
                "kind": change.kind,
                "imported": change.imported,
                "a": _plain(change.before),
                "b": _plain(change.after),
            }
            for change in changes
        ],
        "identical": identical,
    }
    if not settings and not changes:
        text = f"{a.name} and {b.name} have the same environment: {numbers.counted(identical, 'package')}"
        return View([Line(text, "ok")], data)
    rows = [[Cell(what), Cell(""), *_pair(old, new), Cell("changed", "muted")] for what, old, new in settings]
    for change in changes:
        cells = _pair(str(change.before or ""), str(change.after or ""))
        tag = Cell("imported" if change.imported else "", "muted")
        rows.append([Cell(change.name, "code"), tag, *cells, Cell(change.kind, "muted")])
    union = len(changes) + identical
    caption = f"{len(changes):,} of {numbers.counted(union, 'package')} differ"
    heads = [Column(""), Column(""), Column(a.name, keep=True), Column(b.name, keep=True), Column("")]
    return View([Table(heads, rows, caption=caption)], data)


def _pair(old: str, new: str) -> list[Cell]:
    return [
        Cell(old or numbers.NONE, "plain" if old else "muted"),
        Cell(new or numbers.NONE, "strong" if new else "muted"),
    ]


def _unlike(found: Built, known: Known) -> list[str]:
    """Say in what an environment cannot be the run's."""
    from provenote.tracking import environment

    then, here = known.environment, environment.this().platform
    remarks = []
    if then.python and found.python != then.python:
        remarks.append(f"the run had Python {then.python}, which is not here: this is {found.python}")
    if then.platform and then.platform != here:
        remarks.append(
            f"the run was on {then.platform}, this is {here}: packages are other builds of their version"
        )
    return remarks


def data_of(known: Known) -> dict[str, Any]:
    """Return an environment as plain data."""
    found = known.environment
    return {
        "name": known.name,
        "sha256": found.sha256,
        "python": found.python,
        "implementation": found.implementation,
        "platform": found.platform,
        "machine": dict(known.machine),
        "imported": sorted(known.imported),
        "packages": {name: _plain(package) for name, package in found.packages.items()},
    }


def _plain(package: Package | None) -> dict[str, str | None] | None:
    return None if package is None else {"version": package.version, "origin": package.origin or None}


def built(found: Built, known: Known, where: str) -> list[Part]:
    """Lay out an environment that was built: what is in it, what is not, how to use it.

    Parameters
    ----------
    found : Built
    known : Known
        What it was built from.
    where : str
        Its folder, as the user would type it.
    """
    count = numbers.counted(found.packages, "package")
    stands = "" if found.made else " stands as before"
    parts: list[Part] = [Line(f"{where}{stands}: Python {found.python}, {count}", "ok")]
    parts += [Line(remark, "warn") for remark in _unlike(found, known)]
    parts += [Line(f"without {name}: {why}", "warn") for name, why in found.skipped.items()]
    if found.skipped:
        parts.append(Line(f"Add one by hand: `uv pip install --python {where} PACKAGE`", "", "muted"))
    if found.kernel:
        parts.append(Line(f"Jupyter knows it as the kernel {found.kernel}", "ok"))
    parts.append(Line(f"Use it: `source {where}/bin/activate`", "", "muted"))
    return parts
