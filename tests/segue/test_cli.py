"""The command line where no service is needed: what it prints, and its exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from segue import InvalidParams
from segue.cli.service import ways_to
from segue.cli.tell import values_of
from tests.segue.commands import segue
from tests.segue.definitions import write

HELLO = """\
segue: 1
name: hello
description: Says hello
params:
  names: {type: array, default: [Ada, Grace]}
steps:
  greet:
    map: {over: "${{ params.names }}", as: name}
    run: echo "$NAME"
    env: {NAME: "${{ name }}"}
  count:
    needs: {greet: "${{ output != null }}"}
    uses: noop
    queue: gpu
    trigger_rule: all_done
    retry: {attempts: 3}
"""
BROKEN = HELLO.replace("needs: {greet:", "needs: {gret:").replace("uses: noop", "uses: noop\n    tries: 3")
COMMANDS = ["dev", "validate", "plan", "deploy", "run", "runs", "show", "logs", "cancel", "fire", "ui"]
COMMANDS += ["api", "worker", "vars", "record", "approve", "reject", "release", "send"]
COMMANDS += ["convert", "fmt", "lint", "explain", "schema", "fleet"]
NOWHERE = {"SEGUE_API_URL": "http://127.0.0.1:1", "SEGUE_API_KEY": "key"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hello.yaml").write_text(HELLO)
    (tmp_path / "broken.yaml").write_text(BROKEN)
    return tmp_path


def test_help_names_every_command(tmp_path: Path) -> None:
    ended = segue("--help", cwd=tmp_path)
    assert ended.code == 0
    for command in COMMANDS:
        assert f"\n  {command} " in ended.out
    assert "install-completion" in ended.out


def test_help_waits_for_nothing_that_is_slow_to_import(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "segue", "--help"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in ended.stderr.splitlines()}
    assert "typer" in imported
    assert imported.isdisjoint({"asyncio", "httpx", "pydantic", "rich", "temporalio", "translator", "yaml"})


@pytest.mark.parametrize("command", ["dev", "validate", "run", "logs", "vars", "worker"])
def test_every_command_has_help(tmp_path: Path, command: str) -> None:
    ended = segue(command, "-h", cwd=tmp_path)
    assert ended.code == 0
    assert "Usage: segue " + command in ended.out


def test_the_version_is_printed(tmp_path: Path) -> None:
    assert segue("--version", cwd=tmp_path).out == "segue 0.1.0\n"


def test_a_valid_definition_is_said_to_be_so(folder: Path) -> None:
    ended = segue("validate", "hello.yaml", cwd=folder)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("hello.yaml: hello is valid: 2 steps, sha256:")
    assert segue("validate", "hello.yaml", "--json", cwd=folder).json == []


def test_every_problem_of_a_definition_is_told_as_a_compiler_does(folder: Path) -> None:
    ended = segue("validate", "broken.yaml", cwd=folder)
    assert (ended.code, ended.out) == (2, "")
    assert "broken.yaml:12:" in ended.err
    assert 'did you mean "greet"?' in ended.err
    assert "    ^" in ended.err or "   ^" in ended.err
    assert ended.err.endswith("\n\n2 errors; more: segue explain E0401\n")
    assert segue("explain", "E0401", cwd=folder).code == 0
    found = segue("validate", "broken.yaml", "--json", cwd=folder)
    assert found.code == 2
    assert found.err == ""
    assert [sorted(each) for each in found.json] == [["code", "column", "file", "hint", "line", "message"]] * 2
    assert {each["line"] for each in found.json} == {12, 14}


def test_problems_of_a_python_file_have_the_same_form(folder: Path) -> None:
    write(folder, 'with DAG("flow"):\n    a = EmptyOperator(queue="no queue")\n')
    found = segue("validate", "flow.py", "--json", cwd=folder)
    assert found.code == 2
    assert [(each["file"], each["line"], each["column"]) for each in found.json] == [("flow.py", 3, 23)]
    write(folder, "import nothing_like_it\n")
    ended = segue("validate", "flow.py", cwd=folder)
    assert ended.code == 2
    assert ended.err.startswith("flow.py:2:1: error[E0712]: ModuleNotFoundError")


def test_code_that_cannot_be_packed_is_a_problem_of_the_definition(folder: Path) -> None:
    (folder / "hello.yaml").write_text(HELLO.replace("steps:", "code: {include: ['src/**']}\nsteps:"))
    [problem] = segue("validate", "hello.yaml", "--json", cwd=folder).json
    assert problem["code"] == "E0705"
    ended = segue("validate", "hello.yaml", cwd=folder)
    assert ended.code == 2
    assert '"src/**" fits no file' in ended.err


def test_a_plan_names_steps_queues_needs_and_conditions(folder: Path) -> None:
    ended = segue("plan", "hello.yaml", cwd=folder)
    assert ended.code == 0
    assert ended.out.splitlines()[1:] == [
        "  Says hello",
        '  param names: array = ["Ada", "Grace"]',
        "",
        'greet  shell on cpu: echo "$NAME"',
        "       runs, 2 items",
        "       for each name in ${{ params.names }}",
        "",
        "count  noop on gpu",
        "       runs",
        "       needs greet when output != null",
        "       starts on all_done",
        "       up to 3 attempts",
        "",
        "2 steps: 2 run",
        "longest chain: greet > count (2 steps); at most 1 side by side",
    ]
    document = segue("plan", "hello.yaml", "--json", cwd=folder).json
    assert [step["id"] for step in document["steps"]] == ["greet", "count"]
    assert segue("plan", "hello.yaml", "--mermaid", cwd=folder).out == (
        'flowchart TD\n  s0["greet × 2<br/>shell on cpu"]\n  s1(("count<br/>noop on gpu"))\n'
        '  s0 -->|"output != null"| s1\n'
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["runs"], 3, "does not answer"),
        (["logs", "x", "y"], 3, "does not answer"),
        (["run", "hello.yaml"], 3, "does not answer"),
        (["run", "broken.yaml"], 2, "error[E"),
        (["run", "none.yaml"], 2, "No such file"),
        (["run", "hello.yaml", "-p", "names"], 2, "is not key=value"),
        (["run", "hello.yaml", "-p", "names=5"], 2, "params.names"),
        (["run", "hello.yaml", "--params", "none.json"], 2, "cannot be read"),
        (["run", "hello.yaml", "--params", "hello.yaml"], 2, "is not JSON"),
        (["fire", "hello", "--id", "1", "--payload", "{"], 2, "is not JSON"),
        (["vars", "set", "X"], 2, "is not NAME=VALUE"),
        (["plan", "hello.yaml", "--workflow", "other"], 2, 'no workflow "other"'),
        (["run"], 2, "Missing argument"),
        (["validate", "hello.yaml", "--jsno"], 2, "No such option"),
        (["nothing"], 2, "No such command"),
    ],
)
def test_what_goes_wrong_is_one_paragraph_and_an_exit_code(
    folder: Path, arguments: list[str], code: int, words: str
) -> None:
    ended = segue(*arguments, cwd=folder, environment=NOWHERE)
    assert words in ended.err
    assert (ended.code, ended.out) == (code, "")
    assert len(ended.err.strip().split("\n\n")) <= 3


def test_without_a_service_the_way_to_one_is_told(tmp_path: Path) -> None:
    ended = segue("runs", cwd=tmp_path)
    assert ended.code == 3
    assert "segue dev" in ended.err


@pytest.mark.parametrize(
    "arguments", [["runs"], ["logs", "flow-1", "a"], ["cancel", "flow-1"], ["run", "hello", "--detach"]]
)
def test_a_service_that_is_away_is_told_from_one_that_refuses(tmp_path: Path, arguments: list[str]) -> None:
    ended = segue(*arguments, cwd=tmp_path, environment={"SEGUE_API_URL": NOWHERE["SEGUE_API_URL"]})
    assert ended.code == 3
    assert "There is no API key" in ended.err


def test_whoever_stops_reading_gets_no_complaint(folder: Path) -> None:
    command = f"{sys.executable} -P -m segue plan hello.yaml --json | head -c 1"
    ended = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stderr == ""


def test_a_users_folder_with_a_servers_name_does_not_get_in_the_way(folder: Path) -> None:
    for name in ("workflows", "translator", "api"):
        write(folder, "raise RuntimeError('imported')\n", name=f"{name}/__init__.py")
    ended = segue("validate", "hello.yaml", cwd=folder, environment={"PYTHONPATH": str(folder)})
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize("command", [["api"], ["worker", "--queue", "cpu"]])
def test_a_setting_that_is_none_is_named(tmp_path: Path, command: list[str]) -> None:
    ended = segue(*command, cwd=tmp_path, environment={"SEGUE_API_PORT": "99999"})
    assert ended.code == 2
    assert "SEGUE_API_PORT: " in ended.err


@pytest.mark.parametrize("command", [["dev"], ["run", "hello.yaml"]])
def test_a_stack_that_cannot_start_says_why(folder: Path, command: list[str]) -> None:
    ended = segue(*command, "--data", "hello.yaml", cwd=folder)
    assert (ended.code, ended.out) == (3, "")
    assert "File exists: " in ended.err


def test_a_service_whose_state_is_elsewhere_says_how_commands_find_it(tmp_path: Path) -> None:
    assert ways_to(tmp_path / ".segue", "http://127.0.0.1:1") == []
    (tmp_path / "my data").mkdir()
    (tmp_path / "my data" / "api-key").write_text("secret-key")
    [line] = ways_to(tmp_path / "my data", "http://127.0.0.1:1")
    shown = subprocess.run(
        ["sh", "-c", f"{line.strip().removeprefix('first')}; env"], capture_output=True, text=True, check=True
    )
    assert {"SEGUE_API_URL=http://127.0.0.1:1", "SEGUE_API_KEY=secret-key"} <= {*shown.stdout.splitlines()}


def test_completion_is_silent_without_a_service(tmp_path: Path) -> None:
    environment = {"_SEGUE_COMPLETE": "complete_bash", "COMP_WORDS": "segue run ", "COMP_CWORD": "2", **NOWHERE}
    ended = segue(cwd=tmp_path, environment=environment)
    assert (ended.out.strip(), ended.err) == ("", "")


def test_commands_say_what_to_install_when_the_server_is_not(folder: Path, tmp_path: Path) -> None:
    """With the standard library and the client's needs alone, as in a user's own environment."""
    site = tmp_path / "client-only"
    site.mkdir()
    import httpx

    packages = Path(httpx.__file__).parents[1]
    ours = Path(__file__).parents[2] / "segue"
    (site / "segue").symlink_to(ours)
    servers = ("api", "workers", "workflows", "translator", "store", "activities", "temporalio", "fastapi")
    for entry in packages.iterdir():
        if not entry.name.startswith(("__editable__", *servers)) and not entry.name.endswith(".pth"):
            (site / entry.name).symlink_to(entry)

    def client_only(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = (
            f"import sys; sys.path.insert(0, {str(site)!r}); sys.argv[0] = 'segue'; from segue.cli import main; main()"
        )
        command = [sys.executable, "-S", "-c", code, *arguments]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)

    assert client_only("--help").returncode == 0
    for command in (["dev"], ["api"], ["worker", "--queue", "cpu"], ["run", "hello"]):
        ended = client_only(*command)
        assert ended.returncode == 2, ended
        assert f"`segue {command[0]}` needs Segue's server: pip install" in ended.stderr
    assert os.environ.get("PYTHONPATH") is None


def test_a_file_that_cannot_be_written_is_said_in_words(folder: Path) -> None:
    for command in (["schema"], ["convert", "hello.yaml", "--to", "python"]):
        ended = segue(*command, "-o", "nowhere/x.py", cwd=folder)
        assert ended.code == 2
        assert "nowhere/x.py cannot be written: No such file or directory." in ended.err


def test_values_of_a_form_are_read_as_params_and_refused_as_values() -> None:
    form = {"share": {"type": "integer"}, "why": {"type": "string"}}
    assert values_of(["share=25", "why=10"], form) == {"share": 25, "why": "10"}
    with pytest.raises(InvalidParams) as caught:
        values_of(["share=abc"], form)
    assert str(caught.value).splitlines()[0] == "The values do not fit the step's form."
    assert [path for path, _ in caught.value.problems] == ["values.share"]
