"""The keys of a definition: those that are known, and those of the language that this release leaves out."""

from __future__ import annotations

from dataclasses import dataclass

OTHER_NAMES = {
    "on": "triggers",
    "schedule": "triggers",
    "jobs": "steps",
    "tasks": "steps",
    "inputs": "params",
    "parameters": "params",
    "parameter": "params",
    "outputs": "output",
    "environment": "env",
    "depends_on": "needs",
    "dependsOn": "needs",
    "dependencies": "needs",
    "upstream": "needs",
    "when": "if",
    "condition": "if",
    "bash": "run",
    "shell": "run",
    "script": "run",
    "command": "run",
    "cmd": "run",
    "cron": "schedule",
    "callable": "python",
    "python_callable": "python",
    "args": "with",
    "op_kwargs": "with",
    "kwargs": "with",
    "retries": "retry",
    "timeout-minutes": "timeout",
    "execution_timeout": "timeout",
    "foreach": "map",
    "matrix": "map",
    "strategy": "map",
    "pool": "queue",
    "runs-on": "queue",
    "tags": "labels",
    "tz": "timezone",
    "max_attempts": "attempts",
    "interval": "every",
    "data": "body",
    "query": "params",
    "items": "over",
    "in": "over",
    "entry_point": "python",
}
"""What other tools call our keys."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one mapping.

    Attributes:
        known: In the order in which messages list them.
        later: Part of the language, but not of this release.
    """

    known: tuple[str, ...]
    later: tuple[str, ...] = ()


WORKFLOW = Keys(
    (
        *("segue", "name", "description", "labels", "params", "triggers", "max_parallel", "timeout", "defaults"),
        *("code", "steps", "output"),
    ),
    ("concurrency", "on_failure", "finally"),
)
STEP_KINDS = ("run", "python", "http", "uses")
LATER_KINDS = ("container", "workflow", "approve", "wait")
STEP = Keys(
    (
        *(*STEP_KINDS, "needs", "if", "trigger_rule", "with", "env", "map", "queue", "retry", "timeout"),
        *("output", "description"),
    ),
    (*LATER_KINDS, "priority", "resources", "cache", "artifacts", "isolation", "requirements"),
)
DEFAULTS = Keys(("queue", "timeout", "retry", "env"), ("priority", "resources", "cache", "isolation", "requirements"))
CODE = Keys(("include", "requirements"), ("python",))
RETRY = Keys(("attempts", "delay", "backoff", "max_delay", "unless"))
TIMEOUT = Keys(("run", "queue", "total", "heartbeat"))
MAP = Keys(("over", "as", "limit", "min_success"))
TRIGGER = Keys(("schedule", "event", "params"))
SCHEDULE = Keys(("cron", "timezone", "overlap", "catchup"), ("every", "start"))
EVENT = Keys(("name",), ("if", "debounce"))
REQUEST = Keys(("method", "url", "headers", "params", "json", "body", "expect"))
JOB = Keys(("submit", "poll", "cancel"))
HTTP = Keys((*REQUEST.known, *JOB.known), ("callback",))
POLL = Keys(("url", "every", "until", "fail_if", "headers"))
