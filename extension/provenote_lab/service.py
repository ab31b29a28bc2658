"""What one server knows and watches: its projects, their listings, and the event when one changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from tornado.ioloop import PeriodicCallback
from traitlets import Float, Integer
from traitlets.config import LoggingConfigurable

from provenote.model import SCHEMA
from provenote.stores.watch import Signature, signature
from provenote_lab.handlers import RunHandler, RunsHandler
from provenote_lab.listing import Listing
from provenote_lab.projects import Found, Project, search

Answer = TypeVar("Answer")

SEARCH_SECONDS = 5.0
"""How often projects are searched anew; a new one shows after this time."""

RUNS_CHANGED = {
    "$id": "urn:provenote:runs-changed",
    "version": "1",
    "title": "The runs of a project changed",
    "description": "The listing of the project may be another one; clients ask for what they lack.",
    "type": "object",
    "properties": {
        "project": {
            "type": ["string", "null"],
            "title": "Path of the project",
            "description": "POSIX path from the server's root folder; null when projects came or went.",
        }
    },
    "required": ["project"],
}


class ProvenoteLab(LoggingConfigurable):
    """The server side of the sidebar.

    Its settings are ``c.ProvenoteLab.<name>`` in ``jupyter_server_config.py``.
    """

    watch_seconds = Float(0.5, min=0.05, help="Seconds between two looks at the runs' files.").tag(
        config=True
    )
    search_depth = Integer(
        2, min=0, max=5, help="Levels below the server's root folder in which projects are searched."
    ).tag(config=True)

    _root: Path
    _found: Found | None = None
    _searched = 0.0
    _paths: list[str] | None = None
    _watch: PeriodicCallback | None = None

    def attach(self, server: ServerApp) -> None:
        """Add the handlers and the event's schema to ``server``."""
        self._root = Path(server.root_dir)
        self._listings: dict[tuple[str, bool], Listing] = {}
        self._signatures: dict[str, Signature] = {}
        # One thread for all readings: the index's SQLite connection belongs to the thread that opened it.
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="provenote")
        assert server.event_logger is not None, "the server makes its event logger before it loads extensions"
        self._events = server.event_logger
        self._events.register_event_schema(RUNS_CHANGED)
        base = url_path_join(server.base_url, "provenote", "runs")
        own = {"service": self}
        server.web_app.add_handlers(  # type: ignore[no-untyped-call]
            ".*$", [(base, RunsHandler, own), (url_path_join(base, r"([^/]+)"), RunHandler, own)]
        )

    async def runs(self, project: str | None, everything: bool, since: str | None) -> dict[str, Any]:
        """Return the answer to ``GET provenote/runs``: see `RunsHandler`."""
        self._start()
        return await self._off_the_loop(lambda: self._read_runs(project, everything, since))

    async def run(self, project: str | None, run: str) -> dict[str, Any]:
        """Return the answer to ``GET provenote/runs/<id>``: see `RunHandler`."""
        return await self._off_the_loop(lambda: self._read_run(project, run))

    async def _off_the_loop(self, read: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._reader, read)

    def _read_runs(self, path: str | None, everything: bool, since: str | None) -> dict[str, Any]:
        from provenote.stores import index  # brings pygit2: not before somebody asks

        found = self._search()
        answer: dict[str, Any] = {"schema": SCHEMA, "rows": [], "removed": [], "whole": True, "version": ""}
        answer |= {"hidden": 0, "project": None, "problem": None}
        answer["projects"] = [project.to_json() for project in found.projects]
        if found.problem is not None:
            what = found.problem.what.replace(str(self._root), "the server's root folder")
            return answer | {"problem": {"what": what, "mend": found.problem.mend}}
        project = found.choose(path)
        # What changes from here on is told, even before the first look of the watch.
        self._signatures.setdefault(project.path, signature(project.workspace))
        rows, hidden = index.rows(project.workspace, everything=everything)
        listing = self._listings.setdefault((project.path, everything), Listing())
        listing.update(rows)
        changes = listing.since(since)
        answer |= {"rows": changes.rows, "removed": changes.removed, "whole": changes.whole}
        return answer | {"version": changes.version, "hidden": hidden, "project": project.to_json()}

    def _read_run(self, path: str | None, run: str) -> dict[str, Any]:
        from provenote.stores import index

        workspace = self._search().choose(path).workspace
        row = index.find(workspace, run)
        document = index.document(workspace, row.commit) if row.commit else None
        return {"schema": SCHEMA, "row": row.to_json(), "document": document}

    def _search(self) -> Found:
        """Return the projects, searched anew when that is some seconds ago."""
        now = time.monotonic()
        if self._found is None or now - self._searched > SEARCH_SECONDS:
            self._found, self._searched = search(self._root, self.search_depth), now
        return self._found

    def _start(self) -> None:
        """Begin to watch: a server whose sidebar nobody opens does nothing."""
        if self._watch is None:
            self._watch = PeriodicCallback(self._tick, self.watch_seconds * 1000)
            self._watch.start()

    async def _tick(self) -> None:
        for project in await self._off_the_loop(self._look):
            self._events.emit(schema_id=str(RUNS_CHANGED["$id"]), data={"project": project})

    def _look(self) -> list[str | None]:
        """Return the projects that changed since the last look; None says that projects came or went."""
        projects: tuple[Project, ...] = self._search().projects
        now = {project.path: signature(project.workspace) for project in projects}
        changed: list[str | None] = [
            path for path, seen in now.items() if self._signatures.get(path, seen) != seen
        ]
        self._signatures = now
        if self._paths is not None and self._paths != list(now):
            changed.append(None)
        self._paths = list(now)
        return changed
