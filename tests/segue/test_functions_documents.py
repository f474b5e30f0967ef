"""What each construct of a workflow's body becomes: the keys that YAML would have."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

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

@step(queue="gpu", retries=2, retry_delay="5s", timeout="1h", limit=4, env={"A": "1"},
      cache={"ttl": "7d"}, artifacts=["*.png"])
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
            "cache": {"ttl": "7d"},
            "artifacts": ["*.png"],
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


def test_text_in_a_list_that_is_mapped_over_is_no_expression_either(tmp_path: Path) -> None:
    steps = steps_of(tmp_path, "[train(x) for x in ['a', '${{ params.n }}']]")
    assert steps["train"]["map"]["over"] == "${{ ['a', '${{ params.n }}'] }}"


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


def test_a_finally_that_ends_the_workflow_is_the_runs_own(tmp_path: Path) -> None:
    definition = definition_of(
        tmp_path,
        """
        data = load()
        try:
            x = train(data)
            return x
        finally:
            found = many(n)
            if n > 3:
                tell(word="over", value=[data, found])
        """,
    )
    assert list(definition["steps"]) == ["load", "train"]
    unbroken = "!(steps.load.status in ['failed', 'upstream_failed', 'cancelled'])"
    assert definition["finally"] == {
        "many": {"python": "documents:many", "with": {"n": "${{ params.n }}"}, "if": f"${{{{ {unbroken} }}}}"},
        "say": {
            "python": "documents:tell",
            "with": {"word": "over", "value": ["${{ steps.load.output }}", "${{ steps.many.output }}"]},
            "needs": {"many": True},
            "trigger_rule": "none_failed",
            "if": f"${{{{ {unbroken} && params.n > 3 }}}}",
        },
    }


@pytest.mark.parametrize("after", ["many(n)", "return x"])
def test_a_finally_that_something_depends_on_waits_for_whatever_became_of_the_body(tmp_path: Path, after: str) -> None:
    steps = steps_of(tmp_path, f"try:\n    load()\nfinally:\n    x = tell(word='over')\n{after}")
    assert steps["say"]["needs"] == {"load": True}
    assert steps["say"]["trigger_rule"] == "all_done"
    assert steps["end"]["needs"] == {"load": True}


def test_a_call_of_a_workflow_is_a_step_that_runs_it_as_a_child(tmp_path: Path) -> None:
    module = module_of(
        f"{HEAD}\n@workflow(name='inner')\ndef within(n: int, by: int = 2) -> int:\n    return many(n + by)\n\n"
        "@workflow\ndef flow(ns: list[int]):\n    load()\n    first = within.after(ns)(1)\n"
        "    return [within(n, by=first) for n in ns]\n",
        tmp_path / "documents.py",
    )
    source = (tmp_path / "documents.py").read_text()
    assert module.flow.document(source)["definition"]["steps"] == {
        "load": {"python": "documents:load"},
        "within": {"workflow": "inner", "with": {"n": 1}},
        "within_2": {
            "workflow": "inner",
            "map": {"over": "${{ params.ns }}", "as": "n"},
            "with": {"n": "${{ n }}", "by": "${{ steps.within.output }}"},
            "needs": {"within": True},
        },
    }


def test_after_is_a_need_without_a_value(tmp_path: Path) -> None:
    steps = steps_of(tmp_path, "data = load()\ntell.after(data)(word='x')")
    assert steps["say"] == {"python": "documents:tell", "with": {"word": "x"}, "needs": {"load": True}}


def test_an_output_that_is_empty_is_kept(tmp_path: Path) -> None:
    outputs = {
        text: definition_of(tmp_path, f"load()\nreturn {text}").get("output") for text in ("[]", "0", "None", "[1]")
    }
    assert outputs == {"[]": "${{ [] }}", "0": "${{ 0 }}", "None": None, "[1]": [1]}
