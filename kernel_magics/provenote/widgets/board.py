"""``%runs`` as one widget: the table and its plots, and what links them.

Whatever a person does ends here: a query, a brush, a group, a selection. Each changes one thing and shows it
in table and plots. Messages of the browser come in the kernel's own thread, changes of runs from the one of
`provenote.widgets.follow`: a lock keeps them apart.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from provenote.compare.numbers import counted
from provenote.compare.selection import select
from provenote.compare.table import Listed
from provenote.errors import ProvenoteError
from provenote.model import Row
from provenote.widgets import asked, columnar, grid, grouped

if TYPE_CHECKING:
    from provenote.view import View
    from provenote.widgets.linked import Linked
    from provenote.workspace import Workspace


class Board:
    """The widget of one ``%runs``.

    Parameters
    ----------
    listed : Listed
        What was asked, and the runs.
    workspace : Workspace
    compare : callable, optional
        Returns the comparison of runs by their names as a view.

    Attributes
    ----------
    box : ipywidgets.VBox
        What is displayed.
    shown : int
        How many views of it there are; it is followed only while there is one.
    closed : threading.Event
        Set when it is taken away.
    drawn : threading.Event
        Set when its plots are there, or could not be drawn.
    """

    def __init__(
        self, listed: Listed, workspace: Workspace, compare: Callable[[list[str]], View] | None = None
    ) -> None:
        import ipywidgets

        self.workspace, self.listed = workspace, listed
        self.lock = threading.RLock()
        self.closed = threading.Event()
        self.drawn = threading.Event()
        self.shown = 1  # until the page says otherwise
        self._told = False
        self._compare = compare
        self._known: list[str] = []
        self._brush: set[str] | None = None
        self._linked: Linked | None = None
        self._query, self._error = listed.query, ""
        self._group_by = [part.strip() for part in listed.group_by.split(",") if part.strip()]
        self._only_changed = True
        self.rows = list(listed.rows)
        self._alive = {row.id for row in self.rows}
        sort = asked.sort(listed.sort, self.rows)
        self.first = asked.leading(sort)
        view, groups = self._answer()
        self.grid = grid.make(
            self._table,
            query=listed.query,
            sort=sort,
            group_by=self._group_by,
            fields=asked.offers(self.rows),
            view=view,
            groups=groups,
        )
        self.grid.observe(lambda change: self._asked(), ["query", "group_by", "only_changed"])
        self.grid.observe(lambda change: self._picked(), "selected")
        self.grid.observe(lambda change: self._dressed(), "dark")
        self.grid.on_msg(self._heard)
        self.below = ipywidgets.VBox([])
        self.box = ipywidgets.VBox([self.grid, self.below])
        self.box.add_class("pn-shown")

    def draw(self) -> None:
        """Add the plots; their imports take a second or two, so a thread may do it."""
        from provenote.widgets.linked import Linked

        linked = Linked(self.workspace, self._brushed, self._lassoed, dark=self.grid.dark)
        with self.lock:
            self._linked = linked
            self._show_plots()
            self.below.children = [linked.widget, *self.below.children]

    def close(self) -> None:
        """Take the widget away; nothing follows the runs any more."""
        self.closed.set()
        self.box.close()
        self.grid.close()

    # ------------------------------------------------------------------ the runs

    def refresh(self, rows: Sequence[Row]) -> bool:
        """Take the runs as they are now; return whether any changed.

        Rows keep their places, so that only those which changed go over the wire.
        """
        with self.lock:
            old = {row.id: row for row in self.rows}
            now = {row.id: row for row in rows}
            changed = [row for row in rows if old.get(row.id) != row]
            if not changed and now.keys() == self._alive:
                return False
            self._alive = set(now)
            self.rows = [now.get(row.id, row) for row in self.rows]
            self.rows += [row for row in rows if row.id not in old]
            sent = [(row.id, columnar.cells(row, self._known)) for row in changed]
            if any(cells is None for _, cells in sent):
                self.grid.send_state("table")  # a column that it has not: all anew
            elif sent:
                self.grid.send({"kind": "rows", "rows": sent})
            self.grid.fields = asked.offers(self.rows)
            self._show()
            self._show_plots()
            return True

    def _table(self) -> dict[str, Any]:
        with self.lock:
            table = columnar.table(self.rows, self.first)
            self._known = [column["key"] for column in table["columns"]]
            return table

    # ------------------------------------------------------------------ what is shown of them

    def _answer(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what the query, the brush and the grouping leave, as the table takes it."""
        here = sorted((row for row in self.rows if row.id in self._alive), key=lambda row: -row.started)
        chosen = select(here, self._query, archived=self.listed.everything)
        self.found = chosen.rows if self._query.strip() else chosen.folded()
        inside = [row for row in self.found if self._brush is None or row.id in self._brush]
        places = {row.id: place for place, row in enumerate(self.rows)}
        view = {
            "shown": columnar.places(places[row.id] for row in inside),
            "columns": asked.columns_of(inside, only_changed=self._only_changed, first=self.first),
            "error": self._error,
            "count": f"{len(inside):,} of {counted(chosen.total, 'run')}",
            "note": "" if self._brush is None else "Only runs inside the brush.",
            "empty": "" if inside else f"No run matches. {counted(chosen.total, 'run')} here.",
        }
        self.inside, self.groups = inside, []
        if not self._group_by:
            return view, {}
        by = asked.fields(self._group_by, here)
        groups = grouped.payload(inside, by, places, self.first)
        members = (group["members"] for group in groups["rows"])
        self.groups = [
            (", ".join(group["texts"][: len(by)]), [self.rows[place] for place in found])
            for group, found in zip(groups["rows"], members, strict=True)
        ]
        view["count"] = f"{counted(len(groups['rows']), 'group')} of {counted(len(inside), 'run')}"
        return view, groups

    def _show(self) -> None:
        view, groups = self._answer()
        with self.grid.hold_sync():
            self.grid.view = view
            self.grid.groups = groups

    def _show_plots(self) -> None:
        if self._linked is not None:
            self._linked.show(self.found, self.inside, self.groups, list(self.grid.selected), self.first)

    # ------------------------------------------------------------------ what a person does

    def _asked(self) -> None:
        """Take another query or grouping; one that cannot be read leaves the old answer with a line below."""
        with self.lock:
            before = self._query, self._group_by
            self._only_changed, self._error = self.grid.only_changed, ""
            self._query, self._group_by = self.grid.query, list(self.grid.group_by)
            brush, self._brush = self._brush, self._brush if before[0] == self._query else None
            try:
                self._show()
            except ProvenoteError as error:
                (self._query, self._group_by), self._brush = before, brush
                self.grid.view = self.grid.view | {"error": error.line}
                return
            if before != (self._query, self._group_by):
                self._show_plots()

    def _brushed(self, ids: set[str] | None) -> None:
        with self.lock:
            self._brush = ids
            self._show()

    def _lassoed(self, ids: list[str]) -> None:
        self.grid.selected = ids

    def _picked(self) -> None:
        with self.lock:
            if self._linked is not None:
                self._linked.pick(list(self.grid.selected))

    def _dressed(self) -> None:
        with self.lock:
            if self._linked is not None:
                self._linked.dress(self.grid.dark)

    def _heard(self, widget: Any, message: Any, buffers: Any) -> None:
        kind = message.get("kind")
        if kind == "shown":
            step = 1 if message.get("on") else -1
            self.shown = max(0, self.shown + step) if self._told else int(step > 0)
            self._told = True
        elif kind == "compare" and self._compare is not None:
            self._compared(
                [row.name for run in message.get("runs", ()) for row in self.rows if row.id == run]
            )

    def _compared(self, names: list[str]) -> None:
        """Show the comparison of runs below the plots."""
        import ipywidgets

        from provenote.render import html

        try:
            page = html.render(self._compare(names)) if self._compare is not None else ""
        except ProvenoteError as error:
            with self.lock:
                self.grid.view = self.grid.view | {"error": error.line}
            return
        shut = ipywidgets.Button(description="Close comparison", layout={"width": "max-content"})
        whole = ipywidgets.VBox([shut, ipywidgets.HTML(page)])

        def leave(_: Any) -> None:
            self.below.children = [each for each in self.below.children if each is not whole]

        shut.on_click(leave)
        others = [each for each in self.below.children if not getattr(each, "compared", False)]
        whole.compared = True
        self.below.children = [*others, whole]
