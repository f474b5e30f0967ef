"""The python operator and the runner in the user's process."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from activities.operators.python import BOOT
from tests.activities.conftest import Steps


@pytest.mark.parametrize(
    ("code", "inputs", "value"),
    [
        ("def f(a, b=2): return [a, b]", {"a": {"x": None}}, [{"x": None}, 2]),
        ("async def f(a):\n  import asyncio\n  await asyncio.sleep(0)\n  return a", {"a": "é☃"}, "é☃"),
        ("def f(): return (1, (2.5, 'x'), {}, [], True, None)", {}, [1, [2.5, "x"], {}, [], True, None]),
        ("def f(): pass", {}, None),
        ("import sys\ndef f(): sys.exit(0)", {}, None),
        (
            "import dataclasses, enum\nclass K(enum.IntEnum): A = 7\n"
            "@dataclasses.dataclass\nclass D:\n  x: int\n  y: object\n"
            "def f(): return D(1, [D(K.A, 'z')])",
            {},
            {"x": 1, "y": [{"x": 7, "y": "z"}]},
        ),
        (
            "class Scalar:\n  shape = ()\n  def item(self): return 2.5\ndef f(): return {'s': Scalar()}",
            {},
            {"s": 2.5},
        ),
        ("class M:\n  def model_dump(self, mode): return {'mode': mode}\ndef f(): return M()", {}, {"mode": "json"}),
        ("class Job:\n  @staticmethod\n  def f(): return 'nested'", {}, "nested"),
    ],
    ids=["keywords", "async", "tuples", "none", "exit(0)", "dataclass and enum", "scalar", "model", "dotted name"],
)
async def test_function_is_called_and_its_value_is_the_output(
    steps: Steps, code: str, inputs: dict[str, Any], value: Any
) -> None:
    function = "Job.f" if "class Job" in code else "f"
    result = await steps.python(code, function, inputs=inputs)
    assert result.value == value


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("{'a': [1, float('nan')]}", "output.a[1] is nan, which JSON cannot express"),
        ("float('inf')", "output is inf, which JSON cannot express"),
        ("{'a': '\\ud800'}", "output.a is not valid text: surrogates not allowed at character 0"),
        ("'a\\0'", "output has a NUL character, which databases refuse"),
        ("{1: 2}", "output has the key 1; JSON allows only text"),
        ("{'x': {'$segue': 'file'}}", "output.x has the key $segue, which is kept for Segue's own references"),
        ("cycle()", "output[0] contains itself"),
        ("deep(5000)", "is nested more than 200 deep"),
        ("{1, 2}", "output is a set, which JSON cannot express: return sorted(...), since a set has no order"),
        ("object()", "output is a object, which JSON cannot express"),
        ("[datetime.date(2025, 1, 2)]", "output[0] is a date, which JSON cannot express: return .isoformat()"),
        ("(x for x in 'ab')", "output is a generator, which JSON cannot express: return list(...)"),
        ("pathlib.Path('nowhere')", "output is the path of no file: "),
        ("pathlib.Path('.')", "output is the path of a folder; return its files, or leave them in $SEGUE_ARTIFACTS"),
        ("10 ** 5000", "output is not JSON: Exceeds the limit"),
        ("'x' * 70_000_000", "output has 70,000,002 bytes of JSON; above 67,108,864, return a file"),
    ],
)
async def test_poison_is_a_typed_failure_that_names_the_place(steps: Steps, expression: str, message: str) -> None:
    code = f"""
import datetime, pathlib
def cycle():
    a = []
    a.append(a)
    return a
def deep(n):
    a = []
    for _ in range(n): a = [a]
    return a
