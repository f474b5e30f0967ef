"""Reading JSON: the quick look at the text finds whatever the long walk over the values would."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.problems import Problem
from api.strict_json import MAX_DEPTH, parse, unkeepable

texts = st.text(st.characters(exclude_categories=[]), max_size=5) | st.sampled_from(["\0", "\ud800", "a\udfffb", "😀"])
numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)


@given(value=values)
def test_a_value_is_refused_exactly_when_it_cannot_be_kept(value: Any) -> None:
    problems = list(unkeepable(value))
    body = json.dumps(value).encode()
    if problems:
        with pytest.raises(Problem) as raised:
            parse(body)
        assert raised.value.extra["errors"]
    else:
        assert parse(body) == value


@pytest.mark.parametrize("number", ["1e309", "-1E+400", "1" + "0" * 400 + ".0", "0.1e310", "9223372036854775808"])
def test_a_number_nothing_can_hold_is_refused(number: str) -> None:
    with pytest.raises(Problem) as raised:
        parse(f'{{"a": [{number}]}}'.encode())
    assert [error["path"] for error in raised.value.extra["errors"]] == ["a[0]"]


@pytest.mark.parametrize("number", ["1e308", "-9223372036854775807", "0.1", "1e-400", "12345678901234567.25"])
def test_a_number_that_can_be_held_is_kept(number: str) -> None:
    assert parse(number.encode()) == json.loads(number)


@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ('{"a":', "}")])
def test_depth_ends_at_the_limit(opened: str, closed: str) -> None:
    inner = "1" if opened != "[" else ""
    parse((opened * MAX_DEPTH + inner + closed * MAX_DEPTH).encode())
    with pytest.raises(Problem):
        parse((opened * (MAX_DEPTH + 1) + inner + closed * (MAX_DEPTH + 1)).encode())
