"""Disable every guard in turn and say which of them no attack misses."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.guards import attacks, sites
from tests.guards.attacks import Attack
from tests.guards.equivalent import EQUIVALENT
from tests.guards.modules import FILES, MODULES
from tests.guards.sites import Guard, Switches

LONGEST = 5
"""Seconds of work on one guard: one without which the verifier would never end is missed too."""

NEVER_ENDED = "the verifier, which never ended"


def main(words: Sequence[str] | None = None) -> int:
    """Run it; 0 when each guard is missed by an attack or said to be equivalent."""
    parser = argparse.ArgumentParser(prog="python -m tests.guards", description=__doc__)
    parser.add_argument("--without", default="", help="leave out attacks whose name holds this text")
    parser.add_argument("--attacks", default="", help="take only attacks whose name holds this text")
    parser.add_argument("--only", default="", help="look only at guards whose name holds this text")
    parser.add_argument(
        "--all", action="store_true", help="try the equivalent ones too, and list what misses each guard"
    )
    given = parser.parse_args(words)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="guards-") as folder:
        _strangers_home(Path(folder))
        switches, found = _loaded()
        if given.without:
            found = [one for one in found if given.without not in one.name]
        found = [one for one in found if given.attacks in one.name]
        reached, unfit = _learn(switches, found, Path(folder))
        guards = [one for one in switches.guards if given.only in one.name]
        tried = [one for one in guards if given.all or one.name not in EQUIVALENT]
        missed_by = _each(tried, switches, reached, Path(folder))
    survivors = []
    for guard in tried:
        by = missed_by.get(guard.number)
        if given.all and by:
            print(f"{guard.name}   <- {by}")
        elif not by and guard.name not in EQUIVALENT:
            why = "misses" if reached.get(guard.number) else "reaches"
            survivors.append(f"{guard.name}  (line {guard.line}: no attack {why} it)")
    known = {one.name for one in switches.guards}
    wrong = [f"survives: {one}" for one in survivors]
    wrong += [f"fails by itself: {one}" for one in unfit]
    wrong += [f"said to be equivalent, and is gone: {one}" for one in sorted(set(EQUIVALENT) - known)]
    print("\n".join(wrong))
    took = time.monotonic() - began
    spared = len(guards) - len([one for one in guards if one.name not in EQUIVALENT])
    print(
        f"{len(guards)} guards, {len(found)} attacks: {len(survivors)} survive, {spared} are equivalent; "
        f"{took:.0f} s"
    )
    return 1 if wrong else 0


def _strangers_home(folder: Path) -> None:
    """Let nothing of this machine's settings and keys be seen."""
    home = folder / "home"
    home.mkdir()
    os.environ.update(HOME=str(home), XDG_CONFIG_HOME=str(home), GIT_CONFIG_NOSYSTEM="1", TMPDIR=str(folder))
    tempfile.tempdir = None
    for name in list(os.environ):
        if name.startswith(("GIT_AUTHOR", "GIT_COMMITTER", "PROVENOTE_", "SSH_AUTH_SOCK")):
            del os.environ[name]


def _loaded() -> tuple[Switches, list[Attack]]:
    with sites.switched(MODULES) as switches:
        for name in MODULES:
            __import__(name)
        return switches, [one for file in FILES for one in attacks.of(attacks.TESTS / file)]


def _learn(
    switches: Switches, found: Sequence[Attack], folder: Path
) -> tuple[dict[int, list[Attack]], list[str]]:
    """Run each attack with all guards on: which guards stop it, the quickest attack first; and which fail."""
    cores, children = os.cpu_count() or 1, []
    for part in range(1, cores):
        child = os.fork()
        if child == 0:
            (folder / f"met-{part}").write_text(json.dumps(_met(switches, found, part, cores)))
            os._exit(0)
        children.append(child)
    met = dict(_met(switches, found, 0, cores))  # what this process makes ready, its children have ready
    for part, child in enumerate(children, 1):
        os.waitpid(child, 0)
        met |= dict(json.loads((folder / f"met-{part}").read_text()))
    stopped: dict[int, list[tuple[float, int]]] = {}
    for place, (took, numbers) in met.items():
        for number in numbers:
            stopped.setdefault(number, []).append((took, place))
    ordered = {number: [found[place] for _, place in sorted(pairs)] for number, pairs in stopped.items()}
    return ordered, [attack.name for place, attack in enumerate(found) if place not in met]


def _met(
    switches: Switches, found: Sequence[Attack], part: int, of: int
) -> list[tuple[int, tuple[float, list[int]]]]:
    """Return of every so manieth attack how long it took and which guards it met; not of those that fail."""
    met = []
    for place in range(part, len(found), of):
        switches.reached.clear()
        began = time.monotonic()
        if _holds(found[place].call):
            met.append((place, (time.monotonic() - began, sorted(switches.reached))))
    return met


def _holds(call: Callable[[], None]) -> bool:
    """Whether a test passes: the attacker gets nothing."""
    try:
        call()
    except KeyboardInterrupt:
        raise
    except BaseException:  # what pytest raises for a test that fails is no Exception
        return False
    return True


def _each(
    guards: Sequence[Guard], switches: Switches, stopped: dict[int, list[Attack]], folder: Path
) -> dict[int, str]:
    """Return the attack that misses each guard, as many at once as there are cores."""
    found: dict[int, str] = {}
    running: dict[int, int] = {}
    waiting = [guard.number for guard in guards if stopped.get(guard.number)]
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            number = waiting.pop(0)
            child = os.fork()
            if child == 0:
                switches.off = number
                _child(stopped[number], folder / str(number))
            running[child] = number
        child, _ = os.wait()
        number = running.pop(child)
        said = folder / str(number)
        found[number] = said.read_text() if said.exists() else NEVER_ENDED
    return found


def _child(against: list[Attack], said: Path) -> None:
    """Try the attacks with a guard off, and write which succeeded; nothing written: it never ended."""
    signal.setitimer(signal.ITIMER_PROF, LONGEST)  # ends this child alone
    for number in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    name = next((attack.name for attack in against if not _holds(attack.call)), "")
    said.write_text(name)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
