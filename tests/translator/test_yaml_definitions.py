from __future__ import annotations

from typing import Any

import pytest

from translator import Code, DefinitionError, compile_document, compile_yaml
from workflows.plan import Edge, Map, Retry, Timeout

HEAD = "segue: 1\nname: demo\n"


def problems(text: str) -> list[tuple[int, int, str]]:
    with pytest.raises(DefinitionError) as caught:
        compile_yaml(HEAD + text, "demo.yaml")
    return [(found.line, found.column, found.code) for found in caught.value.diagnostics]


def edges(text: str) -> dict[str, tuple[Edge, ...]]:
    return {step.id: step.needs for step in compile_yaml(HEAD + text, "demo.yaml").steps}


def test_defaults_are_filled_in() -> None:
    plan = compile_yaml(HEAD + "steps: {a: {run: echo a}}", "demo.yaml")
    (step,) = plan.steps
    assert (plan.max_parallel, plan.timeout, plan.code.include) == (200, 86_400.0, ("**/*.py",))
    assert (step.queue, step.trigger_rule, step.retry, step.timeout) == ("cpu", "all_success", Retry(), Timeout())
    assert (step.retry.attempts, step.timeout.heartbeat) == (1, 10.0)


def test_a_step_overrides_defaults_key_by_key() -> None:
    text = """
defaults: {queue: gpu, retry: {attempts: 3, delay: 5s}, timeout: {run: 1h, queue: 2h}, env: {A: "1", B: "2"}}
steps:
  a: {run: echo a, retry: {delay: 1s}, timeout: 30m, env: {B: "3"}, queue: cpu}
  b: {uses: noop}
"""
    a, b = compile_yaml(HEAD + text, "demo.yaml").steps
    assert (a.retry.attempts, a.retry.delay) == (3, 1.0)
    assert (a.timeout.run, a.timeout.queue) == (1_800.0, 7_200.0)
    assert (a.env, a.queue) == ({"A": "1", "B": "3"}, "cpu")
    assert (b.env, b.queue) == ({}, "gpu")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10.0), ("5m", 300.0), ("2h", 7200.0), ("7d", 604_800.0), ("500ms", 0.5), ("1h30m", 5400.0), ("1.5s", 1.5)],
)
def test_durations_become_seconds(text: str, seconds: float) -> None:
    plan = compile_yaml(HEAD + f"steps: {{a: {{run: echo a, timeout: {text}}}}}", "demo.yaml")
    assert plan.steps[0].timeout.run == seconds
    assert type(plan.steps[0].timeout.run) is float


def test_needs_may_be_a_name_a_list_or_a_mapping() -> None:
    text = """
steps:
  a: {uses: noop}
  b: {uses: noop, needs: a}
  c: {uses: noop, needs: [b, a]}
  d: {uses: noop, needs: {a: true, b: "${{ output.x>1 }}", c: output.y}}
"""
    assert edges(text) == {
        "a": (),
        "b": (Edge("a"),),
        "c": (Edge("a"), Edge("b")),
        "d": (Edge("a"), Edge("b", "output.x > 1"), Edge("c", "output.y")),
    }


def test_a_reference_is_a_need_wherever_it_stands() -> None:
    text = """
defaults: {env: {D: "${{ steps.d.output }}"}}
steps:
  d: {uses: noop}
  i: {uses: noop, with: {x: "${{ steps.d.output }}"}}
  w: {python: "m:f", with: {x: [{y: "a ${{ steps.i.output.z }}"}]}}
  m: {run: echo m, map: {over: "${{ steps.w.output }}"}, env: {D: none}}
  c: {uses: noop, if: "steps.m.output[0].ok == 'yes'"}
  e: {uses: noop, needs: {c: "${{ output.ok && steps['i'].status == 'succeeded' }}"}}
  h: {http: {url: "${{ steps.e.output }}", json: {a: "${{ steps.w.output }}"}}, output: {x: "${{ steps.c.output }}"}}
"""
    needed = {name: [edge.step for edge in found] for name, found in edges(text).items()}
    assert needed == {
        "d": [],
        "i": ["d"],
        "w": ["d", "i"],
        "m": ["w"],
        "c": ["m"],
        "e": ["i", "c"],
        "h": ["w", "c", "e"],
    }


def test_a_reference_keeps_the_condition_of_a_need_that_is_written() -> None:
    text = """
steps:
  a: {uses: noop}
  b: {uses: noop, needs: {a: output.ok}, with: {x: "${{ steps.a.output.x }}"}}
"""
    assert edges(text)["b"] == (Edge("a", "output.ok"),)


def test_steps_stand_in_plan_order_and_otherwise_as_written() -> None:
    text = """
steps:
  e: {uses: noop, needs: [d, b]}
  d: {uses: noop}
  c: {uses: noop, needs: a}
  b: {uses: noop}
  a: {uses: noop}
"""
    assert list(edges(text)) == ["d", "b", "e", "a", "c"]


def test_a_map_has_floats_and_canonical_templates() -> None:
    text = 'params: {g: {default: []}}\nsteps: {a: {run: x, map: {over: "${{params.g}}", as: hp, min_success: 80%}}}'
    assert compile_yaml(HEAD + text, "demo.yaml").steps[0].map == Map("${{ params.g }}", "hp", None, {"percent": 80.0})
    folded = "params: {g: {default: []}}\nsteps:\n  a:\n    run: x\n    map:\n      over: >\n        ${{ params.g }}\n"
    over = compile_yaml(HEAD + folded, "demo.yaml").steps[0].map
    assert over is not None
    assert over.over == "${{ params.g }}"