def f(): return {expression}
"""
    failure = await steps.failure(steps.python(code))
    assert (failure.type, failure.non_retryable) == ("OutputInvalid", True)
    assert message in failure.message
    assert failure.details[0]["path"].startswith("output")


async def test_object_of_very_many_keys_is_no_trouble(steps: Steps) -> None:
    result = await steps.python("def f(): return {str(n): n for n in range(200_000)}")
    assert result.value["$segue"] == "json"
    assert steps.document(result)["199999"] == 199_999


async def test_exception_is_reported_with_the_users_own_frames(steps: Steps) -> None:
    code = "def g(): raise KeyError\ndef f():\n  try: g()\n  except KeyError as e: raise ValueError('no price') from e"
    failure = await steps.failure(steps.python(code))
    assert (failure.type, failure.message) == ("ValueError", "no price")
    log = "\n".join(steps.log(failure.details[1]["folder"], "stderr"))
    assert log.startswith('Traceback (most recent call last):\n  File "m.py", line 3, in f')
    assert "runner" not in log
    assert "importlib" not in log
    assert str(steps.folder) not in log
    assert failure.details[0]["log_tail"][-1] == "ValueError: no price"


@pytest.mark.parametrize(
    ("code", "type", "message"),
    [
        ("def f(: pass", "SyntaxError", "invalid syntax"),
        ("1 / 0", "ZeroDivisionError", "division by zero"),
        ("import sys\ndef f(): sys.exit(3)", "ExitCode", "exit(3)"),
        ("import sys\ndef f(): sys.exit('no data')", "ExitCode", "exit('no data')"),
        ("import os\ndef f(): os._exit(4)", "ExitCode", "the Python process ended with code 4"),
        (
            "import os\ndef f(): os._exit(0)",
            "OutputInvalid",
            "the Python process ended with code 0 before the function",
        ),
        ("import os\ndef f(): os.kill(os.getpid(), 11)", "ExitCode", "the Python process was ended by SIGSEGV"),
        ("def f(): raise KeyboardInterrupt", "KeyboardInterrupt", "KeyboardInterrupt"),
        (
            "class Odd(Exception):\n  def __str__(self): raise RuntimeError\ndef f(): raise Odd",
            "Odd",
            "cannot be printed",
        ),
        ("def f(): return f()", "RecursionError", "maximum recursion depth exceeded"),
    ],
)
async def test_every_way_to_fail_has_a_type(steps: Steps, code: str, type: str, message: str) -> None:
    failure = await steps.failure(steps.python(code))
    assert failure.type == type
    assert message in failure.message


async def test_base_class_of_an_exception_can_be_excluded_from_retries(steps: Steps) -> None:
    from temporalio.common import RetryPolicy

    policy = {"retry_policy": RetryPolicy(maximum_attempts=3, non_retryable_error_types=["ArithmeticError"])}
    failure = await steps.failure(steps.python("def f(): 1 / 0", info=policy))
    assert failure.non_retryable
    failure = await steps.failure(steps.python("def f(): int('x')", info=policy))
    assert not failure.non_retryable


@pytest.mark.parametrize(
    ("excluded", "again"),
    [("json.decoder.JSONDecodeError", False), ("builtins.ValueError", False), ("other.JSONDecodeError", True)],
)
async def test_an_exception_can_be_excluded_from_retries_by_its_full_name(
    steps: Steps, excluded: str, again: bool
) -> None:
    from temporalio.common import RetryPolicy

    policy = {"retry_policy": RetryPolicy(maximum_attempts=3, non_retryable_error_types=[excluded])}
    failure = await steps.failure(steps.python("import json\ndef f(): json.loads('')", info=policy))
    assert (failure.type, failure.non_retryable) == ("JSONDecodeError", not again)


@pytest.mark.parametrize(
    ("callable", "message"),
    [
        ("pipline.train:fit", "there is no module 'pipline.train' in the bundle; did you mean 'pipeline.train'?"),
        ("pipeline.trian:fit", "there is no module 'pipeline.trian' in the bundle; did you mean 'pipeline.train'?"),
        ("pipeline.train:fitt", "pipeline.train has no function 'fitt'; did you mean 'fit'?"),
        ("pipeline.train:RATE", "pipeline.train:RATE is a int, not a function"),
    ],
)
async def test_missing_function_gets_a_hint(steps: Steps, callable: str, message: str) -> None:
    bundle = steps.bundle({"pipeline/train.py": "RATE = 1\ndef fit(): pass"})
    failure = await steps.failure(steps.run("python", action={"callable": callable}, bundle=bundle))
    assert (failure.type, failure.message, failure.non_retryable) == ("CallableNotFound", message, True)


async def test_arguments_that_do_not_fit_are_named(steps: Steps) -> None:
    failure = await steps.failure(steps.python("def f(data, depth=3): pass", inputs={"dpth": 4}))
    assert failure.type == "InputInvalid"
    assert failure.message == (
        "f(data, depth) cannot be called with `with`: it takes no 'dpth'; did you mean 'depth'?, 'data' is missing"
    )


async def test_missing_package_says_where_it_belongs(steps: Steps) -> None:
    failure = await steps.failure(steps.python("import sklearn_x\ndef f(): pass"))
    assert failure.type == "ModuleNotFoundError"
    assert failure.message.startswith("No module named 'sklearn_x'; name the package in a requirements file")


async def test_users_code_sees_its_own_modules_and_none_of_ours(steps: Steps) -> None:
    names = ["activities", "store", "pydantic", "temporalio", "runner", "child_path"]
    code = f"""
