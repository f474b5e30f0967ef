"""The S3 server of `segue dev --s3`."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest

from store.objects import open_object_store
from workers.seaweedfs import SeaweedFS, SeaweedFSError


def test_started_again_it_goes_on_with_what_it_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = SeaweedFS(tmp_path)
    assert not first.answers()
    first.start()
    try:
        for name, value in first.environment().items():
            monkeypatch.setenv(name, value)
        with contextlib.closing(open_object_store(first.environment()["SEGUE_OBJECT_STORE"])) as store:
            store.put("kept", b"yes")
    finally:
        first.stop()
    assert not first.answers()

    second = SeaweedFS(tmp_path)
    assert second.url == first.url
    second.start()
    try:
        with contextlib.closing(second.open()) as store:
            assert store.get("kept") == b"yes"
    finally:
        second.stop()
    assert (tmp_path / "credentials.json").stat().st_mode & 0o777 == 0o600


def test_a_start_that_fails_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = SeaweedFS(tmp_path, port=taken.getsockname()[1])
        with pytest.raises(SeaweedFSError, match="SeaweedFS"):
            server.start(timeout=5)
    assert not server.answers()
