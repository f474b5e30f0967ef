"""Which steps of a rerun run again, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.workflows.driving import Drive, plan, step
from workflows.messages import Operation, StepResult
from workflows.plan import Edge, Map, Plan, Retry, Step, Timeout
from workflows.reruns import Choice, changes, choose

OLD = plan(
    step("a", inputs={"rows": "${{ params.rows }}"}),
    step("b", "a", env={"URL": "${{ vars.url }}"}),
    step("c", "b", condition="params.deep"),
    step("d", "b"),
    step("e", "c d", trigger_rule="none_failed"),
    step("clean", phase="finally"),
)
GOOD = dict.fromkeys("abcde", "succeeded") | {"clean": "succeeded"}


def chosen(new: Plan = OLD, named: tuple[str, ...] = (), changed: Any = (), **states: str) -> Choice:
    return choose(OLD, new, {**GOOD, **states}, named, changed)


def with_step(name: str, **fields: Any) -> Plan:
    return replace(OLD, steps=tuple(replace(each, **fields) if each.id == name else each for each in OLD.steps))


def test_nothing_runs_again_when_nothing_has_changed() -> None:
    assert chosen() == Choice(["a", "b", "c", "d", "e"], {})


def test_a_named_step_runs_again_with_all_that_follows_it() -> None:
    assert chosen(named=("d",)) == Choice(["a", "b", "c"], {"d": "it is named", "e": "it follows d"})


@pytest.mark.parametrize(
    ("changed", "first", "why"),
    [
        (("params", "rows"), "a", "it reads params.rows, which changed"),
        (("vars", "url"), "b", "it reads vars.url, which changed"),
        (("params", "deep"), "c", "it reads params.deep, which changed"),
    ],
)
def test_what_reads_a_changed_param_runs_again(changed: tuple[str, str], first: str, why: str) -> None:
    found = chosen(changed=[changed])
    assert next(iter(found.again.items())) == (first, why)
    assert found.kept == list("abcde"[: "abcde".index(first)]) + (["d"] if first == "c" else [])


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"kind": "shell", "action": {"script": "x"}}, "its kind and action changed"),
        ({"inputs": {"x": 1}}, "its `with` changed"),
        ({"needs": (Edge("a", "output.good"),)}, "its needs changed"),
        ({"condition": "false", "trigger_rule": "all_done"}, "its trigger rule and `if` changed"),
        ({"map": Map([1])}, "its map changed"),
    ],
)
def test_a_step_whose_definition_changed_runs_again(fields: dict[str, Any], why: str) -> None:
    assert chosen(with_step("b", **fields)).again["b"] == why


def test_a_step_that_only_runs_elsewhere_or_more_patiently_is_kept() -> None:
    new = with_step("b", queue="gpu", retry=Retry(5), timeout=Timeout(run=5.0), description="better")
    assert "b" in chosen(new).kept


def test_a_new_step_and_what_follows_it_run() -> None:
    steps = [*OLD.steps[:2], Step("new", "noop", needs=(Edge("a"),)), *OLD.steps[2:]]
    found = chosen(replace(OLD, steps=tuple(steps)))
    assert found.again == {"new": "it is new"}


def test_what_did_not_succeed_runs_again_and_what_was_skipped_is_decided_as_it_was() -> None:
    assert chosen(d="failed", e="upstream_failed").again == {"d": "it was failed", "e": "it follows d"}
    assert chosen(c="skipped") == Choice(["a", "b", "d", "e"], {})
    assert chosen(c="skipped", named=("b",)).again["c"] == "it follows b"


def test_changes_are_found_by_name() -> None:
    before, after = {"same": 1, "other": 1, "gone": None}, {"same": 1, "other": 2, "new": None}
    assert changes("params", before, after) == [("params", "other"), ("params", "gone"), ("params", "new")]


def test_a_run_takes_over_what_is_kept_and_decides_the_rest() -> None:
    kept = {"a": {"run": "demo-0", "value": {"n": 4}}, "m": {"run": "demo-0", "value": [1, 2]}}
    again = Operation("o", "rerun", "ada", "new code", ["c"])
    run = Drive(
        step("a"),
        step("m", map=Map([1, 2])),
        step("b", {"a": "output.n > 5"}),
        step("c", "a m", inputs={"n": "${{ steps.a.output.n }}", "m": "${{ steps.m.output }}"}),
        request={"kept": kept, "again": again},
    )
    assert run.started == ["c"]
    assert run.task("c").inputs == {"n": 4, "m": [1, 2]}
    assert (run.last("a").reason, run.last("a").detail) == ("kept from demo-0", {"kept": {"run": "demo-0"}})
    assert run.last("a").result == StepResult({"n": 4})
    assert run.states["b"] == "skipped"
    assert run.transitions[0].detail["operation"]["by"] == "ada"
