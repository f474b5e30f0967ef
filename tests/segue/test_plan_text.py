"""`segue plan`: every kind of step, trigger and option in a line that people read."""

from __future__ import annotations

from datetime import UTC, datetime

from segue.cli.plan_text import plan_lines
from translator import compile_yaml
from translator.forecast.forecast import forecast

EVERYTHING = """
segue: 1
name: flow
code: {python: ">=3.11", requirements: uv.lock}
triggers:
  - schedule: {cron: "0 6 * * MON"}
  - schedule: {every: 1 month, start: 2025-01-01}
  - schedule: {every: 36h}
  - event: {name: dataset.published, if: event.rows > 500}
concurrency: {key: fixed, limit: 2, when_full: skip}
on_failure: stop
steps:
  pause: {wait: {for: 90m}}
  later: {wait: {for: "${{ vars.MINUTES }}m"}}
  day: {wait: {until: "2030-01-01T00:00:00Z"}}
  news: {wait: {event: {name: x, if: event.ok}}}
  ask: {approve: {by: [ada, bob], quorum: 2}}
  child: {workflow: {name: other, version: 3}}
  newest: {workflow: other}
  each: {run: echo, map: [{over: [[1]], as: x, limit: 4, min_success: 80%}, {over: "${{ x }}", as: y}]}
  login: {uses: ./auth.yaml}
  own: {run: echo, requirements: [numpy, pandas], isolation: sandbox}
  bare: {run: echo, requirements: [], isolation: {sandbox: {network: true}}}
  boxed: {container: {image: trainer, command: [a]}, cache: {ttl: 7d}, artifacts: [plots, "*.bin"]}
  ever: {run: echo, cache: true}
finally:
  clean: {run: ./clean}
"""


def test_every_kind_of_step_and_trigger_has_its_line() -> None:
    files = {"auth.yaml": "segue: 1\nstep: auth\npython: m:login\n"}
    plan = compile_yaml(EVERYTHING, "flow.yaml", files)
    told = forecast(plan, {}, None, None, datetime(2026, 11, 26, tzinfo=UTC)).to_json()
    lines = [line for line in plan_lines(plan.to_json(), told) if line and line.split()[0] not in ("next", "runs")]
    assert lines[1:-2] == [
        "  var MINUTES, no service is asked",
        "  python >=3.11",
        "  environment of uv.lock",
        "  schedule 0 6 * * MON UTC",
        "  schedule every 1 month from 2025-01-01 UTC",
        "  schedule every 36h from 1970-01-01 UTC",
        "  event dataset.published if event.rows > 500",
        "  at most 2 at once of fixed, else skip",
        "  on failure: stop",
        "pause   wait: 90m",
        "later   wait: ${{ vars.MINUTES }}m",
        "day     wait: until 2030-01-01T00:00:00Z",
        "news    wait: event x if event.ok",
        "ask     approve: 2 yes by ada, bob",
        "child   workflow: other version 3",
        "newest  workflow: other",
        "each    shell on cpu: echo",
        "        for each x in [[1]], 4 at once, 80% must succeed",
        "        for each y in ${{ x }}",
        "login   python on cpu: m:login",
        "        from auth.yaml, sha256 e620bcbd5c36",
        "own     shell on cpu: echo",
        "        in an environment of numpy, pandas",
        "        in a sandbox without network",
        "bare    shell on cpu: echo",
        "        in an environment of no packages",
        "        in a sandbox",
        "boxed   container on cpu: trainer",
        "        reuses an output of the same inputs for 7d",
        "        keeps plots, *.bin",
        "ever    shell on cpu: echo",
        "        reuses an output of the same inputs",
        "finally, however the run ends:",
        "clean   shell on cpu: ./clean",
    ]


def test_a_secret_that_this_machine_has_not_is_named() -> None:
    text = 'segue: 1\nname: flow\nsteps: {a: {run: ./a, env: {A: "${{ secrets.A }}", B: "x ${{ secrets.B }}"}}}\n'
    plan = compile_yaml(text, "flow.yaml", {})
    now = datetime(2026, 11, 26, tzinfo=UTC)
    told = forecast(plan, {}, None, None, now, {"B"}.__contains__).to_json()
    assert (told["secrets"], told["missing_secrets"]) == (["A", "B"], ["A"])
    lines = [*plan_lines(plan.to_json(), told)]
    assert lines[1:3] == ["  secret A, missing here (workers resolve them)", "  secret B"]
    assert forecast(plan, {}, None, None, now).missing_secrets is None
