"""What each construct of a workflow's body becomes: the keys that YAML would have."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent
from typing import Any

from segue import InvalidDefinition
from segue.submission import read_definition, read_definitions
from tests.segue.definitions import document_of, write
from tests.segue.function_runs import module_of

HEAD = """\
from __future__ import annotations
from dataclasses import dataclass
from segue import StepFailed, step, workflow

LIMITS = {"least": 3, "words": ["a", "b"]}

@dataclass
class Report:
    good: bool
    rows: int

@step
def load(name: str = "x") -> dict: ...

@step(queue="gpu", retries=2, retry_delay="5s", timeout="1h", limit=4, env={"A": "1"})
def train(data, depth: int = 1):
    \"\"\"Train a model.

    Slowly.
    \"\"\"

@step
def check(data) -> Report: ...

@step(id="say")
def tell(*, word, value=None): ...

@step
def many(n) -> list[int]: ...

"""


def definition_of(folder: Path, body: str, signature: str = "n: int, word: str") -> dict[str, Any]:
    source = f"{HEAD}\n@workflow\ndef flow({signature}):\n{indent(dedent(body).strip(chr(10)), '    ')}\n"
    module = module_of(source, folder / "documents.py")
    definition: dict[str, Any] = module.flow.document(source)["definition"]
    return definition


def steps_of(folder: Path, body: str, signature: str = "n: int, word: str") -> dict[str, Any]:
    steps: dict[str, Any] = definition_of(folder, body, signature)["steps"]
    return steps


def test_a_call_is_a_step_with_its_arguments_by_name(tmp_path: Path) -> None:
    steps = steps_of(
        tmp_path, 'data = load()\ntrain(data, 3)\ntrain(data, depth=n)\ntell(word="x", value=[data, {"n": n}])'
    )
    assert steps == {
        "load": {"python": "documents:load"},
        "train": {
            "python": "documents:train",
            "with": {"data": "${{ steps.load.output }}", "depth": 3},
            "env": {"A": "1"},
            "description": "Train a model.",
            "queue": "gpu",
            "retry": {"attempts": 3, "delay": "5s"},
            "timeout": "1h",
            "needs": {"load": True},
        },
        "train_2": {**steps["train"], "with": {"data": "${{ steps.load.output }}", "depth": "${{ params.n }}"}},
        "say": {
            "python": "documents:tell",
            "with": {"word": "x", "value": ["${{ steps.load.output }}", {"n": "${{ params.n }}"}]},
            "needs": {"load": True},
        },
    }


def test_a_branch_on_one_step_is_a_condition_on_its_edge(tmp_path: Path) -> None:
    definition = definition_of(
        tmp_path,
        """
        data = load(word)
        report = check(data)
        if report.rows < LIMITS["least"]:
            tell(word="few")
            return None
        elif not report.good:
            tell(word="bad")
        model = train(data)
        return model
        """,
    )
    steps = definition["steps"]
    assert steps["say"]["needs"] == {"check": "${{ output.rows < 3 }}"}
    assert steps["say_2"]["needs"] == {"check": "${{ !(output.rows < 3) && !output.good }}"}
    assert steps["train"]["needs"] == {"load": True, "check": "${{ !(output.rows < 3) }}"}
    assert not any("trigger_rule" in each or "if" in each for each in steps.values())
    assert definition["output"] == "${{ steps.check.output.rows < 3 ? null : steps.train.output }}"


def test_a_branch_on_params_is_an_if_and_what_follows_is_skipped_with_it(tmp_path: Path) -> None:
    steps = steps_of(tmp_path, "if n > 3:\n    data = load()\n    train(data)")
    assert steps["load"] == {"python": "documents:load", "if": "${{ params.n > 3 }}"}
    assert steps["train"]["needs"] == {"load": True}
    assert "if" not in steps["train"]


def test_a_branch_that_is_decided_already_is_left_out(tmp_path: Path) -> None:
    assert [*steps_of(tmp_path, 'if LIMITS["least"] > 5:\n    load()\nelse:\n    many(n)')] == ["many"]


def test_a_variable_of_two_branches_is_read_by_which_of_them_ran(tmp_path: Path) -> None:
    steps = steps_of(tmp_path, "if n > 3:\n    x = load()\nelse:\n    x = many(n)\ntell(word=word, value=x)")
    assert steps["say"] == {
        "python": "documents:tell",
        "with": {
            "word": "${{ params.word }}",
            "value": "${{ params.n > 3 ? steps.load.output : steps.many.output }}",
        },
        "needs": {"load": True, "many": True},
        "trigger_rule": "none_failed",
    }


def test_what_follows_a_branch_that_may_have_returned_runs_only_if_it_did_not(tmp_path: Path) -> None:
    body = "if n > 3:\n    if word == 'x':\n        return 1\n    load()\ntell(word=word)\nreturn 2"
    definition = definition_of(tmp_path, body)
    assert definition["steps"]["say"]["if"] == "${{ params.n > 3 ? params.word != 'x' : true }}"
    assert definition["output"] == "${{ params.n > 3 && params.word == 'x' ? 1 : 2 }}"


def test_a_comprehension_over_a_step_is_a_map(tmp_path: Path) -> None:
    definition = definition_of(
        tmp_path, "data = load()\nreturn [train(data, depth) for depth in depths]", "depths: list[int]"
    )
    train = definition["steps"]["train"]
    assert train["map"] == {"over": "${{ params.depths }}", "as": "depth", "limit": 4}
    assert train["with"] == {"data": "${{ steps.load.output }}", "depth": "${{ depth }}"}
    assert definition["output"] == "${{ steps.train.output }}"


def test_a_for_loop_is_a_map_and_a_step_after_a_step_a_map_over_its_outputs(tmp_path: Path) -> None:
    definition = definition_of(
        tmp_path,
        """
        found = []
        for x in many(n):
            if x != 2:
                y = check(x)
                found.append(train(y).score)
        return found
        """,
    )
    steps = definition["steps"]
    assert steps["check"]["map"] == {"over": "${{ steps.many.output.filter(x, x != 2) }}", "as": "x"}
    assert steps["train"]["map"]["over"] == "${{ steps.check.output }}"
    assert steps["train"]["map"]["as"] == "check"
    assert steps["train"]["with"] == {"data": "${{ check }}"}
    assert definition["output"] == "${{ steps.train.output.map(train, train.score) }}"


def test_a_comprehension_without_a_step_is_an_expression(tmp_path: Path) -> None:
    steps = steps_of(tmp_path, "tell(word=word, value=[x + 1 for x in xs if x > 2])", "xs: list[int], word: str")
    assert steps["say"]["with"]["value"] == "${{ params.xs.filter(x, x > 2).map(x, x + 1) }}"


def test_the_variable_of_a_map_means_nothing_else_in_expressions(tmp_path: Path) -> None:
    steps = steps_of(tmp_path, "[train(loop) for loop in many(n)]\n[train(event) for event in many(n)]")
    assert [steps[name]["map"]["as"] for name in ("train", "train_2")] == ["loop_", "event_"]


def test_a_text_is_a_template_and_text_that_looks_like_one_is_none(tmp_path: Path) -> None:
    steps = steps_of(tmp_path, "tell(word=f'{word} of {n}')\ntell(word='${{ x }}')\ntell(word=f'{word}', value=f'{n}')")
    assert steps["say"]["with"]["word"] == "${{ params.word }} of ${{ params.n }}"
    assert steps["say_2"]["with"]["word"] == "${{ '${{ x }}' }}"
    assert steps["say_3"]["with"] == {"word": "${{ params.word }}", "value": "${{ string(params.n) }}"}


def test_except_runs_when_a_step_of_the_body_has_failed(tmp_path: Path) -> None:
    steps = steps_of(
        tmp_path,
        """
        data = load()
        try:
            x = train(data)
            y = check(x)
        except StepFailed:
            tell(word="failed")
            return None
        many(y)
        """,
    )
    unbroken = "!(steps.load.status in ['failed', 'upstream_failed'])"
    assert steps["check"]["needs"] == {"train": True}
    assert steps["caught"] == {
        "uses": "noop",
        "description": "line 5: except StepFailed",
        "needs": {"load": True, "train": True, "check": True},
        "trigger_rule": "all_done",
        "if": f"${{{{ {unbroken} && (steps.train.status == 'failed' || steps.check.status == 'failed') }}}}",
    } | {"description": steps["caught"]["description"]}
    assert steps["caught"]["description"].endswith(": except StepFailed")
    assert steps["say"]["needs"] == {"caught": True}
    assert steps["many"]["if"] == f"${{{{ {unbroken} && steps.caught.status != 'succeeded' }}}}"
    assert steps["end"] == {
        "uses": "noop",
        "description": "the run fails when one of these does",
        "needs": {"load": True},
        "trigger_rule": "none_failed",
    }


def test_finally_waits_for_whatever_became_of_the_body(tmp_path: Path) -> None:
    steps = steps_of(tmp_path, "try:\n    load()\nfinally:\n    tell(word='over')")
    assert steps["say"]["needs"] == {"load": True}
    assert steps["say"]["trigger_rule"] == "all_done"
    assert steps["end"]["needs"] == {"load": True}


def test_after_is_a_need_without_a_value(tmp_path: Path) -> None:
    steps = steps_of(tmp_path, "data = load()\ntell.after(data)(word='x')")
    assert steps["say"] == {"python": "documents:tell", "with": {"word": "x"}, "needs": {"load": True}}


def test_an_output_that_is_empty_is_kept(tmp_path: Path) -> None:
    outputs = {
        text: definition_of(tmp_path, f"load()\nreturn {text}").get("output") for text in ("[]", "0", "None", "[1]")
    }
    assert outputs == {"[]": "${{ [] }}", "0": "${{ 0 }}", "None": None, "[1]": [1]}


FILE = """
import enum
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Optional, TypedDict

