"""Opening 10,000 runs in ``%runs``, beside a DataFrame of the same rows shown in a notebook."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator

from tests.benchmarks import Row, project, took
from tests.benchmarks.bench_index import multiply


def rows(quick: bool) -> Iterator[Row]:
    """Measure what the kernel does until the table can be drawn: static bundle and state of the widget."""
    import provenote
    from provenote import workspace
    from provenote.compare import table
    from provenote.widgets import kept
    from provenote.widgets.board import Board

    count = 1_000 if quick else 10_000
    times = 3 if quick else 5
    with project() as folder:
        with provenote.track("pattern", params={"depth": 1, "rate": 0.5, "model": "hgb"}) as run:
            run.log(rmse=61.5, r2=0.9)
        multiply(folder, str(run.commit), count)
        place = workspace.find(folder)
        table.listing(place)  # the index is there, and pandas and ipywidgets are loaded
        boards: list[Board] = []

        def ours() -> None:
            shown = table.listing(place)
            kept.bundle(shown, place, pictures=False)
            boards.append(Board(shown.more["listed"], place))
            json.dumps(boards[-1].grid.get_state(["view", "groups"]), default=len)

        def pandas() -> None:
            table.frame(workspace=place)._repr_html_()  # type: ignore[operator]

        ours()
        pandas()
        mine = statistics.median(took(ours) for _ in range(times))
        theirs = statistics.median(took(pandas) for _ in range(times))
        whole = len(boards[-1].grid.get_state(["table"])["table"]["ids"])
        name = f"{count:,} runs opened in %runs"
        yield Row(name, mine, theirs, "a DataFrame of them, shown", sound=whole > count)
