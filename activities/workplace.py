"""Where a step's own code runs: a private copy of the bundle, its environment and the files it exchanges with us."""

from __future__ import annotations

import contextlib
import math
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from activities.attempt import Attempt
from activities.checkpoints import Checkpoints
from activities.environments import Wanted
from activities.errors import StepFailed
from activities.process import Command, Exit, base_environment
from activities.references import Inputs, Outputs, as_text
from activities.report_pipe import NAME as PIPE_NAME
from activities.report_pipe import ReportPipe
from activities.sandbox import HIDDEN
from activities.warm import Entry
from segue import child_path
from segue.checkpoints import FOLDER as CHECKPOINT
from segue.reports import PIPE
from segue.runner import ERROR, OUTPUT

SANDBOX = "sandbox"
PACKAGES = "requirements"
"""A file of requirements that the plan itself lists; what they are called in messages."""


@dataclass(frozen=True)
class Workplace:
    """The folders and the environment variables of one attempt's process.

    Attributes:
        work: Where it starts: a copy of the bundle that it may change as it likes.
        artifacts: Files left here are kept (`SEGUE_ARTIFACTS`).
        output: The file for `key=value` lines (`SEGUE_OUTPUT`).
        exchange: Files between the worker and a Python step's runner.
        checkpoint: Files that the next attempt finds again once they are saved (`SEGUE_CHECKPOINT`).
        interpreter: The Python of this step, with its first options.
        env: All environment variables.
        base: Those that the steps of this worker have in common.
        own: The step's own.
        environment: The folder of its environment, if it has one.
    """

    work: Path
    artifacts: Path
    output: Path
    exchange: Path
    checkpoint: Path
    interpreter: tuple[str, ...]
    env: dict[str, str]
    base: dict[str, str]
    own: dict[str, str]
    environment: Path | None

    async def run(self, attempt: Attempt, *argv: str) -> Exit:
        """Run a command of the step here, its output in the attempt's log."""
        return await self.start(attempt, Command(argv, self.env, self.work, memory=memory_of(attempt)))

    async def start(self, attempt: Attempt, command: Command, entry: Entry | None = None) -> Exit:
        """Run a command of the step here: in its sandbox, or where that is quicker by an interpreter that waits.

        Args:
            attempt: The attempt.
            command: What to run.
            entry: Runs it in such an interpreter.
        """
        async with self.telling(attempt):
            return await self._started(attempt, command, entry)

    @contextlib.asynccontextmanager
    async def telling(self, attempt: Attempt) -> AsyncIterator[None]:
        """Hear what the step tells while this lasts; it finds its checkpoint, and those that it saves are kept."""
        async with Checkpoints(attempt, self.checkpoint, self.exchange):
            pipe = ReportPipe(self.exchange, attempt.reports.take)
            try:
                yield
            finally:
                pipe.close()

    async def _started(self, attempt: Attempt, command: Command, entry: Entry | None) -> Exit:
        shop, task = attempt.workshop, attempt.task
        if task.isolation == SANDBOX:
            own = [] if self.environment is None else [self.environment]
            readable = [*own, shop.import_path, *_hidden(self.interpreter[0])]
            inside = shop.sandboxes.around(command, attempt.scratch, readable, network=task.network)
            exit = await shop.processes.run(inside, attempt.log)
            await attempt.blocking(self._unlink)
            return exit
        if entry is not None:
            return await shop.warm.run(command, entry, self.base, attempt.log)
        return await shop.processes.run(command, attempt.log)

    def _unlink(self) -> None:
        """Remove links from where the worker looks: they lead it to what is hidden from the step."""
        for path in (self.output, self.artifacts, self.exchange, self.exchange / OUTPUT, self.exchange / ERROR):
            if path.is_symlink():
                path.unlink()


