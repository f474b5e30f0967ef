"""The state of a run as one small message, and the state that comes back from it.

A run goes on from it in another execution: after its end, when failed steps are tried again, and wherever a history is
to begin anew. What workers have in flight is not in it: such a step waits again, in its next generation. After the end
of a run so does what the interpreter itself runs; where a run merely begins anew, that goes on. What nobody will read
any more is left out, so the message grows with the width of the plan and not with its length. Reasons are not in it
either: they are recorded.

Written and read by the core's side alone; whoever carries it does not look into it. It is in histories, so a field is
only ever added, with a default.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any, Literal, cast

from workflows.carried_steps import own_again, own_kept
from workflows.exchange import Place, StopRequested
from workflows.expressions import ExpressionError
from workflows.graph import Graph
from workflows.maps import MapRun
from workflows.messages import (
    JSON,
    TERMINAL_STEP_STATES,
    Event,
    Operation,
    RunRequest,
    StepError,
    StepResult,
    StepState,
)
from workflows.own_steps import Calling, OwnStep
from workflows.plan import Retry, Step, Timeout
from workflows.reruns import templates_of
from workflows.state import Held, State, begin
from workflows.templates import references
from workflows.values import json_size, unwrap, wrap

FORMAT = 1
MAX_SNAPSHOT_BYTES = 1_500_000
"""Temporal refuses a message of 2 MiB."""
MAX_HEARD_BYTES = 300_000
"""Of events for `wait` steps that have not begun."""
MAX_MESSAGE = 300
"""Characters kept of an error: what a step said in full is recorded."""
MAX_WHOLE_ERRORS = 200_000
"""Bytes of errors that are carried as they are, with what they hold, where a run merely begins anew."""

_LETTERS: dict[str, str] = {
    "waiting": "w",
    "queued": "q",
    "running": "r",
    "held": "h",
    "succeeded": "s",
    "failed": "f",
    "upstream_failed": "u",
    "skipped": "k",
    "cancelled": "c",
}
_STATES = {letter: state for state, letter in _LETTERS.items()}
_NOT_BEGUN = "."


class SnapshotTooLarge(ValueError):
    """The outputs that the rest of the run reads do not fit into one message."""


def snapshot(state: State, limit: int | None = None) -> dict[str, JSON]:
    """Return the state as JSON, of a run that has ended or may be said to; `restore` is the inverse.

    Args:
        state: Of the run.
        limit: Bytes that it may have; None: `MAX_SNAPSHOT_BYTES`.

    Raises:
        SnapshotTooLarge: Its outputs do not fit into one message.
    """
    limit = MAX_SNAPSHOT_BYTES if limit is None else limit
    document = _document(state, {}, _Errors(0))
    size = json_size(document)
    if size > limit:
        raise SnapshotTooLarge(
            f"the outputs that the rest of the run reads come to {size:,} bytes; at most {limit:,} can be carried over"
        )
    return document


def whole_snapshot(state: State) -> dict[str, JSON]:
    """Return the state as JSON, of a run that begins anew while no worker and no child has anything of it.

    What waits, for the time, an event, an answer or its next attempt, is in it. It may be of any size.
    """
    return {**_document(state, state.own, _Errors(MAX_WHOLE_ERRORS)), "own": own_kept(state.own)}


def _document(state: State, own: Mapping[Place, OwnStep], errors: _Errors) -> dict[str, JSON]:
    """Return a state, in which these steps go on as they are, and whatever else is in flight is tried again."""
    letters, generations = [], {}
    waits: dict[int, set[int | None]] = {}
    for place in own:
        waits.setdefault(place.number, set()).add(place.item)
    for number, found in enumerate(state.steps):
        over = found in TERMINAL_STEP_STATES or found in ("waiting", "held")
        stays = over or (found == "running" and (number in state.maps or number in waits))
        letters.append(_LETTERS[found] if stays else _LETTERS["waiting"])
        generation = state.generations[number] + (0 if stays else 1)
        if found == "succeeded" and number in state.maps:
            # The map may be left out below; its items' numbers must not be used again, should it begin anew.
            generation = max([generation, *state.maps[number].generations])
        if generation:
            generations[number] = generation
    read = _still_read(state)
    calls = state.calls if own else _calls(state)
    return {
        "format": FORMAT,
        "seq": state.seq,
        "started_at": state.scope["run"]["started_at"],
        "run_state": state.scope["run"]["state"],
        "states": "".join(letters),
        "generations": _pairs(generations),
        "outputs": [[n, _output(state, n)] for n in range(len(state.steps)) if _has_output(state, n, read)],
        "errors": [[number, *errors.kept(error)] for number, error in state.errors.items()],
        "maps": [
            [n, _map(run, {item for item in waits.get(n, ()) if item is not None}, errors)]
            for n, run in state.maps.items()
            if state.steps[n] != "succeeded" or n in read
        ],
        "losses": [[number, item, count] for (number, item), count in state.losses.items()],
        "held": [[number, _held(held, errors)] for number, held in state.held.items()],
        "heard": _heard(state.heard),
        "stop": asdict(state.stop) if state.stop else None,
        "finals": state.finals,
        "finals_stopped": state.finals_stopped,
        "paused": asdict(state.paused) if state.paused else None,
        "said": list(state.said),
        "calls": [[number, item, run] for (number, item), run in calls.items()],
        "executions": state.executions,
        "retried": asdict(state.retried) if state.retried and state.executions else None,
        "changes": _pairs(state.changes),
        "operations": list(state.operations),
    }


def restore(run: str, request: RunRequest, document: Mapping[str, JSON]) -> State:
    """Return the state that a snapshot was made of; its first event is `Continued`, or `Retried`.

    Args:
        run: The run's id.
        request: As the run was started with it; it carries the plan.
        document: What `snapshot` or `whole_snapshot` gave.

    Raises:
        ValueError: The snapshot is of another plan, or of a newer format.
    """
    if document.get("format", 0) > FORMAT:
        raise ValueError(f"snapshot format {document['format']} is newer than {FORMAT}: upgrade this worker")
    state = begin(run, request)
    if len(document["states"]) != len(state.steps):
        raise ValueError(f"the snapshot has {len(document['states'])} steps, but the plan has {len(state.steps)}")
    state.seq = document["seq"]
    state.scope["run"].update(started_at=document["started_at"], state=document["run_state"])
    state.steps = [cast(StepState, _STATES[letter]) for letter in document["states"]]
    for number, generation in document["generations"]:
        state.generations[number] = generation
    state.errors = {number: StepError(kind, said, facts) for number, kind, said, facts in document["errors"]}
    state.maps = {number: _map_again(kept) for number, kept in document["maps"]}
    state.losses = {(number, item): count for number, item, count in document["losses"]}
    state.held = {number: _held_again(kept) for number, kept in document["held"]}
    state.heard = [Event(**message) for message in document["heard"]]
    state.stop = StopRequested(**document["stop"]) if document["stop"] else None
    state.finals, state.finals_stopped = document["finals"], document["finals_stopped"]
    state.paused = Operation(**document["paused"]) if document["paused"] else None
    state.said = dict.fromkeys(document.get("said", ()))
    state.calls = {(number, item): child for number, item, child in document["calls"]}
    state.operations = dict.fromkeys(document["operations"])
    state.own = own_again(document.get("own", []), state.graph.steps)
    state.flying = sum(isinstance(own, Calling) for own in state.own.values())
    # Not in snapshots of before a run that goes on after its end could begin a new history on its way.
    state.executions = dict(document.get("executions") or {})
    retried = document.get("retried")
    state.retried = Operation(**retried) if retried else None
    for number, fields in document["changes"]:
        change(state, number, fields)
    _see(state, dict(document["outputs"]))
    count(state)
    return state


def count(state: State) -> None:
    """Count anew what has not ended: of each step's needs, of the steps, and of those of the main part."""
    over = [found in TERMINAL_STEP_STATES for found in state.steps]
    state.pending = [sum(not over[need.number] for need in needs) for needs in state.graph.needs]
    state.open = over.count(False)
    state.open_main = over[: state.graph.main].count(False)


