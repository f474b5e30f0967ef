"""The examples on the operators' pages run, against real counterparts, and say the same in both spellings."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from segue.evaluate import evaluate
from tests.activities.conftest import Steps
from tests.activities.engine import running_engine
from tests.activities.service import Service
from tests.activities.sshd import running_sshd
from tests.workshop.test_docs import Block, blocks
from translator import compile_document, compile_yaml
from translator.manual.page import OPERATORS
from workflows.inputs import RunIdentity, build_task, run_scope
from workflows.messages import RunRequest
from workflows.plan import Plan
from workflows.templates import render

PAGES = sorted(OPERATORS.glob("*.md"))
GIVES: dict[str, Any] = {
    "shell": 3,
    "python": {"words": 2, "longest": "one"},
    "http": "/echo",
    "container": 0.94,
    "sql": [{"name": "second", "accuracy": 0.9}],
    "notify": 1,
    "ssh": 0.9,
}


def examples(page: Path, language: str) -> list[Block]:
    return [block for block in blocks(page) if block.language == language and "definition" in block.words]


def compiled(page: Path, number: int = 0) -> Plan:
    return compile_yaml(examples(page, "yaml")[number].text, page.name)


def params(name: str, service: Service, patch: pytest.MonkeyPatch, stack: ExitStack) -> dict[str, Any]:
    """Start what the example of a page speaks to, and return the params that say where it is."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    match name:
        case "http":
            return {"api": service.url}
        case "notify":
            return {"to": service.url.replace("http://", "json://")}
        case "container":
            patch.setenv("PATH", f"{stack.enter_context(running_engine(folder)).path}:{os.environ['PATH']}")
        case "ssh":
            given = stack.enter_context(running_sshd(folder)).inputs("")
            return {name: given[name] for name in ("host", "port", "key", "known_hosts")}
    return {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
async def test_example_runs(page: Path, steps: Steps, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = compiled(page)
    with ExitStack() as stack:
        defaults = {name: schema.get("default") for name, schema in plan.params.items()}
        given = defaults | params(page.stem, service, monkeypatch, stack)
        bundle = {block.options["file"]: block.text for block in blocks(page) if "script" in block.words}
        request = RunRequest(plan.workflow, 1, given, bundle=steps.bundle(bundle))
        identity = RunIdentity("demo-1", plan.workflow, 1, request.bundle)
        scope = run_scope(identity, request, plan, "2026-01-01T00:00:00Z")
        for step in plan.steps:
            task = build_task(identity, step, step.id, 0, scope)
            result = await steps.start_task(task)
            scope["steps"][step.id] = {"output": result.value, "status": "succeeded"}
    assert render(plan.output, scope) == GIVES[page.stem]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_both_spellings_say_the_same(page: Path, tmp_path: Path) -> None:
    found = examples(page, "python")
    assert len(found) == len(examples(page, "yaml")) > 0
    for number, block in enumerate(found):
        file = tmp_path / block.options["file"]
        file.write_text(block.text)
        [document] = evaluate(file)
        assert compile_document(document, file.name, {}).content_hash == compiled(page, number).content_hash


def test_every_operator_of_a_worker_has_a_page(steps: Steps) -> None:
    kinds: dict[str, Callable[..., Any]] = steps.by_kind
    assert {page.stem for page in PAGES} == {*kinds} - {"noop"}
