"""The options that every operator takes, under Airflow's names and Segue's own, and the YAML keys they amount to.

Where an option is left out, Segue's default holds, as in YAML: no retries, no delay of five minutes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from segue.arrows import Node
from segue.codes import Code
from segue.duration import duration_text
from segue.expression import Expression
from segue.place import misuse, not_supported
from segue.values import closest, plain

if TYPE_CHECKING:
    from segue.dag import DAG

Duration = str | int | float | timedelta


class StepOptions(TypedDict, total=False):
    """Options of every operator.

    Attributes:
        queue: The fleet that runs the step.
        priority: From 1 (first) to 5 (last) among what waits for that fleet.
        resources: What it occupies on its worker: `{"cpu": 4, "memory": "8Gi", "gpu": 1}`.
        retries: Tries after the first.
        retry_delay: Wait before the second try.
        retry_exponential_backoff: True doubles the wait from try to try, which is also the default; False keeps it.
        max_retry_delay: Upper bound of the wait.
        retry: Segue's own form instead of the four above: `{"attempts": 3, "delay": "10s", "unless": ["ValueError"]}`.
        execution_timeout: Time that one try may take.
        timeout: Segue's own form instead: a duration, or `{"run": "2h", "queue": "6h", "total": "1d"}`.
        trigger_rule: Which states of the needs let the step start; `all_success` without it.
        condition: An expression; false skips the step (`if` in YAML).
        output: Declared outputs: name to JSON Schema, or to an expression over `response`.
        cache: Whether an output that the same code gave for the same inputs is reused: True, False or `{"ttl": "7d"}`.
        artifacts: Glob patterns of files that are kept besides those in `$SEGUE_ARTIFACTS`.
        description: One line for people.
        requirements: What the step's environment is made from instead of the workflow's: the path of a file, or a list
            of requirements.
        isolation: `"sandbox"`, or `{"sandbox": {"network": True}}`: the machine's files to read only, no network.
        dag: The DAG; without it, the one whose `with` block is open.
    """

    queue: str
    priority: int
    resources: Mapping[str, Any]
    retries: int
    retry_delay: Duration
    retry_exponential_backoff: bool
    max_retry_delay: Duration
    retry: Mapping[str, Any]
    execution_timeout: Duration
    timeout: Duration | Mapping[str, Duration]
    trigger_rule: str
    condition: Expression | str
    output: Mapping[str, Any]
    cache: bool | Mapping[str, Duration]
    artifacts: str | Sequence[str]
    description: str
    requirements: str | Sequence[str]
    isolation: str | Mapping[str, Any]
    dag: DAG


KEYS = {
    "queue": "queue",
    "priority": "priority",
    "resources": "resources",
    "retries": "retry/attempts",
    "retry_delay": "retry/delay",
    "retry_exponential_backoff": "retry/backoff",
    "max_retry_delay": "retry/max_delay",
    "retry": "retry",
    "execution_timeout": "timeout",
    "timeout": "timeout",
    "trigger_rule": "trigger_rule",
    "condition": "if",
    "output": "output",
    "cache": "cache",
    "artifacts": "artifacts",
    "description": "description",
    "requirements": "requirements",
    "isolation": "isolation",
    "dag": "",
}
"""Option to the key it becomes, as a path."""

_RETRY_OPTIONS = ("retries", "retry_delay", "retry_exponential_backoff", "max_retry_delay", "retry")
_TIMEOUT_OPTIONS = ("execution_timeout", "timeout")
_PLACED = ("queue", "priority", "resources", "requirements", "isolation")
_AS_THEY_ARE = (*_PLACED, "description", "output")
DEFAULTS = {key: KEYS[key] for key in (*_RETRY_OPTIONS, *_TIMEOUT_OPTIONS, *_PLACED, "cache")} | {"env": "env"}
"""What `default_args` may hold and becomes the definition's `defaults`."""

# Part of nearly every Airflow file; with these values they ask for nothing.
_HARMLESS = {"depends_on_past": False, "wait_for_downstream": False, "email_on_failure": False, "email_on_retry": False}
_LATER = {"pool", "priority_weight", "sla", "on_failure_callback", "on_success_callback", "email"}


def check_names(options: Mapping[str, Any], known: Sequence[str], what: str) -> None:
    """Refuse options that nobody knows, and those this version leaves out.

    Raises:
        InvalidDefinition: At the user's line, with the nearest known name.
    """
    for name, value in options.items():
        if name in known or (name in _HARMLESS and value == _HARMLESS[name]):
            continue
        if name == "priority_weight":
            hint = "its opposite is priority: priority=1 goes first, priority=5 last"
            raise not_supported(f"{what}({name}=...)", hint=hint)
        if name in _LATER or name in _HARMLESS:
            raise not_supported(f"{what}({name}=...)")
        raise misuse(f"{what} has no argument {name!r}", hint=closest(name, list(known)), code=Code.UNKNOWN_ARGUMENT)


