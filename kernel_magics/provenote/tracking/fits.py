"""Notice the fits of scikit-learn estimators that a user calls, and no others.

- While something is watching, the methods in `METHODS` of every estimator class are wrapped in the
  class that defines them; instances, clones and saved models hold nothing of ours.
- Classes made later (an import in a tracked cell, a class in the notebook) are wrapped as they are made.
  When scikit-learn is not imported yet, its import is waited for; it is never imported by us.
- A fit counts when the user's code calls it: not inside another fit (steps of a pipeline, candidates of
  a search), not when scikit-learn calls it (``cross_val_score``, its worker threads), not in another
  process than the one that watches.
- A wrapper holds no reference to this module. Pickled by value into a worker (a class of ``__main__``
  through cloudpickle), it calls the original there, whether or not this package is installed.
- When nobody watches any more, every class gets its own methods back.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib.machinery import ModuleSpec
from types import FunctionType, ModuleType
from typing import Any, Protocol

METHODS = ("fit", "fit_predict", "fit_transform", "partial_fit")
_BASE = "sklearn.base"


class Watcher(Protocol):
    """Who is told of a fit; it must not raise."""

    def __call__(
        self, estimator: Any, method: str, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> AbstractContextManager[Any]:
        """Return a context manager that is entered before the fit and left, with its exception, after it."""


class _Here(threading.local):
    """Whether this thread is inside a fit that counts."""

    fitting = False


_here = _Here()
_lock = threading.RLock()
_watcher: Watcher | None = None
_pid = 0
_patched: list[tuple[type, str, Any, Any]] = []
_waiting: _Finder | None = None


def watch(watcher: Watcher) -> None:
    """Tell ``watcher`` of each fit from now on; a second call replaces it."""
    global _watcher, _pid
    with _lock:
        first = _watcher is None
        _watcher, _pid = watcher, os.getpid()
        if first:
            _install()


def unwatch() -> None:
    """Tell nobody any more, and give every class its own methods back."""
    global _watcher, _waiting
    with _lock:
        _watcher = None
        if _waiting is not None:
            if _waiting in sys.meta_path:
                sys.meta_path.remove(_waiting)
            _waiting = None
        while _patched:
            cls, name, before, ours = _patched.pop()
            if cls.__dict__.get(name) is not ours:
                continue  # somebody wrapped it after us: inside theirs, ours just calls the original
            if before is None:
                delattr(cls, name)
            else:
                setattr(cls, name, before)


def observe(
    original: Callable[..., Any], estimator: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> Any:
    """Call a fit, and tell the watcher of it when it counts. Called by the wrappers only."""
    __tracebackhide__ = True  # IPython and pytest leave such frames out of a traceback
    watcher = _watcher
    if watcher is None or _here.fitting or _pid != os.getpid() or _called_by_sklearn():
        return original(estimator, *arguments, **keywords)
    _here.fitting = True
    try:
        with watcher(estimator, original.__name__, arguments, keywords):
            return original(estimator, *arguments, **keywords)
    finally:
        _here.fitting = False


def _called_by_sklearn() -> bool:
    """Whether scikit-learn's own code stands below the call: two frames of ours, then the caller's."""
    frame = sys._getframe(3)
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("sklearn."):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


# ---------------------------------------------------------------------- wrapping


def _install() -> None:
    global _waiting
    base = sys.modules.get(_BASE)
    if base is None:
        _waiting = _Finder()
        sys.meta_path.insert(0, _waiting)
    else:
        _wrap_all(base)


def _wrap_all(base: ModuleType) -> None:
    """Wrap the estimators that exist, and those that will be made."""
    root = getattr(base, "BaseEstimator", None)
    if root is None:  # its import is under way in another thread
        return
    # Some mixins fit by calling `self.fit`. They stand in sklearn.base, so the inner call would not count.
    for name in ("TransformerMixin", "ClusterMixin", "OutlierMixin"):
        _wrap_class(getattr(base, name, object))
    seen: set[type] = set()
    for cls in _below(root, seen):
        _wrap_class(cls)
    _wrap_new_classes(root)


def _below(cls: type, seen: set[type]) -> Iterator[type]:
    children: list[type] = cls.__subclasses__()
    for child in children:
        if child not in seen:
            seen.add(child)
            yield child
            yield from _below(child, seen)


def _wrap_class(cls: type) -> None:
    own = cls.__dict__
    for name in METHODS:
        method = own.get(name)
        if method is None:
            continue
        ours: Any
        if isinstance(method, FunctionType):
            ours = _wrapper(method)
        elif isinstance(getattr(method, "fn", None), FunctionType):  # there only if the last step has it
            ours = _copy(method)
            ours.fn = _wrapper(method.fn)
        else:
            continue
        try:
            setattr(cls, name, ours)
        except (
            AttributeError,
            TypeError,
        ):  # a class that cannot be changed: compiled, or frozen by its metaclass
            continue
        _patched.append((cls, name, method, ours))


def _copy(descriptor: Any) -> Any:
    twin = object.__new__(type(descriptor))
    twin.__dict__.update(descriptor.__dict__)
    return twin


def _wrapper(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def fit(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        import sys  # nothing global: this function may be pickled by value, see the heading

        fits = sys.modules.get("provenote.tracking.fits")
        if fits is None:
            return original(self, *args, **kwargs)
        return fits.observe(original, self, args, kwargs)

    return fit


def _wrap_new_classes(root: Any) -> None:
    before = root.__dict__.get("__init_subclass__")

    def __init_subclass__(cls: type, /, **keywords: Any) -> None:  # noqa: N807 - it is that hook
        if before is not None:
            before.__get__(None, cls)(**keywords)
        else:
            super(root, cls).__init_subclass__(**keywords)
        with _lock:
            if _watcher is not None:
                _wrap_class(cls)

    hook: Any = classmethod(__init_subclass__)
    root.__init_subclass__ = hook
    _patched.append((root, "__init_subclass__", before, hook))


# ---------------------------------------------------------------------- waiting for the import


class _Finder:
    """Stand first among the importers, and act once: after ``sklearn.base`` has been executed."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Let the other importers find ``sklearn.base``; wrap what executes it."""
        if name != _BASE:
            return None
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
        return spec


class _Loader:
    """Execute a module as its own loader does, then wrap its estimators."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Create the module as its own loader does."""
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module, leaving no trace of ours in it."""
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        with _lock:
            if _watcher is not None:
                _wrap_all(module)
