"""A server that lets the test's own user in: Debian's sshd, or asyncssh's server where that is not installed."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from tests.waiting import until
from workers.ports import choose_ports

CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized
PidFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
StrictModes no
UsePAM no
"""


@dataclass
class Sshd:
    """A running server."""

    folder: Path
    port: int

    def inputs(self, command: str, **more: Any) -> dict[str, Any]:
        """Return what an ssh step is given to run a command here."""
        given = {"host": "127.0.0.1", "port": self.port, "key": str(self.folder / "user")}
        return given | {"known_hosts": str(self.folder / "known_hosts"), "command": command, **more}


class Relay:
    """A port before the server's, whose connections can be cut."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> int:
        """Listen, and return the port."""
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def cut(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += [writer, inner_writer]
        await asyncio.gather(self._pass(reader, inner_writer), self._pass(inner_reader, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)


@contextmanager
def running_sshd(folder: Path) -> Iterator[Sshd]:
    """Start a server on a free port, with new keys; stop it on leaving."""
    for name in ("host", "user", "stranger"):
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(folder / name)
        (folder / name).chmod(0o600)
    public = {name: asyncssh.read_private_key(folder / name).export_public_key().decode() for name in ("host", "user")}
    (folder / "authorized").write_text(public["user"])
    port = choose_ports(folder / "ports.json", {"ssh": None})["ssh"]
    (folder / "known_hosts").write_text(f"* {public['host']}")
    (folder / "config").write_text(CONFIG.format(port=port, folder=folder))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(_command(folder, port), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        until(lambda: b"istening" in (folder / "log").read_bytes(), what="the ssh server's start")
        yield Sshd(folder, port)
    finally:
        process.kill()
        process.wait()


def _command(folder: Path, port: int) -> list[str]:
    found = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if found is None:
        return [sys.executable, "-m", "tests.activities.sshd", str(folder), str(port)]
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where it keeps those apart who are not logged in yet
    return [found, "-D", "-e", "-f", str(folder / "config")]


async def _serve(folder: Path, port: int) -> None:
    """Serve with asyncssh: like sshd, it closes a command's input when the connection goes, and lets it live on."""

    async def run(process: asyncssh.SSHServerProcess[bytes]) -> None:
        pipe = subprocess.PIPE
        command = await asyncio.create_subprocess_shell(process.command or "true", stdin=pipe, stdout=pipe, stderr=pipe)
        await process.redirect(stdin=command.stdin, stdout=command.stdout, stderr=command.stderr)
        process.exit(await command.wait())

    keys = {"server_host_keys": [str(folder / "host")], "authorized_client_keys": str(folder / "authorized")}
    server = await asyncssh.listen("127.0.0.1", port, process_factory=run, encoding=None, **keys)
    print("Listening for", getpass.getuser(), flush=True)
    await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
