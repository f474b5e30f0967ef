"""What a named operator is given: its inputs as a model, and the connections that a worker has.

A message about an input never repeats its value, which may be a secret.
"""

from __future__ import annotations

import os
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from activities.errors import StepFailed
from activities.references import refuse_files
from workflows.messages import JSON

CONNECTION = "SEGUE_CONNECTION_"
_M = TypeVar("_M", bound="Given")


class Given(BaseModel):
    """Inputs of an operator, as its worker gets them: every expression has its value."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def given(model: type[_M], values: JSON, where: str = "with") -> _M:
    """Return values as a model.

    Raises:
        StepFailed: `InputInvalid`, naming what does not fit.
    """
    refuse_files(values, where)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = [
            f"{'.'.join([where, *map(str, each['loc'])])}: {each['msg']}" for each in error.errors(include_input=False)
        ]
        raise StepFailed("InputInvalid", "; ".join(problems), retryable=False) from None


def connection(name: str) -> str:
    """Return the URL that this worker has by a name.

    Raises:
        StepFailed: `InputInvalid`: it has none.
    """
    variable = CONNECTION + name.upper()
    url = os.environ.get(variable)
    if not url:
        message = f'this worker has no connection "{name}": set {variable} where it is started, to the URL'
        raise StepFailed("InputInvalid", message, retryable=False)
    return url
