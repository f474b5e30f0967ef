"""A command on another machine, over SSH: its output live in the log, and its end with the step.

sshd leaves a command running when its connection goes. So a supervisor runs there (`SUPERVISOR`), whose input is the
connection: a line a few seconds says that somebody still wants the command, and its end, or silence, that nobody does.
The command is in a session of its own, which is killed, and so is every process that has its variables.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncssh

from activities.attempt import Attempt
from activities.errors import StepFailed
from activities.logs import READ_BYTES, Stream
from activities.operators.shell import parse_output
from activities.operators.ssh import SshGiven
from activities.process import Exit
from activities.values import MAX_DOCUMENT_BYTES, invalid

CONNECT_SECONDS = 30.0
ALIVE_SECONDS = 5.0
"""How often the supervisor is told that the step goes on; it gives up after `SILENCE_MINUTES`."""
SILENCE_MINUTES = 1
LOOK_SECONDS = 10
LOST_SECONDS = 5.0
LOST_COUNT = 6
"""After so many unanswered questions, so many seconds apart, the machine counts as gone."""
CLOSE_SECONDS = 5.0
END_SECONDS = 10.0
"""What the other machine gets to end the command when the step is over."""

SUPERVISOR = r"""
umask 077
d=$1 end=$2 quiet=$3 look=$4 unwanted=
mkdir "$d" || exit 126
while IFS= read -r line && [ "$line" != "$end" ]; do printf '%s\n' "$line"; done >"$d/script"
[ "$line" = "$end" ] || { rm -rf "$d"; exit 126; }
: >"$d/output"; : >"$d/alive"
command -v setsid >/dev/null || { echo "this machine has no setsid (util-linux)" >&2; rm -rf "$d"; exit 126; }
SEGUE_OUTPUT=$d/output setsid sh -e "$d/script" </dev/null &
pid=$!
sweep() {
  kill -KILL -- "-$pid"
  for each in $(grep -las "SEGUE_OUTPUT=$d/output" /proc/[0-9]*/environ); do
    each=${each#/proc/}; kill -KILL "${each%/environ}"
  done
} 2>/dev/null
abandon() {
  : >"$d/over"
  kill -TERM -- "-$pid" 2>/dev/null
  n=0; while [ $n -lt 20 ] && kill -0 -- "-$pid" 2>/dev/null; do n=$((n + 1)); sleep 0.1; done
  sweep; rm -rf "$d"
}
exec 3<&0
{ while IFS= read -r line; do : >"$d/alive"; done; abandon; } <&3 >/dev/null 2>&1 &
reader=$!
{ while sleep "$look"; do
    [ -n "$(find "$d/alive" -mmin "-$quiet" 2>/dev/null)" ] || { abandon; break; }
  done; } </dev/null >/dev/null 2>&1 3<&- &
timer=$!
wait "$pid"
code=$?
[ -e "$d/over" ] && unwanted=1
kill "$timer" "$reader"
sweep
[ -z "$unwanted" ] || rm -rf "$d"
exit $code
"""
"""POSIX sh. It gets the script on its input, up to a line that says so: a command line is read by everybody there."""


class RemoteCommand:
    """The command of one attempt on the other machine."""

    def __init__(self, attempt: Attempt, connection: asyncssh.SSHClientConnection, host: str) -> None:
        self._attempt = attempt
        self._connection = connection
        self._host = host
        self._folder = f"/tmp/segue-{secrets.token_hex(12)}"

    async def run(self, script: bytes) -> Exit:
        """Run a script; on return, also by cancellation, nothing of it is left there, if the machine can be reached.

        Raises:
            StepFailed: `SshError`: the connection was lost.
        """
        end = secrets.token_hex(12)
        arguments = shlex.join([SUPERVISOR, "segue", self._folder, end, str(SILENCE_MINUTES), str(LOOK_SECONDS)])
        try:
            process = await self._connection.create_process(f"exec sh -c {arguments}", encoding=None)
        except (OSError, asyncssh.Error) as error:
            raise _lost(self._host, error) from None
        pumps = [asyncio.create_task(self._copy("stdout", process)), asyncio.create_task(self._copy("stderr", process))]
        alive = asyncio.create_task(self._say_so(process))
        try:
            process.stdin.write(script + f"\n{end}\n".encode())
            await process.wait_closed()
            return self._exit(process)
        except OSError as error:
            raise _lost(self._host, error) from None
        finally:
            alive.cancel()
            # Its end is the supervisor's order to kill.
            with contextlib.suppress(OSError, TimeoutError):
                process.stdin.write_eof()
                await asyncio.wait_for(process.wait_closed(), END_SECONDS)
            process.close()
            await asyncio.wait(pumps, timeout=END_SECONDS)

    async def output(self) -> dict[str, str]:
        """Return the values in `$SEGUE_OUTPUT`, whose folder is removed.

        Raises:
            StepFailed: `SshError`, `OutputInvalid`.
        """
        folder = shlex.quote(self._folder)
        command = f"head -c {MAX_DOCUMENT_BYTES + 1} {folder}/output; rm -rf {folder}"
        try:
            data = (await self._connection.run(command, encoding=None)).stdout
        except (OSError, asyncssh.Error) as error:
            raise _lost(self._host, error) from None
        assert isinstance(data, bytes)
        if len(data) > MAX_DOCUMENT_BYTES:
            raise invalid("$SEGUE_OUTPUT", f"has more than {MAX_DOCUMENT_BYTES:,} bytes")
        try:
            return parse_output(data.decode())
        except UnicodeDecodeError as error:
            raise invalid("$SEGUE_OUTPUT", f"is not UTF-8 (byte {error.start})") from None

    def _exit(self, process: asyncssh.SSHClientProcess[bytes]) -> Exit:
        if process.exit_signal is not None:
            return Exit(code=255)
        if process.exit_status is None:
            raise _lost(self._host, "the connection was lost")
        return Exit(code=process.exit_status)

    async def _copy(self, stream: Stream, process: asyncssh.SSHClientProcess[bytes]) -> None:
        reader = process.stdout if stream == "stdout" else process.stderr
        with contextlib.suppress(OSError, asyncssh.Error):
            while data := await reader.read(READ_BYTES):
                await self._attempt.log.write(stream, data)

    async def _say_so(self, process: asyncssh.SSHClientProcess[bytes]) -> None:
        with contextlib.suppress(OSError):
            while True:
                await asyncio.sleep(ALIVE_SECONDS)
                process.stdin.write(b"\n")


@contextlib.asynccontextmanager
async def connected(wanted: SshGiven) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """Yield a connection to a machine whose key is known; nothing of the worker's own SSH configuration counts.

    Raises:
        StepFailed: `SshError`, `InputInvalid`: it cannot be had.
    """
    connection = await _connect(wanted)
    try:
        yield connection
    finally:
        connection.close()
        with contextlib.suppress(OSError, TimeoutError, asyncssh.Error):
            await asyncio.wait_for(connection.wait_closed(), CLOSE_SECONDS)
        connection.abort()


async def _connect(wanted: SshGiven) -> asyncssh.SSHClientConnection:
    known_hosts = _readable("known_hosts", wanted.known_hosts or "~/.ssh/known_hosts")
    who: dict[str, Any] = {"username": wanted.user} if wanted.user else {}
    who |= {"client_keys": [_readable("key", wanted.key)]} if wanted.key else {}
    where = f"{wanted.host}:{wanted.port}"
    try:
        return await asyncssh.connect(
            wanted.host,
            wanted.port,
            known_hosts=known_hosts,
            config=None,
            agent_path=None,
            connect_timeout=CONNECT_SECONDS,
            keepalive_interval=LOST_SECONDS,
            keepalive_count_max=LOST_COUNT,
            **who,
        )
    except asyncssh.HostKeyNotVerifiable as error:
        hint = (
            f"if it is the right machine, add what `ssh-keyscan -p {wanted.port} {wanted.host}` says to {known_hosts}"
        )
        raise StepFailed("SshError", f"{where}: {error.reason}: {hint}", retryable=False) from None
    except asyncssh.PermissionDenied as error:
        hint = "is the right key given, and does the machine know it?"
        raise StepFailed("SshError", f"{where}: {error.reason}: {hint}", retryable=False) from None
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        raise StepFailed("InputInvalid", f"with.key: {error}", retryable=False) from None
    except (OSError, asyncssh.Error) as error:
        raise _lost(where, error) from None


def _readable(name: str, path: str) -> str:
    found = Path(path).expanduser()
    if not os.access(found, os.R_OK):
        raise StepFailed("InputInvalid", f"with.{name}: this worker cannot read {path}", retryable=False)
    return str(found)


def _lost(where: str, why: object) -> StepFailed:
    return StepFailed("SshError", f"{where}: {why or type(why).__name__}")
