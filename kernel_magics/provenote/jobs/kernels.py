"""Kernel specifications: is the kernel that a notebook asks for here, before anything runs."""

from __future__ import annotations

from pathlib import Path

from provenote.errors import UsageError

# What papermill and nbformat import if it is there and do without if not, and what each costs: a grammar for
# a format check that no notebook uses (1.5 s), and clients of remote stores (0.2 s), while a job's notebook
# comes from the disk and goes there.
_UNUSED = ("rfc3987_syntax", "pyarrow", "boto3", "azure", "gcsfs", "github")


def quick_imports() -> None:
    """Import papermill and nbformat without what a job never uses of them.

    For a process that runs one job: papermill cannot read from S3 and alike afterwards.
    """
    import sys

    absent = [name for name in _UNUSED if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type] # None: the import fails at once
    try:
        import nbformat  # noqa: F401
        import papermill.execute  # noqa: F401
    finally:
        for name in absent:
            del sys.modules[name]


def resolve(notebook: Path, asked: str | None, in_notebook: str | None) -> str:
    """Return the name of the kernel to start: the one asked for, else the notebook's own.

    Raises
    ------
    UsageError
        If neither names one, or it is not installed.
    """
    name = asked or in_notebook
    if not name:
        raise UsageError(f"{notebook.name} names no kernel", "Name one: `--kernel python3`")
    if _stands(name):
        return name
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    manager = KernelSpecManager()
    try:
        manager.get_kernel_spec(name)
    except NoSuchKernel:
        here = ", ".join(sorted(manager.find_kernel_specs())) or "none"
        mend = f"Choose one that is: `--kernel NAME` ({here})"
        raise UsageError(f"the kernel {name!r} of {notebook.name} is not installed", mend) from None
    return name


def _stands(name: str) -> bool:
    """Whether a kernel specification of that very name lies where Jupyter looks.

    The package that knows all ways to a kernel takes longer to import than the rest of the command.
    """
    import json
    import re

    if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
        return False
    from jupyter_core.paths import jupyter_path

    for folder in jupyter_path("kernels"):
        try:
            with open(Path(folder, name, "kernel.json"), encoding="utf-8") as file:
                return isinstance(json.load(file).get("argv"), list)
        except (OSError, ValueError, AttributeError):
            continue
    return False
