"""``%data contract PATH`` as a table that can be edited: each change is written to the file at once.

The file is the truth: it is read anew before each change, so that an editor beside it loses nothing. What
cannot be is said below the table, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenote.contracts import contract_file, editing, making
from provenote.contracts.contract import ACTIONS, TYPES, Contract
from provenote.errors import ProvenoteError
from provenote.render import html
from provenote.view import Cell, Column, Line, Table, View

if TYPE_CHECKING:
    from provenote.view import Part

PAGE = 25
"""Columns of data on one page of the table."""
HEADS = ("column", "type", "missing, at most %", "lowest", "highest", "categories", "another category")
_WIDTHS = ("170px", "96px", "120px", "110px", "110px", "260px", "120px")


def table(contract: Contract) -> Table:
    """Return the rules of the columns as a plain table: what a saved notebook keeps."""
    rows = [
        [Cell(rule.name, "code"), *(Cell(_cut(editing.shown(rule, field))) for field in editing.FIELDS)]
        for rule in list(contract.columns.values())[: 8 * PAGE]
    ]
    left = len(contract.columns) - len(rows)
    foot = [f"{left:,} more columns stand in the file"] if left > 0 else []
    return Table([Column(head) for head in HEADS], rows, caption="What each column may hold", foot=foot)


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


class Editing:
    """The widget of one contract.

    Parameters
    ----------
    file : Path
        The contract's file.
    keep : callable
        Told the contract anew after each change: what a saved notebook keeps.

    Attributes
    ----------
    box : ipywidgets.VBox
        What is displayed.
    fields : dict
        (column, field) -> its input, of the page that is shown.
    offers : dict
        Offered rule -> its button.
    told : ipywidgets.HTML
        What happened last.
    """

    def __init__(self, file: Path, keep: Callable[[Contract], None]) -> None:
        import ipywidgets

        self._file, self._keep, self._page = file, keep, 0
        self._setting = False
        self.fields: dict[tuple[str, str], Any] = {}
        self.offers: dict[str, Any] = {}
        self.told = ipywidgets.HTML()
        self.back = ipywidgets.Button(description="Back", layout={"width": "72px"})
        self.on = ipywidgets.Button(description="On", layout={"width": "72px"})
        self._where = ipywidgets.Label()
        self.back.on_click(lambda _: self._turn(-1))
        self.on.on_click(lambda _: self._turn(1))
        self._pager = ipywidgets.HBox([self.back, self.on, self._where])
        self._rows = ipywidgets.VBox()
        self._offered = ipywidgets.VBox()
        self.box = ipywidgets.VBox([self._rows, self._pager, self._offered, self.told])
        self.box.add_class("pn-shown")
        self.draw()

    def close(self) -> None:
        """Take the widget away."""
        self.box.close()

    def draw(self) -> None:
        """Show the file as it is."""
        import ipywidgets

        contract = contract_file.parse(self._file.read_bytes(), self._file.name)
        rules = list(contract.columns.values())
        shown = rules[self._page * PAGE : (self._page + 1) * PAGE]
        head = ipywidgets.HBox([_cell(ipywidgets.Label(value=word), at) for at, word in enumerate(HEADS)])
        self.fields = {}
        rows = [head]
        for rule in shown:
            cells = [_cell(ipywidgets.Label(value=rule.name), 0)]
            for at, field in enumerate(editing.FIELDS, 1):
                one = _cell(_input(field, editing.shown(rule, field)), at)
                one.observe(self._typed(rule.name, field), "value")
                self.fields[rule.name, field] = one
                cells.append(one)
            rows.append(ipywidgets.HBox(cells))
        self._rows.children = rows
        last = (len(rules) - 1) // PAGE
        self._pager.layout.display = "" if last > 0 else "none"
        self.back.disabled, self.on.disabled = self._page <= 0, self._page >= last
        self._where.value = f"page {self._page + 1} of {last + 1}, {len(rules):,} columns"
        self.offers = {}
        offered = []
        for rule_ in contract.offered:
            button = ipywidgets.Button(description="Accept", layout={"width": "80px"})
            button.on_click(lambda _, rule_=rule_: self._accepted(rule_))
            self.offers[rule_] = button
            offered.append(ipywidgets.HBox([button, ipywidgets.Label(value=f"{rule_} (holds in every row)")]))
        self._offered.children = offered

    def _typed(self, name: str, field: str) -> Callable[[Any], None]:
        def act(change: Any) -> None:
            if self._setting:
                return
            try:
                content = self._file.read_bytes()
                rule = contract_file.parse(content, self._file.name).columns[name]
                made, contract = editing.write(content, editing.changed(rule, field, str(change["new"])))
                making.store(self._file, made)
            except KeyError:
                self._say(Line(f"{name} is no longer in {self._file.name}", "warn"))
            except (ProvenoteError, OSError) as error:
                text = error.line if isinstance(error, ProvenoteError) else str(error)
                self._say(Line(f"not written: {text}", "failed"))
            else:
                self._set(contract, name)
                self._say(Line(f"{self._file.name} is written: {name}", "ok"))
                self._keep(contract)

        return act

    def _set(self, contract: Contract, name: str) -> None:
        """Show a column as the file has it now, in the form that it is written in."""
        self._setting = True
        try:
            for field in editing.FIELDS:
                self.fields[name, field].value = editing.shown(contract.columns[name], field)
        finally:
            self._setting = False

    def _accepted(self, rule: str) -> None:
        try:
            making.store(self._file, editing.accept(self._file.read_bytes(), rule))
        except (ProvenoteError, OSError) as error:
            text = error.line if isinstance(error, ProvenoteError) else str(error)
            self._say(Line(f"not written: {text}", "failed"))
            return
        self.draw()
        self._say(Line(f"{rule}: is checked from now on", "ok"))
        self._keep(contract_file.parse(self._file.read_bytes(), self._file.name))

    def _turn(self, step: int) -> None:
        self._page = max(0, self._page + step)
        self.draw()

    def _say(self, part: Part) -> None:
        self.told.value = html.render(View([part]))


def _input(field: str, value: str) -> Any:
    import ipywidgets

    if field == "type":
        return ipywidgets.Dropdown(options=list(TYPES), value=value)
    if field == "unseen":
        return ipywidgets.Dropdown(
            options=[("as on_fail says", ""), *((one, one) for one in ACTIONS)], value=value
        )
    return ipywidgets.Text(value=value, continuous_update=False)


def _cell(one: Any, at: int) -> Any:
    one.layout.width = _WIDTHS[at]
    return one
