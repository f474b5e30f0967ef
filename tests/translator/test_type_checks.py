from __future__ import annotations

import time

import pytest

from translator import Code, DefinitionError, compile_yaml

HEAD = "segue: 1\nname: demo\n"


def codes(text: str) -> list[str]:
    try:
        compile_yaml(HEAD + text, "demo.yaml")
    except DefinitionError as error:
        return [found.code for found in error.diagnostics]
    return []


NOT_KNOWN = """
params:
  any: {default: 1}
  mixed: {type: [string, number], default: 1}
  one: {anyOf: [{type: string}, {type: integer}], default: 1}
  open: {type: object, properties: {depth: {type: integer}}, default: {}}
  tuple: {type: array, prefixItems: [{type: string}, {type: number}], default: []}
  maybe: {enum: [a, b, null], default: null}
triggers: [{event: {name: e}}]
steps:
  free: {python: "m:f"}
  shell: {run: echo, output: {n: {type: integer}}}
  model: {python: "m:f", output: {file: {type: string}}}
  train:
    python: "m:f"
    map: {over: "${{ params.any }}", as: hp}
    output: {loss: {type: number}}
    with: {depth: "${{ hp.depth + 1 }}", name: "${{ hp.name + 'x' }}"}
  ask: {http: {url: "https://example.com"}, output: {id: "${{ response.json.id }}", name: "n-${{ response.status }}"}}
  last:
    needs: {train: "${{ output[0].loss < 0.5 && output.all(o, o == null || o.loss < 1) }}", free: "${{ output }}"}
    if: "params.mixed > 5 || params.one == 'a' || params.maybe == 'a' || event.rows > 5 || vars.LIMIT > 5"
    run: echo last
    env:
      A: "${{ params.open.width + params.tuple[0] + params.tuple[1] + steps.shell.output.n }}"
      B: "${{ steps.free.output.x[0].y > 5 && steps.free.output == 'a' && steps.shell.status == 'skipped' }}"
      C: "${{ steps.model.output.file.name + steps.model.output.file }}"
      D: "${{ steps.ask.output.id > 5 || steps.ask.output.name == 'n-200' }}"
      E: "${{ steps.train.output == null || steps.train.output[0] == null }}"
output: {loss: "${{ steps.train.output.map(t, t?.loss) }}", on: "${{ steps.last.output?.x == null }}"}
"""


def test_what_no_schema_speaks_of_is_never_complained_about() -> None:
    assert codes(NOT_KNOWN) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("steps: {a: {run: echo}, b: {uses: noop, if: steps.a.output.n > 5}}", Code.OPERAND_TYPE),
        ("steps: {a: {run: echo, env: {A: '${{ run.id + 1 }}'}}}", Code.OPERAND_TYPE),
        ("defaults: {env: {A: '${{ workflow.version.x }}'}}\nsteps: {a: {run: echo}}", Code.OPERAND_TYPE),
        ("params: {n: {type: integer}}\nsteps: {a: {run: echo, map: {over: '${{ params.n }}'}}}", Code.RESULT_TYPE),
        ("steps: {a: {run: echo, map: {over: [1, 2], as: n}, env: {A: \"${{ n + 'a' }}\"}}}", Code.OPERAND_TYPE),
        (
            "steps: {a: {run: echo, map: {over: [1]}, output: {n: {type: number}}}, "
            "b: {uses: noop, if: \"steps.a.output[0].n == 'x'\"}}",
            Code.NEVER_EQUAL,
        ),
        ("steps: {a: {http: {url: 'https://x.org'}, output: {n: '${{ response.status.x }}'}}}", Code.OPERAND_TYPE),
        (
            "steps: {a: {http: {url: 'https://x.org', headers: {A: \"${{ 1 == 'a' }}\"}}}}",
            Code.NEVER_EQUAL,
        ),
        ("steps: {a: {run: echo}}\noutput: {a: ['${{ run + 1 }}']}", Code.OPERAND_TYPE),
        (
            "triggers: [{event: {name: e}, params: {n: '${{ 1 - true }}'}}]\n"
            "params: {n: {default: 1}}\nsteps: {a: {run: echo}}",
            Code.OPERAND_TYPE,
        ),
    ],
)
def test_every_place_of_a_definition_is_checked(text: str, code: Code) -> None:
    assert codes(text) == [code]


@pytest.mark.parametrize(
    "schema",
    [
        "{type: 'boole|an'}",
        "{type: [5, {a: 1}]}",
        "{type: {a: 1}}",
        "{type: []}",
        "{enum: 5}",
        "{enum: []}",
        "{properties: 5, type: object}",
        "{properties: [a], type: object}",
        "{anyOf: 5}",
        "{oneOf: [5]}",
        "{additionalProperties: 5}",
    ],
)
def test_a_schema_that_is_wrong_says_nothing(schema: str) -> None:
    text = f"params: {{p: {schema}}}\nsteps: {{a: {{python: 'm:f', output: {{o: {schema}}}}}, "
    found = codes(text + "b: {uses: noop, if: \"steps.a.output.o.x > 5 && params.p == 'a' && params.p > 5\"}}")
    assert set(found) <= {Code.SCHEMA}


def test_a_name_that_is_not_there_is_reported_once() -> None:
    assert codes("steps: {a: {run: echo, map: {over: [1]}}, b: {uses: noop, if: steps.a.output.n.x > 5}}") == [
        Code.UNKNOWN_OUTPUT
    ]
    assert codes("steps: {a: {run: echo, if: params.n > 5}}") == [Code.UNKNOWN_PARAM]


def test_types_take_a_few_seconds_of_the_largest_definition() -> None:
    fields = ", ".join(f"f{n}: {{type: [integer, string]}}" for n in range(90))
    params = "".join(f"  p{n}: {{type: object, default: {{}}, properties: {{{fields}}}}}\n" for n in range(20))
    mixed = "${{ [" + ", ".join(f"params.p{n}" for n in range(20)) + "][0].f1 }}"
    steps = "".join(f"  s{n}: {{run: echo, env: {{A: '{mixed}', B: '{mixed}'}}}}\n" for n in range(500))
    start = time.process_time()
    assert codes(f"params:\n{params}steps:\n{steps}") == []
    assert time.process_time() - start < 10
