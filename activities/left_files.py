"""Reading what a step's code has left where its worker looks: it may have left anything there, such as a pipe."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def read_left(path: Path, limit: int) -> bytes:
    """Return a file's first bytes, at most `limit`; never waits for anybody.

    Raises:
        OSError: It is not there, or is no file, or cannot be read.
    """
    # Without O_NONBLOCK, to open a pipe waits until somebody writes to it: for ever, with a thread of the worker.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        return file.read(limit)