import importlib.util, os, sys
import api, workflows, segue
def f():
    found = [name for name in {names!r} if importlib.util.find_spec(name)]
    return [api.MINE, workflows.MINE, segue.__name__, found, os.path.samefile(sys.path[0], os.getcwd())]
"""
    files = {"m.py": code, "api.py": "MINE = 1", "workflows/__init__.py": "MINE = 2"}
    result = await steps.run("python", action={"callable": "m:f"}, bundle=steps.bundle(files))
    assert result.value == [1, 2, "segue", [], True]


async def test_users_file_named_like_a_library_of_the_runner_does_no_harm(steps: Steps) -> None:
    files = {"m.py": "import runner\ndef f(): return runner.MINE", "runner.py": "MINE = 2"}
    files |= {f"{name}.py": "raise SystemError" for name in ("json", "os", "re", "importlib", "child_path", "warnings")}
    result = await steps.run("python", action={"callable": "m:f"}, bundle=steps.bundle(files))
    assert result.value == 2


async def test_prints_go_to_the_log_as_they_come_and_are_no_result(steps: Steps) -> None:
    code = (
        "import sys\ndef f():\n  print('{\"a\": 1}')\n  print('\\ud800 é')\n  print('x', file=sys.stderr)\n  return 2"
    )
    result = await steps.python(code, env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
    assert result.value == 2
    assert steps.log(result.folder, "stdout") == ['{"a": 1}', "\\ud800 é"]
    assert steps.log(result.folder, "stderr") == ["x"]


async def test_bytes_and_files_become_references_and_come_back(steps: Steps) -> None:
    code = """
import os, pathlib
def make():
    pathlib.Path("a b.bin").write_bytes(b"\\0\\xff")
    kept = pathlib.Path(os.environ["SEGUE_ARTIFACTS"], "report.txt")
    kept.write_text("hello")
    return {"raw": b"123", "file": pathlib.Path("a b.bin"), "deep": [{"kept": kept}], "big": "x" * 20_000}
def use(whole, file):
    return [whole["raw"].decode(), whole["file"].read_bytes().hex(), file.name, whole["deep"][0]["kept"].read_text(),
            len(whole["big"])]
