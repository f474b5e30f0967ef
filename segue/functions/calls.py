"""The calls of a workflow's body: of steps, and of the few functions and methods that expressions have."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

from segue.codes import Code
from segue.errors import InvalidDefinition
from segue.functions import meaning
from segue.functions.flow import Called, Source
from segue.functions.kinds import ANY, BOOL, FLOAT, INT, STR, Kind, kind_of
from segue.functions.loops import INNER, quantified, variable_for
from segue.functions.meaning import Refused
from segue.functions.names import MISSING
from segue.functions.received import hints_of
from segue.functions.step import Step
from segue.functions.values import Value, call, chosen, literal, loop_item, member, method, output_of
from segue.functions.workflow import Workflow
from segue.operators import callable_name
from segue.values import closest

if TYPE_CHECKING:
    from segue.functions.reader import Reader

MAX_RANGE = 1_000
_HINTS = {"print": "print inside a @step: a workflow's own body runs nowhere"}


def called(reader: Reader, node: ast.Call) -> Value:
    """Return what a call gives.

    Raises:
        Refused: It is of something that a workflow cannot call.
    """
    step, after = _step_of(reader, node.func)
    if step is not None:
        return _call_step(reader, node, step, after)
    found = reader.flow.names.static(node.func, reader.flow.variables)
    if found is not MISSING:
        name = ast.unparse(node.func)
        if isinstance(found, Hashable) and found in _FUNCTIONS:
            return _FUNCTIONS[found](reader, node)
        own = getattr(found, "__module__", "") != "builtins"
        way = f"decorate {name} with @step, or call it inside one" if own else f"call {name} inside a @step"
        hint = _HINTS.get(name, way)
        raise Refused(f"{name} is not a step", hint, Code.NOT_A_STEP)
    if isinstance(node.func, ast.Attribute):
        return _call_method(reader, node, node.func)
    if isinstance(node.func, ast.Name) and node.func.id not in reader.flow.variables:
        raise reader.flow.names.unknown(node.func.id, reader.flow.variables)
    raise Refused("a workflow calls steps by their names", "name the step here", Code.NOT_A_STEP)


def is_step_call(reader: Reader, node: ast.expr) -> bool:
    """Whether an expression is the call of a step, or of a workflow, which is a step of this one."""
    return isinstance(node, ast.Call) and _step_of(reader, node.func)[0] is not None


def _step_of(reader: Reader, func: ast.expr) -> tuple[Called | None, list[ast.expr]]:
    """Return the step or workflow that is called, and what `.after(...)` names."""
    after: list[ast.expr] = []
    match func:
        case ast.Call(ast.Attribute(inner, "after"), after, []):
            func = inner
    found = reader.flow.names.static(func, reader.flow.variables)
    return (found, after) if isinstance(found, Step | Workflow) else (None, [])


def _call_step(reader: Reader, node: ast.Call, step: Called, after: list[ast.expr]) -> Value:
    flow = reader.flow
    if isinstance(step, Step):
        try:
            callable_name(step.function)
        except InvalidDefinition as error:
            raise Refused(error.diagnostics[0].message, error.diagnostics[0].hint, Code.NOT_A_STEP) from None
    waited = [reader.value(each) for each in after]
    arguments, places = _arguments(reader, node, step)
    made = flow.add(
        _name(step),
        step,
        node,
        arguments=arguments,
        after={number for each in waited for number in each.steps},
        places=places,
    )
    returned = hints_of(step.function).get("return", Any)
    if not flow.loops:
        return output_of(made.number, kind_of(returned))
    made.source = _source(reader, [*arguments.values(), *waited], made.path)
    listed = output_of(made.number, Kind("list", item=returned))
    number = len(flow.sources) + 1
    variable = variable_for(flow, made.name)
    flow.sources[number] = Source(number, flow.loops[-1], listed, variable, kind_of(returned))
    return loop_item(number, kind_of(returned))


def _name(step: Called) -> str:
    """Return what the step's id is made of."""
    own = step.options.get("id") if isinstance(step, Step) else None
    return str(own or step.__name__.strip("_"))


