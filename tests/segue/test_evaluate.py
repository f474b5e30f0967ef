"""Python definitions are evaluated in a child process, alone with segue and the user's folder."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from segue import InvalidDefinition
from segue.child_path import isolated
from segue.evaluate import evaluate
from tests.segue.definitions import document_of, problem_of, write

FLOW = 'with DAG("flow"):\n    a = EmptyOperator()\n'


def test_a_users_own_workflows_and_api_are_theirs(tmp_path: Path) -> None:
    for name in ("workflows", "api", "translator", "store"):
        write(tmp_path, f'WHO = "the user\'s {name}"\n', name=f"{name}/__init__.py")
    document = document_of(
        tmp_path,
        """
        import api, store, translator, workflows
        with DAG("flow", labels={m.__name__: m.WHO for m in (api, store, translator, workflows)}):
            a = EmptyOperator()
        """,
    )
    assert document["definition"]["labels"] == {
        name: f"the user's {name}" for name in ("api", "store", "translator", "workflows")
    }


@pytest.mark.parametrize("room", ["workflows", "api", "temporalio", "pydantic", "yaml", "httpx"])
def test_the_services_own_packages_are_not_there(tmp_path: Path, room: str) -> None:
    problem = problem_of(tmp_path, f"import {room}\n{FLOW}")
    assert problem.message == f"ModuleNotFoundError: No module named '{room}'"
    assert (problem.line, problem.code) == (2, "E0712")
    assert "inside the functions that steps call" in problem.hint


def test_a_users_folder_named_segue_does_not_hide_ours(tmp_path: Path) -> None:
    write(tmp_path, "raise RuntimeError\n", name="segue/__init__.py")
    assert document_of(tmp_path, FLOW)["definition"]["name"] == "flow"


def test_what_the_file_does_happens_in_the_child_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    document = document_of(
        tmp_path,
        """
        import os, sys
        sys.modules["segue_was_here"] = os
        os.environ["SEGUE_WAS_HERE"] = "1"
        with DAG("flow", labels={"pid": str(os.getpid()), "cwd": os.getcwd(), "argv": " ".join(sys.argv),
                                 "name": __name__, "PYTHONPATH": str("/somewhere" in sys.path)}):
            a = EmptyOperator()
        """,
    )
    labels = document["definition"]["labels"]
    assert labels.pop("pid") != str(os.getpid())
    assert labels == {
        "cwd": str(tmp_path),
        "argv": str(tmp_path / "flow.py"),
        "name": "flow",
        "PYTHONPATH": "False",
    }
    assert "segue_was_here" not in sys.modules
    assert "SEGUE_WAS_HERE" not in os.environ
    assert not list(tmp_path.rglob("__pycache__")), "nothing is left in the user's folder"


def test_what_the_file_prints_is_not_its_answer(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert document_of(tmp_path, 'print("hello", flush=True)\n' + FLOW)["definition"]["name"] == "flow"
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == "hello\n"


def test_a_file_may_hold_several_dags_and_those_of_files_beside_it_only_if_it_names_them(tmp_path: Path) -> None:
    write(tmp_path, 'with DAG("mine") as mine:\n    a = EmptyOperator()\n' + FLOW, name="near.py")
    source = (
        'from near import mine\nwith DAG("one"):\n    a = EmptyOperator()\nwith DAG("two"):\n    a = EmptyOperator()\n'
    )
    names = [document["definition"]["name"] for document in evaluate(write(tmp_path, source, name="all.py"))]
    assert names == ["mine", "one", "two"]


def test_threads_and_exit_handlers_do_not_hold_the_answer_up(tmp_path: Path) -> None:
    source = "import atexit, threading, time\nthreading.Thread(target=time.sleep, args=(6000,)).start()\n"
    source += "atexit.register(time.sleep, 6000)\n"
    assert document_of(tmp_path, source + FLOW)


def test_processes_that_the_file_started_end_with_it(tmp_path: Path) -> None:
    source = 'import subprocess\nchild = subprocess.Popen(["sleep", "60"])\n'
    source += 'with DAG("flow", labels={"child": str(child.pid)}):\n    a = EmptyOperator()\n'
    child = int(document_of(tmp_path, source)["definition"]["labels"]["child"])
    deadline = time.monotonic() + 10
    while _runs(child):
        assert time.monotonic() < deadline
        os.sched_yield()


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"  # killed, and waiting for its parent to look
    except FileNotFoundError:
        return False


def test_an_interpreter_of_the_users_may_import_what_is_installed_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "import pytest\n" + FLOW)
    assert evaluate(path, sys.executable)[0]["definition"]["name"] == "flow"
    with pytest.raises(InvalidDefinition, match="E0716"):
        evaluate(path, str(tmp_path / "no-python"))
    old = tmp_path / "old-python"
    old.write_text("#!/bin/sh\nexit 97\n")
    old.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidDefinition, match=r"needs Python 3\.11 or newer"):
        evaluate(path, "./old-python")


@pytest.mark.parametrize(
    ("source", "line", "column", "code", "words"),
    [
        ("x = (1\n", 2, 5, "E0711", "SyntaxError: '(' was never closed"),
        ("if True:\nx = 1\n", 3, 1, "E0711", "IndentationError"),
        ("def f():\n    raise ValueError('boom')\nf()\n", 3, 5, "E0712", "ValueError: boom"),
        ("1 / 0\n", 2, 1, "E0712", "ZeroDivisionError"),
        ("def f(): f()\nf()\n", 2, 10, "E0712", "RecursionError"),
        ("class E(Exception):\n    def __str__(self): raise self\nraise E\n", 4, 1, "E0712", "cannot be shown"),
        ("raise KeyboardInterrupt\n", 2, 1, "E0712", "KeyboardInterrupt"),
        ("import near\n", 1, 5, "E0711", "SyntaxError"),
        ("import sys\nsys.exit(3)\n", 3, 1, "E0713", "exit(3)"),
        ("import os\nos._exit(4)\n", 0, 0, "E0713", "status 4"),
        ("import os\nos.kill(os.getpid(), 11)\n", 0, 0, "E0715", "SIGSEGV"),
        ("x = 1\n", 0, 0, "E0721", "makes no DAG"),
        ("from segue import Nothing\n", 2, 1, "E0712", "segue has nothing called 'Nothing'"),
        ("from segue import BashOperater\n", 2, 1, "E0712", "'BashOperater'"),
        (FLOW + FLOW, 2, 6, "E0726", 'two DAGs in this file have the name "flow"'),
        (FLOW.replace("DAG", "DAG") + "DAG('b').test()\n", 4, 1, "E0722", "dag.test() would run this file again"),
        ("with DAG('a'):\n    [EmptyOperator('a')] >> [EmptyOperator('b')]\n", 3, 5, "E0712", "TypeError"),
    ],
)
def test_what_is_wrong_with_the_file_is_said_with_its_place(
    tmp_path: Path, source: str, line: int, column: int, code: str, words: str
) -> None:
    (tmp_path / "near.py").write_text("x = = 1\n")
    problem = problem_of(tmp_path, source)
    assert words in problem.message
    assert (problem.line, problem.column, problem.code) == (line, column, code)
    assert "segue/" not in problem.file + problem.message, "our own files are nobody's business"


IMPORT_BOMB = """
import sys
from importlib.machinery import ModuleSpec