def change(state: State, number: int, fields: Mapping[str, Any]) -> None:
    """Give a step another queue, retry or timeout: `fields` holds what is new of each."""
    known = state.changes.get(number, {})
    merged = {**known, **{name: value for name, value in fields.items() if name == "queue"}}
    for name in ("retry", "timeout"):
        if name in fields:
            merged[name] = {**known.get(name, {}), **fields[name]}
    state.changes[number] = merged
    steps = list(state.graph.steps)
    steps[number] = _changed(steps[number], fields)
    state.graph = replace(state.graph, steps=tuple(steps))


def _changed(step: Step, fields: Mapping[str, Any]) -> Step:
    retry: Retry = replace(step.retry, **fields.get("retry", {}))
    timeout: Timeout = replace(step.timeout, **fields.get("timeout", {}))
    return replace(step, queue=fields.get("queue", step.queue), retry=retry, timeout=timeout)


# Which outputs are read.


def _still_read(state: State) -> set[int]:
    """Return the steps whose output a step that may still run, or the run's output, may read.

    What a template reads is among its step's needs, but for what `finally` steps read of the main part.
    """
    graph = state.graph
    named = _named(
        graph, [graph.plan.output, *(each for step in graph.steps[graph.main :] for each in templates_of(step))]
    )
    return named | {
        number
        for number, dependents in enumerate(graph.dependents)
        if any(state.steps[dependent] != "succeeded" for dependent, _ in dependents)
    }


def _named(graph: Graph, templates: Iterable[JSON]) -> set[int]:
    found: set[int] = set()
    for template in templates:
        try:
            paths = references(template)
        except ExpressionError:
            continue  # it fails its step wherever it is looked at
        for path in paths:
            if path[0] == "steps" and len(path) == 1:
                return set(range(len(graph.steps)))
            if path[0] == "steps" and path[1] in graph.numbers:
                found.add(graph.numbers[path[1]])
    return found


