"""One part of the embedded stack: a child process with a log file, started, watched, started again, stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

import workers.die_with_parent

RESTARTS_ALLOWED = 5
RESTART_WINDOW_SECONDS = 30.0
LOG_BYTES_KEPT = 8 * 1024 * 1024


class Part:
    """A child process of the stack.

    It dies with the process that started it; on Linux, with the *thread* that did (prctl(2), PR_SET_PDEATHSIG), so
    one thread starts all parts and lives as long as the stack.

    Attributes:
        name: What people call it: `worker gpu`.
        log_path: Where its output goes; the previous content is kept up to `LOG_BYTES_KEPT`.
    """

    def __init__(self, name: str, command: list[str], environment: dict[str, str], folder: Path) -> None:
        self.name = name
        self.log_path = folder / f"{name.replace(' ', '-')}.log"
        self._command = command
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._starts: deque[float] = deque(maxlen=RESTARTS_ALLOWED)

    def start(self) -> None:
        """Start the process; its output is appended to the log."""
        self._starts.append(time.monotonic())
        if self.log_path.exists() and self.log_path.stat().st_size > LOG_BYTES_KEPT:
            self.log_path.replace(self.log_path.with_suffix(".log.1"))
        launcher = [sys.executable, "-S", "-P", workers.die_with_parent.__file__, str(os.getpid())]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*launcher, *self._command],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the terminal goes to the stack alone, which stops its parts in order.
                start_new_session=True,
            )

    @property
    def pid(self) -> int | None:
        """The process id, or None before the first start."""
        return self._process.pid if self._process else None

    def exit_status(self) -> int | None:
        """Return how the process ended (negative: by that signal), or None while it lives."""
        return self._process.poll() if self._process else None

    def may_restart(self) -> bool:
        """Whether it has not died `RESTARTS_ALLOWED` times within `RESTART_WINDOW_SECONDS`."""
        full = len(self._starts) == RESTARTS_ALLOWED
        return not (full and time.monotonic() - self._starts[0] < RESTART_WINDOW_SECONDS)

    def ask_to_stop(self) -> None:
        """Send SIGTERM, if it lives."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def stop(self, deadline: float) -> None:
        """Wait for the end until `deadline` (monotonic seconds), then kill."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log_tail(self, lines: int = 8) -> str:
        """Return the last lines of the log, for a message to a person."""
        if not self.log_path.exists():
            return ""
        with self.log_path.open("rb") as log:
            log.seek(max(0, self.log_path.stat().st_size - 8192))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
