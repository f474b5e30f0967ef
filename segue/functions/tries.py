"""`try`, `except StepFailed`, `else` and `finally`, said by the states of steps.

The steps of a `try` body that has an `except` run one after another, because whether the next one runs depends on how
the one before ended. A step that does nothing stands for the `except`: it runs when one of them has failed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from segue.codes import Code
from segue.errors import StepFailed
from segue.functions.body import Branch, branch, merge, run
from segue.functions.flow import Flow, Path, Unusable
from segue.functions.meaning import Refused
from segue.functions.problems import unsupported
from segue.functions.values import Value, not_, status_is

if TYPE_CHECKING:
    from segue.functions.reader import Reader

_TORN = Unusable(
    "is assigned inside a try, so here it may hold its old value or its new one",
    "assign it in the except as well, or use it behind the try",
)


def try_statement(reader: Reader, node: ast.Try) -> None:
    """Compile a `try` statement."""
    flow = reader.flow
    if flow.trying:
        message = "a try inside a try that has an except, or inside a finally, cannot be said in steps"
        hint = "move the inner one into a @workflow of its own, and call that here"
        raise Refused(message, hint, Code.TRY)
    _check(reader, node)
    entry = Branch(dict(flow.variables), flow.path, True)
    first, assigned = len(flow.made), len(flow.assigned)
    if node.handlers:
        with _trying(flow):
            _handled(reader, node, entry)
    else:
        run(reader, node.body)
    if node.finalbody:
        names = {name for name, _ in flow.assigned[assigned:]}
        with _trying(flow):
            _finally(reader, node, entry.path, names, tuple(range(first + 1, len(flow.made) + 1)))


@contextmanager
def _trying(flow: Flow) -> Iterator[None]:
    """Compile what may have no `try` in it."""
    flow.trying = True
    try:
        yield
    finally:
        flow.trying = False


def _check(reader: Reader, node: ast.Try) -> None:
    """Refuse what `except` may not say."""
    hint = "write `except StepFailed:`; what a step raises arrives as that"
    for handler in node.handlers[1:]:
        raise Refused("a try has one except", hint, Code.TRY, handler)
    for handler in node.handlers:
        caught = reader.flow.names.static(handler.type, reader.flow.variables) if handler.type is not None else None
        if caught is not StepFailed:
            name = ast.unparse(handler.type) if handler.type is not None else "everything"
            raise Refused(f"except catches StepFailed here, not {name}", hint, Code.TRY, handler)


def _handled(reader: Reader, node: ast.Try, entry: Branch) -> None:
    flow = reader.flow
    [handler] = node.handlers
    flow.tries += 1
    number, first, returned, assigned = flow.tries, len(flow.made), len(flow.returned), len(flow.assigned)
    flow.body, problems = number, len(flow.problems.found)
    run(reader, node.body)
    flow.body = None
    if len(flow.made) == first:
        if len(flow.problems.found) > problems:
            return
        raise Refused("no step is called in this try, so nothing is caught", "remove the try", Code.TRY)
    normal = Branch(flow.variables, flow.path, flow.alive)
    before = _before(flow.assigned[assigned:], first, len(flow.made), entry, normal)
    flow.path = entry.path
    line = f"line {handler.lineno}: except StepFailed"
    gate = flow.add("caught", None, handler, catches=number, description=line)
    caught = status_is(gate.number, "succeeded")
    gate.path = (*entry.path, caught)
    place = len(entry.path)
    for each in flow.returned[returned:]:
        each.path = _with(each.path, place, not_(caught))
    normal.path = _with(normal.path, place, not_(caught))
    if normal.alive:
        normal = branch(reader, node.orelse, normal)
    if handler.name is not None:
        why = "is the exception, which no expression can read"
        before[handler.name] = Unusable(why, "the run shows why the step failed")
    failed = branch(reader, handler.body, Branch(before, entry.path, True), caught)
    merge(flow, caught, failed, normal, entry.path)


def _with(path: Path, place: int, condition: Value) -> Path:
    return (*path[:place], condition, *path[place:])


def _before(
    assignments: list[tuple[str, int]], first: int, last: int, entry: Branch, normal: Branch
) -> dict[str, Value | Unusable]:
    """Return what the variables hold where the exception is caught.

    An assignment behind the last step was not reached, one before the first step was; between them either may be.
    """
    found = dict(entry.variables)
    for name in {name for name, _ in assignments}:
        counts = {count for each, count in assignments if each == name}
        if counts == {first}:
            found[name] = normal.variables.get(name, _TORN)
        elif counts != {last}:
            found[name] = _TORN
    return found


def _finally(reader: Reader, node: ast.Try, path: Path, torn: set[str], steps: tuple[int, ...]) -> None:
    flow = reader.flow
    if any(isinstance(each, ast.Return) for statement in node.finalbody for each in ast.walk(statement)):
        hint = "return behind the try"
        raise Refused("a finally that returns would hide every failure", hint, Code.TRY, node.finalbody[0])
    after = Branch(flow.variables, flow.path, flow.alive)
    flow.variables = {name: _TORN if name in torn else held for name, held in after.variables.items()}
    known = dict(flow.variables)
    flow.path, flow.alive, flow.settles = path, True, steps
    first = len(flow.made)
    run(reader, node.finalbody)
    flow.ending = tuple(range(first + 1, len(flow.made) + 1))
    new = {name: held for name, held in flow.variables.items() if known.get(name) is not held}
    flow.variables, flow.path, flow.alive, flow.settles = {**after.variables, **new}, after.path, after.alive, ()


def raise_again(reader: Reader, node: ast.Raise) -> None:
    """Compile a bare `raise`, at the end of an `except`: the run fails, after what the `except` does."""
    flow = reader.flow
    gate = next((made for made in reversed(flow.made) if made.catches is not None), None)
    if gate is None or flow.path != gate.path:
        raise unsupported(node)
    assert gate.catches is not None
    flow.raised_again.add(gate.catches)
    flow.alive = False
