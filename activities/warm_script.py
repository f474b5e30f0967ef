"""What an interpreter for Python steps does besides `activities.guard`: its beginning, and the end of its forks.

Like the guard, a script of its own for Python 3.9 and later; it is never imported there. Standard library only.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HARMLESS = ("_virtualenv.pth", "distutils-precedence.pth")
"""Files of site-packages that run code at an interpreter's start, and look at nothing."""
MAX_OBJECTS = 5_000
FILES = (io.FileIO, io.BufferedReader, io.BufferedWriter, io.BufferedRandom, io.TextIOWrapper, io.StringIO, io.BytesIO)
"""Their only work at the end is to write what they hold."""


LOOSE_ENDS = ("generator", "coroutine", "async_generator", "CDLL", "PyDLL")
"""Types whose objects may have something to do at the end: code behind a `yield`, a library that was opened."""


def serve(
    loaded: set[str],
    main: Callable[[socket.socket], dict[str, Any] | None],
    send: Callable[[socket.socket, dict[str, object]], None],
    strict: bool,
) -> dict[str, Any] | None:
    """Serve the requests on descriptor 3.

    Args:
        loaded: The modules that a fresh interpreter has when it begins with a step.
        main: The guard's.
        send: The guard's.
        strict: Whether what runs at this interpreter's start may have looked at the variables of a step.

    Returns:
        As the guard's `main`.
    """
    os.closerange(4, 65_536)
    os.chdir("/")
    requests = socket.socket(fileno=3)
    requests.set_inheritable(False)
    fit = not has_threads() and not (strict and unfit())
    names = sorted({name.partition(".")[0] for name in sys.modules} - loaded)
    send(requests, {"fit": fit, "modules": names})
    gc.collect()
    gc.freeze()  # what is here is shared with the forks for as long as nobody writes to it
    return main(requests)


def has_threads() -> bool:
    """Tell whether something goes on beside this thread, which a fork would leave in the middle."""
    threads = Path("/proc/self/task")
    return threads.exists() and len([*threads.iterdir()]) > 1


def unfit() -> bool:
    """Tell whether what ran at this interpreter's start may depend on its variables."""
    if {"sitecustomize", "usercustomize"} & {*sys.modules}:
        return True
    for folder in {*sys.path}:
        for file in Path(folder).glob("*.pth") if "site-packages" in folder or "dist-packages" in folder else ():
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            harmless = file.name in HARMLESS or file.name.startswith("__editable__")
            if not harmless and any(line.startswith(("import ", "import\t")) for line in lines):
                return True
    return False


def leave(code: int) -> None:
    """End this process at once, where nobody can tell it from the end of an interpreter; else return.

    Taking an interpreter apart writes to all its memory, which a fork must copy first: 10 ms, more than all the rest.
    That nobody can tell is only so of steps without libraries in C, which may have work to do at the end, and without
    objects that want to hear of it.
    """
    try:
        if _is_plain():
            _flush()
            os._exit(code)
    except Exception:
        return  # the step's objects may be of any kind: then its end is the usual one


def _is_plain() -> bool:
    """Wait for the step's threads, run what it has registered, and tell whether nothing but files is left to end."""
    if any(_in_c(module) for module in [*sys.modules.values()]):
        return False
    if "threading" in sys.modules:
        sys.modules["threading"]._shutdown()  # as every interpreter does
        if sys.modules["threading"].active_count() > 1:
            return False
    objects = gc.get_objects()
    if len(objects) > MAX_OBJECTS or any(_wants_to_know(each) for each in objects):
        return False
    if "atexit" in sys.modules:
        sys.modules["atexit"]._run_exitfuncs()
    return True


def _flush() -> None:
    for each in gc.get_objects():
        if type(each) in FILES:
            with contextlib.suppress(OSError, ValueError):  # closed, or detached from its file
                each.flush()
    sys.stdout.flush()
    sys.stderr.flush()
    if "ctypes" in sys.modules:  # the guard's; what C has printed is in a buffer of its own
        sys.modules["ctypes"].CDLL(None).fflush(None)


def _in_c(module: Any) -> bool:
    """Tell whether a module is a library in C of the step's environment; those of Python itself have no such ends."""
    file = getattr(module, "__file__", None) or ""
    return file.endswith((".so", ".pyd", ".dylib")) and "lib-dynload" not in file


def _wants_to_know(each: Any) -> bool:
    """Tell whether an object does something when it goes."""
    kind = type(each)
    if kind in FILES:
        return False
    return kind.__name__ in LOOSE_ENDS or hasattr(kind, "__del__")
