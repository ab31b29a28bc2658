"""What an installer is asked for to have the packages of a lock again. Pure.

- Nothing of a lock but names, versions, digests and https or ssh addresses reaches the installer.
- A package that was installed from a file or folder of somebody's is never looked up in an index by its name
  alone: whoever registered that name there would run code here. Its digest, where known, makes that safe.
"""

from __future__ import annotations

from provenote.stores.environments import Environment, Package


def wanted(found: Environment, *, from_index: bool = False) -> tuple[list[str], dict[str, str]]:
    """Return what uv is asked for, a line for each package, and what cannot be asked for and why. Pure."""
    lines, skipped = [], {}
    for package in found.packages.values():
        line = _requirement(package, from_index)
        if line is None:
            skipped[_pin(package)] = (
                "it was a folder, installed as editable"
                if package.origin == "editable"
                else "it came from a local path"
                if package.origin.startswith("local")
                else "its address is not one to fetch from"
            )
        else:
            lines.append(line)
    return lines, skipped


def name_of(line: str) -> str:
    """Return the name of the package that a line asks for."""
    return line.split(" @ ")[0].split("==")[0]


def shown(line: str) -> str:
    """Return a line as a person reads it."""
    return line.split(" --hash")[0]


def _requirement(package: Package, from_index: bool) -> str | None:
    if package.address:
        return f"{package.name} @ {package.address}"
    if not package.origin or (from_index and package.origin.startswith("local")):
        return _pin(package)
    return f"{_pin(package)} --hash=sha256:{package.digest}" if package.digest else None


def _pin(package: Package) -> str:
    return f"{package.name}=={package.version}"
