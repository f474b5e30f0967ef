"""`segue.testing` against the real service: the same definition and code give the same states, reasons and outputs."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from segue import Client
from segue.models import Run
from segue.testing import Result, answers, calls, fails, recorded, run, takes
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
# In FAILURES, OUTPUTS and HTTP one leaf alone fails: which of several failed first depends on the machine.
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

HTTP = """
steps:
  value:
    http: {url: "URL/value"}
    output: {n: "${{ response.json.n + 1 }}"}
  missing: {http: {url: "URL/missing?key=secret"}, retry: {attempts: 3, delay: 100ms}}
  unreadable: {http: {url: "URL/value"}, output: {n: "${{ response.json.m }}"}}
  text: {http: {url: "URL/text"}}
  build:
    http:
      submit: {method: POST, url: "URL/builds"}
      poll:
        url: "${{ submit.json.href }}"
        every: 100ms
        until: "${{ response.json.state == 'done' }}"
        fail_if: "${{ response.json.state == 'failed' }}"
    output: {state: "${{ response.json.state }}", href: "${{ submit.json.href }}"}
  broken:
    http:
      submit: {method: POST, url: "URL/broken"}
      poll:
        url: "${{ submit.json.href }}"
        every: 100ms
        until: "${{ response.json.state == 'done' }}"
        fail_if: "${{ response.json.state == 'failed' }}"
  end: {needs: [missing, unreadable, text, build], trigger_rule: all_done, uses: noop}
"""


class Handler(BaseHTTPRequestHandler):
    """A service with jobs that end at the second look."""

    looks: ClassVar[dict[str, int]] = {}

    def do_GET(self) -> None:
        looks = self.looks[self.path] = self.looks.get(self.path, 0) + 1
        match self.path.partition("?")[0]:
            case "/value":
                self.answer({"n": 4})
            case "/text":
                self.answer("plain text")
            case "/jobs/builds" | "/jobs/broken" if looks == 1:
                self.answer({"state": "running"})
            case "/jobs/builds":
                self.answer({"state": "done"})
            case "/jobs/broken":
                self.answer({"state": "failed"})
            case _:
                self.answer({"error": "none"}, 404)

    def do_POST(self) -> None:
        self.answer({"href": f"http://{self.headers['Host']}/jobs{self.path}"})

    def answer(self, body: Any, status: int = 200) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(body, str) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[str]:
    """The address of the service."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


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


@pytest.mark.parametrize(
    "body",
    [BRANCHES, BRANCHES.replace("default: bad", "default: good"), FAILURES, MAPS, OUTPUTS],
    ids=["bad_data", "good_data", "failures", "maps", "outputs"],
)
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


@pytest.mark.timeout(300)
def test_an_http_step_makes_the_same_of_the_same_answers(service: str, client: Client, tmp_path: Path) -> None:
    path = tmp_path / "flow.yaml"
    path.write_text(f"segue: 1\nname: in-memory-http\n{HTTP.replace('URL', service)}")
    real = client.run(path).wait(150, check=False)
    jobs = {name: {"href": f"{service}/jobs/{name}"} for name in ("builds", "broken")}
    mocks = {
        "value": answers({"n": 4}),
        "missing": answers({"error": "none"}, status=404),
        "unreadable": answers({"n": 4}),
        "text": answers("plain text"),
        "build": answers({"state": "running"}, {"state": "done"}, submit=jobs["builds"]),
        "broken": answers({"state": "running"}, {"state": "failed"}, submit=jobs["broken"]),
    }
    assert account_of(run(path, steps=mocks)) == account_of_real(real, client)


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
