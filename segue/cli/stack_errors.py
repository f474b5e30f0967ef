"""Turns what goes wrong in the service's own parts into a paragraph and an exit code."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from segue.errors import ServiceError, SubmitError


@contextmanager
def stack_errors() -> Iterator[None]:
    """Run the embedded stack inside this block; SIGTERM ends it as Ctrl-C does, so that no process stays behind.

    Raises:
        ServiceError: It does not start, or a part of it keeps dying.
    """
    from workers.seaweedfs import SeaweedFSError
    from workers.stack import StackError
    from workers.temporal_server import TemporalNotFoundError

    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except (StackError, TemporalNotFoundError, SeaweedFSError, OSError) as error:
        raise ServiceError(str(error)) from None
    finally:
        signal.signal(signal.SIGTERM, previous)


@contextmanager
def settings_errors() -> Iterator[None]:
    """Read the settings inside this block.

    Raises:
        SubmitError: An environment variable holds something that is no setting.
    """
    from pydantic import ValidationError

    try:
        yield
    except ValidationError as error:
        lines = [f"SEGUE_{'.'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors()]
        raise SubmitError("The settings are not valid:\n  " + "\n  ".join(lines)) from None


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
