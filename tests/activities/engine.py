"""A container engine for tests, since there is none here: a `docker` that hands commands to a server which runs them.

As with the real one, what runs is no child of the client: it goes on when the client is killed, until `rm --force`.
Commands really run, on this machine, with the variables, the working directory and the entrypoint that were asked for.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

CLIENT = """#!{python} -IS
import json, os, signal, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
server.sendall(json.dumps([sys.argv[1:], dict(os.environ)]).encode() + b"\\n")
socket.send_fds(server, [b"f"], [1, 2])
signal.signal(signal.SIGTERM, lambda *_: server.sendall(b"t"))
sys.exit(int(server.makefile().readline() or 1))
"""
WITH_VALUE = {"name", "label", "pull", "mount", "user", "userns", "workdir", "env", "entrypoint"}
SWITCHES = {"rm", "init"}


class Engine:
    """The server: its containers by name, and every command line that clients gave."""

    def __init__(self, folder: Path) -> None:
        self.calls: list[list[str]] = []
        self.environments: list[dict[str, str]] = []
        self.containers: dict[str, subprocess.Popen[bytes]] = {}
        self.path = folder / "bin"
        self.path.mkdir()
        address = str(folder / "engine")
        client = self.path / "docker"
        client.write_text(CLIENT.format(python=sys.executable, address=address))
        client.chmod(0o755)
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(address)
        self._server.listen()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for container in self.containers.values():
            _kill(container, signal.SIGKILL)

    def _answer(self, connection: socket.socket) -> None:
        line = b""
        while not line.endswith(b"\n"):
            line += connection.recv(1)
        arguments, env = json.loads(line)
        _, streams, _, _ = socket.recv_fds(connection, 1, 2)
        self.calls.append(arguments)
        self.environments.append(env)
        code = (
            self._remove(arguments[-1]) if arguments[0] == "rm" else self._run(arguments[1:], env, streams, connection)
        )
        for stream in streams:
            os.close(stream)
        with suppress(OSError):
            connection.sendall(f"{code}\n".encode())
        connection.close()

    def _remove(self, name: str) -> int:
        container = self.containers.pop(name, None)
        if container is not None:
            _kill(container, signal.SIGKILL)
            container.wait()
        return 0

    def _run(self, arguments: list[str], env: dict[str, str], streams: list[int], client: socket.socket) -> int:
        options, image, command = _parsed(arguments)
        if image == "no-such-image":
            os.write(streams[1], b"docker: Error response from daemon: pull access denied for no-such-image.\n\n")
            os.write(streams[1], b"Run 'docker run --help' for more information\n")
            return 125
        variables = [each.partition("=") for each in options["env"]]
        container = subprocess.Popen(
            [*options["entrypoint"][:1], *command],
            cwd=options["workdir"][0],
            env={"PATH": os.environ["PATH"]} | {name: value if mark else env[name] for name, mark, value in variables},
            stdin=subprocess.DEVNULL,
            stdout=streams[0],
            stderr=streams[1],
            start_new_session=True,
        )
        self.containers[options["name"][0]] = container
        threading.Thread(target=_forward, args=(client, container), daemon=True).start()
        code = container.wait()
        self.containers.pop(options["name"][0], None)
        return code if code >= 0 else 128 - code


def _parsed(arguments: list[str]) -> tuple[dict[str, Any], str, list[str]]:
    options: dict[str, list[str]] = {name: [] for name in WITH_VALUE}
    rest = iter(arguments)
    for argument in rest:
        name = argument.removeprefix("--")
        if not argument.startswith("--"):
            return options, argument, [*rest]
        if name in WITH_VALUE:
            options[name].append(next(rest))
        else:
            assert name in SWITCHES, argument
    raise AssertionError("no image")


def _forward(client: socket.socket, container: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        while client.recv(1) == b"t":
            _kill(container, signal.SIGTERM)


def _kill(container: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(container.pid, number)


@contextmanager
def running_engine(folder: Path) -> Iterator[Engine]:
    """Start an engine; its `docker` is in `path`."""
    engine = Engine(folder)
    thread = threading.Thread(target=engine.serve, daemon=True)
    thread.start()
    try:
        yield engine
    finally:
        engine.close()
        thread.join()
