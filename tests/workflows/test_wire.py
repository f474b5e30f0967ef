"""Our converter and Temporal's own understand each other: histories and clients of either kind stay readable."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.converter import DataConverter

from workflows.messages import RunRecords, RunRequest, StepResult, StepTask, Transition
from workflows.terms import raw
from workflows.wire import CONVERTER, MESSAGES

OURS = CONVERTER.payload_converter
THEIRS = DataConverter.default.payload_converter

texts = st.text(st.characters(codec="utf-8"), max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Return values of a field's type."""
    plain = {str: texts, int: st.integers(-(2**53), 2**53), float: st.floats(-1e9, 1e9), bool: st.booleans()}
    if hint in plain:
        return plain[hint]
    if hint is Any:
        return json_values
    if dataclasses.is_dataclass(hint):
        return message_of(hint)
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is list:
        return st.lists(values_of(inner[0]), max_size=2)
    if origin is dict:
        return st.dictionaries(texts, values_of(inner[1]), max_size=2)
    return st.one_of([st.none() if each is type(None) else values_of(each) for each in inner])


def message_of(kind: Any) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    return st.builds(kind, **{field.name: values_of(hints[field.name]) for field in dataclasses.fields(kind)})


@given(st.one_of([message_of(kind) for kind in MESSAGES]))
def test_each_message_is_read_by_either_side_whoever_wrote_it(message: Any) -> None:
    for writer in (OURS, THEIRS):
        for reader in (OURS, THEIRS):
            assert reader.from_payload(writer.to_payload(message), type(message)) == message


@given(json_values)
def test_what_is_no_message_is_as_temporal_has_it(value: Any) -> None:
    assert OURS.to_payload(value) == THEIRS.to_payload(value)
    assert OURS.from_payload(OURS.to_payload(value)) == value


def test_a_field_with_its_default_is_not_sent() -> None:
    payload = OURS.to_payload(StepResult(folder="runs/a", started_at=1.5))
    assert payload is not None
    assert json.loads(payload.data) == {"folder": "runs/a", "started_at": 1.5}


def test_a_field_of_a_later_release_is_passed_over() -> None:
    payload = THEIRS.to_payload({"folder": "runs/a", "colour": "blue"})
    assert payload is not None
    assert OURS.from_payload(payload, StepResult) == StepResult(folder="runs/a")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (StepResult, [1]),
        (StepResult, {"folder": 1}),
        (StepResult, {"started_at": "now"}),
        (StepTask, {"run": "a"}),
        (RunRequest, {"workflow": "a", "params": []}),
        (RunRequest, {"workflow": "a", "cause": "me"}),
        (RunRecords, {"run": "a", "workflow": "a", "version": 1, "transitions": [{"seq": "one"}]}),
    ],
)
def test_what_does_not_fit_is_refused_as_temporal_refuses_it(kind: type, value: Any) -> None:
    payload = THEIRS.to_payload(value)
    assert payload is not None
    for reader in (OURS, THEIRS):
        with pytest.raises((TypeError, RuntimeError)):
            reader.from_payload(payload, kind)


def test_a_long_report_travels_packed_and_a_short_one_as_people_read_it() -> None:
    short, long = (
        RunRecords("a", "a", 1, [Transition(n, 1.0, f"s{n}", "queued") for n in range(many)]) for many in (2, 500)
    )
    for records, encoding in ((short, b"json/plain"), (long, b"json/zlib")):
        document = OURS.to_payload(records)
        assert document is not None
        sent = raw(document.data).payload
        assert sent.metadata["encoding"] == encoding
        assert OURS.from_payload(sent, RunRecords) == records
    assert len(sent.data) * 5 < len(document.data)


def test_a_packed_report_that_is_cut_off_is_refused() -> None:
    sent = raw(b'{"run": "%s"}' % (b"a" * 10_000)).payload
    sent.data = sent.data[:-8]
    with pytest.raises(ValueError, match="cut off"):
        OURS.from_payload(sent, RunRecords)
