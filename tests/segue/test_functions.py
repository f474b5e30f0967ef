"""`@step` and `@workflow` as plain Python, and in the places where they are found."""

from __future__ import annotations

import asyncio
import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest

from segue import InvalidDefinition, SegueError, StepFailed, event, step, workflow
from segue.codes import Code
from segue.functions.received import received
from segue.submission import read_definition, read_definitions
from tests.segue.definitions import definition_of, problem_of, write

ROOT = Path(__file__).parents[2]


@step
def double(n: int) -> int:
    """Double it."""
    if n < 0:
        raise ValueError("it is negative")
    return 2 * n


@step(queue="gpu")
def quadruple(n: int) -> int:
    return double(double(n))


@step
async def later(n: int) -> int:
    await asyncio.sleep(0)
    return n + 1


@workflow
def flow(n: int = 1) -> Any:
    """Call steps."""
    try:
        return [double(n), later(n)]
    except StepFailed:
        return "caught"


@workflow(name="other")
def uncaught(n: int) -> int:
    return quadruple(n)


def test_a_step_called_by_itself_is_the_function_with_its_exceptions() -> None:
    assert double(3) == 6
    assert (double.__name__, double.__doc__) == ("double", "Double it.")
    with pytest.raises(ValueError, match="it is negative"):
        double(-1)
    assert double.after(1, 2)(n=4) == 8


def test_a_workflow_called_is_the_function() -> None:
    assert flow(3) == [6, 4]
    assert flow() == [2, 2]
    assert (flow.name, flow.__doc__, uncaught.name) == ("flow", "Call steps.", "other")


def test_in_a_workflow_a_step_that_fails_raises_step_failed_from_the_exception() -> None:
    assert flow(-1) == "caught"
    with pytest.raises(StepFailed, match="step quadruple failed: ValueError: it is negative") as caught:
        uncaught(-1)
    assert isinstance(caught.value.__cause__, ValueError), "a step that a step calls is plain"
    assert caught.value.step == "quadruple"
    assert isinstance(caught.value, SegueError)
    with pytest.raises(ValueError, match="it is negative"):
        double(-1)


def test_workflow_and_event_are_decorator_and_trigger_as_well_as_names_of_values(tmp_path: Path) -> None:
    assert str(workflow.name) == "${{ workflow.name }}"
    assert event("x").definition == {"event": {"name": "x"}}
    body = "a = BashOperator(bash_command='x', env={'A': workflow.name, 'B': f'{workflow.version} {event.x}'})"
    assert definition_of(tmp_path, body)["steps"]["a"]["env"] == {
        "A": "${{ workflow.name }}",
        "B": "${{ workflow.version }} ${{ event.x }}",
    }


class Color(enum.Enum):
    RED = "red"


@dataclass
class Row:
    n: int
    color: Color = Color.RED


class Typed(TypedDict):
    n: int


def test_a_step_gets_what_its_annotations_name() -> None:
    def takes(
        row: Row, rows: list[Row], maybe: Row | None, named: dict[str, Row], color: Color, pair: tuple[int, Row],
        typed: Typed, noted: Annotated[Row, "x"], plain: Any, bare,  # type: ignore[no-untyped-def]
    ) -> None: ...  # fmt: skip

    row = {"n": 1, "color": "red"}
    given = {"row": row, "rows": [row, {"n": 2}], "maybe": row, "named": {"a": row}, "color": "red", "pair": [1, row]}
    found = received(takes, {**given, "typed": row, "noted": row, "plain": row, "bare": [row]})
    one = Row(1)
    assert found == {
        "row": one,
        "rows": [one, Row(2)],
        "maybe": one,
        "named": {"a": one},
        "color": Color.RED,
        "pair": (1, one),
        "typed": row,
        "noted": one,
        "plain": row,
        "bare": [row],
    }
    assert received(takes, {"maybe": None, "row": {"x": 1}, "color": "green", "rows": 3}) == {
        "maybe": None,
        "row": {"x": 1},
        "color": "green",
        "rows": 3,
    }, "what does not fit stays what came"


