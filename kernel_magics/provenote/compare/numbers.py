"""How numbers, times and sizes read: one place for every face.

Decimals are counted once a column so that three digits vary; minus is a true minus; a change always
carries its sign; ``–`` means "has none". Nothing here knows a colour or a width.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

NONE = "–"
MINUS = "−"
THIN = "\u202f"
"""Narrow no-break space, between a number and its unit."""

Direction = Literal["lower", "higher", "zero", ""]
ARROWS: dict[Direction, str] = {"lower": "↓", "higher": "↑", "zero": "→0", "": ""}

_SPECIAL = {
    "nan": math.nan,
    "inf": math.inf,
    "+inf": math.inf,
    "-inf": -math.inf,
    "infinity": math.inf,
    "+infinity": math.inf,
    "-infinity": -math.inf,
}
_LOWER = """loss error err rmse mse mae mape smape msle rmsle logloss nll deviance perplexity ppl brier
wer cer time seconds sec secs s ms latency duration bytes mb size rss memory regret distance eer fpr fnr"""
_HIGHER = """acc accuracy auc auroc auprc f1 fbeta precision recall sensitivity specificity tpr tnr r2 score
map ap ndcg mrr iou dice bleu rouge meteor kappa mcc psnr ssim reward hits lift throughput coverage ev"""
_ZERO = "bias skew residual me"
_WAYS: dict[str, Direction] = {
    **dict.fromkeys(_LOWER.split(), "lower"),
    **dict.fromkeys(_HIGHER.split(), "higher"),
    **dict.fromkeys(_ZERO.split(), "zero"),
}


def number(value: Any) -> float | None:
    """Return ``value`` as a number, None if it is none: ``"NaN"`` and ``"inf"`` are, flags are not."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value
    return _SPECIAL.get(value.lower()) if isinstance(value, str) else None


def direction(key: str) -> Direction:
    """Guess which way a metric is better from its name.

    Parameters
    ----------
    key : str
        As logged: ``val_loss``, ``roc_auc``, ``neg_mean_squared_error``, ``train/acc``.

    Returns
    -------
    {'lower', 'higher', 'zero', ''}
        Empty when the name says nothing. Names that begin with ``neg`` (scikit-learn's scorers) are
        higher; otherwise the last telling word wins.
    """
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower()
    words = re.split(r"[^a-z0-9]+", parted)
    if "neg" in words or "negative" in words:
        return "higher"
    for word in reversed(words):
        way = _WAYS.get(word) or _WAYS.get(re.sub(r"\d+$", "", word))
        if way:
            return way
    return ""


def decimals(values: Iterable[Any]) -> int:
    """Count the decimals of a column: enough that three digits vary, never more than the values have.

    Parameters
    ----------
    values : iterable
        The column; what is no finite number is passed over.
    """
    finite = [float(v) for v in map(number, values) if v is not None and _fits(v)]
    if not finite:
        return 0
    needed = max(_own_decimals(v) for v in finite)
    largest, span = max(map(abs, finite)), max(finite) - min(finite)
    digits = 3 - math.floor(math.log10(largest)) if largest else 0
    if span and math.isfinite(span):
        digits = max(digits, 2 - math.floor(math.log10(span)))
    return max(0, min(needed, digits, 8))


def text(value: Any, places: int | None = None, *, grouped: bool = False) -> str:
    """Write one value: a number with ``places`` decimals, anything else as it is.

    Parameters
    ----------
    value : object
        Any JSON value.
    places : int, optional
        Decimals; by default as many as four digits need.
    grouped : bool
        Whether thousands are parted, for counts from 10,000 on.
    """
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "true" if value else "false"
    figure = number(value)
    if figure is None:
        return value if isinstance(value, str) else _compact(value)
    if not _fits(figure):
        return _odd(figure)
    if figure and (abs(figure) >= 1e9 or abs(figure) < 1e-4) and not isinstance(figure, int):
        return f"{figure:.3g}".replace("-", MINUS, 1 if figure < 0 else 0)
    places = decimals([figure]) if places is None else places
    separator = "," if grouped and abs(figure) >= 10_000 else ""
    if isinstance(figure, int) and not places:
        return f"{figure:{separator}d}".replace("-", MINUS)
    return f"{figure:z{separator}.{places}f}".replace("-", MINUS)


def column(values: Sequence[Any], *, grouped: bool = False) -> list[str]:
    """Write a column with one count of decimals."""
    places = decimals(values)
    return [text(value, places, grouped=grouped) for value in values]


def change(value: Any, base: Any, places: int | None = None) -> str:
    """Write ``value - base`` with its sign; ``=`` for no change, empty where it has no meaning."""
    new, old = number(value), number(base)
    if new is None or old is None or not (_fits(new) and _fits(old)):
        return ""
    if new == old:
        return "="
    places = decimals([new, old]) if places is None else places
    words = text(float(new - old), places)
    return words if words.startswith(MINUS) else f"+{words}"


