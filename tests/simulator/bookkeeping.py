"""Promises about the core's own counts, and about what people may do: the two that look beyond events and commands."""

from __future__ import annotations

from tests.simulator.ledger import Violation
from tests.simulator.meaning import TERMINAL
from tests.simulator.oracle import Oracle
from workflows.messages import Operation
from workflows.state import State


def counts(oracle: Oracle, state: State) -> None:
    """Compare what the core counts with what is so."""
    over = [oracle.known.states[step["id"]] in TERMINAL for step in oracle.steps]
    found = (state.flying, state.open, state.open_main)
    real = (oracle.ledger.taken, over.count(False), over[: len(oracle.main)].count(False))
    if found != real:
        raise Violation("the core counts right", f"in flight, open, of the main part: {found}, not {real}")
    if len(state.ready) != len(set(state.ready)):
        raise Violation("the core counts right", f"the ready queue is {list(state.ready)}")


def accepts(oracle: Oracle, operation: Operation, refused: str) -> None:
    """Take in whether an operation is accepted, and check that what has ended is never touched."""
    if refused:
        return
    for key in operation.steps:
        if oracle.known.states.get(key) in TERMINAL:
            raise Violation("what has ended is not operated on", f"{operation.kind} {key}")
        if operation.kind in ("skip", "mark") and key.partition("[")[0] not in oracle.said:
            oracle.said[key] = "skipped" if operation.kind == "skip" else "succeeded"
        elif operation.kind == "change":
            keys = oracle.items.get(key, [key])
            oracle.moved |= {each for each in keys if each in oracle.ledger.flying}
