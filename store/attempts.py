"""The folders of a step's attempts in the object store."""

from __future__ import annotations

from store.objects import ObjectStore


def step_prefix(run: str, key: str) -> str:
    """Return the prefix of all objects of a step."""
    return f"runs/{run}/{key}/"


def list_attempts(objects: ObjectStore, run: str, key: str) -> list[str]:
    """Return the names of the step's attempt folders, oldest first."""
    prefix = step_prefix(run, key)
    names: list[str] = []
    after = ""
    # One listing a folder, however many objects it has: "0" is the character behind "/".
    while (first := next(iter(objects.list(prefix, after)), None)) is not None:
        name = first.key.removeprefix(prefix).split("/", 1)[0]
        names.append(name)
        after = f"{prefix}{name}0"
    return names
