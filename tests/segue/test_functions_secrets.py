"""Secrets in workflows that are functions: this machine's where they are called, the worker's where they run."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue import SegueError
from tests.segue.function_runs import module_of, plan_of
from translator import DefinitionError

SOURCE = """
from segue import secrets, secrets as hidden, step, workflow
import segue

@step(env={"LICENCE": secrets.LICENCE})
def send(token: str, header: str = "", login: dict = {}) -> int:
    return len(token) + len(header) + len(login.get("password", ""))

@workflow
def flow(name: str = "ann"):
    token = secrets.TOKEN
    return send(token, f"Bearer {hidden.TOKEN} for {name}", {"password": secrets["DB"], "user": name})
"""
WRONG = """
from segue import secrets, step, workflow

@step
def send(token: str) -> int: ...

@workflow
def condition():
    if secrets.TOKEN == "x":
        send("x")

@workflow
def computed():
    return send(secrets.TOKEN + "x")

@workflow
def kept():
    send("x")
    return secrets.TOKEN
"""


def test_a_body_speaks_of_secrets_as_yaml_does(tmp_path: Path) -> None:
    module = module_of(SOURCE, tmp_path / "told.py")
    [step] = plan_of(module.flow, SOURCE).steps
    assert step.inputs == {
        "token": "${{ secrets.TOKEN }}",
        "header": "Bearer ${{ secrets.TOKEN }} for ${{ params.name }}",
        "login": {"password": "${{ secrets.DB }}", "user": "${{ params.name }}"},
    }
    assert step.env == {"LICENCE": "${{ secrets.LICENCE }}"}


def test_called_as_plain_python_it_gets_the_secrets_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = module_of(SOURCE, tmp_path / "called.py")
    with pytest.raises(SegueError, match='There is no secret "TOKEN" here: set SEGUE_SECRET_TOKEN in the environment'):
        module.flow()
    monkeypatch.setenv("SEGUE_SECRET_TOKEN", "1234")
    monkeypatch.setenv("SEGUE_SECRETS_DIR", str(tmp_path))
    (tmp_path / "DB").write_text("12345\n")
    assert module.flow() == 4 + len("Bearer 1234 for ann") + 5
    assert str(module.secrets.TOKEN) == "${{ secrets.TOKEN }}"


@pytest.mark.parametrize(("name", "line"), [("condition", 10), ("computed", 14), ("kept", 19)])
def test_what_needs_the_value_of_a_secret_is_refused_with_its_place(tmp_path: Path, name: str, line: int) -> None:
    module = module_of(WRONG, tmp_path / "wrong.py")
    with pytest.raises(DefinitionError) as caught:
        plan_of(getattr(module, name), WRONG)
    assert {(each.code, each.line) for each in caught.value.diagnostics} == {("E0313", line)}
