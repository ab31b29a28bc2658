"""Carries bytes between the cache and a remote, with DVC, in a process of its own.

``python -m provenote.stores.courier`` reads one JSON request from its standard input and answers with
JSON lines: progress, then one result. DVC costs a second to import and talks to its own terminal;
here it can do neither to a notebook's kernel.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import urllib.parse
from typing import Any


def main() -> int:
    """Serve one request: push, pull, erase, or ask what the remote lacks."""
    request = json.load(sys.stdin)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # what DVC prints goes to the standard error
    said: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            cause = record.exc_info[1] if record.exc_info else None
            said.append(f"{type(cause).__name__}: {cause}" if cause else record.getMessage())

    for name in ("dvc", "dvc_data", "dvc_objects"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [Ear(level=logging.ERROR)], False

    def answer(**facts: Any) -> None:
        answers.write(json.dumps(facts) + "\n")

    try:
        failed = _serve(request, answer)
    except Exception as error:
        cause: BaseException = error
        while cause.__cause__ is not None and not str(cause):
            cause = cause.__cause__
        answer(error=f"{cause}" or type(cause).__name__, kind=type(cause).__name__, said=said[-3:])
        return 1
    answer(result=failed, said=said[-3:])
    return 0


def _serve(request: dict[str, Any], answer: Any) -> list[str]:
    """Do what was asked; return the MD5s that failed, that were erased, or that the remote lacks."""
    from dvc.repo import Repo
    from dvc_data.hashfile.hash_info import HashInfo
    from fsspec.callbacks import Callback  # type: ignore[import-untyped]

    class Bytes(Callback):  # type: ignore[misc]  # fsspec has no types
        """Counts the bytes of one file."""

        def relative_update(self, inc: int = 1) -> None:
            answer(bytes=inc)

        def absolute_update(self, value: int) -> None:
            answer(bytes=value - int(self.value))
            super().absolute_update(value)

    class Files(Callback):  # type: ignore[misc]
        """Counts files."""

        def set_size(self, size: int) -> None:
            answer(files_total=size)

        def relative_update(self, inc: int = 1) -> None:
            answer(files=inc)

        def branched(self, path_1: str, path_2: str, **kwargs: Any) -> Bytes:
            return Bytes()

    settings = {"cache": {"dir": request["cache_dir"]}}
    with Repo(request["root"], config=settings) as repo:
        objects = {HashInfo("md5", md5) for md5 in request["md5s"]}
        remote = repo.cloud.get_remote_odb(request["remote"], request["verb"])
        _knock(repo.config["remote"].get(request["remote"], {}).get("url", ""))
        local = repo.cache.local
        if request["verb"] == "absent":
            found = repo.cloud.status(objects, remote=request["remote"])
            return sorted(str(one.value) for one in found.new | found.missing)
        if request["verb"] == "erase":
            return _erase(remote, sorted(request["md5s"]), answer)
        there_to_here = request["verb"] == "pull"
        source, target = (remote, local) if there_to_here else (local, remote)
        failed: set[str] = set()

        def move(wanted: set[Any], **how: Any) -> None:
            def look(status: Any) -> None:
                failed.update(str(one.value) for one in status.missing)

            done = repo.cloud.transfer(
                source, target, wanted, cache_odb=local, validate_status=look, callback=Files(), **how
            )
            failed.update(str(one.value) for one in done.failed)

        if there_to_here:
            # The lists of folders first: the rest of the way is planned from those in the cache.
            move({one for one in objects if one.isdir}, shallow=True, verify=True)
            objects = {one for one in objects if one.value not in failed}
        move(objects, shallow=False, verify=there_to_here)
        return sorted(failed)


def _erase(remote: Any, md5s: list[str], answer: Any) -> list[str]:
    """Delete objects; return those that were there."""
    answer(files_total=len(md5s))
    gone = []
    for md5 in md5s:
        path = remote.oid_to_path(md5)
        if remote.fs.exists(path):
            remote.fs.remove(path)
            gone.append(md5)
        answer(files=1)
    return gone


def _knock(url: str) -> None:
    """Raise when a web server cannot be reached: DVC takes its silence for "nothing there"."""
    address = urllib.parse.urlsplit(url)
    if address.scheme in ("http", "https") and address.hostname:
        port = address.port or {"http": 80, "https": 443}[address.scheme]
        socket.create_connection((address.hostname, port), timeout=20).close()


if __name__ == "__main__":
    sys.exit(main())
