"""Turns a complete DAG into its definition document: `{"language", "definition", "positions", "source"}`.

`definition` has the keys that YAML has, `positions` says for each (as a JSON pointer) where the user's file writes it.
Checks nothing that the translator checks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from segue.arrows import Arrow, Node
from segue.expression import resolve, steps_in
from segue.operators import Operator
from segue.place import Place, misuse
from segue.source_map import Position, SourceMap, escaped, under

if TYPE_CHECKING:
    from segue.dag import DAG


def build(dag: DAG, source: str) -> dict[str, Any]:
    """Return the document of a DAG whose operators all have ids."""
    ids = {operator.number: operator.id for operator in dag.operators}
    needs = _needs(dag)
    steps: dict[str, Any] = {}
    ending: dict[str, Any] = {}
    for operator in dag.operators:
        phase = ending if operator.ending else steps
        phase[operator.id] = _step(operator, needs.get(operator.number, {}), ids)
    return {
        "language": "python",
        "definition": _head(dag, ids) | {"steps": steps} | ({"finally": ending} if ending else {}) | _tail(dag, ids),
        "positions": _positions(dag, needs, SourceMap(source)),
        "source": source,
    }


def _head(dag: DAG, ids: dict[int, str]) -> dict[str, Any]:
    code = {"include": dag.include, "requirements": dag.requirements, "python": dag.python}
    keys = {
        "description": dag.description,
        "labels": dag.labels,
        "params": dag.params,
        "triggers": [trigger.definition for trigger in dag.triggers],
        "concurrency": dag.concurrency,
        "max_parallel": dag.max_parallel,
        "timeout": dag.timeout,
        "on_failure": dag.on_failure,
        "defaults": dag.defaults,
        "code": {key: value for key, value in code.items() if value is not None},
    }
    given = {key: value for key, value in keys.items() if value is not None and value != {} and value != []}
    return {"segue": 1, "name": dag.name, **_resolved(dag, given, ids)}


def _tail(dag: DAG, ids: dict[int, str]) -> dict[str, Any]:
    if dag.output is None:
        return {}
    return {"output": _resolved(dag, dag.output, ids)}


def _step(operator: Operator, needs: dict[int, Arrow], ids: dict[int, str]) -> dict[str, Any]:
    maps = operator.keys.get("map", {})
    item = (maps[-1] if isinstance(maps, list) else maps).get("as", "item")
    keys: dict[str, Any] = _resolved(operator.dag, operator.keys, ids, item=item)
    if needs:
        keys["needs"] = {ids[number]: _edge(arrow, number, ids) for number, arrow in needs.items()}
    return keys


def _edge(arrow: Arrow, source: int, ids: dict[int, str]) -> Any:
    if arrow.condition is None:
        return True
    return resolve(str(arrow.condition), ids, edge_from=source)


def _resolved(dag: DAG, value: Any, ids: dict[int, str], item: str = "item") -> Any:
    if isinstance(value, dict):
        return {key: _resolved(dag, inner, ids, item) for key, inner in value.items()}
    if isinstance(value, list):
        return [_resolved(dag, inner, ids, item) for inner in value]
    if not isinstance(value, str):
        return value
    if not set(steps_in(value)) <= ids.keys():
        raise misuse("an expression speaks of a step of another DAG", at=dag.place)
    return resolve(value, ids, item_name=item)


def _needs(dag: DAG) -> dict[int, dict[int, Arrow]]:
    """Return for each step the steps it needs and the arrow that says so, in the order written."""
    needs: dict[int, dict[int, Arrow]] = {}
    inside = {operator.number: _referred(operator) for operator in dag.operators}
    for arrow in dag.arrows:
        if isinstance(arrow.source, Operator) and isinstance(arrow.target, Operator):
            inside[arrow.target.number].add(arrow.source.number)
    for arrow in dag.arrows:
        for source in _members(arrow.source, inside, arrow.place, first=False):
            for target in _members(arrow.target, inside, arrow.place, first=True):
                _add(needs.setdefault(target, {}), source, arrow)
    return needs


def _add(needs: dict[int, Arrow], source: int, arrow: Arrow) -> None:
    before = needs.get(source)
    if before is None or before.condition is None:
        needs[source] = arrow
    elif arrow.condition is not None and str(arrow.condition) != str(before.condition):
        raise misuse(
            f"two arrows with different conditions join the same steps: the other is on line {before.place.line}",
            hint="join the conditions with & or |",
            at=arrow.place,
        )


def _members(node: Node, inside: dict[int, set[int]], place: Place, *, first: bool) -> list[int]:
    """Return the numbers of the steps that an arrow at this node really joins."""
    if isinstance(node, Operator):
        return [node.number]
    members = [operator.number for operator in getattr(node, "operators", ())]
    if not members:
        raise misuse(f"{node!r} has no steps", at=place)
    if first:
        return [number for number in members if not inside[number] & set(members)]
    needed = {need for number in members for need in inside[number]}
    return [number for number in members if number not in needed]


def _referred(operator: Operator) -> set[int]:
    found: set[int] = set()
    pending: list[Any] = [operator.keys]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            found.update(steps_in(value))
        elif isinstance(value, dict | list):
            pending.extend(value.values() if isinstance(value, dict) else value)
    return found


def _head_positions(dag: DAG, source: SourceMap) -> Iterator[tuple[str, Position]]:
    from segue.dag import ALSO, ARGUMENTS

    arguments = source.arguments(dag.place)
    for argument, path in (*ARGUMENTS.items(), *ALSO):
        yield from under(arguments, argument, f"/{path}")
    for index, trigger in enumerate(dag.triggers):
        # One made of the DAG's own arguments has its positions already.
        if trigger.place != dag.place:
            kind = next(iter(trigger.definition))
            yield f"/triggers/{index}", source.call(trigger.place)
            for argument, position in source.arguments(trigger.place).items():
                key = {"condition": "if", "rhythm": "every"}.get(argument, argument)
                yield f"/triggers/{index}/{key if key.startswith('params') else f'{kind}/{key}'}", position


def _positions(dag: DAG, needs: dict[int, dict[int, Arrow]], source: SourceMap) -> dict[str, Position]:
    positions = {"": source.call(dag.place), **dict(_head_positions(dag, source))}
    ids = {operator.number: escaped(operator.id) for operator in dag.operators}
    for operator in dag.operators:
        pointer = f"/{'finally' if operator.ending else 'steps'}/{ids[operator.number]}"
        positions[pointer] = source.call(operator.place)
        arguments = source.arguments(operator.place)
        for argument, path in operator.paths.items():
            positions.update(under(arguments, argument, f"{pointer}/{path}"))
        for number, arrow in needs.get(operator.number, {}).items():
            at = source.position(arrow.place)
            positions.setdefault(f"{pointer}/needs", at)
            positions[f"{pointer}/needs/{ids[number]}"] = at
    return positions
