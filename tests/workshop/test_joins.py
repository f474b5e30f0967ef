"""docs/joins.md says of the trigger rules what `workflows.rules` does."""

from __future__ import annotations

from itertools import combinations_with_replacement, product

import pytest

from tests.workshop.write_joins import BEGIN, END, MEANING, PAGE, RULES, STATES, page, section
from workflows.plan import TriggerRule
from workflows.rules import decide


def test_the_page_of_joins_is_what_the_rules_give() -> None:
    text = PAGE.read_text()
    assert (text.count(BEGIN), text.count(END)) == (1, 1)
    assert text == page(text), "write it anew: python -m tests.workshop.write_joins"


def test_every_rule_has_a_sentence_and_all_pairs_of_states() -> None:
    assert set(MEANING) == set(RULES)
    for rule in RULES:
        cells = [line.split(" | ")[1:] for line in section(rule).splitlines() if line.startswith("| **")]
        shown = [cell.removesuffix(" |").strip("*") for row in cells for cell in row]
        assert shown == [decide(rule, pair) for pair in product(STATES, repeat=2)]


@pytest.mark.parametrize("rule", RULES)
def test_as_the_page_says_it_matters_which_states_occur_and_not_how_often(rule: TriggerRule) -> None:
    for count in range(1, 6):
        for states in combinations_with_replacement(STATES, count):
            assert decide(rule, states) == decide(rule, sorted(set(states)))
