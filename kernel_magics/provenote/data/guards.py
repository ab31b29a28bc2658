"""What stands beside data that is checked before it is read."""

from __future__ import annotations

CONTRACT = ".contract.yaml"
QUARANTINE = ".quarantine.json"
AGREEMENT = ".agreement.yaml"
ENDINGS = (CONTRACT, QUARANTINE, AGREEMENT)
