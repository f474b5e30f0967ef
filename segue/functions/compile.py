"""From a function to the definition document: the same that YAML and operators give, with positions in the file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from segue.codes import Code
from segue.expression import resolve
from segue.functions import body
from segue.functions.arrange import Arranged, Arrangement
from segue.functions.flow import Called, Flow, Made
from segue.functions.meaning import Refused
from segue.functions.problems import Problems
from segue.functions.reader import MAX_TEXT, Reader
from segue.functions.schemas import params_of
from segue.functions.step import OPTIONS as STEP_OPTIONS
from segue.functions.step import Step
from segue.functions.values import Value, member, named_all, rewritten
from segue.functions.workflow import OPTIONS
from segue.operators import callable_name
from segue.source_map import Position, escaped, under

if TYPE_CHECKING:
    from segue.functions.workflow import Workflow

_LONGEST_ID = 58


def compiled(workflow: Workflow[..., Any], source: str) -> dict[str, Any]:
    """Return the definition document of a workflow.

    Args:
        workflow: The workflow.
        source: The text of the file that holds it.

    Raises:
        InvalidDefinition: With everything that is wrong with its body.
    """
    function: Any = workflow.function
    problems = Problems(str(workflow.file), source)
    node = _node(function, source)
    if node is None:
        problems.add(ast.Module([], []), Refused("the text of this function is not in its file", "", Code.CONSTRUCT))
        problems.check()
        raise AssertionError("a problem was added")
    if isinstance(node, ast.AsyncFunctionDef):
        problem = Refused("a workflow is no async function", "write def: async steps are awaited", Code.CONSTRUCT)
        problems.add(node, problem)
        problems.check()
    flow = Flow(function, problems)
    schemas, kinds, places = params_of(function, node, problems)
    for name, kind in kinds.items():
        flow.assign(name, member(Value("params", sure=True), name, kind, sure=True))
    body.run(Reader(flow), node.body)
    output = body.output(flow)
    if not flow.made and not problems.found:
        problems.add(node, Refused("the workflow calls no step", "decorate a function with @step, and call it"))
    problems.check()
    flow.finals = _finals(flow, output)
    _check_stop(workflow, flow)
    document = _Document(workflow, flow, schemas, places, node, source).build(output)
    problems.check()
    return document


def _node(function: Any, source: str) -> Any:
    """Return the syntax tree of a function: the one at its line in the file."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function.__name__:
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            if first == function.__code__.co_firstlineno:
                return node
    return None


