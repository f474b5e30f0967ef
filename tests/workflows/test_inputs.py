"""The tasks of http steps: what is left for their worker, and what is not."""

from __future__ import annotations

from typing import Any

from workflows.inputs import RunIdentity, build_task
from workflows.messages import StepTask
from workflows.plan import Map, Step

IDENTITY = RunIdentity("demo-1", "demo", 1)


def task(action: dict[str, Any], **scope: Any) -> StepTask:
    step = Step("a", "http", action, map=Map(over=[1], name="callback"))
    return build_task(IDENTITY, step, "a", 0, {"params": {"n": 3}, **scope})


def test_the_address_of_a_callback_is_left_for_the_worker() -> None:
    submit = {"method": "POST", "url": "https://x", "json": {"to": "${{ callback.url }}", "n": "${{ params.n }}"}}
    made = task({"submit": submit, "callback": {}})
    assert made.action["submit"]["json"] == {"to": "${{ callback.url }}", "n": 3}
    mixed = task({"submit": {"method": "POST", "url": "${{ callback.url + string(params.n) }}"}, "callback": {}})
    assert mixed.scope == {"params": {"n": 3}}


def test_a_variable_of_that_name_in_a_plan_made_before_is_still_one() -> None:
    made = task({"request": {"method": "GET", "url": "https://x/${{ callback.name }}"}}, callback={"name": "b"})
    assert made.action["request"]["url"] == "https://x/b"