class Bomb:
    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self)
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        exec(f"import {module.__name__}x", module.__dict__)

sys.meta_path.append(Bomb())
import bomb
"""


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        (IMPORT_BOMB, "E0712", "RecursionError"),
        ("import flow\nfrom near import *\n", "E0712", "ImportError"),
        ("x = [0] * 10**9\n", "E0712", "MemoryError"),
        ("x = []\nwhile True:\n    x.append('x' * 10**6)\n", "E0712", "MemoryError"),
        ("x = 'a' * (10**9)\n", "E0712", "MemoryError"),
        ("import os\nos.abort()\n", "E0715", "SIGABRT"),
        ("raise SystemExit\n", "E0713", "exit(None)"),
        ("while True:\n    try: exec('while True: pass')\n    except Exception: pass\n", "E0714", "did not finish"),
    ],
    ids=["imports for ever", "imports itself", "memory", "memory in a loop", "a long text", "abort", "exit", "loop"],
)
def test_a_file_that_wants_too_much_fails_by_itself(tmp_path: Path, source: str, code: str, words: str) -> None:
    (tmp_path / "near.py").write_text("from flow import nothing\n")
    problem = problem_of(tmp_path, source, timeout=20 if code != "E0714" else 0.5)
    assert problem.code == code
    assert words in problem.message


@pytest.mark.parametrize(
    ("loop", "line"),
    [
        ("while True:\n    pass\n", 3),
        ("import time\nwhile True:\n    try: time.sleep(9)\n    except BaseException: pass\n", 0),
        ("import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\nsum(iter(int, 1))\n", 0),
    ],
)
def test_a_file_that_goes_on_for_ever_is_stopped(tmp_path: Path, loop: str, line: int) -> None:
    problem = problem_of(tmp_path, loop, timeout=1.5)  # long enough for a busy machine to import segue
    assert problem.code == "E0714"
    assert problem.line in (line, max(0, line - 1)), "where the loop is, when it could be interrupted"


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("none.py", None, "E0701"),
        ("folder.py", "folder", "E0701"),
        ("large.py", "#" * (1024 * 1024 + 1), "E0101"),
    ],
)
def test_a_file_that_cannot_be_read_is_said_to_be_so(tmp_path: Path, name: str, content: str | None, code: str) -> None:
    path = tmp_path / name
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_text(content)
    with pytest.raises(InvalidDefinition) as caught:
        evaluate(path)
    assert [each.code for each in caught.value.diagnostics] == [code]


def test_a_file_that_is_not_utf8_is_a_syntax_error(tmp_path: Path) -> None:
    path = tmp_path / "flow.py"
    path.write_bytes(b"x = '\xff'\n")
    with pytest.raises(InvalidDefinition) as caught:
        evaluate(path)
    assert [each.code for each in caught.value.diagnostics] == ["E0711"]


def test_messages_name_files_of_the_current_folder_by_their_short_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "1 / 0\n")
    with pytest.raises(InvalidDefinition) as caught:
        evaluate(Path("flow.py"))
    assert str(caught.value) == "flow.py:2:1: error[E0712]: ZeroDivisionError: division by zero\n    1 / 0\n    ^"


def test_the_isolated_folder_holds_segue_alone_and_mends_itself(tmp_path: Path) -> None:
    folder = isolated(tmp_path)
    assert [entry.name for entry in folder.iterdir()] == ["segue"]
    (folder / "segue").unlink()
    (folder / "segue").symlink_to("/nowhere")
    assert isolated(tmp_path) == folder
    assert (folder / "segue" / "dag.py").is_file()
