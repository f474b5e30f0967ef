"""What one simulated run begins with: a random DAG and the troubles it is to meet, both made from one number.

A case is plain data, so that it can be made smaller (`tests.simulator.shrinking`) and read in a terminal. Its steps
have the form in which a plan is stored, without what has its default.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, get_args

from workflows.messages import Cause, RunRequest
from workflows.plan import TriggerRule

RULES: tuple[TriggerRule, ...] = get_args(TriggerRule)
UNSURE = frozenset({"one_success", "one_failed", "one_done", "always"})
"""Rules that may decide before all needs have ended: what `if` says of a need then depends on the moment."""
OLD_RUN = "old-1"
PARAMS: dict[str, Any] = {"go": True, "stay": False, "list": [4, 5, 6]}

_SIZES = (1, 2, 3, 3, 4, 4, 4, 5, 5, 6, 6, 7, 8, 10, 13)
_WINDOWS = (1, 2, 2, 3, 5, 200, 200)
_RETRIES = ({"attempts": 2}, {"attempts": 3, "delay": 7.0}, {"attempts": 3, "delay": 4.0, "unless": ["Fatal"]})

TROUBLES = (
    *("again", "again", "late", "crash", "crash", "carry", "anew", "room", "stop", "stop", "pause", "skip"),
    *("mark", "change", "hear", "answer", "limit", "race", "lost_run"),
)
"""What may befall a run besides the ends of its steps; `tests.simulator.moves` has the meaning of each."""


@dataclass(frozen=True, slots=True)
class Case:
    """A run to simulate.

    Attributes:
        seed: What everything was made from, and what chance goes on from.
        steps: Of the plan.
        fields: Of the plan: `max_parallel`, `on_failure`, `output`.
        kept: Outputs that the run takes over, as a rerun does.
        troubles: Names from `TROUBLES`, each as often as it is likely.
        trouble: How likely the next move is one of them.
        mood: What the workers' answers are drawn from.
        lives: How often the run goes on after its end.
    """

    seed: int
    steps: tuple[dict[str, Any], ...]
    fields: dict[str, Any] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()
    trouble: float = 0.0
    mood: tuple[str, ...] = ("succeed",)
    lives: int = 0

    def request(self) -> RunRequest:
        """Return what the run is started with."""
        plan = {"workflow": "sim", "version": 1, "steps": list(self.steps), **self.fields}
        kept = {name: {"run": OLD_RUN, "value": value, "output": None} for name, value in self.kept.items()}
        return RunRequest("sim", 1, params=PARAMS, cause=Cause("manual", "ada"), plan=plan, kept=kept)


def case_of(seed: int) -> Case:
    """Make a case from a number: the same one always."""
    chance = random.Random(seed)
    steps: list[dict[str, Any]] = []
    for number in range(chance.choice(_SIZES)):
        steps.append(_step(chance, f"s{number}", steps))
    main = list(steps)
    for number in range(chance.choice((0, 0, 0, 1, 2))):
        steps.append(_final(chance, f"f{number}", main, steps[len(main) :]))
    fields: dict[str, Any] = {
        "max_parallel": chance.choice(_WINDOWS),
        "on_failure": chance.choice(("finish", "finish", "stop", "hold")),
    }
    if chance.random() < 0.2:
        fields["output"] = {"out": _output_of(chance, chance.choice(main))}
    kept: dict[str, Any] = {}
    if chance.random() < 0.06:
        kept = {step["id"]: 3 for step in main if chance.random() < 0.5 and "map" not in step}
    return Case(
        seed,
        tuple(steps),
        fields,
        kept,
        _troubles(chance),
        chance.choice((0.0, 0.1, 0.25, 0.25, 0.4)),
        _mood(chance),
        chance.choice((0, 0, 0, 1, 2)),
    )


def _troubles(chance: random.Random) -> tuple[str, ...]:
    """Choose a few, since a run that meets all of them is over too soon to meet any at an interesting moment."""
    if chance.random() < 0.2:
        return TROUBLES
    return tuple(chance.choice(TROUBLES) for _ in range(chance.randint(1, 4)))


def _mood(chance: random.Random) -> tuple[str, ...]:
    roll = chance.random()
    if roll < 0.3:
        return ("succeed",)
    if roll < 0.4:
        return ("lose",) * 6 + ("succeed",)
    if roll < 0.55:
        return ("succeed", "fail", "fail", "cancelled")
    return ("succeed",) * 12 + ("fail",) * 3 + ("lose",) * 2 + ("cancelled",)


# Steps.


def _step(chance: random.Random, name: str, before: list[dict[str, Any]]) -> dict[str, Any]:
    needs = chance.sample(before, min(len(before), chance.choice((0, 1, 1, 1, 2, 2, 3))))
    step: dict[str, Any] = {"id": name, **_kind(chance, needs)}
    if needs:
        step["needs"] = [_edge(chance, need) for need in needs]
        if chance.random() < 0.5:
            step["trigger_rule"] = chance.choice(RULES)
    _may_read(chance, step, needs)
    return step


def _final(
    chance: random.Random, name: str, main: list[dict[str, Any]], before: list[dict[str, Any]]
) -> dict[str, Any]:
    needs = before if chance.random() < 0.3 else []
    step: dict[str, Any] = {"id": name, "phase": "finally", **_kind(chance, [])}
    if needs:
        step["needs"] = [{"step": need["id"]} for need in needs]
        step["trigger_rule"] = chance.choice(RULES)
    _may_read(chance, step, [chance.choice(main)])
    return step


def _may_read(chance: random.Random, step: dict[str, Any], needs: list[dict[str, Any]]) -> None:
    """Let a step read some of what was before it, each in some of the runs: `if`, `map` and `with`."""
    if chance.random() < 0.12:
        step["condition"] = _condition(chance, step, needs)
    if chance.random() < 0.22:
        step["map"] = _map(chance, needs)
    if needs and chance.random() < 0.3:
        step["inputs"] = {"x": _output_of(chance, chance.choice(needs))}


def _edge(chance: random.Random, need: dict[str, Any]) -> dict[str, Any]:
    edge = {"step": need["id"]}
    if chance.random() < 0.25:
        edge["when"] = f"output > {chance.randint(0, 4)}"
    return edge


def _condition(chance: random.Random, step: dict[str, Any], needs: list[dict[str, Any]]) -> str:
    if not needs or step.get("trigger_rule") in UNSURE or chance.random() < 0.5:
        return chance.choice(("true", "false", "params.go", "params.stay"))
    name = chance.choice(needs)["id"]
    return chance.choice((f"steps.{name}.status == 'succeeded'", f"steps.{name}.output > 2"))


def _map(chance: random.Random, needs: list[dict[str, Any]]) -> dict[str, Any]:
    over: Any = list(range(chance.choice((0, 1, 2, 2, 3, 3, 4))))
    roll = chance.random()
    if roll < 0.1:
        over = "${{ params.list }}"
    elif roll < 0.3 and needs:
        over = _output_of(chance, chance.choice(needs))
    made: dict[str, Any] = {"over": over}
    if chance.random() < 0.5:
        made["limit"] = chance.choice((1, 1, 2))
    if chance.random() < 0.4:
        made["min_success"] = chance.choice(({"count": 1.0}, {"percent": 50.0}, {"percent": 34.0}))
    if chance.random() < 0.2:
        made["inner"] = {"over": [7, 8], "name": "other"}
    return made


def _output_of(chance: random.Random, step: dict[str, Any]) -> str:
    tail = ".n" if chance.random() < 0.05 else ""
    return f"${{{{ steps.{step['id']}.output{tail} }}}}"


def _kind(chance: random.Random, needs: list[dict[str, Any]]) -> dict[str, Any]:
    roll = chance.random()
    if roll < 0.66:
        return {"kind": "noop"}
    if roll < 0.8:
        timeout = chance.choice(({}, {}, {"run": 20.0}, {"total": 30.0}))
        return {
            "kind": "workflow",
            "action": {"workflow": "inner"},
            "retry": chance.choice(_RETRIES),
            "timeout": timeout,
        }
    if roll < 0.87:
        return {"kind": "wait", "action": {"for": _time(chance, needs)}}
    if roll < 0.93:
        awaited = {"name": "news", "if": chance.choice((None, "event > 1"))}
        return {"kind": "wait", "action": {"event": awaited}, "timeout": chance.choice(({}, {"total": 90.0}))}
    action: dict[str, Any] = {"quorum": chance.choice((1, 1, 2))}
    if chance.random() < 0.5:
        action |= {"timeout": 30.0, "on_timeout": chance.choice(("reject", "approve", "fail"))}
    if chance.random() < 0.3:
        action["by"] = ["ada", "bob"]
    return {"kind": "approve", "action": action}


def _time(chance: random.Random, needs: list[dict[str, Any]]) -> Any:
    return 60.0 if not needs or chance.random() < 0.7 else _output_of(chance, chance.choice(needs))
