"""The step activity: everything around an operator, and the same for all of them.

Heartbeats, time limit, log, output, failure, cancel: an operator does its work and knows nothing of these. What is
returned or raised here is small; the rest is in the object store, under a folder that no other attempt writes to.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from temporalio import activity

from activities.attempt import Attempt, Workshop
from activities.bundles import BundleCache
from activities.declared import check_declared
from activities.entering import Alone, Others, occupied
from activities.environments import EnvironmentCache
from activities.errors import StepFailed, StepFailure, to_failure
from activities.interpreters import Interpreters, Uv
from activities.logs import PATIENCE_SECONDS
from activities.masks import Masks
from activities.operators import Operator
from activities.operators.container import ContainerOperator
from activities.operators.http import HttpOperator
from activities.operators.noop import NoopOperator
from activities.operators.notify import NotifyOperator
from activities.operators.python import PythonOperator
from activities.operators.shell import ShellOperator
from activities.operators.sql import SqlOperator
from activities.operators.ssh import SshOperator
from activities.process import ProcessHost
from activities.reuse import Reuse
from activities.room import Machine, Room
from activities.sandbox import Sandboxes
from activities.scratch import ScratchSpace
from activities.values import encode
from activities.warm import WarmPython
from segue.child_path import isolated
from segue.secret_sources import SecretSources
from store.objects import ObjectStore
from workflows.messages import JSON, MAX_INLINE_BYTES, StepResult, StepTask

logger = logging.getLogger("segue.activities")

StepActivity = Callable[[StepTask], Awaitable[StepResult]]

STORE_THREADS = 32
HASTY_LOG_SECONDS = 5.0
"""How long a log may take to be written when the step was cancelled or its worker stops."""


class StepActivities:
    """The activities of a worker that runs steps, one per kind.

    Args:
        objects: Where outputs, logs and files go, and bundles come from.
        cache_dir: Bundles and environments, kept, and the folders of attempts, not kept; made when missing.
        python: Interpreter of steps that name no requirements; None: the worker's own, with the standard library only.
        worker: The worker's identity.
        room: What steps that name resources occupy; the worker's, whichever queue they come from. None: there is none.
        others: The other workers of a queue; None: none is known.
        public_url: Where services reach the API; None: nobody has said.
    """

    def __init__(
        self,
        objects: ObjectStore,
        cache_dir: Path,
        python: str | None,
        worker: str,
        room: Room | None = None,
        others: Others | None = None,
        public_url: str | None = None,
    ) -> None:
        # In a sandbox links may lead nowhere, so nobody is told of one.
        cache_dir = cache_dir.resolve()
        processes = ProcessHost()
        uv = Uv(processes)
        interpreters = Interpreters(uv, processes, python)
        scratch = ScratchSpace(cache_dir / "run")
        self._workshop = Workshop(
            objects=objects,
            worker=worker,
            python=python,
            import_path=isolated(cache_dir),
            processes=processes,
            warm=WarmPython(processes),
            scratch=scratch,
            bundles=BundleCache(objects, cache_dir / "bundles", scratch),
            environments=EnvironmentCache((cache_dir / "environments").resolve(), uv, interpreters),
            interpreters=interpreters,
            sandboxes=Sandboxes(processes),
            threads=ThreadPoolExecutor(STORE_THREADS, "segue-objects"),
            secrets=SecretSources(),
            public_url=public_url,
            room=room or Room(Machine(0, 0)),
            others=others or Alone(),
        )

    def all(self) -> list[StepActivity]:
        """Return the activities, each named as the kind of step it runs."""
        operators: dict[str, Operator] = {
            "shell": ShellOperator(),
            "python": PythonOperator(),
            "http": HttpOperator(),
            "noop": NoopOperator(),
            "container": ContainerOperator(),
            "sql": SqlOperator(),
            "notify": NotifyOperator(),
            "ssh": SshOperator(),
        }
        return [self._activity(kind, operator) for kind, operator in operators.items()]

    def _activity(self, kind: str, operator: Operator) -> StepActivity:
        async def run_step(task: StepTask) -> StepResult:
            return await _run(operator, Attempt(task, activity.info(), self._workshop), quiet=kind == "noop")

        return activity.defn(name=kind)(run_step)


async def _run(operator: Operator, attempt: Attempt, *, quiet: bool) -> StepResult:
    """Run one attempt.

    Args:
        operator: Does the work.
        attempt: The attempt.
        quiet: The operator logs nothing, so that not even the log's end need be written.
    """
    beats = asyncio.create_task(attempt.heartbeats())
    # What depends on a secret is never kept for others; the translator says so too.
    reuse = Reuse(attempt) if attempt.task.cache is not None and not attempt.task.secrets else None
    hasty = False
    try:
        async with occupied(attempt):
            value = await _bounded(operator, attempt, reuse)
            if reuse is None:
                return await _finish(attempt, value)
            if reuse.result is not None:
                return reuse.result
            result = await _finish(attempt, value)
            await reuse.keep(result)
            return result
    except StepFailed as error:
        raise _failure(attempt, error) from None
    except asyncio.CancelledError:
        hasty = True
        if not attempt.worker_stops:
            raise
        # Not as cancelled, which would be the step's end: another worker is to try it again.
        # The run schedules the step anew, at once, and none of its attempts is used up.
        lost = StepFailed("WorkerLost", "the worker was stopped while the step ran", retryable=False)
        raise _failure(attempt, lost) from None
    except Exception as error:
        trace = attempt.masks.text(traceback.format_exc())
        logger.error("step %s of %s: a mistake of Segue's\n%s", attempt.task.key, attempt.task.run, trace)
        message = f"Segue itself failed in this step ({type(error).__name__}: {error}); please report it"
        raise _failure(attempt, StepFailed("InternalError", message)) from None
    finally:
        if reuse is not None:
            await reuse.let_go()
        if not quiet:
            await _close_log(attempt, hasty)
        beats.cancel()
        await attempt.clear_up()


async def _bounded(operator: Operator, attempt: Attempt, reuse: Reuse | None) -> JSON:
    """Run the operator, unless an output is found for it, for as long as the attempt may take."""
    limit = attempt.task.timeout
    if limit is None and (allowed := activity.info().start_to_close_timeout):
        limit = allowed.total_seconds()
    clock = asyncio.timeout(limit)
    try:
        async with clock:
            await attempt.reveal(activity.info().task_queue)
            if reuse is not None and await reuse.find():
                return None
            return await operator.run(attempt)
    except TimeoutError:
        if not clock.expired():
            raise
        tail = attempt.log.tail("stderr")
        detail = {"timeout": "run"} | ({"log_tail": tail} if tail else {})
        waited = f": {attempt.waits_for}" if attempt.waits_for else ""
        raise StepFailed("Timeout", f"the attempt took longer than {limit:g} s{waited}", detail) from None


async def _finish(attempt: Attempt, value: JSON) -> StepResult:
    """Check the output, write it to the object store, and return the attempt's result."""
    value = check_declared(value, attempt.task.output)
    if value is None:
        return attempt.result()
    document = await attempt.blocking(encode, value)
    for name in await attempt.blocking(attempt.masks.names_in, document) if attempt.masks else ():
        attempt.log.line(f'[segue] the output holds the secret "{name}": outputs are kept and shown as they are')
    reference = await attempt.put("output.json", document)
    return attempt.result(value if len(document) <= MAX_INLINE_BYTES else reference, reference)


def _failure(attempt: Attempt, error: StepFailed) -> StepFailure:
    error = _hidden(error, attempt.masks)
    logger.info("step %s of %s, attempt %d: %s", attempt.task.key, attempt.task.run, attempt.number, error.type)
    policy = activity.info().retry_policy
    return to_failure(error, attempt.result(), tuple(policy.non_retryable_error_types or ()) if policy else ())


def _hidden(error: StepFailed, masks: Masks) -> StepFailed:
    """Return a failure without secrets; it has not been cut yet, so none is there in part."""
    message, detail = masks.text(error.message), masks.value(error.detail)
    return StepFailed(masks.text(error.type), message, detail, retryable=error.retryable, ancestors=error.ancestors)


async def _close_log(attempt: Attempt, hasty: bool) -> None:
    """Write the rest of log and metrics; a second cancel goes on without waiting for it."""
    patience = HASTY_LOG_SECONDS if hasty else PATIENCE_SECONDS
    await asyncio.shield(asyncio.create_task(_close(attempt, patience)))


async def _close(attempt: Attempt, patience: float) -> None:
    await attempt.log.close(patience)
    await attempt.reports.close()
