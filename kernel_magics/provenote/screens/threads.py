"""Compute in one thread: on a machine that others use, the threads of OpenMP wait for each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep scikit-learn's compiled parts to one thread in this block.

    Measured on two busy cores: the same screen took 6 s of one thread, and over 400 s of two.
    """
    import sklearn.ensemble  # noqa: F401 - a library that is loaded later would keep its own number of threads
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1):
        yield