def step_keys(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the YAML keys that an operator's options amount to.

    Args:
        options: As given to the operator; names are known to be right.
        defaults: The DAG's `default_args`, which fill the rest of a `retry` or `timeout` that the step begins.
    """
    keys = {KEYS[name]: plain(options[name], name) for name in _AS_THEY_ARE if name in options}
    if (rule := options.get("trigger_rule", defaults.get("trigger_rule"))) is not None:
        keys["trigger_rule"] = str(getattr(rule, "value", rule))
    keys |= _reuse(options)
    if "condition" in options:
        keys["if"] = condition_text(options["condition"], "condition")
    if retry := _retry(options):
        keys["retry"] = _retry(defaults) | retry
    if timeout := _timeout(options):
        keys["timeout"] = _shortest(_timeout(defaults) | timeout)
    return keys


def default_keys(default_args: Mapping[str, Any]) -> dict[str, Any]:
    """Return the YAML `defaults` that `default_args` amount to."""
    keys = {name: plain(default_args[name], name) for name in (*_PLACED, "env") if name in default_args}
    keys |= _reuse({name: value for name, value in default_args.items() if name == "cache"})
    if retry := _retry(default_args):
        keys["retry"] = retry
    if timeout := _timeout(default_args):
        keys["timeout"] = _shortest(timeout)
    return keys


def concurrency_keys(given: Any, max_active_runs: int | None) -> dict[str, Any] | None:
    """Return the YAML `concurrency` that the arguments of a workflow amount to.

    Raises:
        InvalidDefinition: `concurrency` is a number, which could be that of the runs or of the steps at once.
    """
    if given is None:
        return None if max_active_runs is None else {"limit": max_active_runs}
    if isinstance(given, int):
        hint = f"steps at once are max_parallel={given}, runs at once max_active_runs={given}"
        raise misuse(f"concurrency={given} has two meanings", hint=hint)
    found: dict[str, Any] = plain(given, "concurrency")
    return found


def condition_text(value: Any, name: str) -> str:
    """Return a condition as `${{ ... }}` text.

    Raises:
        InvalidDefinition: The value is a bool or the like: Python decided it before the workflow ran.
    """
    if isinstance(value, Expression):
        return str(value)
    if isinstance(value, str):
        return value if value.strip().startswith("${{") else f"${{{{ {value.strip()} }}}}"
    why = "an operator is not a condition" if isinstance(value, Node) else "Python has decided it already"
    raise misuse(
        f"{name} is {value!r}: {why}",
        hint='write it with output["key"], params.x, == != < <= > >=, & | ~ and .in_(); '
        "`is`, `not`, `and`, `or` and `in` ask for an answer too early",
    )


def _retry(options: Mapping[str, Any]) -> dict[str, Any]:
    retry: dict[str, Any] = {}
    if "retries" in options:
        retry["attempts"] = _count(options["retries"], "retries") + 1
    for name, key in (("retry_delay", "delay"), ("max_retry_delay", "max_delay")):
        if name in options:
            retry[key] = duration_text(options[name], name)
    if "retry_exponential_backoff" in options:
        retry["backoff"] = 2 if options["retry_exponential_backoff"] else 1
    own = dict(options.get("retry", {}))
    durations = {key: duration_text(own.pop(key), f"retry[{key!r}]") for key in ("delay", "max_delay") if key in own}
    retry |= plain(own, "retry")
    return retry | durations


def _timeout(options: Mapping[str, Any]) -> dict[str, str]:
    timeout: dict[str, str] = {}
    if "execution_timeout" in options:
        timeout["run"] = duration_text(options["execution_timeout"], "execution_timeout")
    own = options.get("timeout", {})
    if isinstance(own, Mapping):
        return timeout | {key: duration_text(value, f"timeout[{key!r}]") for key, value in own.items()}
    return timeout | {"run": duration_text(own, "timeout")}


def _reuse(options: Mapping[str, Any]) -> dict[str, Any]:
    keys: dict[str, Any] = {}
    if "artifacts" in options:
        keys["artifacts"] = plain(options["artifacts"], "artifacts")
    if "cache" in options:
        cache = options["cache"]
        if isinstance(cache, Mapping) and isinstance(cache.get("ttl"), timedelta):
            cache = {**cache, "ttl": duration_text(cache["ttl"], "cache['ttl']")}
        keys["cache"] = plain(cache, "cache")
    return keys


def _shortest(timeout: dict[str, str]) -> Any:
    return timeout["run"] if set(timeout) == {"run"} else timeout


def _count(value: Any, name: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise misuse(f"{name}={value!r} is not a number of retries", hint=f"use {name}=2")
