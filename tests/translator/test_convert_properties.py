"""Whatever a definition says, each spelling of it that Segue writes says the same: the hash of its plan."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from segue import dag
from tests.golden.record import VALID
from tests.translator.random_definitions import definitions
from translator import compile_document, compile_yaml, files_of_yaml
from translator.type_checks import TypeChecks
from translator.writing import Source, document_source, write_python, write_yaml, yaml_source
from workflows.plan import Plan

EXAMPLES = int(os.environ.get("SEGUE_EXAMPLES", "200"))
WRITTEN = sorted((Path(__file__).parents[2] / "examples").glob("*/*.yaml"))


@pytest.fixture(scope="module", autouse=True)
def types_are_not_checked() -> Iterator[None]:
    """The maker of random definitions knows no types, and what types an expression has is no matter of its spelling."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TypeChecks, "check", lambda checks: None)
        yield


def evaluated(text: str) -> dict[str, Any]:
    """Return the document of Python that we wrote ourselves; the child process would take too long here."""
    before = len(dag.made)
    exec(compile(text, "/flow.py", "exec"), {})
    [made] = dag.made[before:]
    del dag.made[before:]
    return made.document(text)


def round_trip(source: Source, files: Mapping[str, str] | None = None) -> tuple[Plan, Plan, Plan, str]:
    """Return the plans of a definition in YAML, in Python, and in YAML again, and that last text."""
    first = write_yaml(deepcopy(source))
    document = evaluated(write_python(source))
    last = write_yaml(document_source(document, "flow.py"))
    python = compile_document(document, "flow.py", files)
    return compile_yaml(first, "flow.yaml", files), python, compile_yaml(last, "flow.yaml", files), last


@given(definitions())
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[*HealthCheck], print_blob=True)
@pytest.mark.timeout(0)
def test_a_random_definition_keeps_its_hash_through_yaml_python_and_yaml(definition: dict[str, Any]) -> None:
    plan = compile_document({"definition": definition}, "flow.py")
    for each in round_trip(Source(definition))[:3]:
        assert each.content_hash == plan.content_hash, each.to_json()


@given(definitions())
@settings(max_examples=max(EXAMPLES // 4, 50), deadline=None, suppress_health_check=[*HealthCheck])
@pytest.mark.timeout(0)
def test_a_layout_that_is_canonical_stays_as_it_is(definition: dict[str, Any]) -> None:
    text = write_yaml(yaml_source(write_yaml(Source(definition)), "flow.yaml"))
    assert write_yaml(yaml_source(text, "flow.yaml")) == text


@pytest.mark.parametrize("path", [*VALID, *WRITTEN], ids=lambda path: path.stem)
def test_every_valid_definition_keeps_its_hash(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    named = {name: path.parent / name for name in files_of_yaml(text)}
    files = {name: file.read_text(encoding="utf-8") for name, file in named.items()}
    plan = compile_yaml(text, path.name, files)
    for each in round_trip(yaml_source(text, path.name), files)[:3]:
        assert each.content_hash == plan.content_hash, each.to_json()


COMMENTED = """\
segue: 1
name: flow

# about all steps
steps:
  # first
  a:  # beside a
    # the script
    run: |  # beside run
      echo "# not a comment"
      # still script

    # about env
    env:
      X: "a # b"  # beside X

      # above Y
      Y: it's
  b:
    needs:
      # why a
      a: "${{ output.x > 1 }}"  # beside need
    map:
      over:
        - 1  # one
        # two is
        - {v: 2}
      as: n
    run: echo
    retry: {attempts: 3}  # often

# before output
output: {x: "${{ steps.a.output?.x }}"}  # out
# the end
"""


def test_comments_and_blank_lines_stay_where_they_are() -> None:
    assert write_yaml(yaml_source(COMMENTED, "flow.yaml")) == COMMENTED


def test_every_comment_comes_along_to_python_and_back() -> None:
    python = write_python(yaml_source(COMMENTED, "flow.yaml"))
    back = write_yaml(document_source(evaluated(python), "flow.py"))
    comments = ["about all steps", "first", "beside a", "the script", "beside run", "about env", "beside X", "above Y"]
    comments += ["why a", "beside need", "one", "two is", "often", "before output", "out", "the end"]
    for comment in comments:
        assert f"# {comment}\n" in python
        assert f"# {comment}\n" in back
