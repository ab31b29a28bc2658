"""Budget of the ledger: a cold process verifies 1,000 signed events, beside ssh-keygen for each."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import ROOT, Row, git, process, project, took

VERIFY = """
from provenote import workspace
from provenote.registry import reading
found = reading.read(workspace.find())
assert len(found.log.events) == {count}, len(found.log.events)
assert found.state.current(("provenote", "churn-0", "production"))
"""


def rows(quick: bool) -> Iterator[Row]:
    """Measure verification, loading's share of it, and an append."""
    count = 200 if quick else 1_000
    sample = 20 if quick else 40
    times = 3 if quick else 5
    with project() as folder:
        lines = fill(folder, count)
        code = VERIFY.format(count=count)
        cold = statistics.median(process(code, cwd=folder) for _ in range(times))
        bare = statistics.median(process("pass", cwd=folder) for _ in range(times))
        one_by_one = statistics.median(_ssh_keygen(folder, lines[:sample]) for _ in range(3)) / sample * count
        yield Row(
            f"verify {count:,} ledger events, cold process",
            cold,
            one_by_one,
            f"ssh-keygen -Y verify for each ({sample} measured)",
            most_ratio=1 / 20,
            note=f"{bare * 1000:.0f} ms of it is Python's own start",
        )
        yield Row("  the same, as a time", cold, most=0.5)
        yield Row("  append one event", _append(folder, times))


def fill(folder: Path, count: int) -> list[tuple[bytes, bytes]]:
    """Write a ledger of ``count`` events, one commit each; return their lines and signatures."""
    sys.path.insert(0, str(ROOT / "tests"))
    from ledger_world import World, rule, subject

    from provenote.registry import event, root

    world = World(rule(checks=[]))
    files: list[dict[str, bytes]] = [dict(world.files)]
    lines: list[tuple[bytes, bytes]] = []
    prev: list[str] = []

    def sign(kind: str, by: str, **body: object) -> str:
        nonlocal prev
        line = world.line(kind, by, prev=prev, **body)
        path, content = event.seal(line, world.keys[by])
        files.append({path: content})
        lines.append((line, content[len(line) :]))
        prev = [str(event.event_id(path))]
        return prev[0]

    for number in range(count // 4):
        about = {"subject": subject(model=f"churn-{number}"), "stage": "production"}
        asked = sign("request", "alice", why="better", authors=["alice"], **about)
        about["promotion"] = asked
        for name in ("bob", "carol"):
            sign("vote", name, decision="approve", why="fine", **about)
        sign("release", "bob", seq=1, supersedes=[], **about)
    stream = []
    for new in files:
        stream.append(b"commit refs/heads/provenote-governance\ncommitter x <x@x> 1 +0000\ndata 1\nx\n")
        stream += [
            b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(content), content)
            for path, content in new.items()
        ]
    subprocess.run(["git", "fast-import", "--quiet"], cwd=folder, input=b"".join(stream), check=True)
    (folder / ".git" / "allowed_signers").write_text(
        "".join(f"{name} {key.public.line}\n" for name, key in world.keys.items())
    )
    root.pin(folder, world.root)
    git("gc", "--quiet", cwd=folder)
    return lines


def _ssh_keygen(folder: Path, lines: list[tuple[bytes, bytes]]) -> float:
    """Return the seconds that ssh-keygen takes to verify these events."""
    import json

    signature = folder / ".git" / "one.sig"
    signers = str(folder / ".git" / "allowed_signers")

    def all_of_them() -> None:
        for line, armored in lines:
            signature.write_bytes(armored)
            who = json.loads(line)["by"]
            command = ["ssh-keygen", "-Y", "verify", "-f", signers, "-I", who, "-n", "provenote-event@v1"]
            subprocess.run([*command, "-s", str(signature)], input=line, check=True, capture_output=True)

    return took(all_of_them)


def _append(folder: Path, times: int) -> float:
    """Return the seconds of one append to the full ledger."""
    from provenote.stores.ledger import Ledger

    ledger = Ledger(folder)
    return statistics.median(
        took(lambda number=number: ledger.append({f"e/00/{number}": b"x"}, "one")) for number in range(times)
    )
