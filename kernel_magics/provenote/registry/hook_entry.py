"""Where Git's ``pre-receive`` hook comes in: refs on standard input, an answer on standard error.

Run as ``python -I -m provenote.registry.hook_entry`` in the repository that is pushed to. Whatever fails
refuses the push: nothing passes because it could not be looked at.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

SHOWN = 10


def main() -> int:
    """Judge the push that Git tells about; return the exit status of the hook."""
    from provenote.errors import ProvenoteError
    from provenote.registry import hook

    os.environ["GIT_NO_REPLACE_OBJECTS"] = "1"  # one that is there from before the guard deceives nobody
    try:
        given = os.fsdecode(sys.stdin.buffer.read())
        folder = Path.cwd()
        findings = hook.check(folder, hook.parse(given), hook.pinned(folder))
    except ProvenoteError as error:
        _tell(f"REFUSED: {error.line}")
        return 1
    except Exception as error:  # a defect of ours must not open the gate
        _tell(f"REFUSED: the hook failed, {type(error).__name__}: {ascii(str(error)[:200])}")
        return 1
    for line in findings.refused[:SHOWN]:
        _tell(f"REFUSED {line}")
    if len(findings.refused) > SHOWN:
        _tell(f"and {len(findings.refused) - SHOWN:,} more")
    if not findings.refused:
        for line in findings.remarks:
            _tell(line)
    return 1 if findings.refused else 0


def _tell(line: str) -> None:
    sys.stderr.buffer.write(f"provenote: {line}\n".encode(errors="backslashreplace"))


if __name__ == "__main__":
    sys.exit(main())
