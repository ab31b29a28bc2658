"""Model formats: how a model becomes one file, and how that file becomes a model again.

- A format is an object with the methods of `ModelFormat`. Two are built in: ``skops`` (scikit-learn
  estimators, without pickle) and ``file`` (whatever is on disk already). Others come from packages
  that declare an entry point of the group ``provenote.model_formats``.
- Writing says which types a reader will have to trust; that list is for the person who approves.
- Reading trusts exactly the types it is given, which must come from the signed request, never
  from the model or its folder: a list taken from the file itself protects against nothing.
- Pickle is not offered: loading one runs whatever it contains.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from provenote.errors import ProvenoteError, Refused, UsageError, WorldError

GROUP = "provenote.model_formats"
"""Entry point group of further formats; the entry's name is the format's name."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model written to disk.

    Parameters
    ----------
    path : Path
        The file (or, for the format ``file``, the file or folder).
    format : str
        Name of the format, to be given to `load_bytes`.
    trusted : tuple of str
        Full names of the types that a reader must trust beyond those the format trusts itself.
    class_name : str
        Full name of the model's class; empty for the format ``file``.
    """

    path: Path
    format: str
    trusted: tuple[str, ...] = ()
    class_name: str = ""


@runtime_checkable
class ModelFormat(Protocol):
    """What a model format can do."""

    @property
    def name(self) -> str:
        """Name of the format, as stored in a run."""

    def accepts(self, model: object) -> bool:
        """Say whether this format is made for such a model; cheap, imports nothing heavy."""

    def dump(self, model: object, folder: Path, name: str) -> ModelFile:
        """Write ``model`` into ``folder`` under a file name made from ``name``."""

    def load_bytes(self, content: bytes, trusted: Iterable[str]) -> object:
        """Make the model again, trusting exactly the types in ``trusted``."""


def dump(model: object, folder: str | os.PathLike[str], name: str, *, format: str | None = None) -> ModelFile:
    """Write a model in the format made for it.

    Parameters
    ----------
    model : object
        A scikit-learn compatible estimator, or a dict, list or tuple that holds one; or the path of
        a file or folder that holds any other model.
    folder : path
        Where the file goes; it must exist. The format ``file`` leaves the model where it is.
    name : str
        Name of the model; slashes become dashes in the file's name.
    format : str, optional
        Name of the format; by default the first that accepts the model.

    Returns
    -------
    ModelFile

    Raises
    ------
    UsageError
        If no format accepts the model, or the model could not be loaded again elsewhere
        (a class or function of the notebook itself, a lambda).
    """
    chosen = named(format) if format else _accepting(model)
    return chosen.dump(model, Path(folder), name)


def load_bytes(content: bytes, format: str, trusted: Iterable[str]) -> object:
    """Make a model from the bytes of its file.

    Parameters
    ----------
    content : bytes
        The whole file: the very bytes whose digest was checked.
    format : str
        Name of the format, as `dump` gave it.
    trusted : iterable of str
        Full names of the types to trust beyond the format's own; from the signed request only.

    Raises
    ------
    Refused
        If the file needs a type that is not trusted; the message names it.
    UsageError
        If the format is unknown here, or a package that the model needs is missing.
    WorldError
        If the bytes are no file of that format.
    """
    return named(format).load_bytes(content, tuple(trusted))


def named(name: str) -> ModelFormat:
    """Return the format called ``name``.

    Raises
    ------
    UsageError
        If neither we nor an installed package know it.
    """
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    for known, entry in _entry_points().items():
        if known == name:
            return _opened(known, entry)
    names = ", ".join([*_BUILT_IN, *_entry_points()])
    raise UsageError(
        f"no model format is called {name!r} here", f"Known: {names}. Others come with a package"
    )


def _accepting(model: object) -> ModelFormat:
    for built_in in _BUILT_IN.values():
        if built_in.accepts(model):
            return built_in
    for name, entry in _entry_points().items():
        plugin = _opened(name, entry)
        if plugin.accepts(model):
            return plugin
    raise UsageError(
        f"no model format here is made for {_full_name(type(model))}",
        "Save it to a file with its own library and log that file: `run.log_model(path, name)`",
    )


def _entry_points() -> dict[str, Any]:
    from importlib.metadata import entry_points  # 20 ms with 200 packages: only when a built-in does not do

    return {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in _BUILT_IN}


def _opened(name: str, entry: Any) -> ModelFormat:
    try:
        made = entry.load()
    except Exception as error:
        what = f"the model format {name!r} cannot be loaded: {error}"
        raise UsageError(what, "Reinstall its package") from error
    plugin = made() if isinstance(made, type) else made
    if not isinstance(plugin, ModelFormat):
        raise UsageError(f"the model format {name!r} lacks a method of ModelFormat", "Reinstall its package")
    return plugin


class SkopsFormat:
    """Scikit-learn estimators as a deflated skops file: a list of types and arrays, never code."""

    name = "skops"

    def accepts(self, model: object) -> bool:
        """Accept estimators, and plain containers that hold one."""
        if isinstance(model, Mapping):
            return any(self.accepts(value) for value in model.values())
        if isinstance(model, (list, tuple)):
            return any(self.accepts(value) for value in model)
        return not isinstance(model, type) and hasattr(model, "get_params") and hasattr(model, "fit")

    def dump(self, model: object, folder: Path, name: str) -> ModelFile:
        """Write the model, after making sure that another process could read it.

        Raises
        ------
        UsageError
            If the model holds a class or function that cannot be imported elsewhere, or an object
            that skops cannot keep (a generator, an open file, a lock).
        """
        from zipfile import ZIP_DEFLATED

        import skops.io  # 60 ms beyond scikit-learn: only who writes a model pays

        try:
            content = skops.io.dumps(model, compression=ZIP_DEFLATED)
            trusted = tuple(skops.io.get_untrusted_types(data=content))
        except (TypeError, AttributeError, ValueError, ImportError, RecursionError) as error:
            raise _not_kept(model, error) from error
        for type_name in trusted:
            _require_importable(type_name)
        if not all(_compiled(type_name) for type_name in trusted):
            # A type that skops does not know may be written and yet never be read again: find out while
            # the model is still there.
            try:
                skops.io.loads(content, trusted=list(trusted))
            except Exception as error:
                raise _not_kept(model, error) from error
        path = folder / f"{_leaf(name)}.skops"
        try:
            path.write_bytes(content)
        except OSError as error:
            what = f"the model cannot be written to {path}: {error.strerror}"
            raise WorldError(what, "Free some space, then log it again") from error
        return ModelFile(path, self.name, trusted, _full_name(type(model)))

    def load_bytes(self, content: bytes, trusted: Iterable[str]) -> object:
        """Audit the file, then make the model; see `provenote.registry.formats.load_bytes`."""
        import skops.io

        allowed = sorted(set(trusted))
        try:
            beyond = sorted(set(skops.io.get_untrusted_types(data=content)) - set(allowed))
            if beyond:
                raise Refused(
                    f"the model needs {_listed(beyond)}, which the approved request does not trust",
                    "Ask for a new promotion of this run, so that its approvers see the list",
                )
            return skops.io.loads(content, trusted=allowed)
        except ProvenoteError:
            raise
        except ImportError as error:
            raise UsageError(
                f"the model needs something that is not importable here: {error}",
                "Install the package, or put the project's module on the path, then load again",
            ) from error
        except Exception as error:
            raise WorldError(f"these bytes are no readable skops model: {_said(error)}") from error


class FileFormat:
    """Any file or folder, kept as it is; a reader gets its path and loads it with its own library."""

    name = "file"

    def accepts(self, model: object) -> bool:
        """Accept a path, as a text or a `pathlib.Path`."""
        return isinstance(model, (str, os.PathLike))

    def dump(self, model: object, folder: Path, name: str) -> ModelFile:
        """Name the file or folder; nothing is copied.

        Raises
        ------
        UsageError
            If there is nothing at that path, or it is not a path.
        """
        if not isinstance(model, (str, os.PathLike)):
            what = f"the format 'file' takes a path, not {_full_name(type(model))}"
            raise UsageError(what, "Save the model to a file first, then log its path")
        path = Path(os.fsdecode(model))
        if not path.exists():
            raise UsageError(f"there is no file or folder {path}", "Save the model there first, then log it")
        return ModelFile(path, self.name)

    def load_bytes(self, content: bytes, trusted: Iterable[str]) -> object:
        """Refuse: what is inside is known to its own library only.

        Raises
        ------
        UsageError
            Always; `provenote.load` gives the path of such a model.
        """
        raise UsageError(
            "a model of the format 'file' is opened by its own library",
            "Use the path that `provenote.load` gives",
        )


_BUILT_IN: dict[str, ModelFormat] = {built_in.name: built_in for built_in in (FileFormat(), SkopsFormat())}


def _require_importable(type_name: str) -> None:
    """Refuse a type that another process could not find under the name that was written."""
    module_name, _, qualified = type_name.rpartition(".")
    if "<" in type_name:
        what = "a lambda" if "<lambda>" in type_name else f"{qualified}"
        raise UsageError(
            f"{type_name} is {what}, which cannot be imported, so no other process could load this model",
            "Write it as a named function, move it into a module file and import it",
        )
    if module_name == "__main__":
        script = getattr(sys.modules["__main__"], "__file__", None)
        where = f"the script {Path(script).name}" if script else "the notebook itself"
        raise UsageError(
            f"{qualified} is defined in {where}, so no other process could load this model",
            f"Move {qualified} into a module file and import it",
        )
    module = sys.modules.get(module_name)
    if (getattr(module, "__file__", None) or "").endswith(".py") and not hasattr(module, qualified):
        raise UsageError(
            f"{type_name} is defined inside a function, so no other process could load this model",
            f"Move {qualified} to the top level of its module file and import it",
        )


def _not_kept(model: object, error: Exception) -> UsageError:
    return UsageError(
        f"skops cannot keep this {type(model).__name__}: {_said(error)}",
        "Take that object out of the model, or save it to a file yourself: `run.log_model(path, name)`",
    )


def _compiled(type_name: str) -> bool:
    """Whether the type belongs to the libraries that skops is made for: written and read in its own tests."""
    return type_name.partition(".")[0] in ("sklearn", "numpy", "scipy")


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _said(error: Exception) -> str:
    return next(_lines(error), type(error).__name__)


def _lines(error: Exception) -> Iterator[str]:
    return (line.strip() for line in str(error).splitlines() if line.strip())


def _full_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _leaf(name: str) -> str:
    """Return ``name`` as one file name."""
    return "".join(char if char.isalnum() or char in "-_." else "-" for char in name).lstrip(".-") or "model"
