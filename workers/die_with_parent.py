"""Runs a command that ends when the process that started this one ends, even by SIGKILL. Standard library only.

`python die_with_parent.py COMMAND [ARGUMENT ...]`. On Linux the kernel sees to it (PR_SET_PDEATHSIG) and the command
takes this process's place; elsewhere this process stays and watches.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def main(parent: int, command: list[str]) -> None:
    """Become `command`, or watch over it; `parent` is the process that must live."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the kernel knew
            sys.exit(1)
        os.execvp(command[0], command)
    child = subprocess.Popen(command)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: child.send_signal(received))
    while child.poll() is None:
        if os.getppid() != parent:
            child.kill()
        time.sleep(0.2)
    sys.exit(child.returncode)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