async def prepare(attempt: Attempt, inputs: Inputs, *, python: bool = True) -> Workplace:
    """Make the workplace of an attempt: its bundle, its environment, its folders.

    Args:
        attempt: The attempt.
        inputs: Gives the values of environment variables.
        python: Whether it may want the environment that the workflow's requirements make.

    Raises:
        StepFailed: The bundle, the environment or an input cannot be had.
    """
    if attempt.task.isolation == SANDBOX:
        await attempt.workshop.sandboxes.check()
    scratch = attempt.scratch
    names = ("work", "artifacts", "tmp", "exchange", "checkpoint")
    work, artifacts, temporary, exchange, checkpoint = (scratch / name for name in names)
    for folder in (artifacts, temporary, exchange, checkpoint):
        folder.mkdir()
    bundle = await _bundle(attempt)
    if bundle is None:
        work.mkdir()
    else:
        await attempt.blocking(shutil.copytree, bundle, work)
    environment = await _environment(attempt, bundle) if python else None
    given = attempt.workshop.python
    output = scratch / "output"
    output.touch()
    base = base_environment()
    # Output comes as it is written, and byte code for a folder that lives as long as one attempt is wasted.
    base |= {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    if environment is not None:
        base |= {"VIRTUAL_ENV": str(environment), "PATH": f"{environment / 'bin'}:{base.get('PATH', '')}"}
    elif python and attempt.task.python is not None and given is not None and (found := shutil.which(given)):
        base |= {"PATH": f"{Path(found).parent}:{base.get('PATH', '')}"}
    own = {"TMPDIR": str(temporary)} | _threads(attempt)
    own |= {"HOME": str(temporary)} if attempt.task.isolation == SANDBOX else {}
    own |= {name: as_text(await inputs.local(value)) for name, value in attempt.task.env.items()}
    own |= _devices(attempt) | facts(attempt) | {"SEGUE_OUTPUT": str(output), "SEGUE_ARTIFACTS": str(artifacts)}
    own |= {PIPE: str(exchange / PIPE_NAME), CHECKPOINT: str(checkpoint)}
    interpreter = _interpreter(attempt, environment)
    return Workplace(work, artifacts, output, exchange, checkpoint, interpreter, base | own, base, own, environment)


async def finish(attempt: Attempt, outputs: Outputs, failure: StepFailed | None) -> None:
    """Write the artifacts; for a step that failed, as far as it goes: its own failure matters more.

    Raises:
        StepFailed: The step succeeded, but an artifact could not be written.
    """
    try:
        await outputs.write_artifacts()
    except StepFailed as error:
        if failure is None:
            raise
        attempt.log.line(f"[segue] artifacts are lost: {error.message}")


def facts(attempt: Attempt) -> dict[str, str]:
    """Return the variables that tell a step's code who it is."""
    task = attempt.task
    return {
        "SEGUE_RUN_ID": task.run,
        "SEGUE_WORKFLOW": task.workflow,
        "SEGUE_STEP": task.step,
        "SEGUE_KEY": task.key,
        "SEGUE_ATTEMPT": str(attempt.number),
    }


def memory_of(attempt: Attempt) -> float:
    """Return the bytes that the step's processes may use; 0: there is no limit."""
    return attempt.task.resources.get("memory", 0)


def _threads(attempt: Attempt) -> dict[str, str]:
    """Return how many threads numerical libraries should use; else each takes the whole machine."""
    cores = attempt.task.resources.get("cpu")
    return {} if cores is None else {"OMP_NUM_THREADS": str(max(1, math.ceil(cores)))}


def _devices(attempt: Attempt) -> dict[str, str]:
    """Return which devices are the step's; one that names resources sees no others."""
    if attempt.share is None:
        return {}
    devices = ",".join(attempt.share.gpus)
    return {"CUDA_VISIBLE_DEVICES": devices, "NVIDIA_VISIBLE_DEVICES": devices or "void"}


async def _bundle(attempt: Attempt) -> Path | None:
    if attempt.task.bundle is None:
        return None
    return await attempt.workshop.bundles.folder(attempt.task.bundle, attempt.blocking)


async def _environment(attempt: Attempt, bundle: Path | None) -> Path | None:
    """Return the environment of a step that asks for packages, or for a version of Python."""
    task, file = attempt.task, None
    if task.requirements is not None:
        if bundle is None or task.bundle is None:
            raise StepFailed("EnvironmentFailed", f"there is no bundle with {task.requirements}", retryable=False)
        file = bundle / task.requirements
    elif task.packages is not None:
        file = attempt.scratch / PACKAGES
        await attempt.blocking(file.write_text, "".join(f"{each}\n" for each in task.packages), encoding="utf-8")
    elif task.python is None or await attempt.workshop.interpreters.given_fits(task.python):
        return None
    wanted = Wanted(file, task.python, task.bundle if task.requirements is not None else None)
    environment = await attempt.workshop.environments.prepare(wanted, attempt.log)
    attempt.log.forget_tail()
    return environment


def _interpreter(attempt: Attempt, environment: Path | None) -> tuple[str, ...]:
    if environment is not None:
        return (str(environment / "bin" / "python"), "-s")
    if attempt.workshop.python is not None:
        return (attempt.workshop.python, "-s")
    # The worker's own interpreter without its packages: the service's are no business of a step.
    return (sys.executable, "-s", "-S")


def _hidden(program: str) -> list[Path]:
    """Return the folders that an interpreter needs, and ours, which lie in places that sandboxes do not show."""
    path = Path(shutil.which(program) or program).absolute()
    needed = (path.parent.parent, path.resolve().parent.parent, child_path.PACKAGE)
    return [folder for folder in needed if any(folder.is_relative_to(place) for place in HIDDEN)]
