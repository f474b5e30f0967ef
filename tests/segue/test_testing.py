"""`segue.testing.run`: states, order, reasons, values in and out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from segue import InvalidParams
from segue.testing import MockError, Result, Task, calls, fails, run, takes
from tests.services import EXAMPLE

TRAIN = EXAMPLE / "train.yaml"
VARS = {"SERVICES_URL": "http://services"}
GOOD: dict[str, Any] = {
    "initiate": {"id": 1},
    "dataset": {"uri": "s3://x", "rows": 1200},
    "embedding": {"dim": 64},
    "check_data": {"quality": "good"},
    "train": lambda task: {"accuracy": round(0.8 + task.item["depth"] / 100, 2)},
    "check_model": {"best": 2, "accuracy": 0.92},
    "release": {"model": "m1"},
    "notify_data_team": None,
}


def flow(steps: str, head: str = "") -> str:
    """Return a definition with these steps, each on a line of its own."""
    lines = "".join(f"  {line.strip()}\n" for line in steps.strip().splitlines())
    return f"segue: 1\nname: flow\n{head}\nsteps:\n{lines}"


def train(**others: Any) -> Result:
    return run(TRAIN, steps=GOOD | others, vars=VARS)


def test_every_step_gets_its_output_and_the_run_its_own() -> None:
    result = train()
    assert (result.state, result.output) == (
        "succeeded",
        {"quality": "good", "accuracy": 0.92, "model": "m1"},
    )
    assert result.states["notify_data_team"] == "skipped"
    assert result.params["min_rows"] == 100
    assert [item.output for item in result.steps["train"].items] == result.steps["train"].output
    assert result.steps["train"].items[1].output == {"accuracy": 0.88}
    assert result.steps["train[1]"].item == {"depth": 8}


def test_order_is_that_of_the_starts() -> None:
    assert train().order == [
        "initiate",
        "embedding",
        "dataset",
        "check_data",
        *["train[0]", "train[1]", "train[2]"],
        "check_model",
        "release",
    ]


def test_a_skipped_step_says_why() -> None:
    result = train(check_data={"quality": "bad"})
    assert result.steps["train"].state == "skipped"
    assert "`output.quality == 'good'` (output.quality = \"bad\") is false" in result.why("train")
    assert result.steps["train"].detail["conditions"][0]["values"] == {"output.quality": "bad"}
    assert result.steps["train"].started_at is None
    assert result.steps["train"].duration is None


def test_a_function_gets_the_task_as_its_worker_would() -> None:
    seen: list[Task] = []

    def note(task: Task) -> Any:
        seen.append(task)
        return GOOD["check_model"]

    result = train(check_model=note)
    [task] = seen
    assert (task.step, task.key, task.kind, task.attempt) == ("check_model", "check_model", "shell", 1)
    assert task.action == {"script": "python -m pipeline.evaluate"}
    assert task.env["DATA"] == "s3://x", "text as it is"
    assert task.env["MODELS"] == '[{"accuracy":0.84},{"accuracy":0.88},{"accuracy":0.92}]', "the rest as JSON"
    assert task.env["SERVICES_URL"] == "http://services"
    assert result.steps["release"].inputs == {
        "dataset": "digits",
        "candidate": {"accuracy": 0.92},
        "accuracy": 0.92,
    }
    submit = result.steps["dataset"].action["submit"]
    assert submit["url"] == "http://services/builds"
    assert submit["json"] == {"key": "train-digits-test", "dataset": "digits", "corrupt": 0}


def test_what_a_function_does_to_its_task_changes_nothing_else() -> None:
    def greedy(task: Task) -> Any:
        task.inputs["candidate"].clear()
        return {"model": "m1"}

    result = train(release=greedy)
    assert result.steps["train"].output[2] == {"accuracy": 0.92}


def test_items_of_a_map_can_have_mocks_of_their_own() -> None:
    result = train(**{"train[1]": fails("MemoryError", retry=False)})
    assert [item.state for item in result.steps["train"].items] == ["succeeded", "failed", "succeeded"]
    assert result.steps["train"].state == "failed"
    assert result.steps["release"].state == "upstream_failed"
    assert (result.state, result.error and result.error.type) == ("failed", "MemoryError")


def test_an_exception_of_a_function_fails_the_step_and_is_kept() -> None:
    def broken(task: Task) -> Any:
        raise FileNotFoundError("no such data")

    step = train(dataset=broken).steps["dataset"]
    assert step.error is not None
    assert (step.error.type, step.error.message) == ("FileNotFoundError", "no such data")
    assert isinstance(step.exception, FileNotFoundError)
    assert len(step.attempts) == 3


def test_an_assertion_about_the_task_is_the_tests_own() -> None:
    def strict(task: Task) -> Any:
        assert task.inputs["dataset"] == "wine"

    with pytest.raises(AssertionError, match="wine"):
        train(initiate=strict)


def test_a_steps_own_code_can_be_called_with_its_inputs() -> None:
    def release(dataset: str, candidate: dict[str, float], accuracy: float) -> dict[str, str]:
        assert accuracy < 0.9, "far too good"
        return {"model": f"{dataset} {candidate['accuracy']}"}

    assert train(release=calls(release), check_model={"best": 0, "accuracy": 0.95}).state == "failed"
    text = flow("one: {python: 'm:f', with: {a: 2}}\ntwo: {python: 'm:g', with: {b: '${{ steps.one.output }}'}}")
    assert run(text, steps={"one": calls(lambda a: a + 1), "two": calls(lambda b: b * 2)}).steps["two"].output == 6


def test_a_function_that_does_not_fit_is_told_apart_from_one_that_fails() -> None:
    def release(dataset: str, candidat: object, accuracy: float = 0.0) -> None:
        """Misspell an input."""

    with pytest.raises(MockError, match=r"cannot be called: .*\n.*calls\(function\)"):
        train(release=release)
    error = train(release=calls(release)).steps["release"].error
    assert error is not None
    assert error.type == "InputInvalid"
    assert "it takes no 'candidate'; did you mean 'candidat'?" in error.message


async def test_functions_may_be_asynchronous_and_tests_too() -> None:
    async def release(**inputs: Any) -> Any:
        await asyncio.sleep(0)
        return {"model": inputs["dataset"]}

    for mock in (calls(release), lambda task: release(**task.inputs)):
        assert train(release=mock).output["model"] == "digits"
        assert (await asyncio.to_thread(train, release=mock)).output["model"] == "digits"


def test_a_step_without_a_mock_does_not_run() -> None:
    mocks = {name: mock for name, mock in GOOD.items() if name != "check_data"}
    with pytest.raises(MockError) as caught:
        run(TRAIN, steps=mocks, vars=VARS)
    assert "step check_data (python pipeline.checks:data_quality, queue cpu) would start, but has no mock" in str(
        caught.value
    )
    assert 'steps={"check_data": ...}' in str(caught.value)
    assert 'unmocked="succeed"' in str(caught.value)


def test_a_step_that_never_starts_needs_no_mock() -> None:
    mocks = {name: mock for name, mock in GOOD.items() if name not in ("train", "check_model", "release")}
    assert run(TRAIN, steps=mocks | {"check_data": {"quality": "bad"}}, vars=VARS).state == "succeeded"


def test_a_noop_needs_no_mock() -> None:
    assert run(flow("a: {uses: noop}")).state == "succeeded"


def test_unmocked_steps_can_give_examples_of_what_they_declare() -> None:
    text = flow(
        """
        a: {run: "true", output: {n: {type: integer, minimum: 3}, name: {type: string}, kind: {enum: [x, y]}}}
        b: {run: "true", output: {list: {type: array, minItems: 1, items: {type: number}}, flag: {type: boolean}}}
        c: {http: {url: "http://x"}, output: {uri: "${{ response.json.uri }}"}}
        d: {python: "m:f", with: {uri: "${{ steps.c.output.uri }}", n: "${{ steps.a.output.n + 1 }}"}}
        """
    )
    result = run(text, unmocked="succeed")
    assert result.steps["a"].output == {"n": 3, "name": "", "kind": "x"}
    assert result.steps["b"].output == {"list": [0], "flag": False}
    assert result.steps["c"].output == {"uri": None}
    assert result.steps["d"].inputs == {"uri": None, "n": 4}


def test_a_mock_of_no_step_is_refused_with_what_was_meant() -> None:
    with pytest.raises(MockError, match=r'"trian", which is no step.*\n.*did you mean "train"'):
        train(trian=1)
    with pytest.raises(MockError, match="initiate is no map"):
        train(**{"initiate[0]": 1})
    with pytest.raises(MockError, match=r"write fails\(ValueError\)"):
        train(initiate=ValueError)


def test_params_are_checked_as_in_production() -> None:
    with pytest.raises(InvalidParams, match=r"params\.corrupt: 2 is more than 1"):
        run(TRAIN, params={"corrupt": 2})
    with pytest.raises(InvalidParams, match="did you mean"):
        run(TRAIN, params={"corupt": 0})


def test_an_event_gives_the_params_of_its_trigger() -> None:
    result = run(TRAIN, steps=GOOD, vars=VARS, event={"dataset": "wine"})
    assert result.params["dataset"] == "wine"
    assert result.changes[0].reason == "started (event)"
    assert (
        run(TRAIN, steps=GOOD, vars=VARS, event={"dataset": "wine"}, params={"dataset": "digits"}).params["dataset"]
        == "digits"
    )
    with pytest.raises(InvalidParams, match="trigger"):
        run(TRAIN, steps=GOOD, vars=VARS, event={"data": "wine"})


def test_a_missing_variable_fails_the_step_as_in_production() -> None:
    result = run(TRAIN, steps=GOOD)
    assert result.steps["initiate"].error is not None
    assert result.steps["initiate"].error.type == "ExpressionError"
    assert result.steps["initiate"].attempts == ()


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"best": "a", "accuracy": 0.9}, "output.best"),
        ({"best": 1}, "output.accuracy is declared, but the step gave none"),
        (None, "output must be an object"),
        ({"best": 1, "accuracy": float("nan")}, "output.accuracy is nan"),
        ({"best": 1, "accuracy": {1, 2}}, "return sorted"),
    ],
)
def test_an_output_is_checked_as_its_worker_does(given: Any, problem: str) -> None:
    step = train(check_model=given).steps["check_model"]
    assert step.error is not None
    assert step.error.type == "OutputInvalid"
    assert problem in step.error.message
    assert len(step.attempts) == 1, "another attempt would fail the same way"


def test_text_of_a_shell_step_becomes_what_it_declares() -> None:
    assert train(check_model={"best": "2", "accuracy": "0.95"}).steps["check_model"].output == {
        "best": 2,
        "accuracy": 0.95,
    }


@pytest.mark.parametrize("kind", ["container: trainer", "uses: ssh, with: {host: gpu1, command: ./train}"])
def test_text_of_every_command_becomes_what_it_declares(tmp_path: Path, kind: str) -> None:
    (tmp_path / "flow.yaml").write_text(flow(f"train: {{{kind}, output: {{accuracy: {{type: number}}}}}}"))
    result = run(tmp_path / "flow.yaml", steps={"train": {"accuracy": "0.95"}})
    assert result.steps["train"].output == {"accuracy": 0.95}


def test_outputs_become_json_as_those_of_python_steps_do(tmp_path: Path) -> None:
    @dataclass
    class Quality:
        quality: str

    assert train(check_data=Quality("good")).steps["check_data"].output == {"quality": "good"}
    text = flow(
        """
        one: {python: "m:f"}
        two: {python: "m:g", with: {model: "${{ steps.one.output.model }}"}}
        three: {run: "true", env: {MODEL: "${{ steps.one.output.model }}"}}
        """
    )
    path = tmp_path / "model.bin"
    path.write_bytes(b"weights")
    result = run(
        text, steps={"one": {"model": path}, "two": calls(lambda model: model.read_bytes().decode()), "three": 1}
    )
    assert result.steps["two"].output == "weights"
    assert result.steps["three"].env == {"MODEL": str(path)}
    marker = result.steps["one"].output["model"]
    assert (marker["$segue"], marker["name"], marker["size"]) == ("file", "model.bin", 7)


def test_a_large_output_travels_by_reference_which_conditions_cannot_read() -> None:
    text = flow(
        """
        one: {python: "m:f"}
        two: {python: "m:g", with: {all: "${{ steps.one.output }}"}}
        three: {needs: {one: "${{ output.n == 1 }}"}, python: "m:h"}
        """
    )
    large = {"n": 1, "text": "x" * 20_000}
    result = run(text, steps={"one": large, "two": calls(lambda all: len(all["text"])), "three": 1})
    assert result.steps["two"].output == 20_000, "passed on whole it is what it was"
    assert result.steps["one"].output == large
    error = result.steps["three"].error
    assert error is not None, "just as in production"
    assert error.type == "ExpressionError"


def test_printed_it_is_a_table_with_reasons() -> None:
    result = train(dataset=takes("90s", GOOD["dataset"]), check_data={"quality": "bad"})
    lines = str(result).splitlines()
    assert lines[0] == "train-digits succeeded in 1:30: 5 steps ended, 3 skipped"
    assert lines[1].split() == ["STEP", "STATE", "TRIES", "TOOK", "WHY"]
    assert any(line.split()[:4] == ["dataset", "succeeded", "1", "1:30"] for line in lines)
    assert any(
        line.startswith("release ") and "rule all_success: train and check_model skipped" in line for line in lines
    )
    assert lines[-1] == 'output {"quality": "bad", "accuracy": null, "model": null}'
    assert "\n" not in repr(result)
    assert '  train[1] {"depth": 8}' in str(train())


def test_an_unknown_step_of_a_result_is_said_with_what_was_meant() -> None:
    result = train()
    with pytest.raises(KeyError, match=r'did you mean "release"'):
        result.steps["relase"]
    with pytest.raises(KeyError, match="ran over 3 items"):
        result.why("train[7]")


def test_the_same_run_gives_the_same_result() -> None:
    first, second = train(), train()
    assert first == second
    assert first.duration == timedelta(0)


def test_a_command_that_the_driver_does_not_know_fails_loudly(monkeypatch: pytest.MonkeyPatch) -> None:
    from segue.testing.engine import simulation

    monkeypatch.setattr(simulation, "advance", lambda state, event: (state, [object()]))
    with pytest.raises(NotImplementedError, match="does not know the command object"):
        train()