def better(key: str, value: Any, base: Any) -> bool | None:
    """Tell whether ``value`` is better than ``base`` for the metric ``key``; None when that is unknown."""
    new, old, way = number(value), number(base), direction(key)
    if new is None or old is None or new == old or not way or math.isnan(new) or math.isnan(old):
        return None
    if way == "zero":
        return abs(new) < abs(old) if abs(new) != abs(old) else None
    return (new < old) == (way == "lower")


def best(key: str, values: Sequence[Any]) -> int | None:
    """Return the place of the best value of a metric; what is no finite number does not take part.

    Where the name of the metric does not tell, the lowest is the best.
    """
    rank = {"higher": lambda value: -value, "zero": abs}.get(direction(key), lambda value: value)
    known = [(number(value), place) for place, value in enumerate(values)]
    ranked = [(rank(value), place) for value, place in known if value is not None and math.isfinite(value)]
    return min(ranked)[1] if ranked else None


def duration(seconds: float | None) -> str:
    """Write how long something took: ``0.9 s``, ``3 m 12 s``, ``2 h 5 m``, ``3 d 4 h``."""
    if seconds is None or not math.isfinite(seconds):
        return NONE
    seconds = max(0.0, seconds)
    if seconds < 59.95:
        return f"{seconds:.1f} s" if seconds >= 0.0995 or not seconds else f"{seconds * 1000:.0f} ms"
    for large, small, size, unit in (("d", "h", 86400, 3600), ("h", "m", 3600, 60), ("m", "s", 60, 1)):
        if seconds >= size - unit / 2 or small == "s":
            whole = round(seconds / unit)
            first, rest = divmod(whole, size // unit)
            return f"{first} {large} {rest} {small}" if rest else f"{first} {large}"
    return NONE


def clock(seconds: float) -> str:
    """Write elapsed time as a clock: ``0:07``, ``1:02:03``."""
    whole = max(0, int(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def age(seconds: float) -> str:
    """Write how long ago, in one unit: ``now``, ``41 s``, ``12 m``, ``5 h``, ``3 d``, ``7 w``, ``2 y``."""
    for size, unit in ((365 * 86400, "y"), (14 * 86400, "w"), (86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        if seconds >= size:
            return f"{int(seconds // (7 * 86400 if unit == 'w' else size))} {unit}"
    return "now"


def moment(at: float | None, now: float) -> str:
    """Write a time: the clock if it is today's, the day and the clock before."""
    local, today = _local(at), _local(now)
    if local is None or today is None:
        return NONE
    if local.date() == today.date():
        return f"{local:%H:%M}"
    return f"{local.day} {local:%b %H:%M}" if local.year == today.year else f"{local.day} {local:%b %Y}"


def full_time(at: float | None) -> str:
    """Write a time in full, with its zone."""
    local = _local(at)
    return NONE if local is None else f"{local:%Y-%m-%d %H:%M:%S %z}"


def size(count: float | None) -> str:
    """Write a number of bytes: ``512 B``, ``1.2 MB``."""
    if count is None:
        return NONE
    for unit, power in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= power * 0.9995:
            return f"{count / power:.1f} {unit}" if count < power * 99.95 else f"{count / power:.0f} {unit}"
    return f"{count:.0f} B"


def counted(count: int, noun: str, plural: str = "") -> str:
    """Write a count with its noun: ``1 run``, ``2,401 runs``."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def sparkline(values: Sequence[float], width: int = 24) -> str:
    """Draw a curve in one line of text, the last value of each of ``width`` equal stretches."""
    finite = [float(v) for v in values if math.isfinite(v)]
    if not finite:
        return ""
    count = min(width, len(finite))
    shown = [finite[(i + 1) * len(finite) // count - 1] for i in range(count)]
    low, high = min(shown), max(shown)
    bars = "▁▂▃▄▅▆▇█"
    return "".join(bars[int((v - low) / (high - low) * 7.999)] if high > low else bars[3] for v in shown)


def _fits(value: float) -> bool:
    """Tell whether it is finite as a float: NaN, infinity and huge whole numbers are not."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _odd(value: float) -> str:
    if isinstance(value, int):
        digits = f"{MINUS if value < 0 else ''}1e{int(math.log10(abs(value)))}"
        return f"about {digits}"
    return "NaN" if math.isnan(value) else ("inf" if value > 0 else f"{MINUS}inf")


def _own_decimals(value: float) -> int:
    """Count the decimals of the shortest text that reads back as ``value``."""
    mantissa, _, exponent = repr(value).partition("e")
    fraction = mantissa.partition(".")[2]
    return max(0, (0 if fraction == "0" else len(fraction)) - int(exponent or 0))


def _compact(value: Any) -> str:
    import json

    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        return "…"


def _local(at: float | None) -> datetime | None:
    try:
        return None if at is None else datetime.fromtimestamp(at).astimezone()
    except (OverflowError, OSError, ValueError):
        return None
