"""What a plan would do, as far as that can be said before it does anything."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from translator import compile_yaml
from translator.forecast.forecast import Forecast, forecast
from translator.forecast.states import outlooks
from translator.forecast.ticks import next_ticks
from workflows.plan import Plan
from workflows.rules import decide

NOW = datetime(2026, 3, 27, 12, 0, tzinfo=UTC)
HEAD = """
segue: 1
name: flow
params:
  dataset: {type: string, default: digits}
  grid: {type: array, default: [1, 2]}
  n: {type: integer}
steps:
"""


def plan_of(steps: str) -> Plan:
    return compile_yaml(HEAD + steps, "flow.yaml")


def told(steps: str, variables: dict[str, Any] | None = None, **params: Any) -> Forecast:
    return forecast(plan_of(steps), params, variables, None, NOW)


def fates(found: Forecast) -> dict[str, tuple[str, list[str]]]:
    return {step.id: (step.fate, step.why) for step in found.steps}


BRANCHES = """
  a: {run: echo}
  wine: {needs: {a: "${{ params.dataset == 'wine' }}"}, run: echo}
  digits: {needs: {a: "${{ params.dataset == 'digits' }}"}, run: echo}
  behind: {needs: wine, run: echo}
  joined: {needs: [wine, digits], trigger_rule: none_failed_min_one_success, run: echo}
  alarm: {needs: a, trigger_rule: one_failed, run: echo}
"""


def test_a_condition_over_params_decides_before_the_run() -> None:
    assert fates(told(BRANCHES)) == {
        "a": ("runs", []),
        "wine": (
            "skipped",
            ["params.dataset == 'wine' on the edge from a is false (params.dataset is 'digits')"],
        ),
        "digits": ("runs", []),
        "behind": ("skipped", ["wine is skipped"]),
        "joined": ("runs", []),
        "alarm": ("skipped", ["starts only when a need fails (one_failed)"]),
    }
    assert fates(told(BRANCHES, dataset="wine"))["behind"] == ("runs", [])


def test_a_condition_over_outputs_is_left_open() -> None:
    found = told(
        """
  a: {python: "m:f"}
  b: {needs: {a: "${{ output.x > params.n }}"}, run: echo}
  c: {needs: b, run: echo}
  d: {if: "${{ params.n > 3 && steps.a.output.y }}", run: echo}
""",
        n=1,
    )
    assert fates(found) == {
        "a": ("runs", []),
        "b": ("depends", ["depends on steps.a.output.x"]),
        "c": ("depends", ["depends on b"]),
        "d": ("skipped", ["if params.n > 3 && steps.a.output.y is false (params.n is 1)"]),
    }


def test_a_param_that_must_still_be_given_is_not_known() -> None:
    found = told('\n  a: {if: "${{ params.n > 3 }}", run: echo}\n')
    assert found.missing_params == ["n"]
    assert fates(found) == {"a": ("depends", ["depends on params.n"])}


@pytest.mark.parametrize(
    ("variables", "missing", "fate"),
    [(None, None, "depends"), ({}, ["API"], "depends"), ({"API": "x"}, [], "runs")],
)
def test_variables_are_known_when_a_service_is_up(
    variables: dict[str, Any] | None, missing: list[str] | None, fate: str
) -> None:
    found = told("\n  a: {if: \"${{ vars.API == 'x' }}\", run: echo}\n", variables)
    assert (found.vars, found.missing_vars) == (["API"], missing)
    assert found.steps[0].fate == fate


@pytest.mark.parametrize(
    ("over", "items"),
    [
        ("[1, 2, 3]", 3),
        ('"${{ params.grid }}"', 2),
        ('"${{ params.grid.map(x, x) }}"', 2),
        ("[]", 0),
        ('"${{ vars.GRID }}"', None),
    ],
)
def test_the_size_of_a_map_is_told_when_it_is_known(over: str, items: int | None) -> None:
    [step] = told(f"\n  a: {{map: {{over: {over}}}, run: echo}}\n").steps
    assert (step.mapped, step.items) == (True, items)


def test_the_longest_chain_and_the_widest_place_are_told() -> None:
    found = told(BRANCHES)
    assert (found.longest, found.widest) == (["a", "wine", "behind"], 3)


def test_no_state_that_can_be_is_left_out() -> None:
    """Sets of states stand for all combinations: compared here with every combination there is."""
    rules = ["all_success", "all_failed", "all_done", "all_skipped", "one_success", "one_failed", "one_done"]
    rules += ["none_failed", "none_failed_min_one_success", "none_skipped", "always"]
    states = ("succeeded", "failed", "upstream_failed", "skipped")
    for rule in rules:
        plan = plan_of(
            "\n  a: {python: 'm:f'}\n  b: {needs: {a: output.x}, run: echo}\n  c: {needs: [a, b], run: echo}\n"
            f"  d: {{needs: [a, b, c], trigger_rule: {rule}, run: echo}}\n"
        )
        found = outlooks(plan, lambda step, edge: None, failures=True)["d"]
        verdicts = {
            decide(rule, (one, two, three))  # type: ignore[arg-type]
            for one in states
            for two in states
            for three in states
            if one in found.edges[0] and two in found.edges[1] and three in found.edges[2]
        }
        assert found.verdicts == verdicts, rule


@pytest.mark.parametrize(
    ("spec", "ticks"),
    [
        (
            {"cron": "0 6 * * MON", "timezone": "Europe/Paris"},
            ["2026-03-30T06:00:00+02:00", "2026-04-06T06:00:00+02:00"],
        ),
        ({"cron": "@daily", "timezone": "UTC"}, ["2026-03-28T00:00:00+00:00", "2026-03-29T00:00:00+00:00"]),
        ({"cron": "0 0 30 2 *", "timezone": "UTC"}, []),
        ({"every": {"months": 1}, "start": "2025-01-31"}, ["2026-03-31T00:00:00+00:00", "2026-04-30T00:00:00+00:00"]),
        (
            {"every": {"seconds": 129600}, "start": "2026-03-26"},
            ["2026-03-29T00:00:00+00:00", "2026-03-30T12:00:00+00:00"],
        ),
        ({"every": {"months": 2}, "start": "2027-01-01"}, ["2027-01-01T00:00:00+00:00", "2027-03-01T00:00:00+00:00"]),
    ],
)
def test_a_schedule_tells_its_next_times(spec: dict[str, Any], ticks: list[str]) -> None:
    assert [tick.isoformat() for tick in next_ticks(spec, NOW, 2)] == ticks


def test_an_hour_that_a_clock_change_skips_or_repeats_starts_one_run_a_day() -> None:
    for month, day in ((3, 28), (10, 24)):
        ticks = next_ticks(
            {"cron": "30 2 * * *", "timezone": "Europe/Paris"}, datetime(2026, month, day, 12, tzinfo=UTC), 3
        )
        assert [tick.day for tick in ticks] == [day + 1, day + 2, day + 3]
