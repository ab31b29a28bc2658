"""Evaluate a rule over a batch of rows with Arrow's kernels.

A value that is missing makes a statement about it neither true nor false, as in SQL; a rule is broken only
by a row where it is false. Numbers with a fraction are equal when their first nine digits are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from provenote.contracts.expressions import (
    Arithmetic,
    Compare,
    IsNull,
    Logic,
    Name,
    Node,
    Not,
    NotARule,
    Value,
)

if TYPE_CHECKING:
    import pyarrow

CLOSE = 1e-9
"""Relative difference up to which two numbers with a fraction are equal."""
_CALLS = {"+": "add_checked", "-": "subtract_checked", "*": "multiply_checked", "/": "divide"}
_COMPARE = {
    "<": "less",
    "<=": "less_equal",
    "==": "equal",
    "!=": "not_equal",
    ">=": "greater_equal",
    ">": "greater",
}


def evaluate(node: Node, column: Callable[[str], pyarrow.Array]) -> Any:
    """Return the value of a tree for each row: an array, or a scalar where no column is in it.

    Parameters
    ----------
    node : Node
    column : callable
        Returns the cells of a column by its name.

    Raises
    ------
    NotARule
        If its kinds do not fit: a text and a number.
    """
    import pyarrow
    from pyarrow import compute

    if isinstance(node, Value):
        return pyarrow.scalar(node.value)
    if isinstance(node, Name):
        return column(node.name)
    if isinstance(node, IsNull):
        inner = evaluate(node.inner, column)
        return compute.is_valid(inner) if node.negated else compute.is_null(inner, nan_is_null=True)
    if isinstance(node, Not):
        return compute.invert(evaluate(node.inner, column))
    if isinstance(node, Logic):
        both = evaluate(node.left, column), evaluate(node.right, column)
        return compute.and_kleene(*both) if node.word == "and" else compute.or_kleene(*both)
    left, right = evaluate(node.left, column), evaluate(node.right, column)
    try:
        if isinstance(node, Arithmetic):
            return _arithmetic(node.sign, left, right)
        return _compare(node, left, right)
    except pyarrow.ArrowException as error:
        kinds = f"{left.type} and {right.type}"
        mend = "Compare a column with a value of its own kind"
        raise NotARule(f"the rule sets {kinds} against each other, which cannot be", mend) from error


def _arithmetic(sign: str, left: Any, right: Any) -> Any:
    import pyarrow
    from pyarrow import compute

    for side in (left, right):
        if not _number(side.type):
            raise pyarrow.ArrowTypeError(f"{side.type} is no number")
    if sign != "/" and pyarrow.types.is_integer(left.type) and pyarrow.types.is_integer(right.type):
        try:
            return compute.call_function(
                _CALLS[sign], [compute.cast(side, pyarrow.int64()) for side in (left, right)]
            )
        except pyarrow.ArrowInvalid:
            pass  # beyond 64 bits: floats then
    floats = [compute.cast(side, pyarrow.float64(), safe=False) for side in (left, right)]
    return compute.call_function(_CALLS[sign].removesuffix("_checked"), floats)


def _compare(node: Compare, left: Any, right: Any) -> Any:
    import pyarrow
    from pyarrow import compute

    left, right = _alike(left, right), _alike(right, left)
    fractions = any(pyarrow.types.is_floating(side.type) for side in (left, right))
    if fractions and _number(left.type) and _number(right.type):
        left, right = (compute.cast(side, pyarrow.float64(), safe=False) for side in (left, right))
    found = compute.call_function(_COMPARE[node.sign], [left, right])
    if not fractions or not (_number(left.type) and _number(right.type)):
        return found
    computed = isinstance(node.left, Arithmetic) or isinstance(node.right, Arithmetic)
    if node.sign in ("==", "!=") or computed:
        size = compute.max_element_wise(compute.abs(left), compute.abs(right), skip_nulls=False)
        near = compute.less_equal(
            compute.abs(compute.subtract(left, right)), compute.multiply(size, pyarrow.scalar(CLOSE))
        )
        if node.sign in ("==", "<=", ">="):
            return compute.or_kleene(found, near)
        return compute.and_kleene(found, compute.invert(near))
    return found


def _alike(side: Any, other: Any) -> Any:
    """Read a text as what it is compared with, where that is a date or a time."""
    import pyarrow
    from pyarrow import compute

    types = pyarrow.types
    if types.is_dictionary(side.type):
        side = compute.cast(side, side.type.value_type)
    if isinstance(side, pyarrow.Scalar) and types.is_string(side.type) and types.is_temporal(other.type):
        return side.cast(other.type)
    return side


def _number(type_: Any) -> bool:
    import pyarrow

    types = pyarrow.types
    return bool(types.is_integer(type_) or types.is_floating(type_) or types.is_decimal(type_))
