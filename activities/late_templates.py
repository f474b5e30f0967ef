"""The templates of an http step that had to wait for its worker: those that speak of `callback`, `submit`, `response`.

Everything else in a task is a value already, also when it looks like a template: it is never evaluated a second time.
"""

from __future__ import annotations

from collections.abc import Mapping

from activities.errors import StepFailed
from workflows.expressions import ExpressionError
from workflows.messages import JSON
from workflows.secret_texts import LateText
from workflows.templates import OPENING, references, render

LATE_NAMES = frozenset({"callback", "submit", "response"})


def rendered(template: JSON, scope: Mapping[str, JSON], where: str) -> JSON:
    """Return a template with its late expressions replaced by their values.

    Args:
        template: Any part of an http step.
        scope: Values by name.
        where: What to call it in messages.

    Raises:
        StepFailed: `ExpressionError`: an expression has no value.
    """
    if isinstance(template, dict):
        return {name: rendered(value, scope, f"{where}.{name}") for name, value in template.items()}
    if isinstance(template, list):
        return [rendered(item, scope, f"{where}[{place}]") for place, item in enumerate(template)]
    if not isinstance(template, LateText) and not (isinstance(template, str) and _is_late(template, scope)):
        return template
    try:
        return template.rendered(scope) if isinstance(template, LateText) else render(template, scope)
    except ExpressionError as error:
        shown = template.strip() if isinstance(template, str) else error.text
        detail = {"where": where, "expression": error.text, "offset": error.offset}
        raise StepFailed("ExpressionError", f"{where}: {error.message}: {shown}", detail) from None


def _is_late(text: str, scope: Mapping[str, JSON]) -> bool:
    if OPENING not in text:
        return False
    try:
        return any(path[0] in LATE_NAMES and path[0] in scope for path in references(text))
    except ExpressionError:
        return False  # the translator takes no such template, so this is a value