class _Document:
    def __init__(
        self,
        workflow: Workflow[..., Any],
        flow: Flow,
        schemas: dict[str, Any],
        places: dict[str, ast.AST],
        node: ast.FunctionDef,
        source: str,
    ) -> None:
        self.workflow = workflow
        self.flow = flow
        self.schemas = schemas
        self.places = places
        self.node = node
        self.source = source
        self.map = flow.problems.map
        self.arrangement = Arrangement(flow)
        self.ids = _ids(flow)
        self.variables = {number: source.variable for number, source in flow.sources.items()}

    def build(self, output: Value) -> dict[str, Any]:
        steps = {self.ids[step.made.number]: self._step(step) for step in self.arrangement.steps.values()}
        last = {self.ids[number]: steps[self.ids[number]] for number in sorted(self.flow.finals)}
        for made in self.flow.made:
            self._check_length(steps[self.ids[made.number]], made.node, "the conditions of this step have")
        if self.arrangement.last:
            steps[self._end()] = self._last()
        main = {name: step for name, step in steps.items() if name not in last}
        definition = self._head() | {"steps": main} | ({"finally": last} if last else {})
        if not (output.known and output.constant is None):
            definition["output"] = self._output(output)
            at = self.flow.returned[0].node if self.flow.returned else self.node
            self._check_length(definition["output"], at, "what the workflow returns has")
        return {
            "language": "python",
            "definition": definition,
            "positions": dict(self._positions()),
            "source": self.source,
        }

    def _check_length(self, template: Any, node: ast.AST, what: str) -> None:
        def check(text: str) -> str:
            if len(text) > MAX_TEXT:
                problem = Refused(f"{what} become too long", "compute a part of it in a @step", Code.TOO_LONG)
                self.flow.problems.add(node, problem)
            return text

        rewritten(template, check)

    def _head(self) -> dict[str, Any]:
        keys = self.workflow.keys
        first: dict[str, Any] = {key: keys[key] for key in ("description", "labels") if key in keys}
        params = {"params": self.schemas} if self.schemas else {}
        return {"segue": 1, "name": self.workflow.name, **first, **params, **keys}

    def _step(self, arranged: Arranged) -> dict[str, Any]:
        made = arranged.made
        keys: dict[str, Any] = {"uses": "noop"} if made.step is None else self._called(made, made.step)
        if made.description:
            keys["description"] = made.description
        if arranged.needs:
            keys["needs"] = {
                self.ids[number]: True if when is None else self._text(f"${{{{ {when.text} }}}}", edge_from=number)
                for number, when in arranged.needs.items()
            }
        if arranged.rule != "all_success" and arranged.needs:
            keys["trigger_rule"] = arranged.rule
        if arranged.condition is not None:
            keys["if"] = self._text(f"${{{{ {arranged.condition.text} }}}}")
        return keys

    def _called(self, made: Made, step: Called) -> dict[str, Any]:
        options, own = (step.options, step.keys) if isinstance(step, Step) else ({}, {})
        if isinstance(step, Step):
            keys: dict[str, Any] = {"python": callable_name(step.function, self.workflow.file)}
        else:
            keys = {"workflow": step.name}
        if made.source is not None:
            source = self.flow.sources[made.source]
            keys["map"] = {"over": self._resolved(source.over.template), "as": source.variable}
            if "limit" in options:
                keys["map"]["limit"] = options["limit"]
        if made.arguments:
            keys["with"] = {name: self._resolved(value.template) for name, value in made.arguments.items()}
        return keys | own

    def _last(self) -> dict[str, Any]:
        return {
            "uses": "noop",
            "description": "the run fails when one of these does",
            "needs": {self.ids[number]: True for number in self.arrangement.last},
            "trigger_rule": "none_failed",
        }

    def _end(self) -> str:
        return _unique("end", set(self.ids.values()))

    def _output(self, output: Value) -> Any:
        template = output.template
        if isinstance(template, dict) or template:
            return self._resolved(template)
        # A run's output that is empty is kept only when it is an expression.
        return self._text(f"${{{{ {output.text} }}}}")

    def _resolved(self, template: Any) -> Any:
        return rewritten(named_all(template, self.variables), lambda text: resolve(text, self.ids))

    def _text(self, text: str, edge_from: int | None = None) -> str:
        return resolve(text, self.ids, edge_from=edge_from)

    def _positions(self) -> Iterator[tuple[str, Position]]:
        at = self.flow.problems.position
        place = self.workflow.place
        yield "", self.map.call(place)
        arguments = self.map.arguments(place)
        for argument, path in OPTIONS.items():
            yield from under(arguments, argument, f"/{path}")
        for index, trigger in enumerate(self.workflow.triggers):
            kind = next(iter(trigger.definition))
            yield f"/triggers/{index}", self.map.call(trigger.place)
            for argument, position in self.map.arguments(trigger.place).items():
                inner = argument if argument.startswith("params") else f"{kind}/{argument}"
                yield f"/triggers/{index}/{inner}", position
        if self.flow.returned:
            yield "/output", at(self.flow.returned[0].node)
        for name, node in self.places.items():
            yield f"/params/{escaped(name)}", at(node)
        for arranged in self.arrangement.steps.values():
            yield from self._step_positions(arranged.made)

    def _step_positions(self, made: Made) -> Iterator[tuple[str, Position]]:
        at = self.flow.problems.position
        section = "finally" if made.number in self.flow.finals else "steps"
        pointer = f"/{section}/{escaped(self.ids[made.number])}"
        yield pointer, at(made.node)
        for name, node in made.places.items():
            yield f"{pointer}/with/{escaped(name)}", at(node)
        if isinstance(made.step, Step) and made.step.place.file == str(self.workflow.file):
            arguments = self.map.arguments(made.step.place)
            for argument, path in STEP_OPTIONS.items():
                if path:
                    yield from under(arguments, argument, f"{pointer}/{path}")


def _finals(flow: Flow, output: Value) -> frozenset[int]:
    """Return the steps of a `finally` behind which no step is called, and of which the workflow returns nothing.

    A `finally` further up has to end before what follows it begins, as in Python.
    """
    ending = frozenset(flow.ending)
    ends = len(flow.made) in ending and len(ending) < len(flow.made)
    return ending if ends and not ending & set(output.steps) else frozenset()


def _check_stop(workflow: Workflow[..., Any], flow: Flow) -> None:
    """Refuse a workflow that any failure is to stop, and that goes on after one."""
    if workflow.keys.get("on_failure") != "stop":
        return
    for made in flow.made:
        if made.catches is not None:
            what, hint = "an except goes on", "leave on_failure out: without the except, what needs a failed step ends"
        elif made.settles and made.number not in flow.finals:
            what, hint = "this finally goes on", "let the try be the last statement that calls steps"
        else:
            continue
        flow.problems.add(made.node, Refused(f'{what} after a failure, and on_failure="stop" does not', hint, Code.TRY))


def _ids(flow: Flow) -> dict[int, str]:
    """Return the ids of the steps: `train`, `train_2`, in the order in which they are called."""
    found: dict[int, str] = {}
    for made in flow.made:
        name = made.name.lstrip("_")[:_LONGEST_ID] or "step"
        found[made.number] = _unique(name, set(found.values()))
    return found


def _unique(name: str, taken: set[str]) -> str:
    number, found = 2, name
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found
