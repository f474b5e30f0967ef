from __future__ import annotations

import time
from typing import Any

import pytest

from workflows.params import ParamProblem, ParamsError, check_params, coerce_text

SCHEMAS: dict[str, dict[str, Any]] = {
    "dataset": {"type": "string", "enum": ["digits", "wine"], "default": "digits"},
    "min_rows": {"type": "integer", "minimum": 1},
    "grid": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"depth": {"type": "number"}},
            "required": ["depth"],
            "additionalProperties": False,
        },
        "default": [],
    },
    "tag": {"type": "string", "pattern": "^(a+)+$", "default": "a"},
    "any": {"default": None},
}


def problems(given: dict[str, Any]) -> list[str]:
    with pytest.raises(ParamsError) as caught:
        check_params(SCHEMAS, given)
    return [str(error) for error in caught.value.errors]


def test_defaults_are_filled_in_in_the_order_of_the_schemas() -> None:
    params = check_params(SCHEMAS, {"grid": [{"depth": 1.5}], "min_rows": 5})
    assert params == {"dataset": "digits", "min_rows": 5, "grid": [{"depth": 1.5}], "tag": "a", "any": None}
    assert list(params) == list(SCHEMAS)


def test_every_problem_is_reported_with_its_path() -> None:
    assert problems({"dataset": "irsi", "grid": [{"depth": "x"}, {"deep": 1}], "min_row": 5, "tag": "b"}) == [
        'params.min_row: is not a param of this workflow; did you mean "min_rows"?',
        'params.dataset: "irsi" is none of "digits", "wine"',
        "params.min_rows: is required (an integer)",
        'params.grid[0].depth: "x" is not a number',
        'params.grid[1]: "depth" is missing',
        'params.grid[1]: "deep" is not expected',
        'params.tag: "b" does not match the pattern "^(a+)+$"',
    ]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0, "0 is less than 1"),
        (True, "true is not an integer"),
        ("5", '"5" is not an integer'),
        (2**63, "holds an integer that does not fit in 64 bits"),
        (None, "null is not an integer"),
    ],
)
def test_wrong_values_are_refused(value: Any, message: str) -> None:
    assert problems({"min_rows": value}) == [f"params.min_rows: {message}"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "a number that JSON does not have"),
        (["a", {"b": "\x00"}], "holds NUL"),
        ({"\ud800": 1}, "half of a surrogate pair"),
        ({"$segue": "file"}, 'has the key "$segue", which is reserved'),
    ],
)
def test_values_that_cannot_travel_are_refused(value: Any, message: str) -> None:
    assert message in problems({"min_rows": 1, "any": value})[0]


def test_a_value_that_is_too_deep_is_refused() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    assert problems({"min_rows": 1, "any": deep}) == ["params.any: has more than 64 levels"]


def test_a_hostile_pattern_cannot_hang_a_check() -> None:
    start = time.process_time()
    assert "does not match" in problems({"min_rows": 1, "tag": "a" * 5000 + "b"})[0]
    assert "cannot be checked" in problems({"min_rows": 1, "tag": "a" * 500_000 + "b"})[0]
    assert time.process_time() - start < 5


