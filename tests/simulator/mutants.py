"""Bugs to plant: each one a small change of a file of `workflows/`, such as somebody could make by mistake.

The simulator must find every one (`tests.simulator.hunting`). A text that is no longer there is a mutant to write anew,
and the test says which.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """A planted bug.

    Attributes:
        name: What it breaks.
        module: The file, without `.py`.
        was: A text that is there once.
        now: What stands there instead.
    """

    name: str
    module: str
    was: str
    now: str


MUTANTS = (
    Mutant(
        "the answer of an older generation counts",
        "core",
        "return flying and self.state.generations[number] == place.generation",
        "return flying",
    ),
    Mutant(
        "a lost item is scheduled again under the same number",
        "core",
        "generations[number if item is None else item] += 1",
        "generations[number if item is None else item] += item is None",
    ),
    Mutant(
        "the window is one too wide",
        "core",
        "self.state.flying < window",
        "self.state.flying <= window",
    ),
    Mutant(
        "a slot leaks when an item fails",
        "core",
        "if self._counts(place.number):\n            self.state.flying -= 1",
        "if self._counts(place.number) and not (place.item is not None and error):\n            self.state.flying -= 1",
    ),
    Mutant(
        "a paused run starts steps",
        "core",
        "and self.state.paused is None and (",
        "and (self.state.paused is None or ready[0] not in self.state.maps) and (",
    ),
    Mutant(
        "what waits begins its time anew with the history",
        "own_turn",
        "max(0.0, own.due - self.turn.at)",
        "max(9.0, own.due - self.turn.at)",
    ),
    Mutant(
        "a map's items start where the history has no room",
        "core",
        "if room == 0:\n            return",
        "if room == 0 and not (ready and ready[0] in self.state.maps):\n            return",
    ),
    Mutant(
        "nothing starts when there is room again",
        "core",
        "self.state.room = room\n                self._dispatch()",
        "self.state.room = room",
    ),
    Mutant("a stopped run starts what was ready", "core", "self.state.ready.clear()", "pass"),
    Mutant(
        "what is in flight is not asked to stop",
        "core",
        "self.commands.append(CancelStep(Place(number, None, self.state.generations[number])))",
        "pass",
    ),
    Mutant(
        "finally steps begin before the last step ends",
        "core",
        "if self.state.open_main == 0 and not self.state.finals",
        "if self.state.open_main <= 1 and not self.state.finals",
    ),
    Mutant(
        "an eager rule waits for all needs",
        "core",
        "self.state.pending[dependent] == 0 or one_need_is_enough(self.state, dependent, place)",
        "self.state.pending[dependent] == 0",
    ),
    Mutant(
        "a lost worker is replaced for ever",
        "core",
        "losses > MAX_GENERATIONS",
        "losses > MAX_GENERATIONS + 1",
    ),
    Mutant(
        "a failure is held in a stopped run",
        "core",
        'return on_failure == "hold" and number < self.graph.main and not stopped',
        'return on_failure == "hold" and number < self.graph.main',
    ),
    Mutant(
        "a finally step that was marked lets others start early",
        "core",
        "if dependent >= self.graph.main and not self.state.finals:",
        "if False:",
    ),
    Mutant(
        "all_failed does not count what could not start",
        "rules",
        '"all_failed": _if(lambda tally: tally.broken == tally.total)',
        '"all_failed": _if(lambda tally: tally.failed == tally.total)',
    ),
    Mutant(
        "none_failed_min_one_success needs no success",
        "rules",
        'return "start" if tally.succeeded else "skipped"',
        'return "start"',
    ),
    Mutant(
        "a false condition on an edge does not count",
        "decisions",
        'return EdgeView(name, "succeeded" if seen.result else "skipped", seen)',
        'return EdgeView(name, "skipped" if seen.result is None else "succeeded", seen)',
    ),
    Mutant("the limit of a map is one too wide", "maps", "self.flying < self.limit", "self.flying <= self.limit"),
    Mutant(
        "a percentage of items is rounded down",
        "maps",
        'ceil(counted * wanted["percent"] / 100 - 1e-9)',
        'int(counted * wanted["percent"] / 100)',
    ),
    Mutant(
        "what succeeded in a map runs again with what failed",
        "maps",
        'if state in ("failed", "cancelled")]',
        'if state in ("failed", "cancelled", "succeeded")]',
    ),
    Mutant(
        "outputs of a map come in the order of their ends",
        "maps",
        "self.outputs[item] = result.value",
        "self.outputs[self.succeeded - 1] = result.value",
    ),
    Mutant(
        "a leaf that could not start does not fail the run",
        "endings",
        '_BROKEN = frozenset({"failed", "upstream_failed", "cancelled"})',
        '_BROKEN = frozenset({"failed", "cancelled"})',
    ),
    Mutant(
        "a snapshot forgets a pause",
        "snapshot",
        'state.paused = Operation(**document["paused"]) if document["paused"] else None',
        "state.paused = None",
    ),
    Mutant(
        "what was in flight waits under its old number",
        "snapshot",
        "+ (0 if stays else 1)",
        "+ 0",
    ),
    Mutant(
        "a snapshot forgets which items were in flight",
        "snapshot",
        '"again": [*flying, *run.again]',
        '"again": [*run.again]',
    ),
    Mutant(
        "an operation that is sent twice is done twice",
        "operations",
        "if operation.id in self.state.operations or refusal(self.state, operation):",
        "if operation.id not in self.state.operations and refusal(self.state, operation):",
    ),
    Mutant(
        "a step that ends well in spite of a skip counts as succeeded",
        "operations",
        "if verdict.state is not None:\n            self.state.own.pop(place, None)",
        "if verdict.state and not isinstance(event, StepSucceeded):\n            self.state.own.pop(place, None)",
    ),
    Mutant(
        "a cancel does not end a pause",
        "operations",
        "if self.state.paused is not None:\n            self.state.paused = None\n            self.turn.record",
        "if self.state.paused is not None:\n            self.turn.record",
    ),
    Mutant(
        "what has succeeded runs again in a retry",
        "retrying",
        'again = found in ("waiting", "cancelled")',
        'again = found in ("waiting", "cancelled") or (follows and found == "succeeded")',
    ),
    Mutant("an event that comes twice is heard twice", "own_turn", "known.id == message.id", "known is message"),
    Mutant(
        "the timer of a step that ended goes on",
        "own_turn",
        "if timer:\n            self.turn.commands.append(CancelTimer(place))",
        'if timer and state != "cancelled":\n            self.turn.commands.append(CancelTimer(place))',
    ),
    Mutant(
        "the id of a child is another in a replay",
        "own_steps",
        'name = f"{run}.{place}{again}"',
        'name = f"{run}.{place}{again}.{id(task)}"',
    ),
)
