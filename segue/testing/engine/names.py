"""Finds what a script says of steps that are none, or that cannot do what it says, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from segue.testing.mocks import MockError
from segue.testing.outside import Releasing, Script, Sending
from workflows.plan import Plan, Step


def check_script(script: Script, plan: Plan) -> None:
    """Refuse a script that does not fit a plan.

    Raises:
        MockError: With what was meant, perhaps.
    """
    known = {step.id: step for step in plan.steps}
    for name in script.mocks:
        _check_name(name, known, "steps has a mock of")
    for each in script.outside:
        match each:
            case Releasing(step=step):
                _check_name(step, known, "events releases")
                if plan.on_failure != "hold":
                    hint = "only a workflow with `on_failure: hold` holds what failed"
                    raise MockError(f'events releases "{step}", but no step is ever held', hint=hint)
            case Sending(step=step, name=event) if step:
                _check_name(step, known, f"events sends {event} after the start of")
            case Sending():
                pass
            case _:
                hint = 'it takes sends("name", payload, at="5m") and releases("step", "retry")'
                raise MockError(f"events holds {each!r}, which is neither", hint=hint)


def _check_name(name: str, known: Mapping[str, Step], what: str) -> None:
    step, _, item = name.partition("[")
    if step not in known:
        close = get_close_matches(step, known, n=1)
        hint = f'did you mean "{close[0]}"?' if close else f"there are {', '.join(known) or 'none'}"
        raise MockError(f'{what} "{name}", which is no step of the workflow', hint=hint)
    if item and known[step].map is None:
        raise MockError(f'{what} "{name}", but {step} is no map')
