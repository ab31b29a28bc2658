"""Unit tests share what they act in (`ledger_world`): modules of the folder above, found by name."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
