"""The keys of a definition: those that are known, and those of the language that this release leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
    "always": "finally",
    "teardown": "finally",
    "onExit": "finally",
    "on_exit": "finally",
    "post": "finally",
    "fail_fast": "on_failure",
    "fail-fast": "on_failure",
    "failFast": "on_failure",
    "group": "key",
    "max_active_runs": "concurrency",
    "max_active_tasks": "max_parallel",
    "parallelism": "max_parallel",
    "max-parallel": "limit",
    "cancel-in-progress": "when_full",
    "sleep": "wait",
    "delay": "for",
    "suspend": "approve",
    "approval": "approve",
    "approvers": "by",
    "reviewers": "by",
    "approvals": "quorum",
    "fields": "form",
    "template": "uses",
    "templateRef": "uses",
    "trigger_dag_id": "workflow",
    "start_date": "start",
    "frequency": "every",
    "expires": "timeout",
    "runs": "run",
    "schedule_interval": "triggers",
    "dag_id": "name",
    "apiVersion": "segue",
    "spec": "steps",
    "item": "as",
    "loop_var": "as",
    "loop": "map",
    "for_each": "map",
    "with_items": "map",
    "withItems": "map",
    "withParam": "map",
    "bash_command": "run",
    "docker": "container",
    "message": "text",
    "subject": "title",
    "recipients": "to",
    "statement": "sql",
    "statements": "sql",
    "conn_id": "connection",
    "hostname": "host",
    "remote_host": "host",
    "username": "user",
    "key_file": "key",
    "identity": "key",
    "max_age": "ttl",
    "expire_in": "ttl",
    "cache_expiration": "ttl",
    "memoize": "cache",
    "working_dir": "workdir",
    "priority_weight": "priority",
    "cpus": "cpu",
    "gpus": "gpu",
    "mem": "memory",
    "ram": "memory",
    "limits": "resources",
    "requests": "resources",
}
"""What other tools call our keys."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one mapping.

    Attributes:
        known: In the order in which messages list them.
        elsewhere: Keys of the language that people write here although they belong to another mapping, with the way
            out.
    """

    known: tuple[str, ...]
    elsewhere: Mapping[str, str] = field(default_factory=dict)


WORKFLOW = Keys(
    (
        *("segue", "name", "description", "labels", "params", "triggers", "concurrency", "max_parallel", "timeout"),
        *("on_failure", "defaults", "code", "steps", "finally", "output"),
    ),
)
CONCURRENCY = Keys(("key", "limit", "when_full"))
STEP_KINDS = ("run", "python", "http", "container", "workflow", "wait", "approve", "uses")
OPERATORS = ("sql", "notify", "ssh")
"""What `uses` may name, besides `noop` and files; `with` has their inputs."""
STEP = Keys(
    (
        *(*STEP_KINDS, "needs", "if", "trigger_rule", "with", "env", "map", "queue", "retry", "timeout"),
        *("output", "description", "cache", "artifacts", "priority", "resources", "requirements", "isolation"),
    ),
)
_OF_THE_USER = "it belongs to the step that uses this one"
SHARED_STEP = Keys(
    (
        *("segue", "step", "description", "inputs", *STEP_KINDS, "with", "env", "queue", "retry", "timeout"),
        *("output", "cache", "artifacts", "priority", "resources", "requirements", "isolation"),
    ),
    {
        **dict.fromkeys(("needs", "if", "trigger_rule", "map"), _OF_THE_USER),
        "params": "a shared step has inputs: the step that uses it gives them under with",
        "name": "a shared step's name stands under step",
        "steps": "one file is one shared step",
    },
)
DEFAULTS = Keys(("queue", "timeout", "retry", "env", "cache", "priority", "resources", "requirements", "isolation"))
RESOURCES = Keys(("cpu", "memory", "gpu"))
CODE = Keys(("include", "requirements", "python"))
ISOLATION = Keys(("sandbox",), {"process": "write isolation: process", "network": "it is the sandbox's"})
SANDBOX = Keys(("network",))
RETRY = Keys(("attempts", "delay", "backoff", "max_delay", "unless"))
TIMEOUT = Keys(("run", "queue", "total", "heartbeat"))
WAITING_TIMEOUT = Keys(("run", "total"), dict.fromkeys(("queue", "heartbeat"), "no worker runs this step"))
CACHE = Keys(("ttl",))
MAP = Keys(("over", "as", "limit", "min_success"))
INNER_MAP = Keys(
    ("over", "as"), dict.fromkeys(("limit", "min_success"), "it belongs to the first map, and counts all items")
)
TRIGGER = Keys(("schedule", "event", "params"))
SCHEDULE = Keys(("cron", "every", "start", "timezone", "overlap", "catchup"))
EVENT = Keys(("name", "if", "debounce"))
REQUEST = Keys(("method", "url", "headers", "params", "json", "body", "expect"))
JOB = Keys(("submit", "poll", "callback", "cancel"))
HTTP = Keys((*REQUEST.known, *JOB.known))
POLL = Keys(("url", "every", "until", "fail_if", "headers"))
CALLBACK = Keys(("fail_if",))
CONTAINER = Keys(("image", "command", "entrypoint", "workdir", "pull"), {"env": "it stands beside container"})
SQL = Keys(("url", "connection", "sql", "parameters", "inline", "format"))
NOTIFY = Keys(("to", "connection", "title", "text", "format"))
SSH = Keys(("host", "port", "user", "key", "known_hosts", "command"), {"env": "it stands beside with"})
CALL = Keys(("name", "version"), dict.fromkeys(("params", "with"), "params stand under with, beside workflow"))
WAIT = Keys(("for", "until", "event"), {"timeout": "it stands beside wait"})
WAIT_EVENT = Keys(("name", "if"))
APPROVE = Keys(("by", "quorum", "timeout", "on_timeout", "form"))