"""
    made = await steps.python(code, "make")
    document = steps.document(made)
    assert document["raw"] == {
        "$segue": "bytes",
        "key": f"{made.folder}/files/0-bytes",
        "size": 3,
        "sha256": "a665a45920422f9d417e4867efdc4fb8a04a1f3fff1fa07e998e86f7f7a27ae3",
    }
    assert document["file"]["name"] == "a b.bin"
    assert document["deep"][0]["kept"]["key"] == f"{made.folder}/artifacts/report.txt"
    used = await steps.python(code, "use", inputs={"whole": made.value, "file": document["file"]})
    assert used.value == ["123", "00ff", "a b.bin", "hello", 20_000]
    shell = await steps.shell(
        'cat "$FILE" | od -An -tx1; echo "$WHOLE" | head -c 9; cat $(echo "$KEPT" | tr -d \'[]"\')',
        env={"FILE": document["file"], "WHOLE": document["raw"], "KEPT": [document["deep"][0]["kept"]]},
    )
    assert steps.log(shell.folder, "stdout")[0] == " 00 ff"
    assert steps.log(shell.folder, "stdout")[-1].endswith("hello")


async def test_damaged_or_missing_input_is_refused(steps: Steps) -> None:
    made = await steps.python("def f(): return [b'123', 'x' * 20_000]")
    [raw, _] = steps.document(made)
    steps.objects.put(raw["key"], b"456")
    failure = await steps.failure(steps.python("def f(a): pass", inputs={"a": raw}))
    assert failure.type == "InputInvalid"
    assert failure.message.endswith("is not what was written: its sha256 differs")
    steps.objects.put(made.value["key"], b"[]")
    failure = await steps.failure(steps.python("def f(a): pass", inputs={"a": made.value}))
    assert failure.message.endswith("is not what was written: its sha256 differs")
    steps.objects.delete(raw["key"])
    failure = await steps.failure(steps.shell(":", env={"A": raw}))
    assert failure.message.endswith("is not there any more")


async def test_result_that_was_tampered_with_reaches_no_other_file(steps: Steps) -> None:
    code = """
import atexit, inspect, json, os, sys
def f():
    folder = sys._getframe(2).f_locals["folder"]
    def forge():
        with open(os.path.join(folder, "output.json"), "w") as file: file.write(os.environ["FORGED"])
    atexit.register(forge)
"""
    for forged, problem in [
        ('{"$segue": "json", "key": "runs/other/output.json"}', "output has the key $segue"),
        ('{"$segue": "file", "path": "/nowhere"}', "output is the path of no file"),
        ("[NaN]", "output is not JSON: NaN is not JSON"),
        ("[" * 100_000, "output is nested more than 200 deep"),
    ]:
        failure = await steps.failure(steps.python(code, env={"FORGED": forged}))
        assert failure.type == "OutputInvalid"
        assert problem in failure.message


def interpreters() -> list[str]:
    """Return other interpreters that are on this machine, oldest first."""
    found = [shutil.which(f"python3.{minor}") for minor in range(9, 15)]
    found += [str(path) for path in sorted(Path.home().glob(".pyenv/versions/3.*/bin/python")) if path.exists()]
    chosen: dict[str, str] = {}
    for path in filter(None, found):
        asked = subprocess.run([path, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True)
        version = asked.stdout.strip()
        if asked.returncode == 0 and (3, 9) <= tuple(map(int, version.split())) != sys.version_info[:2]:
            chosen.setdefault(version, path)
    return [chosen[version] for version in sorted(chosen, key=lambda text: tuple(map(int, text.split())))]


@pytest.mark.parametrize("python", [*interpreters()[:1], *interpreters()[-1:]] or [sys.executable])
async def test_runner_works_in_older_and_newer_interpreters(tmp_path: Path, python: str) -> None:
    steps = Steps(tmp_path, python)
    code = "import sys, pathlib\ndef f(a):\n  p = pathlib.Path('x'); p.touch()\n  return [a, sys.executable, p]"
    result = await steps.python(code, inputs={"a": 1})
    assert result.value[0] == 1
    assert Path(result.value[1]).samefile(python)
    failure = await steps.failure(steps.python(code, inputs={"b": 1}))
    assert failure.type == "InputInvalid"


def test_runner_loads_little(tmp_path: Path) -> None:
    import segue

    (tmp_path / "m.py").write_text("def f():\n  import sys\n  return sorted(sys.modules)")
    job = {"callable": "m:f", "inputs": {}, "work": str(tmp_path), "path": "", "requirements": None}
    (tmp_path / "job.json").write_text(json.dumps(job))
    package = Path(segue.__file__).parent
    subprocess.run([sys.executable, "-s", "-S", "-c", BOOT, str(package), str(tmp_path)], check=True)
    loaded = set(json.loads((tmp_path / "output.json").read_text()))
    assert loaded.isdisjoint({"segue", "typing", "pathlib", "inspect", "traceback", "asyncio", "difflib", "runner"})
