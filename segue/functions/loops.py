"""Comprehensions and `for` loops: a map where a step is called for each item, and otherwise an expression."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from segue.codes import Code
from segue.functions import meaning
from segue.functions.flow import Flow, Source, Unusable
from segue.functions.kinds import ANY, BOOL, INT, LIST, Kind
from segue.functions.meaning import Refused
from segue.functions.problems import unsupported
from segue.functions.values import RELATION, Value, binary, call, literal, loop_item, macro, named, not_

if TYPE_CHECKING:
    from segue.functions.reader import Reader

INNER = "put the inner loop into a @workflow of its own and call that for each item, or build one list in a @step"
"""The way out of a loop in a loop."""

_TAKEN = {"params", "steps", "run", "workflow", "event", "vars", "secrets", "output", "submit", "response", "has"}
_TAKEN |= {"null", "true", "false", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "in"}
_TAKEN |= {"let", "loop", "namespace", "package", "return", "var", "void", "while", "size", "string", "int", "double"}
_TAKEN |= {"bool", "timestamp", "duration", "callback"}
_CARRIED = Unusable(
    "is carried from one item to the next, and the items of a map know nothing of each other",
    "do the whole loop in a @step",
)
_AFTER = Unusable("is known only inside the loop", "let the loop build a list: results.append(...)")


def variable_for(flow: Flow, name: str) -> str:
    """Return a name for the variable of a map that means nothing else in expressions, and nothing in loops around."""
    taken = {flow.sources[number].variable for number in flow.loops} | _TAKEN
    found = name[:60] or "item"
    while found in taken:
        found += "_"
    return found


def begin(reader: Reader, target: ast.expr, over_node: ast.expr) -> Source:
    """Begin a loop: read the list, and let the target stand for its item."""
    flow = reader.flow
    over = reader.value(over_node)
    if over.kind.name not in ("any", "list"):
        way = "a loop over a dict goes over its keys: return a list from a @step" if over.kind.name == "dict" else ""
        raise Refused(f"a loop goes over a list, not over {meaning.called(over.kind)}", way, Code.LOOP)
    if not isinstance(target, ast.Name):
        message = "the variable of a loop is one name"
        raise Refused(message, "for pair in pairs: ... pair[0], pair[1]", Code.LOOP)
    number = len(flow.sources) + 1
    kind = over.kind.inside() if over.kind.name == "list" else ANY
    source = Source(number, number, over, variable_for(flow, target.id), kind, len(flow.made))
    flow.sources[number] = source
    flow.loops.append(number)
    flow.variables[target.id] = loop_item(number, kind)
    return source


def choose(source: Source, test: Value) -> None:
    """Keep only the items for which a condition holds."""
    if test.loops - {source.number}:
        message = "which items are chosen depends on what a step gives for each"
        raise Refused(message, "let the step return the items that are meant, and loop over those", Code.LOOP)
    if not test.known or not test.constant:
        body = Value(named(test.text, {source.number: source.variable}))
        source.over = macro(source.over, "filter", source.variable, body, source.over.kind)


def end(reader: Reader) -> None:
    """End the innermost loop."""
    reader.flow.loops.pop()


def gathered(flow: Flow, source: Source, value: Value) -> Value:
    """Return the list of what an expression gives for each item of a loop."""
    of_loop = {number for number in value.loops if flow.sources[number].loop == source.number}
    if len(of_loop) > 1:
        names = " and ".join(sorted(flow.sources[number].variable for number in of_loop))
        message = f"this is made of {names}, which come from two lists of the loop"
        raise Refused(message, "let the step return both, as a dict or a dataclass", Code.LOOP)
    chosen = flow.sources[of_loop.pop()] if of_loop else source
    if value.text == loop_item(chosen.number, ANY).text and chosen.over.kind.name == "list":
        kind = Kind("list", chosen.over.kind.checked, chosen.kind)
        return Value(chosen.over.text, chosen.over.level, kind, constant=chosen.over.constant, shape=chosen.over.shape)
    body = Value(named(value.text, {chosen.number: chosen.variable}))
    return macro(chosen.over, "map", chosen.variable, body, Kind("list", True, value.kind))


def comprehension(reader: Reader, node: ast.ListComp) -> Value:
    """Return the list that a comprehension builds."""
    source, value = _each(reader, node.generators, node.elt)
    return gathered(reader.flow, source, value)


def _each(reader: Reader, generators: list[ast.comprehension], element: ast.expr) -> tuple[Source, Value]:
    flow = reader.flow
    if len(generators) > 1 or generators[0].is_async:
        raise Refused("a comprehension goes over one list here", INNER, Code.LOOP)
    [generator] = generators
    before: dict[str, Any] = dict(flow.variables)
    source = begin(reader, generator.target, generator.iter)
    try:
        for condition in generator.ifs:
            choose(source, reader.test(condition))
        return source, reader.value(element)
    finally:
        end(reader)
        flow.variables = before


def quantified(reader: Reader, node: ast.Call, name: str) -> Value:
    """Return `any(...)` or `all(...)` of a generator or list."""
    if len(node.args) != 1 or node.keywords:
        raise Refused(f"{ast.unparse(node.func)}() takes one argument here", code=Code.CALL)
    given = node.args[0]
    flow = reader.flow
    if isinstance(given, ast.GeneratorExp | ast.ListComp):
        source, value = _each(reader, given.generators, given.elt)
        if len(flow.made) > source.since:
            hint = "assign the list first: found = [step(x) for x in xs]"
            raise Refused("any() and all() would not call the step for every item", hint, Code.LOOP)
        test = meaning.truth(value)
    else:
        over = reader.value(given)
        if over.kind.name not in ("any", "list"):
            raise Refused(f"{ast.unparse(node.func)}() takes a list here", code=Code.CALL)
        number = len(flow.sources) + 1
        source = flow.sources[number] = Source(number, number, over, variable_for(flow, "item"), over.kind.inside())
        test = meaning.truth(loop_item(number, source.kind))
    body = Value(named(test.text, {source.number: source.variable}), test.level, BOOL, test.sure)
    if test.sure:
        return macro(source.over, name, source.variable, body, BOOL)
    # `exists` and `all` forgive an error where another item decides; a filter does not.
    wanted = body if name == "exists" else not_(body)
    found = call("size", macro(source.over, "filter", source.variable, wanted, LIST), kind=INT)
    return binary(">" if name == "exists" else "==", found, literal(0), RELATION, BOOL)


def for_loop(reader: Reader, node: ast.For) -> None:
    """Compile a `for` statement."""
    flow = reader.flow
    if node.orelse:
        raise Refused("a loop has no else", "put what follows behind the loop", Code.LOOP)
    before = dict(flow.variables)
    source = begin(reader, node.target, node.iter)
    body = _Body(reader)
    for name in _assigned_in(node.body):
        flow.variables[name] = _CARRIED
    try:
        body.run(_chosen(reader, source, node.body))
        lists = {name: gathered(flow, source, value) for name, value in body.appended.items()}
    finally:
        end(reader)
    for name in {*body.assigned, *(each.id for each in [node.target] if isinstance(each, ast.Name))}:
        flow.assign(name, _AFTER)
    for name, items in lists.items():
        start = before[name]
        assert isinstance(start, Value)
        flow.assign(name, items if start.constant == [] else meaning.computed("+", start, items), fresh=True)


def _assigned_in(statements: list[ast.stmt]) -> set[str]:
    nodes = [node for statement in statements for node in ast.walk(statement)]
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _chosen(reader: Reader, source: Source, body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements of a loop; `if` around all of them chooses the items."""
    while len(body) == 1 and isinstance(body[0], ast.If) and not body[0].orelse:
        choose(source, reader.test(body[0].test))
        body = body[0].body
    return body


