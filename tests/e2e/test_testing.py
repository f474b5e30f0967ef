"""`segue.testing` against the real service: the same definition and code give the same states, reasons and outputs."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from segue import Client
from segue.models import Run
from segue.testing import Result, calls, fails, recorded, run, takes
from segue.testing.recordings import recording_of

CODE = """
import os
import time


def give(value):
    return value


def large():
    return {"n": 1, "text": "x" * 40_000}


def check(n, limit):
    if n > limit:
        raise LookupError(f"{n} is more than {limit}")
    return {"n": n}


def flaky(times):
    attempt = int(os.environ["SEGUE_ATTEMPT"])
    if attempt <= times:
        raise ConnectionError(f"attempt {attempt}")
    return {"attempt": attempt}


def rest(seconds):
    time.sleep(seconds)
"""

BRANCHES = """
params: {quality: {type: string, default: bad}, limit: {type: integer, default: 3}}
steps:
  check: {python: "code:give", with: {value: {quality: "${{ params.quality }}", rows: 7}}}
  train: {needs: {check: "${{ output.quality == 'good' }}"}, python: "code:give", with: {value: 1}}
  tell: {needs: {check: "${{ output.quality == 'bad' }}", train: true}, trigger_rule: one_success, uses: noop}
  after: {needs: train, python: "code:give", with: {value: 1}}
  always:
    needs: [train, check]
    trigger_rule: all_done
    python: "code:give"
    with: {value: "${{ steps.train.output }}"}
  few: {if: "${{ steps.check.output.rows < params.limit }}", python: "code:give", with: {value: 1}}
  typed:
    run: echo "n=${ROWS}" >> "$SEGUE_OUTPUT"
    env: {ROWS: "${{ steps.check.output.rows }}"}
    output: {n: {type: integer}}
output: {rows: "${{ steps.typed.output.n }}", train: "${{ steps.train.output.x }}"}
"""
FAILURES = """
defaults: {retry: {attempts: 3, delay: 100ms, unless: [LookupError]}}
steps:
  flaky: {python: "code:flaky", with: {times: 2}}
  never: {python: "code:check", with: {n: 5, limit: 1}}
  spent: {python: "code:flaky", with: {times: 9}}
  slow: {python: "code:rest", with: {seconds: 60}, timeout: {run: 500ms}, retry: {attempts: 1}}
  late: {python: "code:flaky", with: {times: 9}, retry: {delay: 60s}, timeout: {total: 30s}}
  below: {needs: [never, flaky], uses: noop}
  handler: {needs: [never, spent], trigger_rule: all_failed, uses: noop}
  early: {needs: [slow, never], trigger_rule: one_failed, uses: noop}
  end: {needs: [below, handler, early], trigger_rule: all_done, uses: noop}
"""
MAPS = """
params: {grid: {type: array, default: [1, 2, 3, 4]}}
steps:
  most:
    map: {over: "${{ params.grid }}", as: n, min_success: 75%, limit: 2}
    python: "code:check"
    with: {n: "${{ n }}", limit: 3}
  all: {map: {over: "${{ steps.most.output }}", as: m}, python: "code:check", with: {n: "${{ m.n }}", limit: 2}}
  none: {map: {over: []}, python: "code:give", with: {value: 1}}
  no_list: {map: {over: "${{ params.grid[0] }}"}, python: "code:give", with: {value: 1}}
output: "${{ steps.most.output }}"
"""
# One leaf alone fails in each of these two: which of several failed first depends on the machine.
OUTPUTS = """
steps:
  large: {python: "code:large"}
  whole: {python: "code:give", with: {value: "${{ steps.large.output }}"}}
  reads: {needs: {large: "${{ output.n == 1 }}"}, uses: noop}
  null_read: {python: "code:give", with: {value: "${{ steps.whole.output.x }}"}}
  declared: {python: "code:give", with: {value: {n: one}}, output: {n: {type: integer}}, retry: {attempts: 3}}
  missing: {python: "code:give", with: {value: {}}, output: {n: {type: integer}, m: {type: integer, default: 1}}}
  end: {needs: [reads, null_read, missing], trigger_rule: all_done, uses: noop}
"""


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The code of the steps, in a folder of its own, imported here."""
    path = tmp_path_factory.mktemp("code") / "code.py"
    path.write_text(CODE)
    spec = importlib.util.spec_from_file_location("code_of_steps", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def mocks(module: ModuleType) -> dict[str, Any]:
    """Return mocks that call the steps' own code, but for what looks at its process or takes long."""
    given = calls(module.give)
    checked = calls(module.check)
    refused = [fails("ConnectionError", f"attempt {attempt}", times=1) for attempt in (1, 2)]
    spent = fails("ConnectionError", "attempt 1", times=1).then(refused[1].then(fails("ConnectionError", "attempt 3")))
    return {
        **dict.fromkeys(["check", "train", "after", "always", "few", "none", "no_list"], given),
        **dict.fromkeys(["whole", "null_read", "declared", "missing"], given),
        **dict.fromkeys(["most", "all", "never"], checked),
        "typed": lambda task: {"n": task.env["ROWS"]},
        "flaky": refused[0].then(refused[1].then({"attempt": 3})),
        "spent": spent,
        "late": spent,
        "slow": takes("60s"),
        "large": calls(module.large),
    }


@pytest.mark.parametrize("body", [BRANCHES, BRANCHES.replace("default: bad", "default: good"), FAILURES, MAPS, OUTPUTS])
@pytest.mark.timeout(300)
def test_a_run_in_memory_is_what_the_service_makes_of_it(body: str, client: Client, code: ModuleType) -> None:
    assert code.__file__ is not None
    path = Path(code.__file__).parent / "flow.yaml"
    path.write_text(f"segue: 1\nname: in-memory\n{body}")
    real = client.run(path).wait(150, check=False)
    used = set(client_steps(real))
    told = run(path, steps={name: mock for name, mock in mocks(code).items() if name in used}, run_id=real.id)
    assert account_of(told) == account_of_real(real, client)
    (path.parent / "run.json").write_text(json.dumps(recording_of(real)))
    again = run(path, steps=recorded(path.parent / "run.json"), run_id=real.id)
    assert [each[:3] for each in account_of(again)] == [each[:3] for each in account_of_real(real, client)]


def client_steps(real: Run) -> list[str]:
    return [step.key for step in real.steps if step.item is None]


def account_of(result: Result) -> list[Any]:
    """Return what is the same in memory and on the service: key, state, reason, tries, output."""
    steps = [each for step in result.steps.values() for each in (step, *step.items)]
    lines = [
        (each.key, each.state, each.reason, each.attempts[-1].attempt if each.attempts else 0, each.output)
        for each in steps
    ]
    return [("", result.state, result.reason, 0, result.output), *lines]


def account_of_real(run: Run, client: Client) -> list[Any]:
    lines = [
        (
            step.key,
            step.state,
            step.reason,
            step.attempt,
            client.output(run.id, step.key) if step.state == "succeeded" else None,
        )
        for step in run.steps
    ]
    return [("", run.state, run.reason, 0, run.output), *lines]
