"""Starts the processes of steps and leaves nothing of them behind. A script of its own; standard library only.

`python guard.py FD`: a small process that forks a *guard* for each step on request. The guard starts the step's command
in a session of its own and stays until it is over. Then, or when it is told to, or when the worker's end of its socket
closes (so also when the worker was killed), it kills all that is left: the process group, and on Linux, as the
reaper of orphans, daemons that left the group. Forking from this process costs 1 ms, a fresh interpreter 15.

A request is one byte with four file descriptors: the job as JSON `{"argv", "env", "cwd", "after", "nested"}`, the
command's stdout and stderr, and the guard's socket. On that the worker sends `t` (SIGTERM to the group, or to what a
`nested` job's program holds) or closes it (SIGKILL to all); the guard sends `{"started": pid}`, then `{"exit": code}`,
`{"signal": number}` or `{"refused": text}`, and closes it.

`activities.warm` runs this script in the interpreters of Python steps, too. There a job has `folder`, and the process
that is forked for it does not become a command: it goes on with that step itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
PR_SET_CHILD_SUBREAPER = 36
LINUX = sys.platform == "linux"
PRCTL = ctypes.CDLL(None).prctl if LINUX else None
AFTER_SECONDS = 30.0
SWEEP_SECONDS = 5.0
"""A fork bomb may outrun the sweep for a while; no step holds its worker longer than this."""


def main(requests: socket.socket) -> dict[str, Any] | None:
    """Fork a guard for each request until the worker closes its end.

    Returns:
        None to this process, at the end; to a process that was forked for a job with `folder`, that job.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the end of the worker ends us, not the terminal
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the guards
    while True:
        data, received, _, _ = socket.recv_fds(requests, 1, 4)
        if not data:
            return None
        if os.fork() == 0:
            requests.close()
            job = None
            try:
                job = guard(*received)
            finally:
                if job is None:
                    os._exit(0)
            return job
        for descriptor in received:
            os.close(descriptor)


def guard(job: int, stdout: int, stderr: int, control: int) -> dict[str, Any] | None:
    """Run one command, report how it ended, and clear up after it; see `main` for what it returns."""
    if PRCTL:
        PRCTL(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for descriptor in (job, stdout, stderr, control):
        os.set_inheritable(descriptor, False)  # unlike those that Python opens, these would reach the command
    worker = socket.socket(fileno=control)
    wake, wakened = os.pipe()
    os.set_blocking(wakened, False)
    signal.set_wakeup_fd(wakened, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    with os.fdopen(job) as file:
        command = json.load(file)
    me = os.getpid()
    child = os.fork()
    if child == 0:
        return execute(command, stdout, stderr, worker, me)
    os.close(stdout)
    os.close(stderr)
    send(worker, {"started": child})
    status = watch(child, worker, wake, bool(command.get("nested")))
    sweep()
    if command.get("after"):
        conclude(command)
    if os.WIFSIGNALED(status):
        send(worker, {"signal": os.WTERMSIG(status)})
    else:
        send(worker, {"exit": os.WEXITSTATUS(status)})
    return None


def execute(
    command: dict[str, Any], stdout: int, stderr: int, worker: socket.socket, parent: int
) -> dict[str, Any] | None:
    """Become the command; returns to a job with `folder` alone."""
    ready = False
    try:
        os.setsid()
        if PRCTL:
            PRCTL(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        # What Python and this script changed would otherwise be inherited.
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
        os.chdir(command["cwd"])
        if "folder" in command:
            start_anew(command["env"], worker)
            ready = True
            return command
        os.execvpe(command["argv"][0], command["argv"], command["env"])
    except (OSError, ValueError) as error:
        send(worker, {"refused": f"{command['argv'][0]}: {getattr(error, 'strerror', None) or error}"})
    finally:
        if not ready:
            os._exit(127)
    return None


def start_anew(env: dict[str, str], worker: socket.socket) -> None:
    """Make this process look as one whose interpreter has just started."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("SIGPIPE", "SIGXFZ", "SIGXFSZ"):  # which every Python ignores, those that the platform has
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    os.environ.clear()
    os.environ.update(env)
    worker.detach()  # it must not close a number that is somebody else's by then
    for entry in [*Path("/dev/fd").iterdir()]:
        if int(entry.name) > 2:
            with contextlib.suppress(OSError):  # that of the listing itself
                os.close(int(entry.name))


def watch(child: int, worker: socket.socket, wake: int, nested: bool) -> int:
    """Wait for the command to end or the worker to ask for it; kill its group; return its wait status."""
    sources: list[Any] = [worker, wake]
    while (status := reap(child)) is None:
        for ready in select.select(sources, [], [])[0]:
            if ready is wake:
                os.read(wake, 1024)
            elif worker.recv(1) == b"t":
                terminate(child, nested)
            else:
                kill_group(child, signal.SIGKILL)
                os.kill(child, signal.SIGKILL)  # it may not have its group yet
                return os.waitpid(child, 0)[1]
    # A group's number is not given away while it has members, so this can meet nobody else.
    kill_group(child, signal.SIGKILL)
    return status


def reap(child: int) -> int | None:
    """Reap what has ended; return the command's wait status if that is among it."""
    while True:
        process, status = os.waitpid(-1, os.WNOHANG)
        if process in (0, child):
            return status if process else None


def terminate(child: int, nested: bool) -> None:
    """Ask a command to end: its process group; of a sandbox, all but the program that holds it."""
    if not nested:
        kill_group(child, signal.SIGTERM)
    for process in descendants(child) if nested else ():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGTERM)


def kill_group(child: int, number: int) -> None:
    """Send a signal to the command's process group, if there still is one."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # not there yet, or nothing but zombies
        os.killpg(child, number)


def sweep() -> None:
    """Kill and reap every descendant, again and again until there is none."""
    until = time.monotonic() + SWEEP_SECONDS
    while time.monotonic() < until:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        for process in descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.001)


def conclude(command: dict[str, Any]) -> None:
    """Run what ends the command's work elsewhere, such as a container whose client was killed."""
    import subprocess  # only these steps need it

    devnull = subprocess.DEVNULL
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(
            command["after"], env=command["env"], stdin=devnull, stdout=devnull, stderr=devnull, timeout=AFTER_SECONDS
        )


def descendants(root: int) -> list[int]:
    """Return the processes below `root`; empty where there is no /proc (there, orphans are not ours to reap)."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat") if LINUX else ():
        with contextlib.suppress(OSError):
            parent = int(entry.read_bytes().rpartition(b")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.parent.name))
    found, open_ends = [], [root]
    while open_ends:
        below = children.get(open_ends.pop(), [])
        found += below
        open_ends += below
    return found


def send(worker: socket.socket, message: dict[str, object]) -> None:
    """Tell the worker, if it is still there."""
    with contextlib.suppress(OSError):
        worker.sendall(json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    os.closerange(int(sys.argv[1]) + 1, 65_536)  # whatever else the worker had open and inheritable
    main(socket.socket(fileno=int(sys.argv[1])))