def _has_output(state: State, number: int, read: set[int]) -> bool:
    return state.steps[number] == "succeeded" and number not in state.maps and number in read


def _output(state: State, number: int) -> JSON:
    return unwrap(state.scope["steps"][state.graph.steps[number].id]["output"])


def _see(state: State, outputs: Mapping[int, JSON]) -> None:
    """Let expressions see what they saw."""
    for number, found in enumerate(state.steps):
        if found not in TERMINAL_STEP_STATES:
            continue
        seen = state.scope["steps"][state.graph.steps[number].id]
        seen["status"] = found
        if found == "succeeded":
            run = state.maps.get(number)
            seen["output"] = run.output() if run is not None else wrap(outputs.get(number))


# The parts.


def _pairs(found: Mapping[int, JSON]) -> list[JSON]:
    """Return entries as a list, since JSON knows no other keys than text."""
    return [[number, value] for number, value in found.items()]


def _given(values: Iterable[JSON]) -> list[JSON]:
    return [[number, value] for number, value in enumerate(values) if value is not None and value != 0]


class _Errors:
    """Errors as they are kept: whole while there is room for it, and then what fits everywhere."""

    def __init__(self, room: int) -> None:
        self.whole = room > 0
        self._room = room

    def kept(self, error: StepError) -> list[JSON]:
        """Return the error's type, message and detail."""
        if self._room > 0:
            self._room -= json_size([error.message, error.detail])
            if self._room >= 0:
                return [error.type, error.message, error.detail]
        facts = {
            name: fact for name, fact in error.detail.items() if isinstance(fact, int | float | bool) or fact is None
        }
        return [error.type, error.message[:MAX_MESSAGE], facts]


def _calls(state: State) -> dict[tuple[int, int | None], str]:
    flying = {(place.number, place.item): own.run for place, own in state.own.items() if isinstance(own, Calling)}
    return {**state.calls, **flying}


def _heard(messages: list[Event]) -> list[JSON]:
    """Return the latest events that fit, oldest first."""
    kept: list[JSON] = []
    room = MAX_HEARD_BYTES
    for message in reversed(messages):
        found = asdict(message)
        room -= json_size(found)
        if room < 0:
            break
        kept.insert(0, found)
    return kept


def _held(held: Held, errors: _Errors) -> dict[str, JSON]:
    error = held.error and StepError(*errors.kept(held.error))
    result = held.result and asdict(held.result)
    kept = {"reason": held.reason[:MAX_MESSAGE], "error": error and asdict(error), "result": result}
    return {**kept, "detail": held.detail} if errors.whole else kept


def _held_again(kept: Mapping[str, JSON]) -> Held:
    error, result = kept["error"], kept["result"]
    detail = dict(kept.get("detail", {}))
    return Held(kept["reason"], StepError(**error) if error else None, StepResult(**result) if result else None, detail)


def _map(run: MapRun, waits: set[int], errors: _Errors) -> dict[str, JSON]:
    """Return a map; items in flight are to be tried again, in their next generation, but for those that just wait."""
    other = {*run.again, *waits}
    flying = [item for item, state in enumerate(run.states[: run.following]) if state in (None, "queued")]
    flying = [item for item in flying if item not in other]
    generations = list(run.generations)
    for item in flying:
        generations[item] += 1
    letters = [_NOT_BEGUN if state in (None, "queued") else _LETTERS[state] for state in run.states]
    for item in waits:
        letters[item] = _LETTERS["queued"]
    return {
        "items": run.items,
        "paths": [list(path) for path in run.paths] if any(len(path) > 1 for path in run.paths) else None,
        "shape": run.shape,
        "limit": run.limit,
        "states": "".join(letters),
        "outputs": [[item, value] for item, value in enumerate(run.outputs) if value is not None],
        "references": _given(run.references),
        "generations": _given(generations),
        "errors": [[item, *errors.kept(error)] for item, error in run.errors.items()],
        "again": [*flying, *run.again],
        "following": run.following,
    }


def _map_again(kept: Mapping[str, JSON]) -> MapRun:
    count = len(kept["items"])
    paths = kept["paths"] or [[item] for item in range(count)]
    run = MapRun(kept["items"], [tuple(path) for path in paths], kept["shape"], kept["limit"])
    run.states = [None if letter == _NOT_BEGUN else _STATES[letter] for letter in kept["states"]]
    run.outputs, run.references, run.generations = [None] * count, [None] * count, [0] * count
    for name in ("outputs", "references", "generations"):
        for item, value in kept[name]:
            getattr(run, name)[item] = value
    run.errors = {item: StepError(kind, said, facts) for item, kind, said, facts in kept["errors"]}
    run.again, run.following = deque(kept["again"]), kept["following"]
    run.flying = run.states.count("queued")
    done: list[Literal[0, 1]] = [1 if state == "succeeded" else 0 for state in run.states]
    run.succeeded, run.skipped = sum(done), run.states.count("skipped")
    run.size = sum(json_size(value) for value, one in zip(run.outputs, done, strict=True) if one)
    return run
