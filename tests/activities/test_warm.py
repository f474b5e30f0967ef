"""Python steps in forks of a started interpreter: as in a process of their own, but for what it costs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uv

from activities.warm import SCRIPT
from tests.activities.conftest import Steps
from tests.activities.test_python import interpreters
from tests.waiting import eventually

COLD = {"PYTHONHASHSEED": "random"}
"""What an interpreter reads only when it starts, with its usual meaning."""
ROUND = """
import atexit, locale, os, resource, signal, sys, threading
def ours(text):
    return '/run/' in text or text.startswith(('PYTHONHASHSEED', '_='))
def f():
    return {
        'env': {name: value for name, value in os.environ.items() if not ours(name) and not ours(value)},
        'real env': sorted(line for line in os.popen('env').read().splitlines() if not ours(line)),
        'argv': [len(sys.argv), sys.argv[0]],
        'path': len(sys.path),
        'flags': str(sys.flags),
        'main': sys.modules['__main__'].__name__,
        'executable': sys.executable,
        'stdout': [sys.stdout.encoding, sys.stdout.errors, sys.stdout.write_through, sys.stdout.seekable()],
        'stdin': sys.stdin.read(),
        'descriptors': sorted(os.listdir('/dev/fd'))[:4],
        'handlers': {str(n): str(signal.getsignal(n)).partition(' at ')[0] for n in signal.valid_signals()},
        'leads': [os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid()],
        'cwd': os.getcwd() == os.path.realpath(sys.path[0]),
        'umask': os.umask(0o22),
        'nice': os.nice(0),
        'threads': threading.active_count(),
        'limits': list(resource.getrlimit(resource.RLIMIT_NOFILE)),
        'locale': locale.getpreferredencoding(False),
    }
"""
WHO = """
import os
def parent(process):
    return int(open(f'/proc/{process}/stat').read().rpartition(')')[2].split()[1])
def f(**given):
    return [parent(os.getppid()), os.getppid(), os.getpid()]
"""


def made_environment(folder: Path, python: str = sys.executable) -> Path:
    command = [uv.find_uv_bin(), "venv", "--quiet", "--no-project", "--python", python, str(folder / "venv")]
    subprocess.run(command, check=True)
    return folder / "venv"


async def server_of(steps: Steps, **task: Any) -> int:
    """Return the process that the guard of a step was forked from."""
    result = await steps.python(WHO, **task)
    return int(result.value[0])


async def test_steps_of_any_bundle_are_forks_of_one_interpreter(steps: Steps) -> None:
    first = (await steps.python(WHO)).value
    other = (await steps.python("# another bundle\n" + WHO)).value
    assert first[0] == other[0]
    assert first[1] != other[1]
    assert first[2] != other[2]


async def test_step_sees_what_it_would_see_in_a_fresh_interpreter(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    warm = (await steps.python(ROUND, env={"A": "é"})).value
    cold = (await steps.python(ROUND, env={"A": "é", **COLD})).value
    assert warm == cold
    assert "canary" not in str(warm)
    server = await server_of(steps)
    assert await server_of(steps, env={"A": "b"}) == server
    assert await server_of(steps, env=COLD) != server


@pytest.mark.parametrize("python", [*interpreters()[:1], *interpreters()[-1:]] or [sys.executable])
async def test_it_is_so_in_older_and_newer_interpreters(tmp_path: Path, python: str) -> None:
    steps = Steps(tmp_path / "steps", str(made_environment(tmp_path, python) / "bin" / "python"))
    assert await server_of(steps) == await server_of(steps) != await server_of(steps, env=COLD)
    assert (await steps.python(ROUND)).value == (await steps.python(ROUND, env=COLD)).value


async def test_code_is_the_bundles_own_each_time(steps: Steps) -> None:
    values = [(await steps.python(f"def f(): return {number}")).value for number in (1, 2, 1)]
    assert values == [1, 2, 1]
    code = "import m\nm.__dict__.setdefault('count', 0)\ndef f():\n  m.count += 1\n  return m.count"
    assert [(await steps.python(code)).value for _ in range(2)] == [1, 1]


async def test_variables_that_are_read_at_the_start_get_a_fresh_interpreter(steps: Steps) -> None:
    code = "import time\ndef f(): return [time.tzname[0], time.localtime(0).tm_hour]"
    assert (await steps.python(code, env={"TZ": "XYZ-5"})).value == ["XYZ", 5]
    code = "import sys\ndef f(): return sys.flags.utf8_mode"
    assert (await steps.python(code, env={"PYTHONUTF8": "1"})).value == 1


async def test_users_module_named_like_one_of_the_guards_is_the_users(steps: Steps) -> None:
    files = {"m.py": "import signal\ndef f(): return signal.MINE", "signal.py": "MINE = 5"}
    result = await steps.run("python", action={"callable": "m:f"}, bundle=steps.bundle(files))
    assert result.value == 5


ENDINGS = {
    "threads and exits": """
import atexit, sys, threading, time
def late():
    time.sleep(0.2)
    print("thread")
def f():
    atexit.register(print, "at exit")
    threading.Thread(target=late).start()
    sys.stdout.write("no end of line")
""",
    "a file that nobody closed": """
import os
file = open(os.environ["SEGUE_ARTIFACTS"] + "/left.txt", "w")
def f(): file.write("kept")
""",
    "a file opened at the exit": """
