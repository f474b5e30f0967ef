"""Trigger rules against a second formulation of them, over every combination of up to four needs."""

from __future__ import annotations

from itertools import permutations, product
from typing import get_args

import pytest

from tests.workflows.meaning import written_out
from workflows.plan import TriggerRule
from workflows.rules import EdgeState, Verdict, decide, is_eager, starts_at_once

RULES: tuple[TriggerRule, ...] = get_args(TriggerRule)
STATES: tuple[EdgeState, ...] = get_args(EdgeState)
COMBINATIONS = [states for count in range(1, 5) for states in product(STATES, repeat=count)]


@pytest.mark.parametrize("rule", RULES)
def test_every_combination_of_up_to_four_needs_has_the_written_out_verdict(rule: TriggerRule) -> None:
    assert {states: decide(rule, states) for states in COMBINATIONS} == {
        states: written_out(rule, states) for states in COMBINATIONS
    }


@pytest.mark.parametrize(
    ("rule", "states", "verdict"),
    [
        ("all_success", ("skipped", "failed"), "upstream_failed"),
        ("all_success", ("succeeded", "cancelled"), "upstream_failed"),
        ("all_failed", ("failed", "upstream_failed"), "start"),
        ("all_failed", ("failed", "succeeded"), "skipped"),
        ("one_failed", ("upstream_failed", "skipped"), "start"),
        ("one_done", ("skipped", "upstream_failed"), "skipped"),
        ("one_success", ("failed", "skipped"), "upstream_failed"),
        ("none_failed_min_one_success", ("skipped", "skipped"), "skipped"),
        ("none_failed", ("skipped", "skipped"), "start"),
        ("none_skipped", ("failed", "upstream_failed"), "start"),
        ("all_skipped", ("skipped", "failed"), "skipped"),
    ],
)
def test_the_cases_people_ask_about(rule: TriggerRule, states: tuple[EdgeState, ...], verdict: Verdict) -> None:
    assert decide(rule, states) == verdict


@pytest.mark.parametrize("rule", RULES)
def test_a_step_without_needs_starts_whatever_its_rule(rule: TriggerRule) -> None:
    assert decide(rule, ()) == "start"


@pytest.mark.parametrize("rule", RULES)
def test_the_order_of_the_needs_does_not_matter(rule: TriggerRule) -> None:
    for states in product(STATES, repeat=3):
        assert len({decide(rule, order) for order in permutations(states)}) == 1


@pytest.mark.parametrize("rule", RULES)
def test_an_edge_starts_a_step_at_once_only_if_no_other_edge_could_change_that(rule: TriggerRule) -> None:
    for states in COMBINATIONS:
        early = any(starts_at_once(rule, state) for state in states)
        assert early == (is_eager(rule) and decide(rule, states) == "start")
