"""The statements of a workflow's body: assignments, branches, returns, and by way of other modules loops and `try`."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segue.codes import Code
from segue.functions.calls import is_step_call
from segue.functions.flow import Flow, Path, Returned, Unusable
from segue.functions.loops import for_loop
from segue.functions.meaning import Refused
from segue.functions.problems import unsupported
from segue.functions.values import Value, all_of, chosen, literal, not_

if TYPE_CHECKING:
    from segue.functions.reader import Reader


@dataclass(slots=True)
class Branch:
    """How one way through an `if` or a `try` ends."""

    variables: dict[str, Value | Unusable]
    path: Path
    alive: bool


def run(reader: Reader, statements: list[ast.stmt]) -> None:
    """Compile statements, up to the first that leaves the function."""
    for statement in statements:
        if not reader.flow.alive:
            return
        try:
            _statement(reader, statement)
        except Refused as problem:
            reader.flow.problems.add(statement, problem)


def _statement(reader: Reader, node: ast.stmt) -> None:
    from segue.functions.tries import raise_again, try_statement

    match node:
        case ast.Pass() | ast.Expr(ast.Constant()):
            return
        case ast.Expr(value):
            statement_value(reader, value)
        case ast.Assign(targets, value):
            _assign(reader, targets, value)
        case ast.AnnAssign(target, _, value, _):
            if value is not None:
                _assign(reader, [target], value)
        case ast.AugAssign(ast.Name(), _, _):
            _augmented(reader, node)
        case ast.If():
            _if(reader, node)
        case ast.For():
            for_loop(reader, node)
        case ast.Try():
            try_statement(reader, node)
        case ast.Return(value):
            given = reader.value(value) if value is not None else literal(None)
            reader.flow.returned.append(Returned(reader.flow.path, given, node))
            reader.flow.alive = False
        case ast.Raise(None, None):
            raise_again(reader, node)
        case _:
            raise unsupported(node)


def statement_value(reader: Reader, node: ast.expr) -> None:
    """Compile an expression whose value nobody takes: the call of a step."""
    steps = len(reader.flow.made)
    found = reader.flow.problems.found.copy()
    reader.value(node)
    if is_step_call(reader, node) or len(reader.flow.made) > steps or reader.flow.problems.found != found:
        return
    raise Refused("nobody takes this value, and no step is called for it", "remove it, or assign it", Code.CONSTRUCT)


def _assign(reader: Reader, targets: list[ast.expr], node: ast.expr) -> None:
    for target in targets:
        if isinstance(target, ast.Tuple | ast.List):
            _unpack(reader, target, node)
            return
        if not isinstance(target, ast.Name):
            what = "an item" if isinstance(target, ast.Subscript) else "an attribute"
            message = f"{what} of a value cannot be assigned: the values of a workflow do not change"
            raise Refused(message, "build a new value, or change it in a @step", Code.CONSTRUCT)
    value = reader.value(node)
    for target in targets:
        assert isinstance(target, ast.Name)
        reader.flow.assign(target.id, value, fresh=isinstance(node, ast.List) and len(targets) == 1)


def _unpack(reader: Reader, target: ast.Tuple | ast.List, node: ast.expr) -> None:
    names = [each.id for each in target.elts if isinstance(each, ast.Name)]
    if not isinstance(node, ast.Tuple | ast.List) or len(node.elts) != len(target.elts) or len(names) < len(node.elts):
        hint = "pair = step(); first = pair[0]; second = pair[1]"
        raise Refused("a value cannot be unpacked: how many items it has is known only in a run", hint, Code.CONSTRUCT)
    values = [reader.value(each) for each in node.elts]
    for name, value in zip(names, values, strict=True):
        reader.flow.assign(name, value)


def _augmented(reader: Reader, node: ast.AugAssign) -> None:
    assert isinstance(node.target, ast.Name)
    name = node.target.id
    held = reader.value(ast.copy_location(ast.Name(name, ast.Load()), node.target))
    if held.kind.name not in ("int", "float", "str"):
        message = f"{name} may be a list, which this would change wherever else it is held"
        raise Refused(message, f"write {name} = {name} + ...", Code.CONSTRUCT)
    expression = ast.copy_location(ast.BinOp(ast.Name(name, ast.Load()), node.op, node.value), node)
    reader.flow.assign(name, reader.value(ast.fix_missing_locations(expression)))


def _if(reader: Reader, node: ast.If) -> None:
    flow = reader.flow
    test = reader.test(node.test)
    if test.known:
        run(reader, node.body if test.constant else node.orelse)
        return
    entry = Branch(dict(flow.variables), flow.path, True)
    fresh = set(flow.fresh)
    then = branch(reader, node.body, entry, test)
    flow.fresh = fresh & flow.fresh
    otherwise = branch(reader, node.orelse, entry, not_(test))
    merge(flow, test, then, otherwise, entry.path)


def branch(reader: Reader, statements: list[ast.stmt], entry: Branch, *conditions: Value) -> Branch:
    """Compile one way through a statement, and return how it ends."""
    flow = reader.flow
    flow.variables, flow.path, flow.alive = dict(entry.variables), (*entry.path, *conditions), True
    run(reader, statements)
    return Branch(flow.variables, flow.path, flow.alive)


def merge(flow: Flow, test: Value, then: Branch, otherwise: Branch, entry: Path) -> None:
    """Go on behind two ways, of which a condition has chosen one."""
    if not (then.alive and otherwise.alive):
        left = then if then.alive else otherwise
        flow.variables, flow.path, flow.alive = left.variables, left.path, left.alive
        return
    # A way that may have returned goes on only under more conditions than it began with.
    more = [all_of(way.path[len(entry) + 1 :]) for way in (then, otherwise)]
    going_on = chosen(test, *more)
    flow.path = entry if going_on.known else (*entry, going_on)
    flow.alive = True
    names = {**then.variables, **otherwise.variables}
    flow.variables = {name: _merged(name, test, then, otherwise) for name in names}
    # What is there either way stays what it was, and may still be appended to.
    flow.fresh = {name for name in flow.fresh if then.variables.get(name) is otherwise.variables.get(name)}


def _merged(name: str, test: Value, then: Branch, otherwise: Branch) -> Value | Unusable:
    one, other = then.variables.get(name), otherwise.variables.get(name)
    if isinstance(one, Unusable):
        return one
    if isinstance(other, Unusable):
        return other
    if one is None or other is None:
        return Unusable("is assigned in one branch alone", "assign it before the `if`, or in every branch")
    if one is other or (one.text == other.text and one.template == other.template):
        return one
    return chosen(test, one, other)


def output(flow: Flow) -> Value:
    """Return what the function returns, by which way it ends."""
    returned = list(flow.returned)
    found = literal(None) if flow.alive or not returned else returned.pop().value
    for each in reversed(returned):
        found = chosen(all_of(each.path), each.value, found)
    return found
