"""What a look at a rule of continuous training found and did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from provenote.errors import ProvenoteError
from provenote.retraining.conditions import Condition
from provenote.retraining.guards import Guard
from provenote.retraining.record import Try

State = Literal[
    "armed", "idle", "due", "held", "started", "training", "judged", "claimed", "wrong", "elsewhere"
]


@dataclass(frozen=True, slots=True)
class Turn:
    """What a look found and did about one rule.

    Parameters
    ----------
    rule : str
    state : State
        ``held``: due, and a guard holds it; ``started``: its sweep goes on now; ``training``: it goes on;
        ``judged``: see ``made``; ``elsewhere``: another clone trains; ``claimed``: another timer was faster.
    says : str
    conditions : tuple of Condition
    guards : tuple of Guard
    job : str
        Id of its sweep.
    made : Try or None
    error : ProvenoteError or None
    """

    rule: str
    state: State
    says: str = ""
    conditions: tuple[Condition, ...] = ()
    guards: tuple[Guard, ...] = ()
    job: str = ""
    made: Try | None = None
    error: ProvenoteError | None = None

    @property
    def holding(self) -> list[Guard]:
        """The guards that do not hold."""
        return [one for one in self.guards if not one.green]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "rule": self.rule,
            "state": self.state,
            "says": self.says,
            "conditions": [
                {"name": one.name, "due": bool(one.key), "says": one.says, "next": one.next}
                for one in self.conditions
            ],
            "guards": [{"name": one.name, "green": one.green, "says": one.line} for one in self.guards],
            "job": self.job or None,
            "try": self.made.plain() if self.made else None,
            "error": self.error.line if self.error else None,
        }
