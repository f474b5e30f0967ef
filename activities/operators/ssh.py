"""The ssh operator: runs a script on another machine, with its output live in the log, and ends it with the step."""

from __future__ import annotations

import shlex
from types import ModuleType

from activities.attempt import Attempt
from activities.declared import typed_text
from activities.errors import StepFailed
from activities.operators.given import Given, given
from activities.operators.shell import exit_failure
from activities.references import Inputs, as_text
from activities.values import checked
from activities.workplace import facts
from workflows.messages import JSON


class SshGiven(Given):
    """What stands under `with`."""

    host: str
    port: int = 22
    user: str | None = None
    key: str | None = None
    known_hosts: str | None = None
    command: str


class SshOperator:
    """Runs `inputs.command` on `inputs.host`; its output is what it writes to `$SEGUE_OUTPUT` there."""

    async def run(self, attempt: Attempt) -> JSON:
        """Run the command to its end; see `Operator`."""
        inputs = Inputs(attempt)
        wanted = given(SshGiven, await inputs.local(attempt.task.inputs))
        env = {name: as_text(await inputs.local(value)) for name, value in attempt.task.env.items()}
        script = _script(wanted.command, env | facts(attempt))
        # asyncssh takes half a second to import, which other workers need not wait for.
        remote = await attempt.blocking(_remote)
        async with remote.connected(wanted) as connection:
            command = remote.RemoteCommand(attempt, connection, wanted.host)
            failure = exit_failure(await command.run(script), "the command", attempt)
            output = await command.output()
        if failure:
            raise failure
        return checked(typed_text(output, attempt.task.output))


def _remote() -> ModuleType:
    from activities.operators import remote_command

    return remote_command


def _script(command: str, env: dict[str, str]) -> bytes:
    """Return the script with its variables before it."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in env.items()]
    text = "\n".join([*lines, command])
    if "\0" in text:
        raise StepFailed("InputInvalid", "env: a script cannot hold a NUL character", retryable=False)
    return text.encode(errors="surrogateescape")
