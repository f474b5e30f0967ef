"""Tells whether two states, or what came of an event in two of them, are the same."""

from __future__ import annotations

from typing import Any

from workflows.exchange import Command, EndRun, Record
from workflows.state import State


def sizes(state: State) -> tuple[int, ...]:
    """Return numbers that tell whether anything was done."""
    lists = (state.ready, state.own, state.heard, state.operations, state.verdicts, state.errors)
    return (state.seq, state.flying, state.open, *map(len, lists))


def outline(commands: list[Command]) -> list[Any]:
    """Return what two states must agree on: of a record, what people read first, as a snapshot shortens the rest."""
    found: list[Any] = []
    for command in commands:
        match command:
            case Record(change):
                found.append((change.key, change.state, change.reason))
            case EndRun():
                found.append((command.state, command.reason, command.value, command.error and command.error.type))
            case _:
                found.append(command)
    return found


def difference(one: Any, other: Any) -> str:
    """Name the parts in which two states, or two snapshots, differ."""
    if isinstance(one, dict):
        pairs = {name: (one[name], other.get(name)) for name in one}
    else:
        pairs = {name: (getattr(one, name), getattr(other, name)) for name in one.__dataclass_fields__}
    return "; ".join(f"{name}: {a!r}, not {b!r}" for name, (a, b) in pairs.items() if a != b)
