"""Run a script that does not outlive who asked for it: ``python -m provenote.reproducing.guard WORDS...``.

Standard input is the writing end of a pipe that the asker holds: when it closes, however the asker ended, the
script and all that it started are killed. The exit status is the script's.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading


def main(words: list[str]) -> int:
    """Run ``words`` in a process group of its own and return how it ended."""
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True)

    def watch() -> None:
        while os.read(0, 4096):
            pass
        _kill(process.pid)

    threading.Thread(target=watch, daemon=True).start()
    try:
        code = process.wait()
    finally:
        _kill(process.pid)  # what the script started goes with it
    return code if code >= 0 else 128 - code


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
