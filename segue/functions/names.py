"""What the names of a workflow's body stand for outside it: steps, constants, functions of Python's.

Looks at the module as it is once it has been executed; never calls anything.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import enum
import math
from types import FunctionType, ModuleType
from typing import Any

from segue.codes import Code
from segue.expression import Expression
from segue.functions.meaning import Refused
from segue.values import closest

MISSING = object()


class Names:
    """The names that one function sees.

    Args:
        function: The function, of which nothing is run.
    """

    def __init__(self, function: FunctionType) -> None:
        code = function.__code__
        self.local = {*code.co_varnames, *code.co_cellvars}
        cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
        self.outside: dict[str, Any] = {**vars(builtins), **function.__globals__}
        for name, cell in cells:
            try:
                self.outside[name] = cell.cell_contents
            except ValueError:  # assigned later
                continue

    def static(self, node: ast.expr, hidden: Any = ()) -> Any:
        """Return the object that a name or dotted name stands for outside the body, or `MISSING`.

        Args:
            node: Any expression.
            hidden: Names that stand for values of the body.
        """
        if isinstance(node, ast.Name):
            if node.id in hidden or node.id in self.local:
                return MISSING
            return self.outside.get(node.id, MISSING)
        if isinstance(node, ast.Attribute):
            base = self.static(node.value, hidden)
            # Properties run code: only what holds its members as they are is looked into.
            if isinstance(base, ModuleType | type | enum.Enum) or dataclasses.is_dataclass(base):
                return getattr(base, node.attr, MISSING)
        return MISSING

    def unknown(self, name: str, known: Any) -> Refused:
        """Return the refusal of a name that stands for nothing."""
        if name in self.local:
            return Refused(f"{name} is read before it is assigned", "", Code.NAME)
        near = closest(name, [*known, *self.outside])
        return Refused(f"there is nothing called {name} here", near, Code.NAME)


def constant(value: Any, name: str) -> Any:
    """Return an object of the module as JSON.

    Raises:
        Refused: It is none.
    """
    if isinstance(value, enum.Enum):
        return constant(value.value, name)
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, list | tuple):
        return [constant(each, name) for each in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: constant(each, name) for key, each in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: constant(getattr(value, each.name), name) for each in dataclasses.fields(value)}
    if isinstance(value, Expression):
        hint = "a workflow that is a function is given what it needs: make it a parameter"
        raise Refused(f"{name} belongs to the spelling with operators", hint, Code.NAME)
    raise Refused(
        f"{name} is {_described(value)}, which is no value of a workflow",
        "a workflow's values are text, numbers, True, False, None, and lists, dicts and dataclasses of those",
        Code.NAME,
    )


def _described(value: Any) -> str:
    if isinstance(value, ModuleType):
        return "a module"
    if isinstance(value, type):
        return "a class"
    return "a function" if callable(value) else f"a value of type {type(value).__name__}"
