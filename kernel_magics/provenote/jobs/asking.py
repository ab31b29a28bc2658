"""Both ends of a zygote's socket: messages of JSON, one a line, and descriptors that come with requests."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from provenote.jobs.ready import readable

_CREDENTIALS = struct.calcsize("3i")


class NotWarm(Exception):
    """There is no warm way to what was asked for; the cold way is open."""


def peer(connection: socket.socket) -> tuple[int, int]:
    """Return the process and the user at the other end of a local socket."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS)
    pid, uid, _ = struct.unpack("3i", raw)
    return pid, uid


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    """Send one message; a reader that is gone is no error."""
    with contextlib.suppress(OSError):
        connection.sendall((json.dumps(message) + "\n").encode())


class Asker:
    """One connection: what it has sent so far, and the child that was forked for it."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.text = b""
        self.descriptors: list[int] = []
        self.child: int | None = None
        self.owned = False

    def read(self) -> dict[str, Any] | None:
        """Take what came; return a request once it is whole.

        Raises
        ------
        EOFError
            If the asker is gone, or sends what is no request.
        """
        try:
            chunk, descriptors, _, _ = socket.recv_fds(self.connection, 1 << 16, 8)
        except OSError as error:
            raise EOFError from error
        self.descriptors += descriptors
        if not chunk:
            raise EOFError
        self.text += chunk
        if not self.text.endswith(b"\n"):
            return None
        try:
            request = json.loads(self.text)
        except ValueError as error:
            raise EOFError from error
        self.text = b""
        if not isinstance(request, dict):
            raise EOFError
        return request

    def close(self) -> None:
        """Forget the connection and what came over it."""
        self.drop()
        self.connection.close()

    def drop(self) -> None:
        """Close the descriptors that came: the child has them."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = []


class Line:
    """A connection to a zygote: messages of JSON, one a line."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._text = b""

    def ask(self, request: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Send a request.

        Raises
        ------
        OSError
            If nobody is there any more.
        """
        text = (json.dumps(request) + "\n").encode()
        sent = socket.send_fds(self.connection, [text], list(descriptors)) if descriptors else 0
        self.connection.sendall(text[sent:])

    def hear(self, seconds: float) -> dict[str, Any]:
        """Return the next message.

        Raises
        ------
        NotWarm
            If the zygote is gone or says nothing for so long.
        """
        self.connection.settimeout(seconds)
        try:
            while b"\n" not in self._text:
                chunk = self.connection.recv(1 << 16)
                if not chunk:
                    raise NotWarm("the warm process is gone")
                self._text += chunk
        except ConnectionError as error:
            raise NotWarm("the warm process is gone") from error
        except OSError as error:
            raise NotWarm(f"the warm process does not answer ({error})") from error
        line, _, self._text = self._text.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def speaks(self) -> bool:
        """Whether `hear` would return or fail at once."""
        return b"\n" in self._text or bool(readable([self.connection.fileno()], 0))

    def close(self) -> None:
        """Leave."""
        self.connection.close()
