"""The manual agrees with the translator, and what is made from it with what is committed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from jsonschema import Draft7Validator

from segue.cli.explain import pages
from tests.golden.record import BROKEN, VALID
from translator import keys
from translator.compile import DEFAULT_TIMEOUT
from translator.fields import parse_duration
from translator.located import Report, split_lines
from translator.manual.page import OPERATORS, PAGE, codes, operator_page, reference_page
from translator.manual.schema import definition_schema
from translator.manual.table import BY_NAME, GROUPS
from translator.schemas import KEYWORDS
from translator.yaml_loader import load_yaml
from workflows.plan import Kind, Plan, Retry, Step, Timeout

SCHEMA = definition_schema()
VALIDATOR = Draft7Validator(SCHEMA)
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*/*.yaml"))
NOT_IN_DEFINITIONS = {"SHARED_STEP", "INNER_MAP", "WAITING_TIMEOUT", "JOB"}
"""Files of their own, and parts of what another group has."""


def read(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    tree = load_yaml(text, Report(path.name, split_lines(text)))
    return tree.plain() if tree is not None else None


def test_the_manual_has_exactly_the_keys_of_the_language() -> None:
    groups = {name: held for name, held in vars(keys).items() if isinstance(held, keys.Keys)}
    assert set(BY_NAME) == set(groups) - NOT_IN_DEFINITIONS
    for group in GROUPS:
        held = groups[group.name]
        assert sorted(group.keys()) == sorted(held.known), group.name


def test_the_schema_has_exactly_the_keys_that_this_release_reads() -> None:
    found = {"WORKFLOW": SCHEMA} | {name.upper(): held for name, held in SCHEMA["$defs"].items()}
    for group in GROUPS:
        assert sorted(found[group.name]["properties"]) == sorted(getattr(keys, group.name).known), group.name
    assert set(found["JSON_SCHEMA"]["properties"]) == set(KEYWORDS)


def test_the_schema_is_sound_and_every_key_is_described() -> None:
    Draft7Validator.check_schema(SCHEMA)
    for name, group in ({"workflow": SCHEMA} | SCHEMA["$defs"]).items():
        if name != "json_schema":
            assert all(entry["description"] for entry in group["properties"].values()), name


@pytest.mark.parametrize("path", [*VALID, *EXAMPLES], ids=lambda path: path.stem)
def test_a_valid_definition_fits_the_schema(path: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(read(path))] == []


def test_many_broken_definitions_do_not_fit_the_schema() -> None:
    """Expressions, graphs and names are beyond it; unknown keys are not.

    It does not tell an inner map from an outer one, nor what has a meaning only for steps of workers.
    """
    wrong = [path for path in BROKEN if "E0201]" in path.with_suffix(".txt").read_text()]
    assert len(wrong) > 10
    fitting = [path.stem for path in wrong if read(path) is not None and VALIDATOR.is_valid(read(path))]
    assert [name for name in fitting if not re.match("uses-|map-nested-|.*workers", name)] == []


def test_defaults_are_those_of_the_plan() -> None:
    told = {group.name: {entry.key: entry.default for entry in group.entries} for group in GROUPS}
    assert told["STEP"]["queue"] == told["DEFAULTS"]["queue"] == Step("a", "noop").queue
    assert told["STEP"]["trigger_rule"] == Step("a", "noop").trigger_rule
    assert int(told["WORKFLOW"]["max_parallel"]) == Plan("a", ()).max_parallel
    assert parse_duration(told["WORKFLOW"]["timeout"]) == DEFAULT_TIMEOUT
    retry, timeout = Retry(), Timeout()
    assert int(told["RETRY"]["attempts"]) == retry.attempts
    assert float(told["RETRY"]["backoff"]) == retry.backoff
    assert parse_duration(told["RETRY"]["delay"]) == retry.delay
    assert parse_duration(told["RETRY"]["max_delay"]) == retry.max_delay
    assert parse_duration(told["TIMEOUT"]["run"]) == timeout.run
    assert parse_duration(told["TIMEOUT"]["heartbeat"]) == timeout.heartbeat


def test_the_reference_is_what_the_tables_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference_page(), "python -m translator.manual.page writes it anew"
    assert list(codes()) == list(pages())


def test_the_pages_of_operators_have_the_keys_of_the_tables() -> None:
    pages = sorted(OPERATORS.glob("*.md"))
    listed = (OPERATORS.parent / "README.md").read_text(encoding="utf-8")
    assert {*keys.OPERATORS, "container", "http"} <= {page.stem for page in pages}
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert text == operator_page(text), "python -m translator.manual.page writes it anew"
        assert f"(operators/{page.name})" in listed
    assert all(f"<!-- keys: {name.upper()} -->" in (OPERATORS / f"{name}.md").read_text() for name in keys.OPERATORS)


def test_the_named_operators_are_kinds_of_the_plan() -> None:
    assert {*keys.OPERATORS} <= {*get_args(Kind)}


def test_an_editor_that_reads_yaml_as_json_schema_does_is_served() -> None:
    """Editors know no `${{ }}`: to them an expression is text, where the schema must let text pass."""
    text = "segue: 1\nname: flow\nsteps: {a: {map: {over: '${{ params.x }}'}, if: '${{ true }}', run: echo}}\n"
    assert VALIDATOR.is_valid(yaml.safe_load(text))
