"""Find the guards of a module and give each a switch, while the module is imported: no file is written.

A guard is what refuses: the condition before a ``raise`` (each part of an ``or``), before ``return False``,
``None`` or a problem, before ``continue``; each part of a condition that must hold (``return a and b``,
``good = ...``, the filter of a comprehension); a problem that is added; a call whose only effect is to check.
Switched off, a condition that refuses is false, one that must hold is true, and a statement does nothing.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, ModuleType
from typing import Any

CHECKS = re.compile(r"_?(check|refuse|require|admit|in_time|only_new|raise_if|same_project)\w*")
"""Calls whose only effect is to refuse."""
MUST_HOLD = frozenset({"good", "inside", "right"})
"""Local names of conditions that must hold."""
BAD_WHEN_TRUE = frozenset({"_disguised", "_recalled", "may_govern", "_governed", "hardware"})
"""Predicates that refuse by answering yes."""


@dataclass(frozen=True)
class Guard:
    """One guard: where it is and how it reads."""

    number: int
    module: str
    function: str
    line: int
    text: str

    @property
    def name(self) -> str:
        """How `equivalent` and a report name it: no line, so that it outlives other changes."""
        return f"{self.module}.{self.function}: {self.text}"


class Switches:
    """All guards, those that were reached, and the one that is off."""

    def __init__(self) -> None:
        self.guards: list[Guard] = []
        self.reached: set[int] = set()
        self.off: int | None = None

    def when(self, number: int, value: Any) -> Any:
        """Pass a condition that refuses."""
        if value:
            self.reached.add(number)
            if self.off == number:
                return False
        return value

    def unless(self, number: int, value: Any) -> Any:
        """Pass a condition that must hold."""
        if not value:
            self.reached.add(number)
            if self.off == number:
                return True
        return value

    def step(self, number: int) -> bool:
        """Whether a statement shall be done."""
        self.reached.add(number)
        return self.off != number


def _refuses(body: Sequence[ast.stmt]) -> bool:
    last = body[-1]
    if isinstance(last, ast.Raise | ast.Continue):
        return True
    if isinstance(last, ast.Return):
        value = last.value
        if value is None or (isinstance(value, ast.Constant) and value.value in (None, False, 0)):
            return True
        return any(
            isinstance(node, ast.Name) and node.id in ("Problem", "no_rule") for node in ast.walk(value)
        )
    return any(_adds_problem(one) for one in body)


def _adds_problem(one: ast.stmt) -> bool:
    if isinstance(one, ast.AugAssign) and isinstance(one.target, ast.Name):
        return one.target.id == "problems"
    return isinstance(one, ast.Expr) and "problems.append" in ast.unparse(one)


class _Instrument(ast.NodeTransformer):
    def __init__(self, module: str, skipped: frozenset[str], switches: Switches) -> None:
        self._module, self._skipped, self._switches = module, skipped, switches
        self._scope: list[str] = []
        self._functions: list[ast.FunctionDef] = []

    # ------------------------------------------------------------------ switches

    def _new(self, node: ast.AST) -> ast.Constant:
        text = " ".join(ast.unparse(node).split())
        number = len(self._switches.guards)
        guard = Guard(number, self._module, ".".join(self._scope), getattr(node, "lineno", 0), text[:160])
        self._switches.guards.append(guard)
        return ast.Constant(number)

    def _call(self, word: str, *arguments: ast.expr) -> ast.Call:
        switches = ast.Name("__switches__", ast.Load())
        return ast.Call(ast.Attribute(switches, word, ast.Load()), list(arguments), [])

    def _weak(self, node: ast.expr, refuses: bool) -> ast.expr:
        """Return a condition with a switch at each part; ``refuses``: it does so when true."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return ast.UnaryOp(node.op, self._weak(node.operand, not refuses))
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or if refuses else ast.And):
            return ast.BoolOp(node.op, [self._weak(part, refuses) for part in node.values])
        if isinstance(node, ast.Constant):
            return node
        number = self._new(node)
        return self._call("when" if refuses else "unless", number, self.generic_visit_expr(node))

    def generic_visit_expr(self, node: ast.expr) -> ast.expr:
        """Look for guards inside a part, as the filter of a comprehension."""
        visited = self.generic_visit(node)
        assert isinstance(visited, ast.expr)
        return visited

    def _optional(self, node: ast.stmt) -> ast.If:
        number = self._new(node)
        inner = self.generic_visit(node)
        assert isinstance(inner, ast.stmt)
        return ast.If(self._call("step", number), [inner], [])

    # ------------------------------------------------------------------ places

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self._scope.append(node.name)
        found = self.generic_visit(node)
        self._scope.pop()
        return found

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self._scope.append(node.name)
        if ".".join(self._scope) not in self._skipped:
            self._functions.append(node)
            node.body = [self.visit(one) for one in node.body]
            self._functions.pop()
        self._scope.pop()
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        if self._functions and (_refuses(node.body) or self._says_why_not(node.body[-1])):
            node.test = self._weak(node.test, refuses=True)
            if not isinstance(node.body[-1], ast.Raise) and not _adds_problem(node.body[-1]):
                node.body = [self.visit(one) for one in node.body]
        else:
            node.test = self.visit(node.test)
            node.body = [self.visit(one) for one in node.body]
        node.orelse = [self.visit(one) for one in node.orelse]
        return node

    def _says_why_not(self, last: ast.stmt) -> bool:
        """Whether a function that answers with reasons against something gives one here."""
        if ast.unparse(self._functions[-1].returns or ast.Constant(None)) != "list[str]":
            return False
        if isinstance(last, ast.Return):
            return isinstance(last.value, ast.List) and bool(last.value.elts)
        return isinstance(last, ast.Expr) and ".append(" in ast.unparse(last)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return self._optional(node) if self._functions and node.exc is not None else node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        return self._optional(node) if self._functions and _adds_problem(node) else self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if self._functions and isinstance(node.value, ast.Call):
            called = node.value.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if CHECKS.fullmatch(name) or _adds_problem(node):
                return self._optional(node)
        return self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> ast.AST:
        function = self._functions[-1] if self._functions else None
        answers = (
            function is not None and isinstance(function.returns, ast.Name) and function.returns.id == "bool"
        )
        if answers and node.value is not None:
            assert function is not None
            node.value = self._weak(node.value, refuses=function.name in BAD_WHEN_TRUE)
            return node
        return self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        target = node.targets[0]
        if self._functions and isinstance(target, ast.Name) and target.id in MUST_HOLD:
            node.value = self._weak(node.value, refuses=False)
            return node
        return self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        if self._functions:
            node.iter = self.visit(node.iter)
            node.ifs = [self._weak(one, refuses=False) for one in node.ifs]
            return node
        return self.generic_visit(node)

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        if self._functions and isinstance(node.body, ast.Compare | ast.BoolOp):
            node.body = self._weak(node.body, refuses=False)
            return node
        return self.generic_visit(node)


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module with a switch at each guard; the compiled file that is kept beside it is not used."""

    switches: Switches
    skipped: frozenset[str]

    def get_code(self, fullname: str) -> CodeType:
        source = self.get_data(self.path)
        tree = _Instrument(fullname.removeprefix("provenote."), self.skipped, self.switches).visit(
            ast.parse(source)
        )
        return compile(ast.fix_missing_locations(tree), self.path, "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__switches__"] = self.switches
        super().exec_module(module)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, modules: dict[str, frozenset[str]], switches: Switches) -> None:
        self._modules, self._switches = modules, switches

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name not in self._modules:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is None or spec.origin is None:
            raise ImportError(name, path)
        loader = _Loader(name, spec.origin)
        loader.switches, loader.skipped = self._switches, self._modules[name]
        return importlib.util.spec_from_file_location(name, spec.origin, loader=loader)


@contextmanager
def switched(modules: dict[str, frozenset[str]]) -> Iterator[Switches]:
    """Import these modules, none of which may be imported yet, with a switch at each guard.

    Parameters
    ----------
    modules : mapping of str to frozenset of str
        Full names of modules, and of functions in each that hold no guard.
    """
    early = sorted(set(modules) & set(sys.modules))
    if early:
        raise RuntimeError(f"imported already: {', '.join(early)}")
    switches = Switches()
    finder = _Finder(modules, switches)
    sys.meta_path.insert(0, finder)
    try:
        yield switches
    finally:
        sys.meta_path.remove(finder)
