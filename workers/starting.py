"""Starts the execution of a run that was accepted but never started."""

from __future__ import annotations

from typing import Any

from temporalio.client import Client
from temporalio.common import (
    Priority,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError

from store.executions import execution_timeout, memo, search_attributes, summary, task_timeout
from workflows.fairness import fairness_key
from workflows.messages import SEARCH_ATTRIBUTES, RunRequest
from workflows.packing import packed_request
from workflows.plan import CONTROL_QUEUE, Plan


async def start_execution(client: Client, run: str, request: RunRequest) -> None:
    """Start `run`, whose request holds its plan; one that was started before, by whomever, is left as it is."""
    assert request.plan is not None
    plan = Plan.from_json(request.plan)
    try:
        await client.start_workflow(
            plan.workflow,
            packed_request(request),
            id=run,
            task_queue=CONTROL_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            execution_timeout=execution_timeout(plan),
            task_timeout=task_timeout(len(plan.steps)),
            search_attributes=_typed(search_attributes(request)),
            memo=memo(request, plan),
            static_summary=summary(request),
            static_details=plan.description or None,
            priority=Priority(fairness_key=fairness_key(run)),
        )
    except WorkflowAlreadyStartedError:
        return


def _typed(values: dict[str, str | int]) -> TypedSearchAttributes:
    pairs: list[SearchAttributePair[Any]] = []
    for name, value in values.items():
        whole = SEARCH_ATTRIBUTES[name] == "Int"
        key: Any = SearchAttributeKey.for_int(name) if whole else SearchAttributeKey.for_keyword(name)
        pairs.append(SearchAttributePair(key, value))
    return TypedSearchAttributes(pairs)
