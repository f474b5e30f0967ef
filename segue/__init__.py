"""Segue: what users import to write workflows, and to run them.

The standard library alone, and loaded piece by piece: a step's process imports this package and needs almost none
of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segue.arrows import chain
    from segue.async_client import AsyncClient, AsyncRunHandle
    from segue.checkpoints import checkpoint
    from segue.client import Client, RunHandle
    from segue.dag import DAG, Finally, TaskGroup
    from segue.errors import (
        Conflict,
        Diagnostic,
        InvalidBundle,
        InvalidDefinition,
        InvalidParams,
        MissingPackage,
        NotFound,
        RunError,
        RunFailed,
        SegueError,
        ServiceError,
        ServiceUnreachable,
        StepFailed,
        SubmitError,
        Unauthorized,
        UnexpectedAnswer,
        WaitTimeout,
    )
    from segue.expression import (
        Expression,
        callback,
        event,
        expr,
        has,
        item,
        params,
        response,
        run,
        secrets,
        size,
        submit,
        vars,
        workflow,
    )
    from segue.functions.step import step
    from segue.kept import Artifact, CachedOutput
    from segue.models import Attempt, Cause, Deployed, LogLine, Run, RunEvent, RunSummary, Step, StepFailure, Workflow
    from segue.named_operators import ContainerOperator, NotifyOperator, SQLOperator, SSHOperator
    from segue.operators import BashOperator, EmptyOperator, HttpOperator, Operator, PythonOperator, UsesOperator
    from segue.param import Param
    from segue.reports import group, metric, progress
    from segue.step_log import log
    from segue.triggers import cron, every
    from segue.waiting import ApprovalOperator, TriggerDagRunOperator, WaitOperator, WorkflowOperator

_HOMES = {
    "arrows": ["chain"],
    "async_client": ["AsyncClient", "AsyncRunHandle"],
    "checkpoints": ["checkpoint"],
    "client": ["Client", "RunHandle"],
    "dag": ["DAG", "Finally", "TaskGroup"],
    "errors": [
        "Conflict",
        "Diagnostic",
        "InvalidBundle",
        "InvalidDefinition",
        "InvalidParams",
        "MissingPackage",
        "NotFound",
        "RunError",
        "RunFailed",
        "SegueError",
        "ServiceError",
        "ServiceUnreachable",
        "StepFailed",
        "SubmitError",
        "Unauthorized",
        "UnexpectedAnswer",
        "WaitTimeout",
    ],
    "expression": [
        "Expression",
        "callback",
        "event",
        "expr",
        "has",
        "item",
        "params",
        "response",
        "run",
        "secrets",
        "size",
        "submit",
        "vars",
        "workflow",
    ],
    "functions.step": ["step"],
    "kept": ["Artifact", "CachedOutput"],
    "models": [
        "Attempt",
        "Cause",
        "Deployed",
        "LogLine",
        "Run",
        "RunEvent",
        "RunSummary",
        "Step",
        "StepFailure",
        "Workflow",
    ],
    "named_operators": ["ContainerOperator", "NotifyOperator", "SQLOperator", "SSHOperator"],
    "operators": [
        "BashOperator",
        "EmptyOperator",
        "HttpOperator",
        "Operator",
        "PythonOperator",
        "UsesOperator",
    ],
    "param": ["Param"],
    "reports": ["group", "metric", "progress"],
    "step_log": ["log"],
    "triggers": ["cron", "every"],
    "waiting": ["ApprovalOperator", "TriggerDagRunOperator", "WaitOperator", "WorkflowOperator"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


__all__ = [
    "DAG",
    "ApprovalOperator",
    "Artifact",
    "AsyncClient",
    "AsyncRunHandle",
    "Attempt",
    "BashOperator",
    "CachedOutput",
    "Cause",
    "Client",
    "Conflict",
    "ContainerOperator",
    "Deployed",
    "Diagnostic",
    "EmptyOperator",
    "Expression",
    "Finally",
    "HttpOperator",
    "InvalidBundle",
    "InvalidDefinition",
    "InvalidParams",
    "LogLine",
    "MissingPackage",
    "NotFound",
    "NotifyOperator",
    "Operator",
    "Param",
    "PythonOperator",
    "Run",
    "RunError",
    "RunEvent",
    "RunFailed",
    "RunHandle",
    "RunSummary",
    "SQLOperator",
    "SSHOperator",
    "SegueError",
    "ServiceError",
    "ServiceUnreachable",
    "Step",
    "StepFailed",
    "StepFailure",
    "SubmitError",
    "TaskGroup",
    "TriggerDagRunOperator",
    "Unauthorized",
    "UnexpectedAnswer",
    "UsesOperator",
    "WaitOperator",
    "WaitTimeout",
    "Workflow",
    "WorkflowOperator",
    "callback",
    "chain",
    "checkpoint",
    "cron",
    "event",
    "every",
    "expr",
    "group",
    "has",
    "item",
    "log",
    "metric",
    "params",
    "progress",
    "response",
    "run",
    "secrets",
    "size",
    "step",
    "submit",
    "vars",
    "workflow",
]
