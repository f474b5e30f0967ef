"""The promise that what a worker, or a child, reports is what is recorded of it."""

from __future__ import annotations

from typing import Any

from tests.simulator.ledger import Violation
from tests.simulator.oracle import Oracle
from workflows.exchange import Command, Event, Record, StepCancelled, StepFailed, StepSucceeded
from workflows.messages import MAX_INLINE_BYTES
from workflows.own_steps import MAX_CHILD_OUTPUT_BYTES
from workflows.values import inline_problem

MAX_LOSSES = 5


def landed(oracle: Oracle, event: Event, commands: list[Command], key: str) -> None:
    step = oracle.by_id[key.partition("[")[0]]
    first = next((c.transition for c in commands if isinstance(c, Record) and c.transition.key == key), None)
    allowed = _ends(oracle, event, key, step)
    if first is None or first.state not in allowed:
        found = "nothing" if first is None else first.state
        raise Violation("what is reported is recorded", f"{key}: {type(event).__name__} became {found}")
    value = event.result.value if isinstance(event, StepSucceeded) else None
    decided = key in oracle.said or key.partition("[")[0] in oracle.said
    if first.state == "succeeded" and not decided and (not first.result or first.result.value is not value):
        raise Violation("what is reported is recorded", f"{key} gave {value!r}, but {first.result} is recorded")


def _ends(oracle: Oracle, event: Event, key: str, step: dict[str, Any]) -> set[str]:
    """Return what the end of something in flight may be recorded as."""
    call = step["kind"] == "workflow"
    failed = {"failed", "held"} | ({"retrying"} if call else set())
    if key in oracle.said:
        return {oracle.said[key]}
    if key.partition("[")[0] in oracle.said:
        return {"failed", "succeeded", "cancelled", "skipped"}
    moved, stopped = key in oracle.moved, oracle.stops(step)
    oracle.moved.discard(key)
    match event:
        case StepSucceeded(result=result):
            limit = MAX_CHILD_OUTPUT_BYTES if call else MAX_INLINE_BYTES
            return failed if inline_problem(result.value, limit) is not None else {"succeeded"}
        case StepFailed() | StepCancelled() if moved and not stopped:
            return {"queued"}
        case StepFailed(lost=True) if stopped:
            return {"cancelled"}
        case StepFailed(lost=True):
            oracle.losses[key] = oracle.losses.get(key, 0) + 1
            return {"queued"} if oracle.losses[key] <= MAX_LOSSES else {"failed", "held"}
        case StepCancelled() if call:
            return {"cancelled", *failed}
        case StepCancelled():
            return {"cancelled"}
        case _:
            return failed
