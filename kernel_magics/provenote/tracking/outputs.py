"""What a cell put out, in the notebook format's words, while it comes and as it is stored.

A kernel's messages are read through the public hooks of its streams and displays; they carry the request that
caused them, so that what a thread prints later still belongs to its own cell.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

WIDGET = "application/vnd.jupyter.widget-view+json"
_CAP = 8_000_000  # characters kept of one output while it comes; a larger one will be left out anyway
_KEPT = 2 * _CAP  # characters kept of all outputs of one execution
_PER_CELL = 10  # a cell stores at most this many times the limit of one output
_TEXTS = ("text/", "application/json", "application/javascript", "image/svg+xml")


class Outputs:
    """The outputs of one execution.

    Attributes
    ----------
    revision : int
        Grows with each change, so that who keeps a stored form knows when it is stale.
    """

    __slots__ = ("_clear", "_displays", "_items", "_kept", "_sizes", "revision")

    def __init__(self) -> None:
        self._items: list[dict[str, Any]] = []
        self._sizes: list[int] = []
        self._displays: dict[str, list[dict[str, Any]]] = {}
        self._clear = False
        self._kept = 0
        self.revision = 0

    def message(self, kind: str, content: dict[str, Any]) -> None:
        """Take one message of a kernel by its type: ``stream``, ``display_data``, ``clear_output``."""
        if kind == "stream":
            self.stream(content["name"], content["text"])
        elif kind in ("display_data", "execute_result", "update_display_data"):
            display_id = (content.get("transient") or {}).get("display_id")
            if kind == "update_display_data":
                self.update(display_id, content["data"], content.get("metadata") or {})
            else:
                self.display(kind, content["data"], content.get("metadata") or {}, display_id)
        elif kind == "clear_output":
            self.clear(wait=bool(content.get("wait")))

    def stream(self, name: str, text: str) -> None:
        """Add text of ``stdout`` or ``stderr``; neighbours are joined."""
        self._begin()
        last = self._items[-1] if self._items else {}
        if last.get("output_type") != "stream" or last["name"] != name:
            last = {"output_type": "stream", "name": name, "text": []}
            self._items.append(last)
            self._sizes.append(0)
        self._sizes[-1] += len(text)
        if self._keep(len(text), self._sizes[-1]):
            last["text"].append(text)
        else:
            self._sizes[-1] = max(self._sizes[-1], _CAP + 1)

    def _keep(self, more: int, size: int) -> bool:
        """Whether there is room for ``more`` of an output that then has ``size``."""
        if size > _CAP or self._kept + more > _KEPT:
            return False
        self._kept += more
        return True

    def display(
        self, kind: str, data: dict[str, Any], metadata: dict[str, Any], display_id: str | None = None
    ) -> None:
        """Add a display or the cell's result; ``data`` is a MIME bundle."""
        self._begin()
        size = sum(len(value) for value in data.values() if isinstance(value, (str, bytes)))
        kept = self._keep(size, size)
        item = {"output_type": kind, "data": _plain(data) if kept else {}, "metadata": metadata}
        self._items.append(item)
        self._sizes.append(size if kept else max(size, _CAP + 1))
        if display_id and kept:
            self._displays.setdefault(display_id, []).append(item)

    def update(self, display_id: str | None, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Replace the displays of ``display_id`` that this execution made."""
        for item in self._displays.get(display_id or "", ()):
            item["data"], item["metadata"] = _plain(data), metadata
            self.revision += 1

    def error(self, name: str, value: str, traceback: list[str]) -> None:
        """Add the error that ended the cell."""
        self._begin()
        self._items.append({"output_type": "error", "ename": name, "evalue": value, "traceback": traceback})
        self._sizes.append(0)

    def clear(self, *, wait: bool) -> None:
        """Forget what was put out, at once or with the next output."""
        self._clear = True
        if not wait:
            self._begin()

    def _begin(self) -> None:
        self.revision += 1
        if self._clear:
            self._items, self._sizes, self._displays, self._clear, self._kept = [], [], {}, False, 0

    def stored(self, limit: int, redact: Callable[[str], str], number: int | None) -> list[dict[str, Any]]:
        """Return the outputs as a notebook stores them.

        Parameters
        ----------
        limit : int
            Bytes of one output; a larger one is replaced by a notice.
        redact : callable
            Takes the secrets out of a text.
        number : int or None
            The prompt number, for results.

        Returns
        -------
        list of dict
            Outputs of the notebook format 4.5, texts as lists of lines.
        """
        made, left = [], limit * _PER_CELL
        for item, size in zip(list(self._items), list(self._sizes), strict=False):
            output = _formatted(item, redact, number) if size <= _CAP else None
            if output is not None and not output.get("data", True):
                continue  # nothing but a widget, whose state is not stored
            length = size if output is None else len(json.dumps(output))
            if output is None or length > limit or length > left:
                made.append(_notice(length, limit))
                continue
            left -= length
            made.append(output)
        return made


def lines(text: str) -> list[str]:
    """Split a text as the notebook format does: each line with its line feed."""
    parts = text.split("\n")
    made = [part + "\n" for part in parts[:-1]]
    return [*made, parts[-1]] if parts[-1] else made


def _notice(size: int, limit: int) -> dict[str, Any]:
    text = f"[an output of {size:,} bytes was left out: output_limit is {limit:,}]\n"
    return {"output_type": "stream", "name": "stderr", "text": [text]}


def _formatted(item: dict[str, Any], redact: Callable[[str], str], number: int | None) -> dict[str, Any]:
    kind = item["output_type"]
    if kind == "stream":
        return {"output_type": kind, "name": item["name"], "text": lines(redact("".join(item["text"])))}
    if kind == "error":
        return {
            "output_type": kind,
            "ename": item["ename"],
            "evalue": redact(item["evalue"]),
            "traceback": [redact(line) for line in item["traceback"]],
        }
    data = {mime: _mime(mime, value, redact) for mime, value in item["data"].items() if mime != WIDGET}
    made = {"output_type": kind, "data": data, "metadata": item["metadata"]}
    if kind == "execute_result":
        made["execution_count"] = number
    return made


def _mime(mime: str, value: Any, redact: Callable[[str], str]) -> Any:
    if mime.endswith("+json") or mime == "application/json":
        text = json.dumps(value)
        clean = redact(text)
        if clean == text:
            return value
        try:
            return json.loads(clean)
        except ValueError:
            return "[redacted]"
    if isinstance(value, str):
        return lines(redact(value)) if mime.startswith(_TEXTS) else value
    return value


def _plain(data: dict[str, Any]) -> dict[str, Any]:
    """Return a MIME bundle with its bytes in base64, as messages and notebooks hold them."""
    return {
        mime: base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else value
        for mime, value in data.items()
    }


# ---------------------------------------------------------------------- where they come from


class KernelOutputs:
    """Read the outputs from a kernel's messages.

    Parameters
    ----------
    shell : InteractiveShell
        The shell of a kernel: its displays and streams offer ``register_hook``.
    streams : tuple
        Its ``stdout`` and ``stderr``.
    owner : callable
        Gives the outputs of the execution that a request id belongs to, or None.
    """

    def __init__(self, shell: Any, streams: tuple[Any, Any], owner: Callable[[str], Outputs | None]) -> None:
        self._owner = owner
        self.unrecorded = False
        """While set, displays are not read; what was printed still is."""
        displays = (shell.display_pub, shell.displayhook)
        self.has_results = hasattr(shell.displayhook, "register_hook")
        self._displays = [one for one in displays if hasattr(one, "register_hook")]
        self._streams = [one for one in streams if hasattr(one, "register_hook")]
        for display in self._displays:
            display.register_hook(self._take)
        for stream in self._streams:  # hooks of a stream are kept by thread, and its own thread sends
            stream.pub_thread.schedule(lambda stream=stream: stream.register_hook(self._take))

    def _take(self, message: dict[str, Any]) -> dict[str, Any]:
        kind = message["header"]["msg_type"]
        if kind == "stream" or not self.unrecorded:
            outputs = self._owner((message.get("parent_header") or {}).get("msg_id", ""))
            if outputs is not None:
                outputs.message(kind, message["content"])
        return message

    def flush(self) -> None:
        """Wait until what was printed so far has arrived."""
        for stream in self._streams:
            stream.flush()

    def close(self) -> None:
        """Stop reading."""
        for display in self._displays:
            display.unregister_hook(self._take)
        for stream in self._streams:
            stream.pub_thread.schedule(lambda stream=stream: stream.unregister_hook(self._take))


class HistoryOutputs:
    """Read the outputs of one execution from the history that the shell keeps of them.

    In a terminal that is all there is; in a kernel it gives the results where its displayhook has no hook.

    Parameters
    ----------
    shell : InteractiveShell
        Its ``history_manager.outputs`` holds, by prompt number, what was put out (IPython 9.2).
    number : int
        The prompt number of the execution; 0 for a silent one, whose texts and displays IPython keeps apart.
    """

    _NAMES = {"out_stream": "stdout", "err_stream": "stderr"}

    def __init__(self, shell: Any, number: int) -> None:
        self._kept: dict[int, list[Any]] = getattr(shell.history_manager, "outputs", {})
        count = shell.execution_count
        # Silent executions share their numbers: remember how far their neighbours got.
        self._marks = {key: self._mark(key) for key in ([number] if number else [count, count - 1])}

    def _mark(self, key: int) -> tuple[int, int]:
        items = self._kept.get(key, [])
        return len(items), len(items[-1].bundle.get("stream", ())) if items else 0

    def read(self, outputs: Outputs, *, results_only: bool = False) -> None:
        """Add what came since this was made, or of it the cell's results."""
        for key, (count, pieces) in self._marks.items():
            for index, item in enumerate(list(self._kept.get(key, []))):
                if results_only and item.output_type != "execute_result":
                    continue
                if item.output_type in self._NAMES and index >= count - 1:
                    text = "".join(item.bundle["stream"][pieces if index == count - 1 else 0 :])
                    if text:
                        outputs.stream(self._NAMES[item.output_type], text)
                elif index >= count:
                    outputs.display(item.output_type, dict(item.bundle), {})
