"""A job that runs elsewhere: submitted once, followed until it is over, told to stop when the step is cancelled.

It is followed by polling, or the service posts back to a callback. What its submission gave is kept in the object
store. When a worker is lost or stopped, the next attempt goes on with the job instead of submitting another. A job that
failed, or whose step ran out of time, is forgotten: it is submitted anew.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx

from activities.attempt import Attempt
from activities.errors import StepFailed
from activities.late_templates import rendered
from activities.operators.called_back import CalledBack
from activities.operators.kept_job import KeptJob
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
        action: `{"submit", "poll" | "callback", "cancel"?}`.
        scope: Values of the names that its templates use.
    """

    def __init__(
        self, attempt: Attempt, client: httpx.AsyncClient, action: dict[str, Any], scope: dict[str, JSON]
    ) -> None:
        self._attempt = attempt
        self._client = client
        self._action = action
        self._scope = scope
        self._kept = KeptJob(attempt)
        self._callback = CalledBack(attempt) if "callback" in action else None

    async def run(self) -> dict[str, JSON]:
        """Run the job to its end; returns the scope with `submit` and `response`, its last answer.

        Raises:
            StepFailed: It failed, or cannot be submitted or followed.
        """
        try:
            await self._attach()
            return await (self._follow() if self._callback is None else self._listen(self._callback))
        except asyncio.CancelledError:
            if not self._attempt.worker_stops:
                await self._abandon("the step was ended while it waited")
            raise
        except StepFailed as error:
            # A job that says of itself that it failed has nothing to stop.
            if error.type == "JobFailed":
                await self._kept.forget()
            else:
                await self._abandon(f"the step failed: {error.type}")
            raise

    async def _attach(self) -> None:
        kept = await self._kept.find()
        if kept is not None and (self._callback is None) == ("callback" not in kept):
            self._attempt.log.line("[segue] going on with the job that the attempt before had submitted", "stdout")
            self._scope["submit"] = kept["submit"]
            if self._callback is not None:
                self._callback.folder = kept["callback"]
            return
        request = self._action["submit"]
        if self._callback is not None:
            request = rendered(request, {**self._scope, "callback": await self._callback.open()}, "submit")
        submission = asyncio.create_task(ask(self._client, self._attempt, request, idempotent=True))
        try:
            answer = await asyncio.shield(submission)
        except asyncio.CancelledError:
            # The server may have taken the job: only its answer tells how to stop it, or go on with it.
            await asyncio.wait([submission], timeout=SUBMIT_GRACE_SECONDS)
            if submission.done() and not submission.cancelled() and submission.exception() is None:
                await self._keep(submission.result())
            submission.cancel()
            raise
        await self._keep(answer)

    async def _keep(self, answer: Answer) -> None:
        self._scope["submit"] = answer.value()
        if len(json.dumps(self._scope["submit"])) > MAX_KEPT_BYTES:
            message = f"the answer to the submission has more than {MAX_KEPT_BYTES:,} bytes, which cannot be kept"
            raise StepFailed("OutputInvalid", message, retryable=False)
        callback = {} if self._callback is None else {"callback": self._callback.folder}
        await self._kept.keep({"submit": self._scope["submit"], **callback})

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
                if _holds(poll.get("fail_if"), scope, "poll.fail_if"):
                    response = self._attempt.masks.value(scope["response"])
                    said = f"it last answered {response['status']}: {_shown(response)}"
                    raise StepFailed("JobFailed", f"the job failed ({poll['fail_if'].strip()}); {said}")
                if _holds(poll["until"], scope, "poll.until"):
                    return scope
            await asyncio.sleep(poll["every"])

    async def _listen(self, callback: CalledBack) -> dict[str, JSON]:
        scope = {**self._scope, "response": await callback.answer()}
        fail_if = self._action["callback"].get("fail_if")
        if _holds(fail_if, scope, "callback.fail_if"):
            said = f"it posted: {_shown(self._attempt.masks.value(scope['response']))}"
            raise StepFailed("JobFailed", f"the job failed ({fail_if.strip()}); {said}")
        return scope

    async def _abandon(self, why: str) -> None:
        """Have the job stopped, if it was submitted, is not over and says how; and do not go on with it later."""
        over = self._callback is not None and not await self._callback.close(why)
        if "submit" not in self._scope:
            return
        await self._kept.forget()
        if over or "cancel" not in self._action:
            return
        try:
            request = rendered(self._action["cancel"], self._scope, "cancel")
            await asyncio.wait_for(ask(self._client, self._attempt, request), CANCEL_SECONDS)
        except (StepFailed, TimeoutError) as error:
            self._attempt.log.line(f"[segue] the job could not be stopped: {error or 'no answer'}")


def _holds(template: JSON, scope: dict[str, JSON], where: str) -> bool:
    if template is None:
        return False
    value = rendered(template, scope, where)
    if not isinstance(value, bool):
        raise StepFailed("ExpressionError", f"{where} is {value!r}, not true or false", retryable=False)
    return value


def _shown(response: dict[str, JSON]) -> str:
    answer = response["text"] if response["json"] is None else json.dumps(response["json"], ensure_ascii=False)
    return str(answer[:500])


def _only(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values}
