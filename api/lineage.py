"""Where a step's output was made: by its own attempt, or by the one of another run whose output was reused or kept.

What a worker recorded never opens what it has no right to: an output is reused within one workflow and step alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from api.downloads import damaged
from store import rows
from store.attempts import step_prefix
from store.database import Database
from store.runs import get_run, get_step


@dataclass(frozen=True, slots=True)
class Made:
    """The attempt that made what a step left; `folder` is None when there was none."""

    run: str
    key: str
    folder: str | None


async def made_by(database: Database, run: str, step: rows.Step) -> Made:
    """Return who made what a step left.

    Raises:
        Problem: What is recorded cannot be: it points at objects of somebody else.
    """
    kept = step.detail.get("kept")
    if isinstance(kept, dict):
        earlier = str(kept.get("run"))
        origin = await get_step(database, earlier, step.key)
        if origin is None or "kept" in origin.detail or not await _same_workflow(database, run, earlier):
            return Made(run, step.key, None)
        run, step = earlier, origin
    reused = step.detail.get("reused")
    if not isinstance(reused, dict):
        return _checked(Made(run, step.key, step.folder))
    made = Made(str(reused.get("run")), str(reused.get("step")), str(reused.get("folder")))
    if made.key.partition("[")[0] != step.step or not await _same_workflow(database, run, made.run):
        raise damaged()
    return _checked(made)


def check_own(key: str, run: str, step: str | None = None) -> None:
    """Refuse a recorded key that is not the run's own: whoever wrote it must not open another run's objects."""
    if not key.startswith(f"runs/{run}/" if step is None else step_prefix(run, step)):
        raise damaged()


def _checked(made: Made) -> Made:
    if made.folder is not None:
        check_own(made.folder, made.run, made.key)
    return made


async def _same_workflow(database: Database, run: str, other: str) -> bool:
    if run == other:
        return True
    mine, theirs = await get_run(database, run), await get_run(database, other)
    # A run that was removed leaves objects that nobody else can claim.
    return mine is not None and (theirs is None or theirs.workflow == mine.workflow)
