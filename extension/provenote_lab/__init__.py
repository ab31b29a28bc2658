"""The Jupyter Server side of the sidebar: two requests, one event.

- ``GET provenote/runs`` lists the runs of a project below the server's root folder;
- ``GET provenote/runs/<id>`` tells all that the record of one run holds;
- the event ``urn:provenote:runs-changed`` says that a listing should be read again.

The truth is on disk (Git refs and live folders): kernels and this server share no memory, and may live in
different environments. Nothing here runs on the event loop but the parsing of a request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Tell ``jupyter-builder develop`` where the built extension lies."""
    return [{"src": "labextension", "dest": "@provenote/lab"}]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Tell Jupyter Server which module to load."""
    return [{"module": "provenote_lab"}]


def _load_jupyter_server_extension(server: ServerApp) -> None:
    """Add the handlers and the event to a server."""
    from provenote_lab.service import ProvenoteLab

    ProvenoteLab(parent=server).attach(server)
