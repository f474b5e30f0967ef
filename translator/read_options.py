"""Reads what a step and `defaults` have in common: queue, retry, timeout, env."""

from __future__ import annotations

import builtins
import re
from typing import Any

from translator import keys
from translator.definition import Use
from translator.diagnostics import Code, shown
from translator.embedded import read_template
from translator.fields import Fields, check_name
from translator.located import Node, Report
from workflows.plan import CONTROL_QUEUE, INTERPRETER_KINDS

_QUEUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_QUEUE_RULE = "a letter or digit, then at most 62 letters, digits, . _ or -"
_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_ENV_RULE = "a letter or _, then letters, digits or _"
_ERROR_TYPE = re.compile(r"(?=.{1,200}$)[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
OUR_ERROR_TYPES = (
    "ExitCode",
    "HttpStatus",
    "Timeout",
    "WorkerLost",
    "InputInvalid",
    "SecretMissing",
    "OutputInvalid",
    "OutOfMemory",
    "ResourcesMissing",
    "ExpressionError",
    "SqlError",
    "ContainerError",
    "NotifyError",
    "SshError",
    "EnvironmentFailed",
    "SandboxUnavailable",
)
"""Types of failures that are no Python exceptions."""
ERROR_TYPES = (
    *OUR_ERROR_TYPES,
    *(name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, Exception)),
)
_OURS = "SEGUE_"
MAX_ATTEMPTS = 1_000


def read_queue(found: Fields) -> str | None:
    """Return the name of a task queue."""
    queue = found.text("queue")
    if queue is None:
        return None
    node = found.entries["queue"].value
    if not check_name(node, queue, _QUEUE, "a queue", _QUEUE_RULE, found.report):
        return None
    if queue == CONTROL_QUEUE:
        found.report.add(node, Code.BAD_NAME, f'the queue "{CONTROL_QUEUE}" is Segue\'s own', "such as cpu or gpu")
    return queue


def read_retry(found: Fields, what: str) -> dict[str, Any]:
    """Return the fields of `Retry` that are given."""
    node = found.get("retry")
    if node is None:
        return {}
    if type(node.value) is int:
        found.wrong("retry", node, "a mapping", f"write {{attempts: {node.value}}}")
        return {}
    retry = Fields(node, found.report, f"retry of {what}", keys.RETRY)
    unless = retry.texts("unless")
    if unless is not None:
        at = retry.entries["unless"].value
        for item in at.items or [at]:
            if isinstance(item.value, str) and item.value.strip():
                _check_error_type(item, item.value, found.report)
    values = {
        "attempts": retry.integer("attempts", 1, MAX_ATTEMPTS),
        "delay": retry.duration("delay", least=0.0),
        "backoff": retry.number("backoff", 1, 100),
        "max_delay": retry.duration("max_delay", least=0.0),
        "unless": unless,
    }
    return {name: value for name, value in values.items() if value is not None}


def _check_error_type(node: Node, name: str, report: Report) -> None:
    """Report what cannot be an error's type, and a type that we know under another spelling."""
    known = {each.lower(): each for each in ERROR_TYPES}
    near = known.get(re.sub(r"[ _-]", "", name).lower())
    if near is not None and near != name:
        report.add(node, Code.BAD_NAME, f'"{shown(name)}" is not an error type', f'did you mean "{near}"?')
        return
    hint = "such as ValueError, or HttpStatus and ExitCode for the failures of http and shell steps"
    if name.strip().isdigit():
        hint = "an error type, not a code: HttpStatus for an http step, ExitCode for a shell step"
    elif any(mark in name for mark in "*?["):
        hint = "no patterns: name each type, or a class that they all come from"
    check_name(node, name, _ERROR_TYPE, "an error type", hint, report)


def read_timeout(found: Fields, what: str, kind: str = "") -> dict[str, Any]:
    """Return the fields of `Timeout` that are given; a duration alone bounds one attempt."""
    node = found.get("timeout")
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        seconds = found.duration("timeout")
        return {} if seconds is None else {"run": seconds}
    known = keys.WAITING_TIMEOUT if kind in INTERPRETER_KINDS else keys.TIMEOUT
    timeout = Fields(node, found.report, f"timeout of {what}", known)
    values = {name: timeout.duration(name) for name in ("run", "queue", "total")}
    values["heartbeat"] = timeout.duration("heartbeat", least=1.0)
    return {name: value for name, value in values.items() if value is not None}


def read_env(found: Fields, names: frozenset[str]) -> tuple[dict[str, Any], dict[str, list[Use]]]:
    """Return environment variables as templates, and the expressions of each."""
    env: dict[str, Any] = {}
    uses: dict[str, list[Use]] = {}
    for name, node in found.named("env", "names to values").items():
        key = found.entries["env"].value.mapping[name].key
        if check_name(key, name, _ENV, "an environment variable", _ENV_RULE, found.report) and name.startswith(_OURS):
            found.report.add(key, Code.BAD_NAME, f"variables that start with {_OURS} are set by Segue")
        if node.value is None:
            found.report.add(key, Code.WRONG_TYPE, f'"{shown(name)}" has no value', 'write "" for an empty text')
        env[name] = read_template(node, names, uses.setdefault(name, []), found.report)
    return env, uses
