"""Shared steps: what is put in the place of an input means the same as the input, and is nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translator import Code, DefinitionError, compile_yaml, files_of_document, files_of_yaml
from translator.substitute import Substitution
from workflows.expressions import ExpressionError
from workflows.plan import Step
from workflows.templates import canonical, render

TEMPLATES: list[Any] = [
    "${{ inputs.a }}",
    "x ${{ inputs.a }} y ${{ inputs.b }}",
    "$${{ inputs.a }}{",
    "${{ inputs.a }}${{ inputs.b }}",
    {"k": ["${{ inputs.a }}", "${{ [inputs.b, inputs['a']] }}"]},
    "${{ inputs }}",
    "${{ inputs.a == inputs.b }}",
    "${{ has(inputs.a) && has(inputs.a.x) }}",
    "${{ has(inputs.b.x) ? inputs.b.x : 'none' }}",
    "${{ inputs.a.x }}",
    "${{ inputs.a?.x?.y }}",
    "${{ inputs.a[0] }}",
    "${{ inputs.a['x'] }}",
    "${{ inputs.b + 1 }}",
    "${{ -inputs.b }}",
    "${{ !(inputs.a == null) }}",
    "${{ inputs.b * (inputs.b + 2) }}",
    "${{ size(inputs.a) + 1 }}",
    "${{ inputs.a.map(n, [n, inputs.b]) }}",
    "${{ inputs.a.filter(params, params != inputs.b) }}",
    "${{ [1, 2].map(inputs, inputs) }}",
    "${{ [[1], [2]].map(n, n.map(m, [n, m, inputs.b])) }}",
    "${{ inputs.b in inputs.a }}",
    "${{ {'k': inputs.a}.k }}",
    "${{ inputs.a.startsWith('x') ? inputs.a : 'no' }}",
]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from([0.5, 2.0])
    | st.sampled_from(["", "x", "it's", "$", "${", "{ x", "}}", "ü🚀\n", "params.n"])
    | st.sampled_from(
        ["${{ params.n }}", "${{ n + 1 }}", "n is ${{ n }}", "${{ params }}", "${{ '${{' }}", "${{ n > 1 ? 5 : 'm' }}"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y"]), inner, max_size=2),
    max_leaves=4,
)
SCOPE = {"params": {"n": 7, "x": [1]}, "n": 3, "m": "em"}


def rendered(template: Any, scope: dict[str, Any]) -> Any:
    try:
        return render(template, scope)
    except ExpressionError:
        return ExpressionError


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(TEMPLATES), VALUES, VALUES)
def test_a_value_in_the_place_of_an_input_gives_what_the_input_gave(template: Any, a: Any, b: Any) -> None:
    given = {"a": canonical(a), "b": canonical(b)}
    values = {name: rendered(value, SCOPE) for name, value in given.items()}
    put = Substitution(given).template(canonical(template))
    expected = rendered(template, {**SCOPE, "inputs": values})
    # What is left out of a fixed list or object cannot fail any more, so more may have a value; never less or another.
    if expected is not ExpressionError:
        assert rendered(put, SCOPE) == expected
    assert canonical(put) == put


def test_text_stays_text_when_one_expression_is_left_of_it() -> None:
    made = Substitution({"a": "", "b": "${{ params.n }}"}).template("${{ inputs.a }}${{ inputs.b }}")
    assert render(made, {"params": {"n": 7}}) == "7"


def test_a_fixed_value_stays_fixed_and_a_macro_s_variable_catches_nothing() -> None:
    inputs = Substitution({"a": "x", "b": "${{ n }}", "c": [1, {"k": "v"}], "d": "${{ m.x }}-${{ n }}"})
    assert inputs.template("${{ inputs.a }}") == "x"
    assert inputs.template("${{ inputs.c[1].k }}") == "v"
    assert inputs.template("a ${{ inputs.c }} ${{ inputs.a }}") == 'a [1,{"k":"v"}] x'
    assert inputs.template("${{ inputs.c.map(n, n + inputs.b) }}") == "${{ [1, {'k': 'v'}].map(n_, n_ + n) }}"
    assert inputs.template("to ${{ inputs.d }}") == "to ${{ m.x }}-${{ n }}"
    assert inputs.template("${{ inputs.d + '!' }}") == "${{ string(m.x) + '-' + string(n) + '!' }}"
    assert inputs.condition("inputs.b * (1 + inputs.b)") == "n * (1 + n)"
    assert Substitution({"a": "${{ x + 1 }}"}).condition("inputs.a * 2") == "(x + 1) * 2"


def test_text_cannot_be_completed_to_an_expression() -> None:
    open_brace, dollar = Substitution({"a": "{{ 1 }}"}), Substitution({"a": "$"})
    assert render(open_brace.template("$${{ inputs.a }}"), {}) == "${{ 1 }}"
    assert render(dollar.template("${{ inputs.a }}{{ 1 }}"), {}) == "${{ 1 }}"


SHARED = """
segue: 1
step: shared
inputs: {user: {type: string}, n: {type: integer, default: 2}}
python: m:f
with: {user: "${{ inputs.user }}", n: "${{ inputs.n }}"}
queue: io
timeout: {run: 5m, queue: 1h}
retry: {attempts: 3, delay: 2s}
env: {A: shared, B: shared}
description: A shared step
"""


def step(own: str, head: str = "") -> Step:
    text = f"segue: 1\nname: demo\n{head}\nsteps: {{before: {{uses: noop}}, a: {{uses: ./s.yaml, {own}}}}}\n"
    return compile_yaml(text, "demo.yaml", {"s.yaml": SHARED}).steps[-1]


def test_the_step_wins_over_the_shared_one_and_that_over_the_defaults() -> None:
    head = "defaults: {queue: gpu, timeout: {run: 1m, total: 1d}, retry: {attempts: 9, backoff: 3}, env: {A: d, C: d}}"
    plain = step("with: {user: ada}", head)
    assert (plain.queue, plain.description, plain.inputs) == ("io", "A shared step", {"user": "ada", "n": 2})
    assert (plain.timeout.run, plain.timeout.queue, plain.timeout.total) == (300.0, 3_600.0, 86_400.0)
    assert (plain.retry.attempts, plain.retry.delay, plain.retry.backoff) == (3, 2.0, 3.0)
    assert plain.env == {"A": "shared", "B": "shared", "C": "d"}
    own = "with: {user: ada, n: 5}, queue: cpu, timeout: 1h, retry: {delay: 9s}, env: {B: own}, description: Mine"
    mine = step(own, head)
    assert (mine.queue, mine.description, mine.inputs["n"]) == ("cpu", "Mine", 5)
    assert (mine.timeout.run, mine.timeout.queue) == (3_600.0, 3_600.0)
    assert (mine.retry.attempts, mine.retry.delay) == (3, 9.0)
    assert mine.env == {"A": "shared", "B": "own", "C": "d"}


def test_the_user_says_when_it_runs_and_for_what() -> None:
    when = 'needs: {before: output.ok}, if: run.id != "", trigger_rule: all_done'
    made = step(f'with: {{user: "${{{{ x }}}}"}}, map: {{over: [a], as: x}}, {when}')
    assert made.map is not None
    assert (made.inputs["user"], made.condition, made.trigger_rule) == ("${{ x }}", "run.id != ''", "all_done")
    assert [(edge.step, edge.when) for edge in made.needs] == [("before", "output.ok")]


def test_where_a_step_came_from_is_kept_and_changes_with_the_file() -> None:
    text = "segue: 1\nname: demo\nsteps: {a: {uses: ./s.yaml, with: {user: ada}}}\n"
    first = compile_yaml(text, "demo.yaml", {"s.yaml": SHARED})
    second = compile_yaml(text, "demo.yaml", {"s.yaml": SHARED + "# a comment\n"})
    assert first.steps[0].origin is not None
    assert {**first.steps[0].origin, "sha256": ""} == {"uses": "./s.yaml", "file": "s.yaml", "sha256": ""}
    assert first.content_hash != second.content_hash


def test_a_file_is_read_once_however_many_steps_use_it_and_its_mistakes_are_told_once() -> None:
    steps = "".join(f"  s{n}: {{uses: ./s.yaml, with: {{user: ada}}}}\n" for n in range(50))
    text = f"segue: 1\nname: demo\nsteps:\n{steps}"
    assert len(compile_yaml(text, "demo.yaml", {"s.yaml": SHARED}).steps) == 50
    with pytest.raises(DefinitionError) as caught:
        compile_yaml(text, "folder/demo.yaml", {"s.yaml": SHARED.replace("m:f", "m")})
    assert [(found.file, found.code) for found in caught.value.diagnostics] == [("folder/s.yaml", Code.CALLABLE)]


def test_a_mistake_that_was_told_before_or_is_too_much_to_tell_is_one_all_the_same() -> None:
    alias = "segue: 1\nname: demo\nsteps: {a: &a {uses: ./s.yaml, with: {usr: ada}}, b: *a, c: *a}\n"
    with pytest.raises(DefinitionError) as caught:
        compile_yaml(alias, "demo.yaml", {"s.yaml": SHARED})
    assert [found.code for found in caught.value.diagnostics] == [Code.INPUT, Code.INPUT]
    unknown = "".join(f"key{n}: x\n" for n in range(150))
    files = {"s.yaml": SHARED.replace("inputs.user", "inputs.usr")}
    with pytest.raises(DefinitionError) as caught:
        compile_yaml(unknown + alias.replace("usr", "user"), "demo.yaml", files)
    assert (len(caught.value.diagnostics), caught.value.omitted) == (100, 51)


@pytest.mark.parametrize(
    ("text", "files"),
    [
        (
            "steps: {a: {uses: ./x.yaml}, b: {uses: common/y.yml}, c: {uses: lib/z@1}}",
            ["x.yaml", "common/y.yml", "lib/z@1.yaml"],
        ),
        (
            "steps: {a: {uses: ./x.yaml}}\nfinally: {b: {uses: ./x.yaml}, c: {uses: ./a/../y.yaml}}",
            ["x.yaml", "y.yaml"],
        ),
        (
            "steps: {a: {uses: noop}, b: {uses: ../x.yaml}, c: {uses: /x.yaml}, d: {uses: 'c:\\x.yaml'}, e: {uses: 5}}",
            [],
        ),
        ("steps: [1]\nfinally: x", []),
        ("[", []),
        ("", []),
    ],
)
def test_the_files_that_a_definition_uses_are_known_without_compiling_it(text: str, files: list[str]) -> None:
    assert files_of_yaml(text) == files


def test_the_files_of_a_document_are_known_as_well() -> None:
    steps = {"a": {"uses": "./x.yaml"}, "b": {"run": "x"}, "c": 5}
    assert files_of_document({"definition": {"steps": steps, "finally": {"d": {"uses": "lib/y@2"}}}}) == [
        "x.yaml",
        "lib/y@2.yaml",
    ]
    assert files_of_document({"definition": None}) == []


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_change_of_a_shared_step_gives_a_plan_or_a_definition_error(data: st.DataObject) -> None:
    shared = SHARED
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(shared)))
        end = min(len(shared), start + data.draw(st.integers(0, 30)))
        new = data.draw(st.sampled_from(["", ":", "null", "[1]", "{}", "5", "${{ ", "}}", "'", "\n", "x", "inputs.n"]))
        shared = shared[:start] + new + shared[end:]
    text = "segue: 1\nname: demo\nsteps: {a: {uses: ./s.yaml, with: {user: '${{ run.id }}'}}}\n"
    try:
        compile_yaml(text, "demo.yaml", {"s.yaml": shared})
    except DefinitionError as error:
        error.render()
