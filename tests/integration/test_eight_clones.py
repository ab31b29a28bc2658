"""Eight clones sign and exchange at once: nothing is lost, and all end with the same ledger."""

from __future__ import annotations

import threading
from pathlib import Path

from gate_desk import LEDGER, Desk, desk, git

from provenote import sharing, workspace
from provenote.registry import event, reading
from provenote.stores.ledger import Ledger

CLONES, EACH = 8, 2


def comment(made: Desk, root: Path, by: str, text: str) -> str:
    """Sign with what this clone has seen, and append."""
    log = reading.read(workspace.find(root)).log
    request = log.of_type("request")[0].id
    at = max(made.world.now, *(item.at for item in log.events.values()))
    line = event.compose(
        by, at, log.policy.project, log.policy.id, log.heads, type="comment", promotion=request, text=text
    )
    path, content = event.seal(line, made.world.keys[by])
    Ledger(root).append({path: content}, "comment")
    return str(event.event_id(path))


def test_eight_clones_at_once_lose_no_event(tmp_path: Path) -> None:
    made = desk(tmp_path)
    before = set(made.registry.log.events)
    people = ["alice", "bob", "carol", "ci", "boss"]
    roots = [tmp_path / f"clone-{number}" for number in range(CLONES)]
    for root in roots:
        git(tmp_path, "clone", "-q", "-b", "provenote-governance", str(made.remote), root.name)
        git(root, "checkout", "-q", "--orphan", "work")
        git(root, "rm", "-rq", "--cached", ".")
        (root / ".dvc").mkdir()
        (root / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
        git(root, "config", "provenote.root", made.world.root)
    signed: list[str] = []
    troubled: list[object] = []
    start = threading.Barrier(CLONES)

    def work(number: int) -> None:
        root, by = roots[number], people[number % len(people)]
        try:
            start.wait()
            for turn in range(EACH):
                signed.append(comment(made, root, by, f"{number}-{turn}"))
                account = sharing.sync(workspace.find(root), "origin")
                if account.waiting or account.problems:
                    troubled.append((account.waiting, account.problems))
        except BaseException as error:
            troubled.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(CLONES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not troubled
    assert len(set(signed)) == CLONES * EACH
    there = reading.read(workspace.find(roots[0]))  # whatever it knows, the remote knows all
    git(roots[0], "fetch", "-q", "origin", f"+{LEDGER}:refs/seen")
    Ledger(roots[0]).unite(git(roots[0], "rev-parse", "refs/seen"))
    there = reading.read(workspace.find(roots[0]))
    assert set(there.log.events) == before | set(signed) and not there.log.refused
    for root in roots:
        sharing.sync(workspace.find(root), "origin")
    assert len({frozenset(Ledger(root).read().files) for root in roots}) == 1
