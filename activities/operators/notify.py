"""The notify operator: sends a message to people, by mail, chat or a call of a service, through Apprise.

Sent from a process of its own: what its hundred services do on the way is no risk of the worker's. A message may be
sent twice, when the step is tried again after one of several addresses failed.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from activities.attempt import Attempt
from activities.helper import run_helper
from activities.operators.given import Given, connection, given
from activities.references import Inputs, as_text
from workflows.messages import JSON


class NotifyGiven(Given):
    """What stands under `with`."""

    to: str | list[str] | None = None
    connection: str | None = None
    title: Annotated[str, BeforeValidator(as_text)] = ""
    text: Annotated[str, BeforeValidator(as_text)]
    format: str = "text"


class NotifyOperator:
    """Sends `inputs.text`; its output is `{"sent": addresses}`."""

    async def run(self, attempt: Attempt) -> JSON:
        """Send the message; see `Operator`."""
        wanted = given(NotifyGiven, await Inputs(attempt).local(attempt.task.inputs))
        # A worker may have several addresses by one name.
        to = connection(wanted.connection).split() if wanted.connection else wanted.to
        job = {
            "to": [to] if isinstance(to, str) else to or [],
            "title": wanted.title,
            "text": wanted.text,
            "format": wanted.format,
        }
        return await run_helper(attempt, "notify", job, "the sender")