FLOW = "@step\ndef work(n): ...\n\n@workflow\ndef {name}(n: int = 1):\n    return work(n)\n\n"


def test_a_file_holds_dags_and_functions_and_not_those_of_files_beside_it(tmp_path: Path) -> None:
    write(tmp_path, FLOW.format(name="near"), name="near.py")
    source = f"from near import near\n{FLOW.format(name='one_of_two')}{FLOW.format(name='two')}"
    source += "with DAG('dag'):\n    a = EmptyOperator()\n"
    path = write(tmp_path, source, name="all.py")
    assert [each.name for each in read_definitions(path)] == ["dag", "one-of-two", "two"]
    assert read_definition(path, "two").name == "two"
    bundle = read_definition(path, "two").bundle()
    assert bundle is not None
    assert bundle.files == ("all.py", "near.py")


def test_all_that_is_wrong_with_any_workflow_of_a_file_is_said(tmp_path: Path) -> None:
    source = FLOW.format(name="one").replace("work(n)\n", "zzz(n)\n") + FLOW.format(name="two").replace(
        "return work(n)", "while n: work(n)"
    )
    with pytest.raises(InvalidDefinition) as caught:
        read_definitions(write(tmp_path, source))
    assert [(each.code, each.line) for each in caught.value.diagnostics] == [("E0732", 7), ("E0731", 14)]


def test_what_is_wrong_around_a_workflow_is_said(tmp_path: Path) -> None:
    assert problem_of(tmp_path, FLOW.format(name="a") * 2).message == 'two workflows in this file have the name "a"'
    nested = "def make():\n    @step\n    def inner(n): ...\n"
    nested += "    @workflow\n    def flow(n: int):\n        inner(n)\nmake()\n"
    problem = problem_of(tmp_path, nested)
    assert "which a step's process cannot import" in problem.message
    assert (problem.line, problem.column) == (7, 9)
    tested = FLOW.format(name="a") + "a.test()\n"
    assert "would run this file again" in problem_of(tmp_path, tested).message


def test_the_example_of_the_design_has_the_plan_that_it_draws(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        class Dataset: ...
        class Model: ...

        @step
        def build(dataset): ...
        @step
        def check(data): ...
        @step
        def notify(who, data): ...
        @step
        def best(models): ...
        @step
        def release(model): ...
        @step(queue="gpu", retries=3)
        def train(data: Dataset, depth: int) -> Model: ...

        @workflow(triggers=[cron("0 6 * * MON", timezone="Europe/Paris")])
        def train_digits(dataset: str = "digits", depths: list[int] = [4, 8]) -> Model | None:
            data = build(dataset)
            if check(data).quality != "good":
                notify("data team", data)
                return None
            models = [train(data, depth) for depth in depths]
            return release(best(models))

        if __name__ == "__main__":
            print(train_digits("digits"))
        """,
    )
    plan = read_definition(path).translated.plan
    assert {each["id"]: {edge["step"]: edge["when"] for edge in each["needs"]} for each in plan["steps"]} == {
        "build": {},
        "check": {"build": None},
        "notify": {"build": None, "check": "output.quality != 'good'"},
        "train": {"build": None, "check": "output.quality == 'good'"},
        "best": {"train": None},
        "release": {"best": None},
    }
    assert {each["trigger_rule"] for each in plan["steps"]} == {"all_success"}


def test_every_code_of_the_compiler_is_raised_by_a_test() -> None:
    """A refusal that no test provokes may be wrong, or impossible."""
    texts = "".join(path.read_text() for path in (ROOT / "tests" / "segue").glob("test_functions*.py"))
    assert [code for code in Code if code.startswith("E073") and f'"{code}"' not in texts] == []