def test_text_from_a_command_line_takes_the_type_of_the_schema() -> None:
    given = {"dataset": "wine", "min_rows": "5", "grid": '[{"depth": 4}]', "any": "true", "unknown": "1", "tag": "5"}
    assert coerce_text(SCHEMAS, given) == {
        "dataset": "wine",
        "min_rows": 5,
        "grid": [{"depth": 4}],
        "any": True,
        "unknown": "1",
        "tag": "5",
    }
    assert coerce_text({"x": {"type": ["string", "null"]}}, {"x": "null"}) == {"x": None}
    assert coerce_text({"x": {"type": ["string", "null"]}}, {"x": "5"}) == {"x": "5"}
    assert coerce_text({"x": {"enum": ["1", "2"]}}, {"x": "1"}) == {"x": "1"}
    assert coerce_text({"x": {}}, {"x": "hello"}) == {"x": "hello"}


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "integer"}, "-5", -5),
        ({"type": "integer"}, " 5 ", 5),
        ({"type": "integer"}, "5.0", 5.0),
        ({"type": "number"}, "1e3", 1000.0),
        ({"type": "number"}, "5", 5),
        ({"type": "boolean"}, "true", True),
        ({"type": "boolean"}, "False", False),
        ({"type": "array"}, "[1, [2]]", [1, [2]]),
        ({"type": "object"}, '{"depth": 4}', {"depth": 4}),
        ({"type": ["integer", "null"]}, "null", None),
        ({"type": ["integer", "null"]}, "7", 7),
        ({"type": ["integer", "string"]}, "7", 7),
        ({"type": ["integer", "string"]}, "seven", "seven"),
        ({"type": "string"}, "null", "null"),
        ({"type": "string"}, "", ""),
        ({"type": "string"}, "a=b", "a=b"),
        ({"enum": [1, 2, "three"]}, "2", 2),
        ({"enum": [1, 2, "three"]}, "three", "three"),
        ({"enum": ["1", None]}, "null", None),
        ({"enum": ["1", None]}, "1", "1"),
        ({"const": True}, "true", True),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "x", "x"),
        ({"oneOf": [{"type": "integer"}, {"type": "null"}]}, "null", None),
        ({"anyOf": [{"type": "integer"}, {}]}, "[1]", [1]),
        ({"not": {"type": "string"}}, "5", 5),
    ],
)
def test_text_becomes_what_its_schema_asks_for(schema: dict[str, Any], text: str, value: Any) -> None:
    found = coerce_text({"x": schema}, {"x": text})["x"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("schema", "text", "message"),
    [
        ({"type": "integer"}, "5.5", '"5.5" is not an integer'),
        ({"type": "integer"}, "", '"" is not an integer'),
        ({"type": "boolean"}, "yes", '"yes" is not a boolean'),
        ({"type": "boolean"}, "1", '"1" is not a boolean'),
        ({"type": "array"}, "1,2", '"1,2" is not an array'),
        (
            {"type": "array"},
            "[a, b]",
            '"[a, b]" is not an array: Expecting value at character 2; text in it stands in double quotes',
        ),
        (
            {"type": "object"},
            "{'depth': 4}",
            "\"{'depth': 4}\" is not an object: Expecting property name enclosed in double quotes at character 2; "
            "text in it stands in double quotes",
        ),
        ({"type": "object"}, "[1]", '"[1]" is not an object'),
        ({"type": "array"}, "[NaN]", '"[NaN]" is not an array: JSON has no NaN and no Infinity'),
        ({"type": ["integer", "null"]}, "none", '"none" is not an integer or null'),
        ({"enum": [1, 2]}, "x", '"x" is not an integer (its schema is {"enum": [1, 2]})'),
        (
            {"type": "integer", "minimum": 1, "default": 5},
            "x",
            '"x" is not an integer (its schema is {"type": "integer", "minimum": 1})',
        ),
        (
            {"anyOf": [{"type": "integer"}, {"type": "boolean"}]},
            "x",
            '"x" is not an integer or a boolean (its schema is {"anyOf": [{"type": "integer"}, {"type": "boolean"}]})',
        ),
    ],
)
def test_text_that_is_none_of_the_types_says_why(schema: dict[str, Any], text: str, message: str) -> None:
    with pytest.raises(ParamsError) as caught:
        coerce_text({"x": schema}, {"x": text})
    assert caught.value.errors == [ParamProblem("params.x", message)]


def test_text_that_is_not_of_the_type_is_refused() -> None:
    with pytest.raises(ParamsError) as caught:
        coerce_text(SCHEMAS, {"min_rows": "many", "grid": "NaN", "any": "[" * 100_000})
    assert [(each.path, each.message.partition(" (its schema is ")[0]) for each in caught.value.errors] == [
        ("params.min_rows", '"many" is not an integer'),
        ("params.grid", '"NaN" is not an array'),
    ]


def test_items_that_must_be_unique_are_compared_by_content() -> None:
    schemas: dict[str, dict[str, Any]] = {"x": {"type": "array", "uniqueItems": True}}
    assert check_params(schemas, {"x": [1, "1", [1], {"a": 1}]})["x"]
    with pytest.raises(ParamsError, match="has the same item twice"):
        check_params(schemas, {"x": [{"a": 1, "b": 2}, {"b": 2, "a": 1}]})
    start = time.process_time()
    check_params(schemas, {"x": [*range(50_000), *map(str, range(50_000))]})
    assert time.process_time() - start < 3