class _Body:
    """The statements inside a `for` loop."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.assigned: list[str] = []
        self.appended: dict[str, Value] = {}

    def run(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            try:
                self.statement(statement)
            except Refused as problem:
                self.reader.flow.problems.add(statement, problem)

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Pass() | ast.Expr(ast.Constant()):
                return
            case ast.Assign([ast.Name(name)], value) | ast.AnnAssign(ast.Name(name), _, ast.expr() as value, _):
                self.assigned.append(name)
                self.reader.flow.assign(name, self.reader.value(value))
            case ast.Expr(ast.Call(ast.Attribute(ast.Name(name), "append"), [argument], [])):
                self.append(name, argument)
            case ast.Expr(value):
                from segue.functions.body import statement_value

                statement_value(self.reader, value)
            case ast.AugAssign(ast.Name(name)):
                raise Refused(f"{name} {_CARRIED.why}", _CARRIED.hint, Code.LOOP)
            case ast.If():
                message = "what runs for an item depends on the item"
                hint = "put one `if` around the whole body of the loop, or decide inside the @step"
                raise Refused(message, hint, Code.LOOP)
            case ast.For():
                raise Refused("a loop in a loop cannot be said in one map", INNER, Code.LOOP)
            case ast.Return():
                raise Refused("a loop runs for every item, so it cannot return", "return behind the loop", Code.LOOP)
            case _:
                raise unsupported(node)

    def append(self, name: str, argument: ast.expr) -> None:
        if name in self.appended:
            raise Refused(f"{name} is appended to twice in a loop", "build two lists", Code.LOOP)
        if name not in self.reader.flow.fresh:
            message = f"{name} is not a list that was made for this loop"
            raise Refused(message, f"write {name} = [] before the loop", Code.LOOP)
        self.appended[name] = self.reader.value(argument)
        self.reader.flow.variables[name] = Unusable("is still being built", "read it behind the loop")
