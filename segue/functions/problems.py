"""What is wrong with a workflow's body: every problem with its place, all at once."""

from __future__ import annotations

import ast
import linecache

from segue.codes import Code
from segue.errors import Diagnostic, InvalidDefinition
from segue.functions.meaning import Refused
from segue.place import Place
from segue.source_map import Position, SourceMap

CONSTRUCTS: dict[type[ast.AST], str] = {
    ast.While: "a while loop",
    ast.With: "a with statement",
    ast.AsyncWith: "an async with statement",
    ast.AsyncFor: "an async for loop",
    ast.Match: "a match statement",
    ast.FunctionDef: "a function inside a workflow",
    ast.AsyncFunctionDef: "a function inside a workflow",
    ast.ClassDef: "a class inside a workflow",
    ast.Raise: "raise",
    ast.Assert: "assert",
    ast.Delete: "del",
    ast.Import: "an import inside a workflow",
    ast.ImportFrom: "an import inside a workflow",
    ast.Global: "global",
    ast.Nonlocal: "nonlocal",
    ast.Break: "break",
    ast.Continue: "continue",
    ast.Try: "try",
    ast.TryStar: "except*",
    ast.If: "if",
    ast.For: "a for loop",
    ast.Return: "return",
    ast.AugAssign: "an assignment of this kind",
    ast.Lambda: "a lambda",
    ast.NamedExpr: "an assignment inside an expression (:=)",
    ast.Await: "await",
    ast.Yield: "yield",
    ast.YieldFrom: "yield from",
    ast.Set: "a set",
    ast.SetComp: "a set comprehension",
    ast.DictComp: "a dict comprehension",
    ast.GeneratorExp: "a generator",
    ast.Starred: "unpacking with *",
    ast.Slice: "a slice",
}
"""What messages call the parts of Python that a workflow's body does not have."""

HINTS: dict[type[ast.AST], str] = {
    ast.While: "a for loop over a list is a map; move a loop that waits for something into a @step",
    ast.Break: "every item of a map runs: choose the items first, [x for x in xs if ...]",
    ast.Continue: "choose the items first: for x in [x for x in xs if ...]",
    ast.Match: "use if and elif",
    ast.With: "open and close it inside a @step, or use try and finally around steps",
    ast.Raise: "let a @step raise it: a step that fails, fails the run",
    ast.Assert: "let a @step check it: a step that fails, fails the run",
    ast.Import: "import at the top of the file, or inside a @step",
    ast.ImportFrom: "import at the top of the file, or inside a @step",
    ast.FunctionDef: "put it at the top of the file, as a @step",
    ast.AsyncFunctionDef: "put it at the top of the file, as a @step",
    ast.NamedExpr: "assign on a line of its own",
    ast.Set: "use a list",
    ast.SetComp: "use a list: [f(x) for x in xs]",
    ast.GeneratorExp: "use a list: [f(x) for x in xs]",
    ast.Await: "call the step without await: an async step is awaited by itself",
    ast.AugAssign: "write x = x + y",
}


class Problems:
    """The problems found in one file.

    Args:
        file: Its path.
        source: Its text.
    """

    def __init__(self, file: str, source: str) -> None:
        self.file = file
        self.map = SourceMap(source)
        self.found: dict[tuple[int, int], Diagnostic] = {}

    def position(self, node: ast.AST) -> Position:
        """Return where a node begins: line and column from 1."""
        return self.map.position(Place(self.file, getattr(node, "lineno", 1), getattr(node, "col_offset", 0)))

    def add(self, node: ast.AST, problem: Refused) -> None:
        """Note a problem; one place has one."""
        line, column = self.position(problem.at or node)
        source = linecache.getline(self.file, line).rstrip("\n")
        made = Diagnostic(self.file, line, column, problem.code, problem.message, problem.hint, source)
        self.found.setdefault((line, column), made)

    def check(self) -> None:
        """Raise what was found.

        Raises:
            InvalidDefinition: Something was, in the order of the file.
        """
        if self.found:
            raise InvalidDefinition([self.found[place] for place in sorted(self.found)])


def unsupported(node: ast.AST) -> Refused:
    """Return the refusal of a construct."""
    name = CONSTRUCTS.get(type(node), type(node).__name__)
    hint = HINTS.get(type(node), "move this into a @step")
    return Refused(f"{name} cannot be part of a workflow's body", hint, Code.CONSTRUCT)
