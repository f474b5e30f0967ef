from __future__ import annotations

import json
from dataclasses import replace

import pytest

from workflows.plan import Cache, Code, Concurrency, Edge, Map, Plan, Retry, Step, Timeout, Trigger

PLAN = Plan(
    workflow="train-digits",
    steps=(
        Step("a", "shell", {"script": "echo hello"}, env={"X": "${{ params.x }}"}),
        Step(
            "b",
            "python",
            {"callable": "m:f"},
            needs=(Edge("a", "output.ok"),),
            map=Map([1, 2], "n", 3, {"percent": 80.0}, inner=Map("${{ n.parts }}", "part")),
            retry=Retry(3, unless=("ValueError",)),
            timeout=Timeout(run=5.0, total=9.0),
            output={"x": {"schema": {"type": "number"}}},
            artifacts=("plots", "*.html"),
            cache=Cache(60.0),
        ),
        Step("c", "noop", cache=Cache()),
    ),
    params={"x": {"type": "string", "default": "é"}},
    triggers=(Trigger("event", {"name": "published"}, {"x": "${{ event.x }}"}),),
    code=Code(("pipeline/**",), "requirements.txt"),
    labels={"team": "vision"},
    concurrency=Concurrency("train", 2, "skip"),
    on_failure="stop",
)


def test_a_plan_survives_json() -> None:
    document = json.loads(json.dumps(PLAN.to_json()))
    assert Plan.from_json(document) == PLAN
    assert Plan.from_json(document).content_hash == PLAN.content_hash


def test_a_cache_without_a_bound_is_not_none() -> None:
    assert Plan.from_json(PLAN.compact()) == PLAN
    assert Plan.from_json(PLAN.compact()).steps[2].cache == Cache()


def test_the_content_hash_changes_with_any_part_of_the_plan() -> None:
    assert PLAN.content_hash.startswith("sha256:")
    assert len(PLAN.content_hash) == 7 + 64
    assert replace(PLAN, timeout=1.0).content_hash != PLAN.content_hash
    assert replace(PLAN, steps=PLAN.steps[::-1]).content_hash != PLAN.content_hash


def test_a_field_with_its_default_changes_no_hash_so_that_later_fields_do_not() -> None:
    """A redeploy after an upgrade must find the version that is there."""
    hello = Plan("hello", (Step("a", "shell", {"script": "echo hello"}),))
    assert hello.content_hash == "sha256:6a63029816e4abf9ff6bd995af3338260f2e04adffe86423dc8f5cbdd339c673"


def test_a_plan_of_a_newer_format_is_refused() -> None:
    with pytest.raises(ValueError, match="newer"):
        Plan.from_json(PLAN.to_json() | {"version": 99})


def test_fields_added_by_a_later_release_of_the_same_format_do_not_break_a_reader() -> None:
    assert Plan.from_json(PLAN.to_json() | {"colour": "blue"}) == PLAN
