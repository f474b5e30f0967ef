"""The same definition in YAML and in Python, one key at a time; `test_spellings.py` compares their plans."""

from __future__ import annotations

PAIRS: dict[str, tuple[str, str]] = {
    "environments": (
        """
code: {requirements: [numpy], python: "3.12"}
defaults: {requirements: uv.lock, isolation: {sandbox: {network: true}}}
steps:
  a: {run: ./a, requirements: [], isolation: process}
  b: {python: "m:f", requirements: conf/b.txt, isolation: sandbox}
  c: {uses: noop}
""",
        """
with DAG(
    "flow",
    requirements=["numpy"],
    python="3.12",
    default_args={"requirements": "uv.lock", "isolation": {"sandbox": {"network": True}}},
):
    a = BashOperator(bash_command="./a", requirements=[], isolation="process")
    b = PythonOperator(python_callable="m:f", requirements="conf/b.txt", isolation="sandbox")
    c = EmptyOperator()
""",
    ),
    "concurrency": (
        """
params: {dataset: {type: string, default: digits}}
concurrency: {key: "train-${{ params.dataset }}", limit: 2, when_full: cancel_oldest}
steps: {a: {uses: noop}}
""",
        """
with DAG(
    "flow",
    params={"dataset": "digits"},
    concurrency={"key": f"train-{params.dataset}", "limit": 2, "when_full": "cancel_oldest"},
):
    a = EmptyOperator()
""",
    ),
    "max_active_runs": (
        "concurrency: {limit: 1}\nsteps: {a: {uses: noop}}",
        'with DAG("flow", max_active_runs=1):\n    a = EmptyOperator()\n',
    ),
    "on_failure": (
        "on_failure: hold\nsteps: {a: {uses: noop}}",
        'with DAG("flow", on_failure="hold"):\n    a = EmptyOperator()\n',
    ),
    "fail_fast": (
        "on_failure: stop\nsteps: {a: {uses: noop}}",
        'with DAG("flow", fail_fast=True):\n    a = EmptyOperator()\n',
    ),
    "finally": (
        """
steps:
  work: {run: ./work}
finally:
  report: {run: ./report, env: {STATE: "${{ steps.work.status }}"}}
  cleanup: {run: ./cleanup, needs: report, trigger_rule: all_done}
""",
        """
with DAG("flow"):
    work = BashOperator(bash_command="./work")
    with Finally():
        report = BashOperator(bash_command="./report", env={"STATE": work.status})
        cleanup = BashOperator(bash_command="./cleanup", trigger_rule="all_done")
        report >> cleanup
""",
    ),
    "approve": (
        """
steps:
  ask:
    approve:
      by: ["role:releaser", ada@example.com]
      quorum: 2
      timeout: 48h
      on_timeout: approve
      form: {rollout: {type: integer, default: 10}, why: {type: string}}
  release:
    needs: {ask: "${{ output.approved }}"}
    run: ./release
    env: {PERCENT: "${{ steps.ask.output.rollout }}"}
""",
        """
from datetime import timedelta
with DAG("flow"):
    ask = ApprovalOperator(
        by=["role:releaser", "ada@example.com"],
        quorum=2,
        timeout=timedelta(days=2),
        on_timeout="approve",
        form={"rollout": 10, "why": Param(type="string")},
    )
    release = BashOperator(bash_command="./release", env={"PERCENT": ask.output.rollout})
    ask.when(ask.output.approved) >> release
""",
    ),
    "artifacts and cache": (
        """
defaults: {cache: {ttl: 1h}}
steps:
  train: {python: "pipeline.train:train", cache: {ttl: 7d}, artifacts: [plots, "*.bin"]}
  look: {run: ./look, cache: false, artifacts: report.html}
  ever: {uses: sql, with: {url: "sqlite://", sql: SELECT 1}, cache: true}
  login: {uses: ./common/auth.yaml, with: {user: ada}, cache: true}
""",
        """
from datetime import timedelta
with DAG("flow", default_args={"cache": {"ttl": "1h"}}):
    train = PythonOperator(
        python_callable="pipeline.train:train", cache={"ttl": timedelta(days=7)}, artifacts=["plots", "*.bin"]
    )
    look = BashOperator(bash_command="./look", cache=False, artifacts="report.html")
    ever = SQLOperator(url="sqlite://", sql="SELECT 1", cache=True)
    login = UsesOperator("./common/auth.yaml", inputs={"user": "ada"}, cache=True)
""",
    ),
    "approve with execution_timeout": (
        "defaults: {retry: {attempts: 3}, timeout: 30m}\nsteps: {ask: {approve: {timeout: 1h}}}",
        """
from datetime import timedelta
with DAG("flow", default_args={"retries": 2, "execution_timeout": timedelta(minutes=30)}):
    ask = ApprovalOperator(execution_timeout=timedelta(hours=1))
""",
    ),
    "wait": (
        """
params: {minutes: {type: integer, default: 5}, day: {type: string, default: x}}
steps:
  a: {wait: {for: 10m}}
  b: {wait: {for: "${{ params.minutes * 60 }}"}}
  c: {wait: {until: "2030-01-31T18:00:00Z"}}
  d: {wait: {until: "2030-01-31T00:00:00Z"}}
  e: {wait: {until: "${{ params.day }}"}}
  f: {wait: {event: {name: dataset.published, if: "${{ event.rows > 500 }}"}}, timeout: 1h}
  g: {wait: {event: {name: "built.${{ run.id }}"}}}
  h: {wait: {event: {name: x, if: "${{ event.ok }}"}}, if: "${{ params.minutes > 1 }}"}
""",
        """
from datetime import datetime, timedelta, timezone
with DAG("flow", params={"minutes": 5, "day": "x"}):
    a = WaitOperator(duration=timedelta(minutes=10))
    b = WaitOperator(duration=params.minutes * 60)
    c = WaitOperator(until=datetime(2030, 1, 31, 18))
    d = WaitOperator(until=datetime(2030, 1, 31, tzinfo=timezone.utc))
    e = WaitOperator(until=params.day)
    f = WaitOperator(event="dataset.published", condition=event.rows > 500, timeout="1h")
    g = WaitOperator(event=f"built.{run.id}")
    h = WaitOperator(event=event("x", condition=event.ok), condition=params.minutes > 1)
""",
    ),
    "workflow": (
        """
params: {dataset: {type: string, default: digits}}
steps:
  train: {workflow: train-digits, with: {dataset: "${{ params.dataset }}"}}
  score: {workflow: {name: score, version: 3}, with: {model: "${{ steps.train.output.model }}"}, timeout: 2h}
""",
        """
with DAG("flow", params={"dataset": "digits"}):
    train = TriggerDagRunOperator(trigger_dag_id="train-digits", conf={"dataset": params.dataset})
    score = WorkflowOperator(workflow="score", version=3, params={"model": train.output.model}, timeout="2h")
""",
    ),
    "nested map": (
        """
params: {sets: {type: array, default: []}}
steps:
  train:
    map:
      - {over: "${{ params.sets }}", as: data, limit: 4, min_success: 80%}
      - {over: "${{ data.depths }}", as: depth}
      - {over: [1, 2], as: seed}
    python: m:train
    with:
      rows: "${{ data.rows }}"
      last: "${{ seed }}"
      data: "${{ data }}"
      depth: "${{ depth }}"
      seed: "${{ seed }}"
""",
        """
with DAG("flow", params={"sets": []}):
    train = (
        PythonOperator.partial(
            python_callable="m:train", op_kwargs={"rows": expr("data.rows"), "last": item}, limit=4, min_success="80%"
        )
        .expand(data=params.sets)
        .expand(depth=item.depths)
        .expand(seed=[1, 2])
    )
""",
    ),
    "schedules": (
        """
triggers:
  - schedule: {every: 1 month, start: 2025-01-01, overlap: queue, catchup: 1d}
    params: {n: 1}
  - schedule: {every: 36h}
  - schedule: {every: 2 weeks, start: "2025-01-06T06:00:00+01:00", timezone: Europe/Paris}
params: {n: {type: integer, default: 0}}
steps: {a: {uses: noop}}
""",
        """
from datetime import date, datetime, timedelta, timezone
with DAG("flow", params={"n": 0}, triggers=[
    every("1 month", start=date(2025, 1, 1), overlap="queue", catchup="1d", params={"n": 1}),
    every(timedelta(hours=36)),
    every(
        timedelta(weeks=2), start=datetime(2025, 1, 6, 6, tzinfo=timezone(timedelta(hours=1))), timezone="Europe/Paris"
    ),
]):
    a = EmptyOperator()
""",
    ),
    "schedule_interval": (
        'triggers: [{schedule: {every: 6h, start: "2025-01-01T03:00:00Z"}}]\nsteps: {a: {uses: noop}}',
        """
from datetime import datetime, timedelta
with DAG("flow", schedule_interval=timedelta(hours=6), start_date=datetime(2025, 1, 1, 3), catchup=False):
    a = EmptyOperator()
""",
    ),
    "events": (
        """
params: {rows: {type: integer, default: 0}}
triggers:
  - event: {name: dataset.published, if: "${{ event.rows > 500 }}", debounce: 10m}
    params: {rows: "${{ event.rows }}"}
steps: {a: {uses: noop}}
""",
        """
with DAG("flow", params={"rows": 0}, triggers=[
    event("dataset.published", condition=event.rows > 500, debounce="10m", params={"rows": event.rows}),
]):
    a = EmptyOperator()
""",
    ),
    "secrets": (
        """
params: {user: {type: string, default: ada}}
defaults: {env: {LICENCE: "${{ secrets.LICENCE }}"}}
steps:
  load:
    python: m:load
    with: {login: {user: "${{ params.user }}", password: "${{ secrets.PASSWORD }}"}}
  send: {needs: load, run: ./send, env: {AUTHORIZATION: "Bearer ${{ secrets.TOKEN }}"}}
  tell: {needs: send, http: {url: "https://example.com/${{ secrets.HOOK }}", headers: {X-Key: "${{ secrets.KEY }}"}}}
""",
        """
from segue import secrets

with DAG("flow", params={"user": "ada"}, default_args={"env": {"LICENCE": secrets.LICENCE}}):
    load = PythonOperator(
        python_callable="m:load", op_kwargs={"login": {"user": params.user, "password": secrets.PASSWORD}}
    )
    send = BashOperator(bash_command="./send", env={"AUTHORIZATION": f"Bearer {secrets.TOKEN}"})
    tell = HttpOperator(url=f"https://example.com/{secrets.HOOK}", headers={"X-Key": secrets.KEY})
    load >> send >> tell
""",
    ),
    "uses": (
        """
params: {user: {type: string, default: ada}}
steps:
  login:
    uses: ./common/auth.yaml
    with: {user: "${{ params.user }}"}
    env: {LEVEL: debug}
    retry: {attempts: 5}
    queue: gpu
""",
        """
with DAG("flow", params={"user": "ada"}):
    login = UsesOperator(
        "./common/auth.yaml", inputs={"user": params.user}, env={"LEVEL": "debug"}, retries=4, queue="gpu"
    )
""",
    ),
}

FILES = {
    "common/auth.yaml": """
segue: 1
step: auth
inputs: {user: {type: string}}
run: ./login "$USER_NAME"
env: {USER_NAME: "${{ inputs.user }}"}
output: {token: {type: string}}
retry: {attempts: 3, delay: 5s}
"""
}
