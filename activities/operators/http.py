"""The http operator: one request, or a remote job that is submitted, followed and, on cancel, told to stop.

Its output is what `output` computes from `response`, else `{"status", "json"}` or `{"status", "text"}`; what a service
posts to a callback has no status.
"""

from __future__ import annotations

from activities.attempt import Attempt
from activities.late_templates import rendered
from activities.operators.remote_job import RemoteJob
from activities.operators.request import ask, new_client
from activities.references import Inputs
from activities.values import checked
from workflows.messages import JSON


class HttpOperator:
    """Runs `action.request`, or the job of `action.submit`, `action.poll` or `action.callback`, and `action.cancel`."""

    async def run(self, attempt: Attempt) -> JSON:
        """Make the request, or see the job through; see `Operator`."""
        inputs = Inputs(attempt)
        action = await inputs.local(attempt.task.action)
        scope = await inputs.local(attempt.task.scope)
        async with new_client() as client:
            if "request" in action:
                answer = await ask(client, attempt, action["request"], idempotent=True)
                scope |= {"response": answer.value()}
            else:
                scope = await RemoteJob(attempt, client, action, scope).run()
        return checked(_output(attempt, scope))


def _output(attempt: Attempt, scope: dict[str, JSON]) -> JSON:
    declared = attempt.task.output or {}
    values = {name: entry["value"] for name, entry in declared.items() if "value" in entry}
    if values:
        return rendered(values, scope, "output")
    response = scope["response"]
    body = "text" if response["json"] is None else "json"
    return {name: response[name] for name in ("status", body) if name in response}
