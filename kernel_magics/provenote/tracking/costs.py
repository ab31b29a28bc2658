"""What a run cost, by the project's price list. Pure.

A price list is what somebody wrote down, not a bill: where it has no price, there is no cost. What went over
the network was counted for the whole machine, so its part is at most that.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from provenote.config import Prices

HOUR = 3600.0


def of(figures: Mapping[str, Any], prices: Prices) -> dict[str, Any] | None:
    """Return the cost of a run from its resources.

    Parameters
    ----------
    figures : mapping
        As `provenote.tracking.resources.Sampler.figures` gives them.
    prices : Prices

    Returns
    -------
    dict or None
        ``amount``, ``currency``, and ``parts``: what each of ``cpu``, ``gpu`` and ``network`` made of it.
        None where nothing that the run used has a price.
    """
    moved = _number(figures, "network_received_mb") + _number(figures, "network_sent_mb")
    parts = {
        "cpu": (_number(figures, "cpu_s") / HOUR * prices.cpu_hour, prices.cpu_hour),
        "gpu": (_number(figures, "gpu_s") / HOUR * prices.gpu_hour, prices.gpu_hour),
        "network": (moved / 1000 * prices.gb_moved, prices.gb_moved),
    }
    priced = {name: float(f"{amount:.6g}") for name, (amount, price) in parts.items() if price}
    if not priced:
        return None
    total = float(f"{sum(priced.values()):.6g}")
    return {"amount": total, "currency": prices.currency, "parts": priced}


def storage(size: float, prices: Prices) -> float | None:
    """Return what it costs to keep so many bytes for a month; None where that has no price."""
    return size / 1e9 * prices.gb_month if prices.gb_month else None


def text(amount: float, currency: str) -> str:
    """Write an amount: ``0.042 EUR``, two digits that count below one."""
    shown = f"{amount:,.2f}" if amount >= 1 or amount == 0 else format(Decimal(f"{amount:.2g}"), "f")
    return f"{shown} {currency}".strip()


def _number(figures: Mapping[str, Any], key: str) -> float:
    value = figures.get(key)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0
