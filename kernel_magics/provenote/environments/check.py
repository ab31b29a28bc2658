"""Is the environment here the one that a model was trained in? Pure: from two records to a verdict.

- A package that the training imported and that is another minor or major version here, or is missing, or
  was edited, fails. Another patch of it is said. What was not imported is one finding, and never fails.
- ``edited``: its files are not what was installed, or it is another build of the same version than then.
- What a record does not tell is not judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from provenote.checks.verdict import Finding, Outcome, Verdict
from provenote.environments import difference
from provenote.stores.environments import Environment, Package

NAME = "environment"
Change = Literal["same", "patch", "minor", "major", "missing", "edited"]
ALERTS: tuple[Change, ...] = ("edited", "missing", "major", "minor")
"""What fails where it befalls a package that the training imported."""
FEW = 6


@dataclass(frozen=True, slots=True)
class Side:
    """One of two environments.

    Parameters
    ----------
    environment : Environment
    machine : mapping
        Settings that no lock holds, as `provenote.tracking.environment.facts` gives them; empty: not looked
        at.
    builds : mapping of str to str
        Which builds of packages, as `provenote.tracking.builds.of` gives them.
    edited : mapping of str to list of str
        Files that are not what was installed, by package; of the running side alone.
    """

    environment: Environment
    machine: Mapping[str, Any] = field(default_factory=dict)
    builds: Mapping[str, str] = field(default_factory=dict)
    edited: Mapping[str, Sequence[str]] = field(default_factory=dict)


def judge(subject: Mapping[str, str], then: Side, now: Side, imported: Iterable[str] | None) -> Verdict:
    """Hold the running environment against that of a training.

    Parameters
    ----------
    subject : mapping of str to str
        What the verdict says it was about.
    then, now : Side
    imported : iterable of str or None
        Normalized names of the packages that the training imported; None where its run does not tell.
    """
    names = sorted(imported or ())
    found = [_python(then.environment, now.environment)]
    if imported is None:
        why = "the run does not tell which packages it imported, so no difference can be weighed"
        found.append(Finding("imported", "not judged", why))
    found += [_package(name, then, now) for name in names if name in then.environment.packages]
    found.append(_others(then.environment, now.environment, names))
    found += _machine(then.machine, now.machine) if now.machine else []
    return Verdict(NAME, subject, tuple(found))


def change(before: Package, after: Package | None) -> Change:
    """Return how a package differs, by its version alone."""
    if after is None:
        return "missing"
    return step(before.version, after.version)


def step(before: str, after: str) -> Change:
    """Return which part of a version differs (PEP 440); versions that cannot be read differ in everything.

    What stands behind the third number, as ``.post1``, ``rc1`` or ``+cpu``, counts as a patch.
    """
    from packaging.version import InvalidVersion, Version

    if before == after:
        return "same"
    try:
        old, new = Version(before), Version(after)
    except InvalidVersion:
        return "major"
    if (old.epoch, old.major) != (new.epoch, new.major):
        return "major"
    if old.minor != new.minor:
        return "minor"
    return "same" if old == new else "patch"


def alerts(verdict: Verdict) -> list[str]:
    """Return what failed of a verdict, a few words each: ``numpy 1.26.4, here 2.4.6``."""
    return [finding.why for finding in verdict.findings if finding.outcome == "failed"]


def _package(name: str, then: Side, now: Side) -> Finding:
    before, after = then.environment.packages[name], now.environment.packages.get(name)
    kind, why = change(before, after), f"{name} {before.version}"
    evidence: dict[str, Any] = {"then": before.version, "now": after.version if after else None}
    mend = f"`pip install {name}=={before.version}`"
    if after is None:
        why += ", missing here"
    elif after.version != before.version:
        why += f", here {after.version}" + (", a patch of it" if kind == "patch" else "")
    if files := now.edited.get(name, ()):
        kind = "edited"
        why += f", edited here: {_few(files)}"
        evidence["files"] = list(files)
        mend = f"`pip install --force-reinstall {name}=={before.version}`"
    elif kind == "same" and _other_build(name, then, now):
        kind = "edited"
        why += ", another build than then"
        evidence["builds"] = [then.builds[name], now.builds[name]]
    elif kind == "same" and after is not None and before.origin != after.origin:
        why += f", then from {before.origin or 'an index'}, here from {after.origin or 'an index'}"
    elif kind == "same" and before.origin == "editable":
        why += ", a folder that is edited in place: its version says little"
    evidence["change"] = kind
    outcome: Outcome = "failed" if kind in ALERTS else "passed"
    mend = mend if outcome == "failed" else ""
    return Finding(f"package/{name}", outcome, why, mend=mend, evidence=evidence)


def _other_build(name: str, then: Side, now: Side) -> bool:
    if "editable" in (then.environment.packages[name].origin, now.environment.packages[name].origin):
        return False  # what its files tell is where the folder is
    return name in then.builds and name in now.builds and then.builds[name] != now.builds[name]


def _python(then: Environment, now: Environment) -> Finding:
    if not then.python:
        return Finding("python", "not judged", "the run does not tell its Python")
    kind = step(then.python, now.python)
    why = f"Python {then.python}" + ("" if kind == "same" else f", here {now.python}")
    if then.implementation and then.implementation != now.implementation:
        kind, why = "major", f"{then.implementation} {then.python}, here {now.implementation} {now.python}"
    outcome: Outcome = "failed" if kind in ALERTS else "passed"
    evidence = {"then": then.python, "now": now.python, "change": kind}
    mend = f"`uv python install {then.python}`" if outcome == "failed" else ""
    return Finding("python", outcome, why, mend=mend, evidence=evidence)


def _others(then: Environment, now: Environment, imported: Sequence[str]) -> Finding:
    """Say what differs that the training did not import; what is here beyond it says nothing of the model."""
    known = set(imported)
    differ = [
        one for one in difference.changes(then, now) if one.name not in known and one.before is not None
    ]
    rest = len(then.packages) - len(known & set(then.packages))
    if not differ:
        return Finding("other-packages", "passed", f"{rest} packages that were not imported are the same")
    words = [f"{one.name} {one.before}, here {one.after or 'missing'}" for one in differ]
    why = f"{len(differ)} of {rest} packages that were not imported differ: {_few(words, '; ')}"
    changes = {one.name: change(one.before, one.after) for one in differ if one.before is not None}
    return Finding("other-packages", "passed", why, evidence={"changes": changes})


def _machine(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Finding]:
    """Say what differs of the machine: it can move the last digits of a number, and never fails."""
    found = []
    for name, words, read in (
        ("system", "the system", _system),
        ("libc", "the C library", _libc),
        ("blas", "BLAS and OpenMP", _blas),
        ("gpu-driver", "the GPU driver", _driver),
    ):
        before, after = read(then), read(now)
        more = set(after.split(", ")) - set(before.split(", "))
        if before and (more - {""} or (not after and name == "gpu-driver")):  # not known is not another
            evidence = {"then": before, "now": after or None}
            why = f"{words} was {before}, here {after or 'there is none'}"
            found.append(Finding(name, "passed", why, evidence=evidence))
    return found


def _system(machine: Mapping[str, Any]) -> str:
    words = str(machine.get("platform") or "").split()
    return f"{words[0]} {words[-1]}" if len(words) > 1 else ""  # its release says nothing of a library


def _libc(machine: Mapping[str, Any]) -> str:
    return str(machine.get("libc") or "")


def _blas(machine: Mapping[str, Any]) -> str:
    pools = machine.get("blas")
    names = {
        f"{pool.get('library')} {pool.get('version') or ''}".strip()
        for pool in (pools if isinstance(pools, list) else ())
        if isinstance(pool, Mapping)
    }
    return ", ".join(sorted(names))


def _driver(machine: Mapping[str, Any]) -> str:
    return str(machine.get("gpu_driver") or "")


def _few(words: Sequence[str], joint: str = ", ") -> str:
    more = len(words) - FEW
    return joint.join(words[:FEW]) + (f" and {more} more" if more > 0 else "")
