"""When the rows of a file were: that time never goes back, and how many steps are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provenote.contracts import cells
from provenote.contracts.contract import Contract
from provenote.contracts.faults import Fault, Place, shown_value

if TYPE_CHECKING:
    import pyarrow

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


def seconds(columns: list[pyarrow.Array], unit: str) -> pyarrow.Array:
    """Return the time of each row in seconds (or in the column's own unit, where it is a plain number).

    Parameters
    ----------
    columns : list of pyarrow.Array
        One column; or a date and a number of units.
    unit : str
    """
    import pyarrow
    from pyarrow import compute

    first = columns[0]
    if pyarrow.types.is_date(first.type):
        days = compute.cast(compute.cast(first, pyarrow.date32()), pyarrow.int32())
        made = compute.multiply(compute.cast(days, pyarrow.float64()), pyarrow.scalar(86400.0))
    elif pyarrow.types.is_timestamp(first.type):
        ticks = compute.cast(compute.cast(first, pyarrow.timestamp("us", first.type.tz)), pyarrow.int64())
        made = compute.multiply(compute.cast(ticks, pyarrow.float64(), safe=False), pyarrow.scalar(1e-6))
    else:
        made = compute.cast(first, pyarrow.float64(), safe=False)
    if len(columns) > 1:
        steps = compute.cast(columns[1], pyarrow.float64(), safe=False)
        made = compute.add(made, compute.multiply(steps, pyarrow.scalar(float(SECONDS.get(unit, 1)))))
    return made


class Rising:
    """Checks that values rise from row to row: strictly, or at least not fall.

    Parameters
    ----------
    strictly : bool
    keep : int
        Rows that are kept where they do not.
    """

    def __init__(self, strictly: bool, keep: int) -> None:
        self.strictly, self.keep = strictly, keep
        self.last: Any = None
        self.first: Any = None
        self.broken = 0
        self.places: list[Place] = []
        self.steps = 0
        self.jump = 0.0
        self.jumped: Place | None = None

    def feed(self, values: pyarrow.Array, start: int, shown: list[pyarrow.Array] | None = None) -> None:
        """Check a batch that begins at row ``start``; missing values are passed over.

        ``shown`` are the columns that a message tells instead of the value.
        """
        import pyarrow
        from pyarrow import compute

        where = None
        if values.null_count:
            where = compute.indices_nonzero(compute.is_valid(values))
            values = values.drop_null()
        if not len(values):
            return
        if pyarrow.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if where is None and self._rises(values):
            return
        if self.last is not None:
            before = pyarrow.concat_arrays([cells.array([self.last], values.type), values[:-1]])
            later = values
        else:
            self.first = values[0].as_py()
            before, later = values[:-1], values[1:]
        self.last = values[-1].as_py()
        shift = len(values) - len(later)
        call = compute.less_equal if self.strictly else compute.less
        wrong = call(later, before)
        self.steps += len(later) - (compute.sum(compute.equal(later, before)).as_py() or 0)
        if pyarrow.types.is_float64(values.type) and len(later):
            self._largest(later, before, shift, start, shown, where)
        if not compute.any(wrong).as_py():
            return
        rows = compute.indices_nonzero(wrong)
        self.broken += len(rows)
        for one in rows[: self.keep - len(self.places)].to_pylist():
            place = one + shift
            at = place if where is None else where[place].as_py()
            self.places.append(Place(start + at + 1, _told(values[place], shown, at)))

    def _rises(self, values: pyarrow.Array) -> bool:
        """Take a batch of numbers that rise without a larger step than before; False where it is none."""
        plain = cells.numbers(values)
        if plain is None or self.last is None or not plain[0] > self.last:
            return False
        if values.type == "double":
            steps = plain[1:] - plain[:-1]
            largest = max(float(steps.max(initial=0.0)), float(plain[0]) - self.last)
            if largest > self.jump or not (steps > 0).all():
                return False
        elif not (plain[1:] > plain[:-1]).all():
            return False
        self.steps += len(plain)
        self.last = plain[-1].item()
        return True

    def _largest(
        self, later: Any, before: Any, shift: int, start: int, shown: list[pyarrow.Array] | None, where: Any
    ) -> None:
        """Remember where the largest step is."""
        from pyarrow import compute

        steps = compute.subtract(later, before)
        largest = compute.max(steps).as_py()
        if largest > self.jump:
            self.jump = largest
            place = compute.index(steps, largest).as_py()
            at = place + shift if where is None else where[place + shift].as_py()
            self.jumped = Place(start + at + 1, _told(later[place], shown, at))


def _told(value: Any, shown: list[pyarrow.Array] | None, at: int) -> str:
    """Return a moment as its columns say it."""
    return (
        shown_value(value.as_py()) if shown is None else " ".join(shown_value(c[at].as_py()) for c in shown)
    )


class Moments:
    """Checks the time of a file's rows.

    Parameters
    ----------
    contract : Contract
        It must have a time.
    keep : int
    """

    def __init__(self, contract: Contract, keep: int) -> None:
        assert contract.time is not None
        self.contract, self.time = contract, contract.time
        self.rising = Rising(False, keep)
        self.broken = False

    def feed(self, columns: dict[str, pyarrow.Array], start: int) -> None:
        """Check a batch."""
        import pyarrow

        try:
            arrays = [columns[name] for name in self.time.columns]
            self.rising.feed(seconds(arrays, self.time.unit), start, arrays)
        except (pyarrow.ArrowException, KeyError):
            self.broken = True  # the columns are no times: their own faults say so

    def end(self) -> list[Fault]:
        """Return what is wrong."""
        rising, found = self.rising, []
        words = " + ".join(self.time.columns)
        if self.time.ordered and rising.broken:
            fault = Fault("order", words, self.contract.action("order"), rising.broken, "time goes back")
            fault.places = rising.places
            found.append(fault)
        found += self._gaps(words)
        return found

    def _gaps(self, words: str) -> list[Fault]:
        rising, found = self.rising, []
        action = self.contract.action("gaps")
        most, unit = self.time.gaps_max, SECONDS.get(self.time.unit)
        if most is not None and unit and not rising.broken and rising.first is not None:
            steps = round((rising.last - rising.first) / unit)
            missing = steps - rising.steps
            if steps > 0 and missing > most * steps + 1:
                limit = (
                    f"{missing / steps:.2%} of the {self.time.unit}s are missing, at most {most:.2%} allowed"
                )
                found.append(Fault("gaps", words, action, missing, limit))
        longest = self.time.longest_gap
        if longest is not None and unit and rising.jump / unit - 1 > longest and not rising.broken:
            steps = round(rising.jump / unit) - 1
            limit = f"{steps:,} {self.time.unit}s are missing in a row, at most {longest:,} allowed"
            fault = Fault("gaps", words, action, steps, limit)
            fault.places = [rising.jumped] if rising.jumped else []
            found.append(fault)
        return found
