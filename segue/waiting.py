"""Operators that no worker runs: waits, approvals, and other workflows as steps.

Like all operators, they only describe a step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Unpack

from segue.duration import duration_text
from segue.expression import Expression
from segue.operators import Operator
from segue.options import StepOptions, condition_text
from segue.param import schema_of
from segue.place import misuse, not_supported
from segue.rhythm import start_text
from segue.triggers import Trigger
from segue.values import plain


class ApprovalOperator(Operator):
    """A step that waits for people to say yes or no. Its output is `approved`, `by`, and what its form asks for.

    Args:
        by: Who may decide: names, or roles as `role:releaser`; everybody without it.
        quorum: How many of them must say yes.
        on_timeout: What happens when nobody has decided within `timeout`: `reject`, `approve` or `fail`.
        form: What they are asked besides: name to default value, to `Param`, or to a JSON Schema.
        options: Those of every operator; `timeout`, or `execution_timeout`, is how long they have.
    """

    arguments: ClassVar = {
        **{name: f"approve/{name}" for name in ("by", "quorum", "on_timeout", "form", "timeout")},
        "execution_timeout": "approve/timeout",
    }
    inherits = False

    def __init__(
        self,
        task_id: str | None = None,
        *,
        by: str | Sequence[str] | None = None,
        quorum: int | None = None,
        on_timeout: str | None = None,
        form: Mapping[str, Any] | None = None,
        **options: Unpack[StepOptions],
    ) -> None:
        keys = {"by": plain(by, "by"), "quorum": quorum, "on_timeout": on_timeout}
        for name in ("timeout", "execution_timeout"):
            if name in options:
                keys["timeout"] = duration_text(options.pop(name), name)
        if form is not None:
            keys["form"] = {name: schema_of(name, value) for name, value in form.items()}
        given = {key: value for key, value in keys.items() if value is not None}
        super().__init__(task_id, {"approve": given}, options)


class WaitOperator(Operator):
    """A step that waits for one thing: a while, a time, or an event. A worker's place is not taken meanwhile.

    Args:
        duration: How long: a `timedelta`, seconds, text such as `"10m"`, or an expression for one.
        until: When: a `datetime`, an RFC 3339 time, or an expression for one.
        event: The event's name, which may hold expressions; or `event("name", condition=...)`.
        condition: With a name as `event`: which of its events count. Otherwise that of every operator.
    """

    arguments: ClassVar = {"duration": "wait/for", "until": "wait/until", "event": "wait/event"}
    inherits = False

    def __init__(
        self,
        task_id: str | None = None,
        *,
        duration: str | int | float | timedelta | Expression | None = None,
        until: str | datetime | Expression | None = None,
        event: str | Expression | Trigger | None = None,
        **options: Unpack[StepOptions],
    ) -> None:
        wait: dict[str, Any] = {}
        if duration is not None:
            expression = isinstance(duration, Expression)
            wait["for"] = str(duration) if expression else duration_text(duration, "duration")
        if until is not None:
            wait["until"] = _until(until)
        if isinstance(event, Trigger):
            wait["event"] = _spec_of(event)
        elif event is not None:
            wait["event"] = {"name": str(event)}
            if "condition" in options:
                wait["event"]["if"] = condition_text(options.pop("condition"), "condition")
        if not wait:
            raise misuse("WaitOperator needs duration, until or event", hint='WaitOperator(duration="10m")')
        super().__init__(task_id, {"wait": wait}, options)
        if "if" in wait.get("event", {}) and not isinstance(event, Trigger):
            self.paths["condition"] = "wait/event/if"


class WorkflowOperator(Operator):
    """A step that runs another workflow, as a child of this run; its output is the step's.

    Args:
        workflow: The other workflow's name.
        version: Which of its versions; the newest when the step starts, without it.
        params: Its params; expressions allowed.
    """

    arguments: ClassVar = {"workflow": "workflow", "version": "workflow/version", "params": "with"}
    inherits = False

    def __init__(
        self,
        task_id: str | None = None,
        workflow: str | None = None,
        *,
        version: int | None = None,
        params: Mapping[str, Any] | None = None,
        **options: Unpack[StepOptions],
    ) -> None:
        if workflow is None:
            name = type(self).__name__
            raise misuse(f"{name} needs workflow", hint='WorkflowOperator(workflow="train-digits")')
        keys = {"workflow": workflow if version is None else {"name": workflow, "version": version}}
        super().__init__(task_id, keys | ({} if params is None else {"with": plain(params, "params")}), options)


class TriggerDagRunOperator(WorkflowOperator):
    """`WorkflowOperator` under Airflow's name. It waits for the other workflow, as if by `wait_for_completion=True`.

    Args:
        trigger_dag_id: The other workflow's name.
        conf: Its params; expressions allowed.
        wait_for_completion: Nothing but True is possible.
    """

    arguments: ClassVar = {"trigger_dag_id": "workflow", "conf": "with", "wait_for_completion": ""}

    def __init__(
        self,
        task_id: str | None = None,
        trigger_dag_id: str | None = None,
        *,
        conf: Mapping[str, Any] | None = None,
        wait_for_completion: bool = True,
        **options: Unpack[StepOptions],
    ) -> None:
        if trigger_dag_id is None:
            hint = 'TriggerDagRunOperator(trigger_dag_id="train-digits")'
            raise misuse("TriggerDagRunOperator needs trigger_dag_id", hint=hint)
        if not wait_for_completion:
            raise not_supported("wait_for_completion=False", hint="the step waits for the other workflow: leave it out")
        super().__init__(task_id, trigger_dag_id, params=conf, **options)


def _until(value: Any) -> str:
    if isinstance(value, Expression | str):
        return str(value)
    text = start_text(value, None, "until")
    return f"{text}T00:00:00Z" if isinstance(value, date) and "T" not in text else text


def _spec_of(trigger: Trigger) -> dict[str, Any]:
    """Return what an `event(...)` says, for a step that waits for it."""
    spec = trigger.definition.get("event")
    if spec is None or "params" in trigger.definition:
        hint = 'event="dataset.published", or event=event("dataset.published", condition=...)'
        raise misuse("a step cannot wait for this trigger", hint=hint)
    return dict(spec)
