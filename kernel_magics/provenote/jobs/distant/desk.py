"""The dispatcher's process: ``python -m provenote.jobs.distant.desk FD``.

It speaks to the executor that started it over the socket ``FD``: a line of JSON each way, and a job's lease
beside its line. While it lives it holds the leases, so a job whose dispatcher was killed is seen to be lost.
It ends when the executor is gone and all its jobs are over, and takes its refs off the remote then.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import threading
import traceback
from typing import Any

from provenote.errors import ProvenoteError, WorldError
from provenote.jobs.outcome import as_error


class Line:
    """The line to the executor.

    Parameters
    ----------
    line : socket.socket
    """

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def hear(self) -> tuple[dict[str, Any], int | None] | None:
        """Return the next message and the lease beside it; None when the executor is gone."""
        whole: bytes = b""
        leases: list[int] = []
        while not whole.endswith(b"\n"):
            try:
                chunk, fds, _, _ = socket.recv_fds(self._line, 1 << 20, 1)
            except OSError:
                return None
            leases += fds
            if not chunk:
                return None
            whole += chunk
        for lease in leases:
            os.set_inheritable(lease, False)
        return json.loads(whole), leases[0] if leases else None

    def answer(self, said: dict[str, Any]) -> None:
        """Answer the last message."""
        with contextlib.suppress(OSError):
            self._line.sendall(json.dumps(said).encode() + b"\n")


def main(arguments: list[str] | None = None) -> int:
    """Serve one executor."""
    number = int((arguments or sys.argv[1:])[0])
    os.set_inheritable(number, False)
    line = Line(socket.socket(fileno=number))
    from distributed import Client

    from provenote.jobs.distant.dispatcher import Dispatcher

    heard = line.hear()
    if heard is None:
        return 1
    facts = heard[0]
    try:
        client = Client(  # type: ignore[no-untyped-call]
            facts["scheduler"], timeout=30, set_as_default=False, name="provenote"
        )
        dispatcher = Dispatcher(facts, client)
    except ProvenoteError as error:
        line.answer(as_error(error))
        return 1
    except Exception as error:
        traceback.print_exc()
        what = f"no Dask scheduler answers at {facts['scheduler']} ({type(error).__name__})"
        line.answer(as_error(WorldError(what, "Is it one, and has it the same version of dask.distributed?")))
        return 1
    for word in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(word, lambda *_: dispatcher.mail.put(("stop", None)))
    line.answer({"ok": True})

    def follow() -> None:
        while heard := line.hear():
            message, lease = heard
            if "room" in message:
                dispatcher.mail.put(("room", line.answer))
                continue
            dispatcher.mail.put(("job", (message["folder"], message["code"], lease, line.answer)))
        dispatcher.mail.put(("closed", None))

    threading.Thread(target=follow, daemon=True).start()
    dispatcher.run()
    return 0


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)  # Dask's own threads may still wait for a scheduler that is gone