def test_conditions_that_are_always_true_are_none() -> None:
    text = "steps: {a: {uses: noop, if: true}, b: {uses: noop, if: false, needs: {a: true}}}"
    a, b = compile_yaml(HEAD + text, "demo.yaml").steps
    assert (a.condition, b.condition, b.needs) == (None, "false", (Edge("a"),))


def test_equal_meaning_gives_an_equal_hash_however_it_is_spelled() -> None:
    first = """
segue: 1
name: demo
params: {n: {type: integer, default: 1}}
steps:
  a: {run: "echo a", timeout: 90s, retry: {delay: 1s, backoff: 2}}
  b:
    needs: {a: "${{int(output.x)>params.n}}"}
    run: |
      echo b
    env: {X: "${{params.n}}"}
"""
    second = """
steps:
  a: {timeout: {run: 1m30s}, run: 'echo a', retry: {backoff: 2.0, attempts: 1}}
  b: {env: {X: '${{  params.n  }}'}, run: echo b, needs: {a: int( (output.x) ) > params.n}}
params:
  n:
    default: 1
    type: integer
name: "demo"
segue: 1
"""
    assert compile_yaml(first, "a.yaml").content_hash == compile_yaml(second, "b.yaml").content_hash


def test_yaml_1_2_scalars_are_what_they_look_like() -> None:
    text = "steps: {a: {uses: noop, with: {v: [on, no, 12:30, 010, 0x1F, 0o17, 1e3, .5, ~, 2025-01-01, y, -1, '5']}}}"
    values = compile_yaml(HEAD + text, "demo.yaml").steps[0].inputs["v"]
    assert values == ["on", "no", "12:30", 10, 31, 15, 1000.0, 0.5, None, "2025-01-01", "y", -1, "5"]


@pytest.mark.parametrize(
    ("style", "line", "column"),
    [
        ("text ${{ params.nope }}", 7, 23),
        ('"text ${{ params.nope }}"', 7, 24),
        ("'it''s ${{ params.nope }}'", 7, 25),
        ('"t\\u00e9xt ${{ params.nope }}"', 7, 29),
        ("|-\n        text\n        and ${{ params.nope }}", 9, 17),
        (">\n        text ${{ run.id }}\n        and ${{ params.nope }}", 9, 17),
        ('"text\n        and ${{ params.nope }}"', 8, 17),
        ('"text ${{\n        params.nope }}"', 7, 20),
        ('"\\u0024{{ params.nope }}"', 7, 14),
    ],
)
def test_a_message_points_into_texts_of_every_style(style: str, line: int, column: int) -> None:
    text = f"steps:\n  a:\n    run: echo a\n    env:\n      VALUE: {style}\n"
    assert problems(text) == [(line, column, Code.UNKNOWN_PARAM)]


def test_windows_line_ends_and_a_byte_order_mark_change_nothing() -> None:
    text = "segue: 1\nname: demo\nsteps:\n  a:\n    run: |\n      echo a\n      echo b\n"
    plain = compile_yaml(text, "demo.yaml")
    assert compile_yaml("\ufeff" + text.replace("\n", "\r\n"), "demo.yaml").content_hash == plain.content_hash
    with pytest.raises(DefinitionError) as caught:
        compile_yaml("\ufeff" + text.replace("a:", "a!:").replace("\n", "\r\n"), "demo.yaml")
    assert (caught.value.diagnostics[0].line, caught.value.diagnostics[0].column) == (4, 3)


def test_the_definition_in_python_gives_the_same_plan_and_places_in_its_file() -> None:
    steps: dict[str, Any] = {"a": {"run": "echo a", "timeout": "5m"}, "b": {"python": "m:f", "needs": {"a": True}}}
    document = {
        "language": "python",
        "definition": {"segue": 1, "name": "demo", "steps": steps},
        "source": "x\ny = 1\nz",
    }
    text = HEAD + "steps:\n  a: {run: echo a, timeout: 5m}\n  b: {needs: a, python: 'm:f'}\n"
    assert compile_document(document, "demo.py").content_hash == compile_yaml(text, "demo.yaml").content_hash
    steps["b"]["needs"] = {"a/~": True}
    document["positions"] = {"": [1, 1], "/steps/b": [2, 1], "/steps/b/needs/a~1~0": [2, 5]}
    with pytest.raises(DefinitionError) as caught:
        compile_document(document, "demo.py")
    assert caught.value.render() == (
        'demo.py:2:5: error[E0401]: step "b" needs "a/~", which is not a step\n    y = 1\n        ^\n'
        "hint: the steps are: a, b"
    )
    document["positions"] = {"/steps/b": [2, 1]}
    with pytest.raises(DefinitionError) as caught:
        compile_document(document, "demo.py")
    assert (caught.value.diagnostics[0].line, caught.value.diagnostics[0].column) == (2, 1)


def test_diagnostics_are_json_for_tools() -> None:
    with pytest.raises(DefinitionError) as caught:
        compile_yaml(HEAD + "steps: {a: {run: echo a, colour: red}}", "demo.yaml")
    assert caught.value.diagnostics[0].to_json() == {
        "file": "demo.yaml",
        "line": 3,
        "column": 26,
        "code": "E0201",
        "message": 'step "a" has an unknown key "colour"',
        "hint": caught.value.diagnostics[0].hint,
    }