def _source(reader: Reader, values: list[Value], path: tuple[Value, ...]) -> int:
    """Return the number of the loop item that a step inside a loop is called with."""
    flow = reader.flow
    if len(flow.loops) > 1:
        raise Refused("a step inside two loops cannot be said in one map", INNER, Code.LOOP)
    if any(condition.loops for condition in path):
        message = "whether this step runs depends on the item of the loop"
        hint = "choose the items first: [f(x) for x in xs if ...], or decide inside the @step"
        raise Refused(message, hint, Code.LOOP)
    numbers = {number for value in values for number in value.loops}
    if len(numbers) > 1:
        names = sorted(flow.sources[number].variable for number in numbers)
        message = f"this step is called with {' and '.join(names)}, which come from two lists of the loop"
        hint = "a map goes over one list: do both in one @step, or let the first step return what the second needs"
        raise Refused(message, hint, Code.LOOP)
    return numbers.pop() if numbers else flow.loops[-1]


def _arguments(reader: Reader, node: ast.Call, step: Called) -> tuple[dict[str, Value], dict[str, ast.AST]]:
    parameters = inspect.signature(step.function).parameters
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    named = [name for name, each in parameters.items() if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    positional = [name for name in named if parameters[name].kind is not inspect.Parameter.KEYWORD_ONLY]
    found: dict[str, Value] = {}
    places: dict[str, ast.AST] = {}
    if any(each.kind is each.POSITIONAL_ONLY for each in parameters.values()):
        raise Refused(f"{step.__name__} has arguments without names", "remove the / from its definition", Code.CALL)
    for index, argument in enumerate(node.args):
        if isinstance(argument, ast.Starred):
            raise Refused("a step's arguments are written out", "name each argument", Code.CALL)
        if index >= len(positional):
            raise Refused(f"{step.__name__} takes {len(positional)} arguments without names", "", Code.CALL)
        found[positional[index]], places[positional[index]] = reader.value(argument), argument
    for keyword in node.keywords:
        if keyword.arg is None:
            raise Refused("a step's arguments are written out", "name each argument", Code.CALL)
        if keyword.arg in found:
            raise Refused(f"{step.__name__} is given {keyword.arg} twice", "", Code.CALL)
        if keyword.arg not in named and not takes_any:
            raise Refused(f"{step.__name__} has no argument {keyword.arg}", closest(keyword.arg, named), Code.CALL)
        found[keyword.arg], places[keyword.arg] = reader.value(keyword.value), keyword
    missing = [name for name in named if name not in found and parameters[name].default is inspect.Parameter.empty]
    if missing:
        raise Refused(f"{step.__name__} is not given {', '.join(missing)}", "", Code.CALL)
    return found, places


# Functions and methods that expressions have.


def _one(reader: Reader, node: ast.Call) -> Value:
    if len(node.args) != 1 or node.keywords or isinstance(node.args[0], ast.Starred):
        raise Refused(f"{ast.unparse(node.func)}() takes one argument here", code=Code.CALL)
    return reader.value(node.args[0])


def _len(reader: Reader, node: ast.Call) -> Value:
    value = _one(reader, node)
    if value.known and isinstance(value.constant, str | list | dict):
        return literal(len(value.constant))
    if value.kind.name not in ("any", "str", "list", "dict"):
        raise Refused(f"{meaning.called(value.kind)} has no length")
    return call("size", value, kind=INT)


def _str(reader: Reader, node: ast.Call) -> Value:
    text = meaning.as_text(_one(reader, node))
    return text if text.kind.name == "str" else call("string", text, kind=STR)


def _int(reader: Reader, node: ast.Call) -> Value:
    return _number(reader, node, "int", INT)


def _float(reader: Reader, node: ast.Call) -> Value:
    return _number(reader, node, "double", FLOAT)


def _number(reader: Reader, node: ast.Call, function: str, kind: Kind) -> Value:
    value = _one(reader, node)
    if value.kind.name not in ("any", "str", "int", "float"):
        raise Refused(f"in expressions {meaning.called(value.kind)} does not become a number")
    return call(function, value, kind=kind)


def _bool(reader: Reader, node: ast.Call) -> Value:
    if len(node.args) != 1 or node.keywords:
        raise Refused("bool() takes one argument here", code=Code.CALL)
    return reader.test(node.args[0])


def _range(reader: Reader, node: ast.Call) -> Value:
    bounds = [reader.value(each) for each in node.args]
    if not all(type(each.constant) is int for each in bounds) or not 1 <= len(bounds) <= 3:
        raise Refused("range() of what is known only in a run has no counterpart", "return the list from a @step")
    numbers = range(*(each.constant for each in bounds))
    if len(numbers) > MAX_RANGE:
        raise Refused(f"a range of {len(numbers):,} is too long; at most {MAX_RANGE:,} items can run")
    return literal(list(numbers))


def _any(reader: Reader, node: ast.Call) -> Value:
    return quantified(reader, node, "exists")


def _all(reader: Reader, node: ast.Call) -> Value:
    return quantified(reader, node, "all")


_FUNCTIONS: dict[Any, Callable[[Reader, ast.Call], Value]] = {
    len: _len,
    str: _str,
    int: _int,
    float: _float,
    bool: _bool,
    range: _range,
    any: _any,
    all: _all,
}

_METHODS = {"startswith": "startsWith", "endswith": "endsWith", "replace": "replace", "split": "split"}
_ARGUMENTS = {"startswith": 1, "endswith": 1, "replace": 2, "split": 1, "join": 1}
_WAYS = {
    "append": "append to a list inside a for loop: results = [] before it, results.append(step(x)) in it",
    "lower": "expressions change the case of ASCII letters alone: do it in a @step",
    "upper": "expressions change the case of ASCII letters alone: do it in a @step",
    "format": "use an f-string",
}


def _call_method(reader: Reader, node: ast.Call, func: ast.Attribute) -> Value:
    name = func.attr
    if name not in _ARGUMENTS and name != "get":
        raise Refused(f"expressions have no method {name}()", _WAYS.get(name, meaning.MOVE), Code.NOT_A_STEP)
    value = reader.value(func.value)
    arguments = [reader.value(each) for each in node.args]
    if node.keywords or any(isinstance(each, ast.Starred) for each in node.args):
        raise Refused(f"{name}() takes no arguments by name here", code=Code.CALL)
    if name == "get":
        return _get(value, arguments)
    if len(arguments) != _ARGUMENTS[name]:
        hint = "expressions split at a given text alone" if name == "split" else meaning.MOVE
        raise Refused(f"{name}() takes {_ARGUMENTS[name]} arguments here", hint, Code.CALL)
    if value.kind.name not in ("any", "str"):
        raise Refused(f"{meaning.called(value.kind)} has no method {name}()")
    if name == "join":
        return method(arguments[0], "join", value, kind=STR)
    if name == "split" and arguments[0].constant == "":
        raise Refused("split('') is an error in Python")
    kind = {"replace": STR, "split": Kind("list", True, STR)}.get(name, BOOL)
    return method(value, _METHODS[name], *arguments, kind=kind)


def _get(value: Value, arguments: list[Value]) -> Value:
    if value.kind.name not in ("any", "dict") or not 1 <= len(arguments) <= 2:
        raise Refused("get() is a dict's, with a key and perhaps a default", code=Code.CALL)
    key = arguments[0]
    if not isinstance(key.constant, str):
        raise Refused("get() takes a key that is known before the run", "write d[key]")
    there = meaning.contained(key, value)
    default = arguments[1] if len(arguments) == 2 else literal(None)
    kind = value.kind.inside() if value.kind.cls is None else ANY
    return chosen(there, member(value, key.constant, kind), default)
