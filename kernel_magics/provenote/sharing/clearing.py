"""Delete thousands of refs on a remote in one push, each only while it still points where it was seen.

Git looks through all refs of a remote for each that a push names, and again for its lease: with a hundred
thousand of them, hours. It looks once for a pattern. So the push is made from a repository of a moment,
beside ours and with its objects, that has exactly those runs of the remote that shall stay: ``--prune``
deletes all others. The lease is Git's own, against tracking refs: there is one for each ref that shall go and
for no other, so what somebody sends meanwhile is refused rather than deleted, and with ``--atomic`` all is.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from provenote.git import command
from provenote.sharing import transport

_RUNS = "refs/exps/"
_SEEN = "refs/provenote-seen/"
MANY = 500
"""Up to so many refs are rather named one by one."""


def clear(remote: transport.Remote, there: Mapping[str, str], gone: Collection[str]) -> bool:
    """Delete refs of runs on a remote, all or none.

    Parameters
    ----------
    remote : Remote
        One that has a name here: Git keeps no tracking refs of others.
    there : mapping of str to str
        The remote's refs as they were seen.
    gone : collection of str
        Those below ``refs/exps`` that shall go.

    Returns
    -------
    bool
        Whether they are gone; if not, nothing was deleted: somebody was quicker, or the remote refuses.
    """
    common = Path(os.fsdecode(command.git(remote.folder, "rev-parse", "--git-common-dir").rstrip(b"\n")))
    common = (remote.folder / common).resolve()
    leaving = set(gone)
    kept = {ref: oid for ref, oid in there.items() if ref.startswith(_RUNS) and ref not in leaving}
    seen = {f"{_SEEN}{ref.removeprefix(_RUNS)}": there[ref] for ref in leaving}
    with tempfile.TemporaryDirectory(prefix="clearing-", dir=common / "provenote") as folder:
        _make(Path(folder), common, {**kept, **seen})
        # Git would take the tracking refs away again, and write their whole list anew for each.
        Path(folder, "packed-refs.lock").touch()
        answer = transport.run(
            remote,
            f"--git-dir={folder}",
            *(
                "-c",
                "core.bare=true",
                "-c",
                "core.packedRefsTimeout=0",
                "-c",
                f"remote.{remote.name}.mirror=false",
            ),
            *("-c", f"remote.{remote.name}.fetch=+{_RUNS}*:{_SEEN}*"),
            *("push", "--porcelain", "--no-follow-tags", "--recurse-submodules=no", "--no-verify"),
            *("--atomic", "--prune", "--force-with-lease", remote.name, f"{_RUNS}*:{_RUNS}*"),
        )
    return answer.returncode == 0


def _make(folder: Path, common: Path, refs: Mapping[str, str]) -> None:
    """Make a bare repository with the objects and settings of another, and with these refs."""
    (folder / "objects" / "info").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "HEAD").write_text("ref: refs/heads/none\n")
    quoted = str(common / "config").replace("\\", "\\\\").replace('"', '\\"')
    (folder / "config").write_text(f'[include]\n\tpath = "{quoted}"\n', errors="surrogateescape")
    (folder / "objects" / "info" / "alternates").write_bytes(os.fsencode(common / "objects") + b"\n")
    lines = sorted((os.fsencode(ref), oid.encode()) for ref, oid in refs.items())
    body = b"".join(oid + b" " + ref + b"\n" for ref, oid in lines)
    (folder / "packed-refs").write_bytes(b"# pack-refs with: sorted \n" + body)
