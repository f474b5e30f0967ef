"""`-p key=value`: text becomes what the workflow's schema asks for, with the server's packages and without."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from segue.cli.given_params import _plainly, read_params
from segue.errors import InvalidParams

SCHEMAS: dict[str, dict[str, Any]] = {
    "name": {"type": "string"},
    "rows": {"type": "integer", "minimum": 1},
    "share": {"type": "number"},
    "dry": {"type": "boolean"},
    "grid": {"type": "array"},
    "model": {"type": "object"},
    "note": {"type": ["string", "null"]},
}
CASES = [
    ("name", "5", "5"),
    ("rows", "5", 5),
    ("share", "0.5", 0.5),
    ("dry", "true", True),
    ("grid", "[1, 2]", [1, 2]),
    ("model", '{"depth": 4}', {"depth": 4}),
    ("note", "null", None),
    ("note", "5", "5"),
    ("note", "a=b", "a=b"),
]


@pytest.fixture(autouse=True)
def path_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line takes folders from `sys.path`; the other tests need them."""
    monkeypatch.setattr(sys, "path", [*sys.path])


@pytest.mark.parametrize(("name", "text", "value"), CASES)
def test_text_takes_the_type_of_its_param(name: str, text: str, value: Any) -> None:
    assert read_params([f"{name}={text}"], None, SCHEMAS) == {name: value}
    assert _plainly(text, SCHEMAS[name]) == value, "without the server's packages"


def test_what_is_given_as_text_wins_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text('{"rows": 1, "name": "file"}')
    assert read_params(["rows=2"], str(tmp_path / "params.json"), SCHEMAS) == {"rows": 2, "name": "file"}


def test_all_that_does_not_fit_is_said_at_once_with_its_schema() -> None:
    with pytest.raises(InvalidParams) as caught:
        read_params(["rows=many", "grid=[1,", "dry=yes"], None, SCHEMAS)
    assert caught.value.problems == [
        ("params.rows", '"many" is not an integer (its schema is {"type": "integer", "minimum": 1})'),
        ("params.grid", '"[1," is not an array: Expecting value at character 4; text in it stands in double quotes'),
        ("params.dry", '"yes" is not a boolean'),
    ]


@pytest.mark.parametrize("text", ["rows", "=5", ""])
def test_what_is_no_pair_is_refused(text: str) -> None:
    with pytest.raises(InvalidParams, match="is not key=value"):
        read_params([text], None, SCHEMAS)
