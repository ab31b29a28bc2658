"""Load a model and ask it about a few rows, in a process that has nothing of ours.

Run as a file by any Python, so that an environment without Provenote can do it: it reads one JSON request
from its standard input (``model``, ``trusted``, ``columns``, ``dtypes``, ``rows``) and answers in JSON with
``said``, or with ``error``.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> None:
    """Answer the request."""
    request = json.load(sys.stdin)
    try:
        answer: dict[str, Any] = {"said": ask(request)}
    except BaseException as error:
        answer = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:400]}"}
    answer["python"] = ".".join(map(str, sys.version_info[:3]))
    sys.stdout.write("\n" + json.dumps(answer) + "\n")


def ask(request: dict[str, Any]) -> list[Any]:
    """Return what the model says about the rows, as plain values."""
    import numpy
    import pandas
    import skops.io

    model = skops.io.load(request["model"], trusted=request["trusted"])
    rows = pandas.DataFrame(request["rows"], columns=request["columns"])
    rows = rows.astype(dict(zip(request["columns"], request["dtypes"], strict=True)))
    said = numpy.asarray(model.predict(rows)).reshape(len(rows), -1)[:, 0]
    return [value.item() if hasattr(value, "item") else value for value in said]


if __name__ == "__main__":
    main()