class Color(enum.StrEnum):
    RED = "red"
    BLUE = "blue"

class Row(TypedDict):
    n: int

@dataclass
class Config:
    depth: int
    rows: list[Row] = field(default_factory=list)

@step
def work(**given): ...

@workflow(
    name="all-of-it",
    labels={"team": "vision"},
    triggers=[
        cron("0 6 * * MON", timezone="Europe/Paris", params={"config": {"depth": 1}, "wanted": 1}),
        event("data.published", params={"config": event.config, "wanted": event.wanted}),
    ],
    default_args={"queue": "gpu", "retries": 1},
    max_parallel=10,
    timeout="2h",
    include=["*.py"],
)
def flow(
    config: Config,
    wanted: int,
    dataset: Literal["digits", "wine"] = "digits",
    share: Annotated[float, Param(minimum=0, maximum=1)] = 0.5,
    color: Color = Color.RED,
    names: Optional[list[str]] = None,
    extra: dict[str, int] = {},
    pair: tuple[int, str] = (1, "a"),
    either: int | str = 3,
    anything: Any = None,
    depths=[4, 8],
):
    \"\"\"Everything a signature may say.

    And more.
    \"\"\"
    work(depth=config.depth, color=color, row=config.rows[0]["n"])
"""


def test_the_signature_becomes_params_and_the_decorator_the_rest(tmp_path: Path) -> None:
    definition = document_of(tmp_path, FILE)["definition"]
    rows = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    assert definition == {
        "segue": 1,
        "name": "all-of-it",
        "description": "Everything a signature may say.",
        "labels": {"team": "vision"},
        "params": {
            "config": {
                "type": "object",
                "properties": {"depth": {"type": "integer"}, "rows": {"type": "array", "items": rows}},
                "required": ["depth"],
                "additionalProperties": False,
            },
            "wanted": {"type": "integer"},
            "dataset": {"type": "string", "enum": ["digits", "wine"], "default": "digits"},
            "share": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5},
            "color": {"enum": ["red", "blue"], "type": "string", "default": "red"},
            "names": {"type": ["array", "null"], "items": {"type": "string"}, "default": None},
            "extra": {"type": "object", "additionalProperties": {"type": "integer"}, "default": {}},
            "pair": {
                "type": "array",
                "prefixItems": [{"type": "integer"}, {"type": "string"}],
                "minItems": 2,
                "maxItems": 2,
                "default": [1, "a"],
            },
            "either": {"type": ["integer", "string"], "default": 3},
            "anything": {"default": None},
            "depths": {"type": "array", "default": [4, 8]},
        },
        "triggers": [
            {
                "schedule": {"cron": "0 6 * * MON", "timezone": "Europe/Paris"},
                "params": {"config": {"depth": 1}, "wanted": 1},
            },
            {
                "event": {"name": "data.published"},
                "params": {"config": "${{ event.config }}", "wanted": "${{ event.wanted }}"},
            },
        ],
        "max_parallel": 10,
        "timeout": "2h",
        "defaults": {"queue": "gpu", "retry": {"attempts": 2}},
        "code": {"include": ["*.py"]},
        "steps": {
            "work": {
                "python": "flow:work",
                "with": {
                    "depth": "${{ params.config.depth }}",
                    "color": "${{ params.color }}",
                    "row": "${{ params.config.rows[0].n }}",
                },
            }
        },
    }


def test_what_the_translator_finds_is_named_in_the_file(tmp_path: Path) -> None:
    source = FILE.replace('"queue": "gpu"', '"queue": "no queue"').replace("0 6 * * MON", "0 6 * * MOON")
    path = write(tmp_path, source.replace("@step\n", '@step(timeout="soon")\n'))
    lines = path.read_text().splitlines()
    try:
        read_definitions(path)
    except InvalidDefinition as error:
        found = [lines[each.line - 1][each.column - 1 :].strip() for each in error.diagnostics]
    assert sorted(text[:12] for text in found) == ['"queue": "no', 'cron("0 6 * ', 'timeout="soo'], found


def test_a_plain_function_and_yaml_of_the_same_meaning_have_one_plan(tmp_path: Path) -> None:
    python = write(
        tmp_path,
        """
        @step(queue="gpu")
        def train(data, depth): ...

        @step
        def build(dataset): ...

        @step
        def best(models): ...

        @workflow(include=[])
        def train_digits(dataset: str = "digits", depths: list[int] = [4, 8]):
            data = build(dataset)
            if data["rows"] < 10:
                return None
            return best([train(data, depth) for depth in depths])
        """,
        name="digits.py",
    )
    yaml = tmp_path / "digits.yaml"
    yaml.write_text(
        """
segue: 1
name: train-digits
params:
  dataset: {type: string, default: digits}
  depths: {type: array, items: {type: integer}, default: [4, 8]}
code: {include: []}
steps:
  build: {python: "digits:build", with: {dataset: "${{ params.dataset }}"}}
  train:
    needs: {build: "${{ !(output.rows < 10) }}"}
    map: {over: "${{ params.depths }}", as: depth}
    python: digits:train
    with: {data: "${{ steps.build.output }}", depth: "${{ depth }}"}
    queue: gpu
  best: {python: "digits:best", with: {models: "${{ steps.train.output }}"}}
output: "${{ steps.build.output.rows < 10 ? null : steps.best.output }}"
"""
    )
    assert read_definition(python).translated.plan == read_definition(yaml).translated.plan
