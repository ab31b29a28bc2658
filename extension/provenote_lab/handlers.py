"""The two requests of the sidebar. They hold no rule: they parse, ask the service, answer in JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from provenote.errors import ProvenoteError, Refused, UsageError

if TYPE_CHECKING:
    from provenote_lab.service import ProvenoteLab


def http_status(error: ProvenoteError) -> int:
    """Return the HTTP status that says whose turn it is: the caller's, a rule's, or the world's."""
    if isinstance(error, UsageError):
        return 400
    return 409 if isinstance(error, Refused) else 503


class _Handler(APIHandler):
    def initialize(self, service: ProvenoteLab) -> None:
        super().initialize()
        self.service = service

    async def _answer(self, question: Awaitable[dict[str, Any]]) -> None:
        try:
            answer = await question
        except ProvenoteError as error:
            self.set_status(http_status(error))
            answer = {"message": error.line, "what": error.what, "mend": error.mend}
        # Megabytes of JSON are made off the event loop, too.
        await self.finish(await asyncio.to_thread(json.dumps, answer, separators=(",", ":"), default=str))

    def _flag(self, name: str) -> bool:
        return self.get_query_argument(name, "") in ("1", "true")


class RunsHandler(_Handler):
    """``GET provenote/runs?project=&everything=&since=``: the runs of a project.

    The answer is ``{"schema", "rows", "removed", "whole", "version", "hidden", "project", "projects",
    "problem"}``. ``rows`` are those of ``provenote runs --json``; with ``since=<version>`` only those that
    changed since then (``whole`` is false, ``removed`` names those that are gone). ``project`` is
    ``{path, name, branch}``, or null with the reason and the next step in ``problem`` when the server's root
    folder is in no project and holds none.
    """

    @web.authenticated
    @authorized("read", resource="provenote")  # type: ignore[untyped-decorator]  # its return type is unbound
    async def get(self) -> None:
        """Answer with the runs."""
        project = self.get_query_argument("project", None)
        since = self.get_query_argument("since", None)
        await self._answer(self.service.runs(project, self._flag("everything"), since))


class RunHandler(_Handler):
    """``GET provenote/runs/<id>?project=``: ``{"schema", "row", "document"}``.

    ``document`` is the whole ``run.json`` of the run, null while it runs.
    """

    @web.authenticated
    @authorized("read", resource="provenote")  # type: ignore[untyped-decorator]  # its return type is unbound
    async def get(self, run: str) -> None:
        """Answer with all that the record of a run holds."""
        await self._answer(self.service.run(self.get_query_argument("project", None), run))
