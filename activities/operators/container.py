"""The container operator: runs an image with the `docker` or `podman` of this worker.

The attempt's folder is in the container under its own path, so what a shell step may do works there, too: the bundle's
files, `$SEGUE_OUTPUT`, `$SEGUE_ARTIFACTS`, and files among its variables.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

from activities.attempt import Attempt
from activities.declared import typed_text
from activities.errors import StepFailed
from activities.operators.given import Given, given
from activities.operators.shell import exit_failure, read_output
from activities.process import Command, Exit, base_environment
from activities.references import Inputs, Outputs, as_text
from activities.workplace import Workplace, finish, prepare
from workflows.messages import JSON

ENGINES = ("docker", "podman")
SCRIPT = "script"
GRACE_SECONDS = 5.0
"""What a container gets to end by itself; its client hands the signal on."""
_ENGINE_FAILED = 125
_OF_THE_CLIENT = re.compile(r"(DOCKER|CONTAINERS?|REGISTRY|XDG|LD)_\w+")
"""Variables that mean something to the client: the worker's own reach it, a step's reach the container alone."""


class ContainerGiven(Given):
    """What stands under `container`."""

    image: str
    command: str | list[Any] | None = None
    entrypoint: str | None = None
    workdir: str | None = None
    pull: str = "missing"


class ContainerOperator:
    """Runs `action.image`."""

    async def run(self, attempt: Attempt) -> JSON:
        """Run the container to its end; see `Operator`."""
        inputs = Inputs(attempt)
        wanted = given(ContainerGiven, await inputs.local(attempt.task.action), "container")
        client = base_environment()
        engine = _engine(attempt, client)
        place = await prepare(attempt, inputs, python=False)
        client |= {name: value for name, value in os.environ.items() if _OF_THE_CLIENT.fullmatch(name)}
        arguments = _arguments(wanted, attempt, place)
        variables, passed = _variables(place.own | _home(place), client)
        name = _name(attempt)
        argv = (engine, "run", "--name", name, *_options(engine, wanted, attempt, place), *variables, *arguments)
        command = Command(argv, client | passed, place.work, after=(engine, "rm", "--force", name))
        async with place.telling(attempt):
            exit = await attempt.workshop.processes.run(command, attempt.log, grace=GRACE_SECONDS)
        failure = _failure(exit, Path(engine).name, attempt)
        outputs = Outputs(attempt, place.artifacts, place.work / (wanted.workdir or ""))
        await finish(attempt, outputs, failure)
        if failure:
            raise failure
        return await outputs.named(
            typed_text(await attempt.blocking(read_output, place, attempt.masks), attempt.task.output)
        )


def _engine(attempt: Attempt, env: dict[str, str]) -> str:
    for name in ENGINES:
        if found := shutil.which(name, path=env.get("PATH")):
            return found
    message = (
        f'this worker of the queue "{attempt.queue}" has neither docker nor podman: install one on its machine, '
        "or send the step to a queue whose workers have one"
    )
    raise StepFailed("ContainerError", message, retryable=False)


def _name(attempt: Attempt) -> str:
    """Return the container's name: no other attempt has it."""
    readable = re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{attempt.task.run}-{attempt.task.key}")[:80]
    return f"segue-{readable}-{attempt.name}"


def _options(engine: str, wanted: ContainerGiven, attempt: Attempt, place: Workplace) -> list[str]:
    facts = {"run": attempt.task.run, "step": attempt.task.key, "attempt": str(attempt.number)}
    labels = [part for name, value in facts.items() for part in ("--label", f"segue.{name}={value}")]
    folder = str(attempt.scratch)
    options = ["--rm", *labels, "--pull", wanted.pull, "--mount", f"type=bind,source={folder},target={folder}"]
    # A reaper of zombies comes with docker; podman has one only where it was installed.
    options += ["--init"] if Path(engine).name == "docker" else []
    # What it leaves must be ours to read and to remove.
    options += ["--user", f"{os.getuid()}:{os.getgid()}"]
    options += ["--userns", "keep-id"] if Path(engine).name == "podman" and os.getuid() else []
    options += _room(Path(engine).name, attempt)
    return [*options, "--workdir", str(place.work / (wanted.workdir or ""))]


def _room(engine: str, attempt: Attempt) -> list[str]:
    """Return the engine's own limits for what the step asked for, and its devices."""
    wanted, devices = attempt.task.resources, attempt.share.gpus if attempt.share is not None else ()
    options = ["--cpus", f"{wanted['cpu']:g}"] if "cpu" in wanted else []
    options += ["--memory", f"{wanted['memory']:.0f}"] if "memory" in wanted else []
    if engine == "docker":
        return options + (["--gpus", f'"device={",".join(devices)}"'] if devices else [])
    return options + [part for device in devices for part in ("--device", f"nvidia.com/gpu={device}")]


def _arguments(wanted: ContainerGiven, attempt: Attempt, place: Workplace) -> list[str]:
    """Return the entrypoint, the image and its arguments; a script is a file, as long as it likes."""
    if isinstance(wanted.command, str):
        script = attempt.scratch / SCRIPT
        script.write_text(wanted.command, encoding="utf-8", errors="surrogateescape")
        return ["--entrypoint", wanted.entrypoint or "sh", wanted.image, "-e", str(script)]
    entrypoint = ["--entrypoint", wanted.entrypoint] if wanted.entrypoint else []
    return [*entrypoint, wanted.image, *map(as_text, wanted.command or [])]


def _home(place: Workplace) -> dict[str, str]:
    """Return a home for a user that the image does not know; root's is in the image."""
    return {} if os.getuid() == 0 or "HOME" in place.own else {"HOME": place.own["TMPDIR"]}


def _variables(own: dict[str, str], client: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return the options for the container's variables, and what the client's environment must have for them.

    A value on the command line is read by everybody on the machine, so a variable travels by its name, but for those
    that would change what the client does.
    """
    options: list[str] = []
    passed = {}
    for name, value in own.items():
        if name in client or _OF_THE_CLIENT.fullmatch(name):
            options += ["--env", f"{name}={value}"]
        else:
            options += ["--env", name]
            passed[name] = value
    return options, passed


def _failure(exit: Exit, engine: str, attempt: Attempt) -> StepFailed | None:
    if exit.code != _ENGINE_FAILED:
        return exit_failure(exit, "the container", attempt)
    tail = attempt.log.tail("stderr")
    last = next((line for line in reversed(tail) if line.strip() and "--help" not in line), "")
    detail = {"exit_code": exit.code} | ({"log_tail": tail} if tail else {})
    return StepFailed("ContainerError", f"{engine} could not run the container: {last}".rstrip(": "), detail)
