"""A job that runs elsewhere: submitted once, polled until it is over, told to stop when the step is cancelled.

The answer to its submission is kept by Temporal. When a worker is lost or stopped, the next attempt goes on with the
job instead of submitting another. A job that failed, or whose step ran out of time, is forgotten: it is submitted anew.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx

from activities.attempt import Attempt
from activities.errors import StepFailed
from activities.late_templates import rendered
from activities.operators.request import Answer, ask
from workflows.messages import JSON

MAX_KEPT_BYTES = 64 * 1024
MAX_FAILED_POLLS = 10
"""Polls in a row without a usable answer before the step fails; the job itself may be well."""
SUBMIT_GRACE_SECONDS = 5.0
CANCEL_SECONDS = 10.0


class RemoteJob:
    """One remote job of an attempt.

    Args:
        attempt: The attempt.
        client: For its requests.
        action: `{"submit", "poll", "cancel"?}`.
        scope: Values of the names that its templates use.
    """

    def __init__(
        self, attempt: Attempt, client: httpx.AsyncClient, action: dict[str, Any], scope: dict[str, JSON]
    ) -> None:
        self._attempt = attempt
        self._client = client
        self._action = action
        self._scope = scope

    async def run(self) -> dict[str, JSON]:
        """Run the job to its end; returns the scope with `submit` and `response`, its last answer.

        Raises:
            StepFailed: It failed, or cannot be submitted or polled.
        """
        try:
            await self._attach()
            return await self._follow()
        except asyncio.CancelledError:
            if not self._attempt.worker_stops:
                await self._abandon()
            raise
        except StepFailed as error:
            # A job that says of itself that it failed has nothing to stop.
            if error.type == "JobFailed":
                self._attempt.remember(None)
            else:
                await self._abandon()
            raise

    async def _attach(self) -> None:
        kept = self._attempt.remembered
        if isinstance(kept, dict) and "submit" in kept:
            self._attempt.log.line("[segue] going on with the job that the attempt before had submitted", "stdout")
            self._scope["submit"] = kept["submit"]
            return
        submission = asyncio.create_task(ask(self._client, self._attempt, self._action["submit"], idempotent=True))
        try:
            answer = await asyncio.shield(submission)
        except asyncio.CancelledError:
            # The server may have taken the job: only its answer tells how to stop it, or go on with it.
            await asyncio.wait([submission], timeout=SUBMIT_GRACE_SECONDS)
            if submission.done() and not submission.cancelled() and submission.exception() is None:
                self._keep(submission.result())
            submission.cancel()
            raise
        self._keep(answer)

    def _keep(self, answer: Answer) -> None:
        self._scope["submit"] = answer.value()
        if len(json.dumps(self._scope["submit"])) > MAX_KEPT_BYTES:
            message = f"the answer to the submission has more than {MAX_KEPT_BYTES:,} bytes, which cannot be kept"
            raise StepFailed("OutputInvalid", message, retryable=False)
        self._attempt.remember({"submit": self._scope["submit"]})

    async def _follow(self) -> dict[str, JSON]:
        poll = self._action["poll"]
        failed = 0
        while True:
            request = rendered({"method": "GET", **_only(poll, "url", "headers")}, self._scope, "poll")
            try:
                scope = {**self._scope, "response": (await ask(self._client, self._attempt, request)).value()}
                failed = 0
            except StepFailed as error:
                failed += 1
                if not error.retryable or failed >= MAX_FAILED_POLLS:
                    raise
            else:
                if _holds(poll.get("fail_if"), scope, "fail_if"):
                    response = self._attempt.masks.value(scope["response"])
                    raise StepFailed("JobFailed", _failure(poll["fail_if"], response))
                if _holds(poll["until"], scope, "until"):
                    return scope
            await asyncio.sleep(poll["every"])

    async def _abandon(self) -> None:
        """Have the job stopped, if it was submitted and says how; and do not go on with it later."""
        if "submit" not in self._scope:
            return
        self._attempt.remember(None)
        if "cancel" not in self._action:
            return
        try:
            request = rendered(self._action["cancel"], self._scope, "cancel")
            await asyncio.wait_for(ask(self._client, self._attempt, request), CANCEL_SECONDS)
        except (StepFailed, TimeoutError) as error:
            self._attempt.log.line(f"[segue] the job could not be stopped: {error or 'no answer'}")


def _holds(template: JSON, scope: dict[str, JSON], where: str) -> bool:
    if template is None:
        return False
    value = rendered(template, scope, f"poll.{where}")
    if not isinstance(value, bool):
        raise StepFailed("ExpressionError", f"poll.{where} is {value!r}, not true or false", retryable=False)
    return value


def _failure(fail_if: str, response: dict[str, JSON]) -> str:
    answer = response["text"] if response["json"] is None else json.dumps(response["json"], ensure_ascii=False)
    return f"the job failed ({fail_if.strip()}); it last answered {response['status']}: {answer[:500]}"


def _only(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values}
