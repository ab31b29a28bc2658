"""Integration tests share what they drive (`kernels`, `clones`): modules beside or above, found by name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from clones import Team

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def team(tmp_path: Path, make_repo: Callable[[Path], Path]) -> Team:
    """Make two clones of one bare remote."""
    from clones import make_team

    return make_team(tmp_path, make_repo)
