"""Calls the function of a mock, as a worker calls that of a Python step."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from segue.runner import misfit
from segue.testing.engine.values import NoOutput
from segue.testing.mocks import Call, Fail, MockError, Task


def called(call: Call, task: Task) -> Any:
    """Return what a function gives; what it raises is raised.

    Raises:
        NoOutput: `InputInvalid`: the step's inputs do not fit the function.
        MockError: It cannot be called with the task.
    """
    try:
        value = call.function(**task.inputs) if call.with_inputs else call.function(task)
    except TypeError as error:
        # Raised by the call itself, not by the function: its arguments do not fit.
        if error.__traceback__ is None or error.__traceback__.tb_next is not None:
            raise
        if call.with_inputs:
            raise NoOutput(Fail("InputInvalid", misfit(call.function, task.inputs, error), retryable=False)) from None
        hint = f'a mock gets the task alone; to call the step\'s own code, write {{"{task.step}": calls(function)}}'
        raise MockError(f"the mock of {task.key} cannot be called: {error}", hint=hint) from None
    return _awaited(value) if hasattr(value, "__await__") else value


def _awaited(value: Awaitable[Any]) -> Any:
    async def wait() -> Any:
        return await value

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(wait())
    with ThreadPoolExecutor(1) as elsewhere:  # the test itself is asynchronous
        return elsewhere.submit(asyncio.run, wait()).result()
