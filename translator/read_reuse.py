"""Reads `artifacts` and `cache`: which files of a step are kept, and whether an earlier output may take its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from translator import keys
from translator.definition import SECRETS, Defaults, StepDefinition, Use, WorkflowDefinition
from translator.diagnostics import Code, shown
from translator.fields import Fields
from translator.located import Node
from workflows.plan import ENV_KINDS, UNCACHED_KINDS, Cache

MAX_PATTERNS = 50
MAX_PATTERN = 256
_NO_SECRETS = (
    "what is kept must not depend on a secret: read it in a step of its own, and cache the step that goes on from there"
)


def read_artifacts(found: Fields) -> tuple[str, ...]:
    """Return glob patterns of files, relative to the folder in which a step runs."""
    node = found.get("artifacts")
    if node is None or found.texts("artifacts") is None:
        return ()
    items = node.items if isinstance(node.value, list) else [node]
    if len(items) > MAX_PATTERNS:
        message = f'"artifacts" has {len(items)} patterns; at most {MAX_PATTERNS} are possible'
        found.report.add(node, Code.LIMIT, message, "a folder's name stands for all files in it")
        return ()
    patterns = {_normal(item.value): None for item in items if isinstance(item.value, str) and _is_sound(item, found)}
    return tuple(patterns)


def _normal(pattern: str) -> str:
    return pattern.removeprefix("./").rstrip("/")


def _is_sound(item: Node, found: Fields) -> bool:
    """Report a pattern that cannot be meant; tell whether it is none."""
    pattern = str(item.value)
    hint = "patterns are relative to the folder in which the step runs, with /, such as report.html or plots/*.png"
    if not pattern.strip():
        return found.text_of("artifacts", item) is not None
    if "${{" in pattern:
        message = "which files are kept is fixed: a pattern cannot hold expressions"
        found.report.add(item, Code.NOT_HERE, message, "leave a file of that name in $SEGUE_ARTIFACTS")
    elif pattern.startswith(("/", "~")) or "\\" in pattern or ".." in pattern.split("/"):
        message = f'"{shown(pattern)}" leads out of the folder in which the step runs'
        found.report.add(item, Code.PATH, message, hint)
    elif "$" in pattern:
        message = f'"{shown(pattern)}" names a variable, and none is known here'
        found.report.add(item, Code.PATH, message, "all files in $SEGUE_ARTIFACTS are kept without being named")
    elif len(pattern) > MAX_PATTERN or not pattern.isprintable() or not _normal(pattern):
        found.report.add(item, Code.BAD_VALUE, f'"{shown(pattern, 40)}" is no pattern of files', hint)
    else:
        return True
    return False


def read_cache(found: Fields, what: str) -> Cache | Literal[False] | None:
    """Return whether an earlier output may be reused; False: it may not, whatever `defaults` say."""
    node = found.get("cache")
    if node is None:
        return None
    if isinstance(node.value, bool):
        return Cache() if node.value else False
    if not isinstance(node.value, dict):
        hint = f"write {{ttl: {shown(node.value, 20)}}}" if isinstance(node.value, str) else "such as {ttl: 7d}"
        found.wrong("cache", node, "true, false or a mapping", hint)
        return None
    fields = Fields(node, found.report, f"cache of {what}", keys.CACHE)
    return Cache(fields.duration("ttl"))


def check_caches(definition: WorkflowDefinition) -> Iterator[tuple[Node, str, str]]:
    """Yield the steps that are to be cached although they read secrets, as place, message and hint."""
    for step in definition.steps.values():
        if step.cache and step.cache_at is not None and (secret := _secret(step, definition.defaults)):
            message = f'step "{shown(step.id)}" cannot be cached: it reads {secret}'
            yield step.cache_at, message, _NO_SECRETS


def cache_of(step: StepDefinition, defaults: Defaults) -> Cache | None:
    """Return a step's cache: its own, or the default where that has a meaning."""
    if step.cache is not None:
        return step.cache or None
    if defaults.cache is None or step.kind in UNCACHED_KINDS or _secret(step, defaults):
        return None
    return defaults.cache


def _secret(step: StepDefinition, defaults: Defaults) -> str:
    """Return the secret that a step reads; empty: it reads none."""
    for use in _uses(step, defaults):
        for path in use.expression.references():
            if path[0] == SECRETS:
                return ".".join(path[:2])
    return ""


def _uses(step: StepDefinition, defaults: Defaults) -> Iterator[Use]:
    yield from step.uses
    if step.kind in ENV_KINDS:
        for name, uses in defaults.uses.items():
            if name not in step.env:
                yield from uses
