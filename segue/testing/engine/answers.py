"""What an http step makes of the answers of a service: its output, its failure, and how long it polls for them.

Says the same as the worker's http operator, of answers that a test gives; no request is sent.
"""

from __future__ import annotations

import json
from typing import Any

from segue.testing.mocks import Answers, Fail, MockError, Succeed
from workflows.expressions import ExpressionError
from workflows.inputs import CALLBACK, WORKER_ROOTS
from workflows.messages import JSON, StepTask
from workflows.templates import OPENING, references, render

NEVER = float("inf")
_RETRYABLE = frozenset({408, 425, 429})
_SHOWN = 500


class _Failed(Exception):
    def __init__(self, failure: Fail) -> None:
        super().__init__(failure.message)
        self.failure = failure


def answered(task: StepTask, scope: dict[str, JSON], answers: Answers) -> tuple[float, Succeed | Fail]:
    """Return how long the step polls, and what it comes to.

    Args:
        task: Of the step.
        scope: The values of its late templates.
        answers: To its request, or to its polls one after the other; the last one is given for ever.

    Raises:
        MockError: It is no http step.
    """
    if task.kind != "http":
        raise MockError(f"answers(...) is a mock of http steps, but {task.step} is a {task.kind} step")
    given = [_value(each, answers.status) for each in answers.bodies]
    try:
        if "request" in task.action:
            _check_status(task.action["request"], given[0])
            return 0.0, _output(task, {**scope, "response": given[0]})
        submission = _value(answers.submit, answers.status)
        _check_status(task.action["submit"], submission)
        if CALLBACK in task.action:
            return 0.0, _posted(task, {**scope, "submit": submission}, given[0])
        return _follow(task, {**scope, "submit": submission}, [{**each, "status": 200} for each in given])
    except _Failed as failed:
        return 0.0, failed.failure


def _follow(task: StepTask, scope: dict[str, JSON], polls: list[dict[str, JSON]]) -> tuple[float, Succeed | Fail]:
    poll = task.action["poll"]
    for number, response in enumerate(polls):
        seconds, seen = number * float(poll["every"]), {**scope, "response": response}
        try:
            if _holds(poll.get("fail_if"), seen, "poll.fail_if"):
                said = f"it last answered {response['status']}: {response['text'][:_SHOWN]}"
                message = f"the job failed ({poll['fail_if'].strip()}); {said}"
                return seconds, Fail("JobFailed", message)
            if _holds(poll["until"], seen, "poll.until"):
                return seconds, _output(task, seen)
        except _Failed as failed:
            return seconds, failed.failure
    return NEVER, Fail("Timeout", "the job goes on")


def _posted(task: StepTask, scope: dict[str, JSON], posted: dict[str, JSON]) -> Succeed:
    seen = {**scope, "response": {name: value for name, value in posted.items() if name != "status"}}
    fail_if = task.action[CALLBACK].get("fail_if")
    if _holds(fail_if, seen, "callback.fail_if"):
        said = f"it posted: {posted['text'][:_SHOWN]}"
        raise _Failed(Fail("JobFailed", f"the job failed ({fail_if.strip()}); {said}"))
    return _output(task, seen)


def _value(body: Any, status: int) -> dict[str, JSON]:
    if isinstance(body, str):
        return {"status": status, "headers": {}, "json": None, "text": body}
    return {"status": status, "headers": {}, "json": body, "text": json.dumps(body, ensure_ascii=False)}


def _check_status(request: dict[str, Any], answer: dict[str, JSON]) -> None:
    status, expect = answer["status"], request.get("expect")
    if status in expect if expect else 200 <= status < 300:
        return
    method = str(request.get("method", "GET")).upper()
    wanted = f", not {' or '.join(str(code) for code in expect)}" if expect else ""
    shown = f"{method} {str(request['url']).partition('?')[0]}"
    said = f": {answer['text'][:_SHOWN]}" if answer["text"] else ""
    retryable = status in _RETRYABLE or status >= 500
    detail = {"status": status, "method": method}
    raise _Failed(Fail("HttpStatus", f"{shown} answered {status}{wanted}{said}", detail, retryable))


def _output(task: StepTask, scope: dict[str, JSON]) -> Succeed:
    values = {name: entry["value"] for name, entry in (task.output or {}).items() if "value" in entry}
    if values:
        return Succeed({name: _rendered(value, scope, f"output.{name}") for name, value in values.items()})
    response = scope["response"]
    body = "text" if response["json"] is None else "json"
    return Succeed({name: response[name] for name in ("status", body) if name in response})


def _holds(template: JSON, scope: dict[str, JSON], where: str) -> bool:
    if template is None:
        return False
    value = _rendered(template, scope, where)
    if not isinstance(value, bool):
        raise _Failed(Fail("ExpressionError", f"{where} is {value!r}, not true or false", retryable=False))
    return value


def _rendered(template: JSON, scope: dict[str, JSON], where: str) -> JSON:
    """Return a template with its late expressions replaced; all else in a task is a value already."""
    if isinstance(template, dict):
        return {name: _rendered(each, scope, f"{where}.{name}") for name, each in template.items()}
    if isinstance(template, list):
        return [_rendered(each, scope, f"{where}[{place}]") for place, each in enumerate(template)]
    if not isinstance(template, str) or OPENING not in template:
        return template
    try:
        if not any(path[0] in WORKER_ROOTS for path in references(template)):
            return template
        return render(template, scope)
    except ExpressionError as error:
        detail = {"where": where, "expression": error.text, "offset": error.offset}
        raise _Failed(Fail("ExpressionError", f"{where}: {error.message}: {template.strip()}", detail)) from None
