"""The core under random DAGs whose workers answer late, twice, out of order, or die."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, get_args

import pytest

from tests.workflows.driving import Drive, step
from tests.workflows.meaning import written_out
from workflows import decisions
from workflows.exchange import Event, Place, StepCancelled, StepFailed, StepSucceeded
from workflows.messages import TERMINAL_STEP_STATES, StepError, StepResult
from workflows.plan import Edge, Map, Retry, Step, Timeout, TriggerRule
from workflows.rules import EdgeState
from workflows.state import State

RULES: tuple[TriggerRule, ...] = get_args(TriggerRule)
EAGER = {"one_success", "one_failed", "one_done"}


OWN: list[dict[str, Any]] = [
    {"kind": "wait", "action": {"for": 60.0}},
    {"kind": "wait", "action": {"event": {"name": "news"}}, "timeout": Timeout(total=90.0)},
    {"kind": "approve", "action": {"timeout": 30.0}},
    {"kind": "workflow", "action": {"workflow": "other"}, "retry": Retry(2)},
    {"kind": "workflow", "action": {"workflow": "other"}, "retry": Retry(3), "timeout": Timeout(total=5.0)},
]


def random_steps(chance: random.Random) -> list[Step]:
    steps: list[Step] = []
    unconditional: set[str] = set()
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
            inner = chance.choice([None, None, Map([7, 8], "other")])
            fields["map"] = Map(list(range(chance.randint(0, 4))), limit=limit, min_success=least, inner=inner)
        if chance.random() < 0.3:
            fields |= chance.choice(OWN)
            edges = dict.fromkeys(edges)
        steps.append(step(f"s{number}", edges, **fields))
        if "kind" in fields:
            unconditional.add(f"s{number}")
    finals = [step(f"f{number}", phase="finally") for number in range(chance.choice([0, 0, 1, 2]))]
    return [*(_without_conditions_on(unconditional, each) for each in steps), *finals]


def _without_conditions_on(names: set[str], each: Step) -> Step:
    """What these steps give is no number, which conditions could compare."""
    return replace(each, needs=tuple(Edge(e.step, None if e.step in names else e.when) for e in each.needs))


class Storm:
    """Workers that answer as chance has it; every answer may come again at any later moment."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.run = Drive(
            *random_steps(chance),
            max_parallel=chance.choice([1, 2, 5, 200]),
            on_failure=chance.choice(["finish", "finish", "stop", "hold"]),
        )
        self.past: list[Event] = []
        self.outputs: dict[str, Any] = {}
        self.seen = 0
        self.check()

    @property
    def moving(self) -> bool:
        """Whether anything is left that could happen by itself, or that a person is asked for."""
        run = self.run
        return bool(run.flying or run.children or run.timers or run.state.held)

    def answer(self) -> None:
        run, chance = self.run, self.chance
        moves: list[tuple[str, str]] = [("fly", key) for key in run.flying]
        moves += [("child", key) for key in run.children] + [("ring", key) for key in run.timers]
        moves += [("release", run.state.graph.steps[number].id) for number in run.state.held]
        kind, key = chance.choice(moves)
        match kind:
            case "fly":
                place, _ = run.flying.pop(key)
                self.past.append(event := self._event(place))
                run.send(event)
            case "child":
                place = run.children.pop(key).place
                self.past.append(event := self._event(place))
                run.send(event)
            case "ring":
                run.ring(key)
            case "release":
                run.release(key, chance.choice(["retry", "fail"]))
        if chance.random() < 0.1:
            run.hear("news", 1, event=f"e{len(run.transitions)}")
        if chance.random() < 0.1:
            run.say(chance.choice([each.id for each in run.state.graph.steps]), chance.random() < 0.5)
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
        assert len(run.flying) + len(run.children) <= run.state.graph.window
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
        if name.startswith("f"):
            assert self.run.state.open_main == 0, "a finally step came too soon"
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
        while storm.moving:
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
        while storm.moving:
            storm.answer()
        return [*storm.run.transitions, *storm.run.started, storm.run.end]

    for seed in range(50):
        assert transcript(seed) == transcript(seed)


@pytest.mark.parametrize("rule", ["all_success", "one_success", "none_failed"])
def test_work_grows_with_steps_and_edges_not_with_their_product(rule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    look = decisions.edge

    def counted(state: State, number: int, place: int) -> Any:
        nonlocal looks
        looks += 1
        return look(state, number, place)

    monkeypatch.setattr(decisions, "edge", counted)
    width = 200
    middle = [step(f"m{n}", {"first": "output > 9"}) for n in range(width)]
    run = Drive(step("first"), *middle, step("last", [each.id for each in middle], trigger_rule=rule))
    run.succeed("first", 10)
    for each in middle:
        run.succeed(each.id, 1) if rule != "one_success" else run.fail(each.id)
    edges = 2 * width
    assert run.states["last"] in ("queued", "upstream_failed")
    assert looks <= 2 * edges