import atexit, os
kept = []
def at_exit():
    kept.append(open(os.environ["SEGUE_ARTIFACTS"] + "/left.txt", "w"))
    kept[0].write("kept")
def f(): atexit.register(at_exit)
""",
    "an object with a last word": """
class Last:
    def __del__(self): print("last word")
last = Last()
def f(): pass
""",
    "a generator in the middle": """
def values():
    try:
        yield 1
    finally:
        print("cleared up")
going = values()
def f(): return next(going)
""",
    "a library in C with something in its buffer": """
import ctypes
def f(): ctypes.CDLL(None).printf(b"from C\\n")
""",
    "many objects": "objects = [[] for _ in range(10_000)]\ndef f(): print(len(objects))",
    "streams of another kind": """
import io, sys
def f():
    print("before")
    sys.stdout = None
    kept.append(io.TextIOWrapper(io.BytesIO()))
    kept[0].detach()
kept = []
""",
    "an exit of its own": "import sys\ndef f():\n  print('x')\n  sys.exit(0)",
}


@pytest.mark.parametrize("code", ENDINGS.values(), ids=ENDINGS)
async def test_interpreter_ends_as_after_any_program(steps: Steps, code: str) -> None:
    warm, cold = await steps.python(code), await steps.python(code, env=COLD)
    assert steps.log(warm.folder) == steps.log(cold.folder)
    if "left.txt" in code:
        kept = [f"{result.folder}/artifacts/left.txt" for result in (warm, cold)]
        assert [steps.objects.get(key) for key in kept] == [b"kept", b"kept"]
    else:
        assert steps.log(warm.folder) != []


@pytest.mark.parametrize(
    ("code", "plain"),
    [
        ("", True),
        ("import json, threading; file = open(__import__('os').devnull, 'w')", True),
        ("going = (each for each in [1]); next(going)", False),
        ("class Last:\n  def __del__(self): pass\nlast = Last()", False),
        ("objects = [[] for _ in range(10_000)]", False),
        (
            "import types; sys.modules['fast'] = types.ModuleType('fast'); sys.modules['fast'].__file__ = 'fast.so'",
            False,
        ),
        ("import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()", False),
    ],
)
def test_end_is_quick_only_where_nothing_is_left_to_do(code: str, plain: bool) -> None:
    script = "import gc, sys\nnames = {}\nexec(open(sys.argv[1]).read(), names)\ngc.collect()\ngc.freeze()\n"
    script += f"{code}\nprint(names['_is_plain']())"
    command = [sys.executable, "-s", "-S", "-c", script, str(SCRIPT)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == f"{plain}\n"


async def test_interpreter_that_was_killed_is_replaced(steps: Steps) -> None:
    first = await server_of(steps)
    os.kill(first, signal.SIGKILL)
    assert await server_of(steps) != first  # a fresh process stands in
    second = await server_of(steps)
    assert second != first
    assert await server_of(steps) == second
    code = "import time\ndef f(): time.sleep(1000)"
    bundle = steps.bundle({"m.py": code})
    running, attempt = steps.start("python", action={"callable": "m:f"}, bundle=bundle)
    task = asyncio.create_task(attempt)
    await eventually(lambda: _children(second))
    # What was forked from it does not need it.
    os.kill(second, signal.SIGKILL)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_nothing_of_a_step_is_left(steps: Steps, marked: Callable[[str], list[int]]) -> None:
    mark = f"SEGUE_TEST={steps.folder.name}-{os.getpid()}"
    env = dict([mark.split("=")])
    code = """
import os, subprocess, sys
def f():
    subprocess.Popen(["sleep", "1000"], start_new_session=True)
    if not os.fork():
        os.setsid()
        os.execvp("sleep", ["sleep", "1000"])
    return os.getpid()
"""
    await steps.python(code, env=env)
    assert marked(mark) == []
    failure = await steps.failure(steps.python("import os, signal\ndef f(): os.kill(os.getpid(), signal.SIGSEGV)"))
    assert failure.message.startswith("the Python process was ended by SIGSEGV")


async def test_interpreters_that_wait_are_bounded(steps: Steps, tmp_path: Path) -> None:
    steps.activities._workshop.warm._limit = 1
    first = await server_of(steps)
    assert await server_of(steps) == first
    environment = made_environment(tmp_path)
    object.__setattr__(steps.activities._workshop, "python", str(environment / "bin" / "python"))
    second = await server_of(steps)
    assert second != first
    assert await server_of(steps) == second
    await eventually(lambda: not _is_running(first))


async def test_environment_that_runs_code_at_the_start_is_started_for_each_step(tmp_path: Path) -> None:
    environment = made_environment(tmp_path)
    steps = Steps(tmp_path / "steps", str(environment / "bin" / "python"))
    warm = await server_of(steps)
    assert await server_of(steps) == warm
    [packages] = environment.glob("lib/python*/site-packages")
    (packages / "tracer.pth").write_text("import os; os.environ.setdefault('TRACED', os.environ.get('TRACE', ''))\n")
    steps = Steps(tmp_path / "more", str(environment / "bin" / "python"))
    code = "import os\ndef f(): return os.environ['TRACED']"
    assert (await steps.python(code, env={"TRACE": "yes"})).value == "yes"


def _children(process: int) -> list[Path]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == process:
                found.append(stat)
    return found


def _is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
