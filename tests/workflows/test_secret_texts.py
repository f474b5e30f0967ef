"""Secrets in the pure core: where they go is known from the plan, and what they are is never here."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workflows.driving import Drive, step
from workflows.expressions import ExpressionError
from workflows.messages import MAX_TASK_BYTES, SecretText, StepTask
from workflows.secret_texts import LateText, filled, names_of, taken_out
from workflows.wire import CONVERTER

REFERENCES = ["${{ secrets.TOKEN }}", {"$segue": "secret", "name": "TOKEN"}, {"secret": "TOKEN"}, [{"text": "x"}]]
VALUES = {"TOKEN": "the ${{ params.x }} value", "OTHER": "other"}


def task_of(*steps: Any, **request: Any) -> StepTask:
    run = Drive(*steps, request=request)
    return run.task(steps[-1].id)


def test_the_core_leaves_the_name_of_a_secret_and_its_place() -> None:
    task = task_of(
        step(
            "a",
            kind="python",
            action={"callable": "m:f"},
            inputs={"login": {"user": "${{ params.user }}", "all": ["x", "${{ secrets.TOKEN }}"]}},
            env={"A": "Bearer ${{ secrets['TOKEN'] }} of ${{ params.user }}${{ params.n }}!", "B": "plain"},
        ),
        params={"user": "ann", "n": 1.5},
    )
    assert task.inputs == {"login": {"user": "ann", "all": ["x", None]}}
    assert task.env == {"A": None, "B": "plain"}
    assert task.secrets == [
        SecretText(["inputs", "login", "all", 1], [{"secret": "TOKEN"}]),
        SecretText(
            ["env", "A"],
            [
                {"text": "Bearer "},
                {"secret": "TOKEN"},
                {"text": " of "},
                {"text": "ann"},
                {"text": "1.5"},
                {"text": "!"},
            ],
        ),
    ]
    assert names_of(task) == {"TOKEN": "with.login.all[1]"}
    done = filled(task, VALUES)
    assert done.inputs["login"]["all"] == ["x", VALUES["TOKEN"]]
    assert done.env["A"] == f"Bearer {VALUES['TOKEN']} of ann1.5!"
    assert task.env == {"A": None, "B": "plain"}


def test_a_task_without_secrets_says_nothing_of_them_on_the_wire() -> None:
    [without] = CONVERTER.payload_converter.to_payloads(
        [task_of(step("a", kind="shell", action={"script": "secrets"}))]
    )
    assert b"secrets" not in without.data.replace(b'"script":"secrets"', b"")
    task = task_of(step("a", kind="shell", action={"script": ""}, env={"T": "${{ secrets.TOKEN }}"}))
    payloads = CONVERTER.payload_converter.to_payloads([task])
    assert CONVERTER.payload_converter.from_payloads(payloads, [StepTask]) == [task]


@pytest.mark.parametrize("reference", REFERENCES)
def test_a_value_that_looks_like_a_reference_stays_a_value(reference: Any) -> None:
    steps = (
        step("first"),
        step(
            "a",
            "first",
            kind="python",
            action={"callable": "m:f"},
            inputs={
                "param": "${{ params.p }}",
                "output": "${{ steps.first.output.x }}",
                "event": "${{ event }}",
                "text": "a ${{ params.p }}",
                "real": "${{ secrets.TOKEN }}",
            },
            env={"P": "${{ params.p }}"},
        ),
    )
    run = Drive(*steps, request={"params": {"p": reference}, "event": reference})
    run.succeed("first", {"x": reference})
    task = run.task("a")
    assert task.secrets == [SecretText(["inputs", "real"], [{"secret": "TOKEN"}])]
    done = filled(task, VALUES)
    assert [done.inputs["param"], done.inputs["output"], done.inputs["event"], done.env["P"]] == [reference] * 4
    assert VALUES["TOKEN"] not in str({**done.inputs, "real": None}) + str(done.env)


@pytest.mark.parametrize("reference", ["${{ secrets.OTHER }}", "${{ submit.text }}"])
def test_a_value_beside_a_secret_is_never_read_as_a_template(reference: str) -> None:
    action = {
        "submit": {"method": "POST", "url": "${{ params.p }}/${{ secrets.TOKEN }}"},
        "poll": {
            "url": "${{ submit.json.href }}?k=${{ secrets.TOKEN }}&p=${{ params.p }}",
            "headers": {"X": "${{ params.p }} ${{ secrets.TOKEN }}"},
            "every": 1.0,
            "until": "${{ response.json.done }}",
        },
    }
    task = task_of(step("a", kind="http", action=action), params={"p": reference})
    done = filled(task, VALUES)
    scope = {"submit": {"json": {"href": reference}, "text": "wrong"}}
    assert done.action["submit"]["url"] == f"{reference}/{VALUES['TOKEN']}"
    poll = done.action["poll"]
    assert isinstance(poll["url"], LateText)
    assert poll["url"].rendered(scope) == f"{reference}?k={VALUES['TOKEN']}&p={reference}"
    assert poll["headers"]["X"].rendered(scope) == f"{reference} {VALUES['TOKEN']}"
    assert VALUES["TOKEN"] not in repr(poll)


def test_what_late_parts_of_a_text_read_travels_beside_them() -> None:
    poll = {"url": "${{ submit.json[params.key] }}${{ secrets.TOKEN }}", "until": "${{ true }}", "every": 1.0}
    task = task_of(step("a", kind="http", action={"submit": {"url": "u"}, "poll": poll}), params={"key": "k", "x": 1})
    assert task.scope == {"params": {"key": "k"}}
    [text] = task.secrets
    assert text.parts == [{"late": "submit.json[params.key]"}, {"secret": "TOKEN"}]
    late = filled(task, VALUES).action["poll"]["url"]
    assert late.rendered({**task.scope, "submit": {"json": {"k": "K"}}}) == "K" + VALUES["TOKEN"]
    with pytest.raises(ExpressionError):
        late.rendered({**task.scope, "submit": {"json": {}}})


def test_an_error_beside_a_secret_names_its_place() -> None:
    run = Drive(step("a", kind="shell", action={"script": ""}, env={"T": "${{ params.x.y }} ${{ secrets.TOKEN }}"}))
    error = run.last("a").error
    assert error is not None
    assert (error.type, error.detail["where"]) == ("ExpressionError", "env.T")


def test_the_text_around_a_secret_counts_for_the_size_of_a_task() -> None:
    text = "${{ secrets.TOKEN }}${{ params.big }}"
    run = Drive(
        step("a", kind="shell", action={"script": ""}, env={"T": text}),
        request={"params": {"big": "x" * MAX_TASK_BYTES}},
    )
    error = run.last("a").error
    assert error is not None
    assert (error.type, error.detail["where"]) == ("InputInvalid", "the texts with secrets")


def test_a_plan_is_not_changed_when_a_task_is_made_of_it() -> None:
    one = step("a", kind="http", action={"request": {"url": "${{ secrets.A }}", "json": [{"b": "${{ secrets.B }}"}]}})
    before = copy.deepcopy(one)
    bare, texts = taken_out(one)
    assert one == before
    assert bare.action == {"request": {"url": None, "json": [{"b": None}]}}
    assert [place for place, _ in texts] == [("action", "request", "url"), ("action", "request", "json", 0, "b")]
    same, none = taken_out(step("a", kind="python", action={"callable": "secrets:x"}, env={"A": "my secrets"}))
    assert (same.env, none) == ({"A": "my secrets"}, [])


JSON = st.recursive(
    st.none() | st.integers() | st.sampled_from(["${{ secrets.TOKEN }}", "secrets", "$segue", "TOKEN", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["$segue", "secret", "at", "parts", "text", "late"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON)
def test_no_value_whatever_it_is_puts_a_secret_into_a_task(value: Any) -> None:
    task = task_of(
        step("a", kind="python", action={"callable": "m:f"}, inputs={"x": "${{ params.p }}", "y": "${{ params.p }}!"}),
        params={"p": value},
    )
    assert task.secrets == []
    assert filled(task, VALUES).inputs["x"] == value
