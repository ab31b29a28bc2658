"""Kernel specifications: is the kernel that a notebook asks for here, before anything runs."""

from __future__ import annotations

from pathlib import Path

from provenote.errors import UsageError

_BLOCKED = "rfc3987_syntax"


def quick_imports() -> None:
    """Import papermill and nbformat without the second and a half that one of their dependencies costs.

    ``rfc3987_syntax`` builds a grammar when it is imported, for a format check that no notebook uses;
    jsonschema does without it when it cannot be imported.
    """
    import sys

    absent = _BLOCKED not in sys.modules
    if absent:
        sys.modules[_BLOCKED] = None  # type: ignore[assignment]
    try:
        import nbformat  # noqa: F401
        import papermill.execute  # noqa: F401
    finally:
        if absent:
            sys.modules.pop(_BLOCKED, None)


def resolve(notebook: Path, asked: str | None, in_notebook: str | None) -> str:
    """Return the name of the kernel to start: the one asked for, else the notebook's own.

    Raises
    ------
    UsageError
        If neither names one, or it is not installed.
    """
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    name = asked or in_notebook
    manager = KernelSpecManager()
    if not name:
        raise UsageError(f"{notebook.name} names no kernel", "Name one: `--kernel python3`")
    try:
        manager.get_kernel_spec(name)
    except NoSuchKernel:
        here = ", ".join(sorted(manager.find_kernel_specs())) or "none"
        mend = f"Choose one that is: `--kernel NAME` ({here})"
        raise UsageError(f"the kernel {name!r} of {notebook.name} is not installed", mend) from None
    return name
