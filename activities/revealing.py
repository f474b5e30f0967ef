"""Gives an attempt the secrets of its task: values from this worker's sources, and what hides them again.

Done once an attempt, at its beginning, so what was changed since the last one counts.
"""

from __future__ import annotations

from activities.errors import StepFailed
from segue.secret_sources import SecretSources, SecretUnusable, way_out
from workflows.messages import StepTask
from workflows.secret_texts import names_of


def secret_values(task: StepTask, sources: SecretSources, queue: str) -> dict[str, str]:
    """Return the values of the secrets that a task needs.

    Args:
        task: As the core made it.
        sources: Of this worker.
        queue: That this worker serves, for messages.

    Raises:
        StepFailed: `SecretMissing`: not all of them are here.
    """
    values: dict[str, str] = {}
    problems: list[str] = []
    missing: list[str] = []
    for name, where in names_of(task).items():
        try:
            value = sources.find(name)
        except SecretUnusable as unusable:
            problems.append(f'{where}: the secret "{name}" cannot be used: {unusable}')
        else:
            if value is not None:
                values[name] = value
                continue
            problems.append(f'{where}: there is no secret "{name}" on this worker of queue {queue}: {way_out(name)}')
        missing.append(name)
    if problems:
        detail = {"secrets": missing, "queue": queue}
        raise StepFailed("SecretMissing", "\n".join(problems), detail, retryable=False)
    return values
