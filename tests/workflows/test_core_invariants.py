"""The core under random DAGs whose workers answer late, twice, out of order, or die."""

from __future__ import annotations

import random
from typing import Any, get_args

import pytest

from tests.workflows.driving import Drive, step
from tests.workflows.meaning import written_out
from workflows import core
from workflows.exchange import Event, Place, StepCancelled, StepFailed, StepSucceeded
from workflows.messages import TERMINAL_STEP_STATES, StepError, StepResult
from workflows.plan import Map, Step, TriggerRule
from workflows.rules import EdgeState

RULES: tuple[TriggerRule, ...] = get_args(TriggerRule)
EAGER = {"one_success", "one_failed", "one_done"}


def random_steps(chance: random.Random) -> list[Step]:
    steps: list[Step] = []
    for number in range(chance.randint(1, 14)):
        needs = chance.sample(steps, min(len(steps), chance.choice([0, 1, 1, 2, 3])))
        edges = {need.id: chance.choice([None, None, f"output > {chance.randint(0, 4)}"]) for need in needs}
        # Outputs are numbers, but a map's is a list, which no number is compared with.
        edges = {name: None if any(s.id == name and s.map for s in steps) else when for name, when in edges.items()}
        fields: dict[str, Any] = {"trigger_rule": chance.choice(("all_success", *RULES))}
        if chance.random() < 0.2:
            fields["condition"] = chance.choice(["true", "false"])
        if chance.random() < 0.2:
            limit, least = chance.choice([None, 1, 2]), chance.choice([None, {"count": 1.0}, {"percent": 50.0}])
            fields["map"] = Map(list(range(chance.randint(0, 4))), limit=limit, min_success=least)
        steps.append(step(f"s{number}", edges, **fields))
    return steps


class Storm:
    """Workers that answer as chance has it; every answer may come again at any later moment."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.run = Drive(*random_steps(chance), max_parallel=chance.choice([1, 2, 5, 200]))
        self.past: list[Event] = []
        self.outputs: dict[str, Any] = {}
        self.seen = 0
        self.check()

    def answer(self) -> None:
        key = self.chance.choice(list(self.run.flying))
        place, _ = self.run.flying.pop(key)
        self.past.append(event := self._event(place))
        self.run.send(event)
        self.check()

    def repeat(self) -> None:
        before = len(self.run.transitions)
        assert self.run.send(self.chance.choice(self.past)) == []
        assert len(self.run.transitions) == before

    def _event(self, place: Place) -> Event:
        at, roll = self.run.now, self.chance.random()
        if roll < 0.7:
            return StepSucceeded(at, place, StepResult(self.chance.randint(0, 5)))
        if roll < 0.85:
            return StepFailed(at, place, StepError("Boom", "it broke"))
        if roll < 0.95:
            return StepFailed(at, place, StepError("WorkerLost", "silence"), lost=True)
        return StepCancelled(at, place)

    def check(self) -> None:
        """Look at each new transition in the light of what was so when it was made."""
        run = self.run
        assert len(run.flying) <= run.state.graph.window
        for seq, change in enumerate(run.transitions[self.seen :], self.seen + 1):
            assert change.seq == seq
            name = change.key.partition("[")[0]
            if name and "[" not in change.key:
                self.check_step(name, change.state)
            if change.result is not None and change.state == "succeeded":
                self.outputs[change.key] = change.result.value
        self.seen = len(run.transitions)

    def check_step(self, name: str, state: str) -> None:
        graph, before = self.run.state.graph, self.history(name)
        assert not (before & TERMINAL_STEP_STATES), f"{name} was over before"
        number = next(n for n, each in enumerate(graph.steps) if each.id == name)
        step, edges = graph.steps[number], self.edges(number)
        if step.trigger_rule == "always" or not edges or before - {"waiting"}:
            return
        known = [edge for edge in edges if edge is not None]
        if state in ("queued", "running"):
            over = len(known) == len(edges) and written_out(step.trigger_rule, known) == "start"
            early = step.trigger_rule in EAGER and any(written_out(step.trigger_rule, [e]) == "start" for e in known)
            assert over or early, f"{name} started too soon: {step.trigger_rule} {edges}"
        elif state in ("skipped", "upstream_failed") and step.condition != "false":
            assert len(known) == len(edges), f"{name} was decided too soon"
            assert written_out(step.trigger_rule, known) == state

    def history(self, name: str) -> set[str]:
        """States that were recorded of a step before the transition now looked at."""
        end = next(n for n, each in enumerate(self.run.transitions) if each.key == name and n >= self.seen)
        return {each.state for each in self.run.transitions[:end] if each.key == name}

    def edges(self, number: int) -> list[EdgeState | None]:
        return [self.edge(*need) for need in self.run.state.graph.needs[number]]

    def edge(self, need: int, when: str | None) -> EdgeState | None:
        state = self.run.state.steps[need]
        if state not in TERMINAL_STEP_STATES:
            return None
        if state == "succeeded" and when is not None:
            value = self.run.state.scope["steps"][self.run.state.graph.steps[need].id]["output"]
            return "succeeded" if value > int(when.removeprefix("output > ")) else "skipped"
        return state  # type: ignore[return-value]


@pytest.mark.parametrize("block", range(8))
def test_random_runs_keep_their_promises(block: int) -> None:
    for seed in range(block * 100, block * 100 + 100):
        chance = random.Random(seed)
        storm = Storm(chance)
        stop_at = chance.choice([None, None, None, chance.randint(0, 10)])
        moves = 0
        while storm.run.flying:
            assert moves < 1_000, f"seed {seed} does not end"
            if moves == stop_at:
                storm.run.cancel()
                storm.seen = len(storm.run.transitions)
            elif storm.past and chance.random() < 0.3:
                storm.repeat()
            else:
                storm.answer()
            moves += 1
        assert storm.run.end is not None, f"seed {seed} hangs with {storm.run.states}"
        assert set(storm.run.states.values()) <= TERMINAL_STEP_STATES


def test_the_same_events_give_the_same_commands() -> None:
    def transcript(seed: int) -> list[Any]:
        storm = Storm(random.Random(seed))
        while storm.run.flying:
            storm.answer()
        return [*storm.run.transitions, *storm.run.started, storm.run.end]

    for seed in range(50):
        assert transcript(seed) == transcript(seed)


@pytest.mark.parametrize("rule", ["all_success", "one_success", "none_failed"])
def test_work_grows_with_steps_and_edges_not_with_their_product(rule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    look = core._Turn._edge

    def counted(turn: core._Turn, number: int, place: int) -> Any:
        nonlocal looks
        looks += 1
        return look(turn, number, place)

    monkeypatch.setattr(core._Turn, "_edge", counted)
    width = 200
    middle = [step(f"m{n}", {"first": "output > 9"}) for n in range(width)]
    run = Drive(step("first"), *middle, step("last", [each.id for each in middle], trigger_rule=rule))
    run.succeed("first", 10)
    for each in middle:
        run.succeed(each.id, 1) if rule != "one_success" else run.fail(each.id)
    edges = 2 * width
    assert run.states["last"] in ("queued", "upstream_failed")
    assert looks <= 2 * edges
