"""The service is found by explicit values, the environment, or the file of a local one."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from segue import Client, ServiceUnreachable, Unauthorized
from segue.discovery import find_service

HERE = {"api_url": "http://127.0.0.1:8080", "api_key": "local", "ui_url": "http://127.0.0.1:8080/#key=local"}


def announce(folder: Path, **more: object) -> None:
    (folder / ".segue").mkdir(parents=True, exist_ok=True)
    (folder / ".segue" / "service.json").write_text(json.dumps({**HERE, "pid": os.getpid(), **more}))


def test_a_local_service_is_found_in_a_folder_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    announce(tmp_path, temporal_ui_url="http://127.0.0.1:8233")
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    address = find_service()
    assert (address.api_url, address.api_key, address.ui_url) == tuple(HERE.values())
    assert address.temporal_ui_url == "http://127.0.0.1:8233"


def test_the_nearest_service_wins_and_dead_ones_do_not_count(tmp_path: Path) -> None:
    announce(tmp_path, api_key="far")
    announce(tmp_path / "near", api_key="near")
    assert find_service(start=tmp_path / "near").api_key == "near"
    ended = subprocess.Popen(["true"])
    ended.wait()
    announce(tmp_path / "near", api_key="near", pid=ended.pid)
    assert find_service(start=tmp_path / "near").api_key == "far"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"api_url": 1, "pid": "x"}', "\xff"])
def test_a_damaged_service_file_does_not_count(tmp_path: Path, content: str) -> None:
    announce(tmp_path)
    (tmp_path / ".segue" / "service.json").write_text(content, encoding="latin-1")
    with pytest.raises(ServiceUnreachable, match="No Segue service is known here"):
        find_service(start=tmp_path)


def test_a_service_file_of_somebody_else_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    announce(tmp_path)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(ServiceUnreachable):
        find_service(start=tmp_path)


def test_the_environment_comes_before_files_and_explicit_values_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(tmp_path)
    monkeypatch.setenv("SEGUE_API_URL", "https://segue.example/")
    with pytest.raises(Unauthorized, match="There is no API key for"):
        find_service(start=tmp_path)
    monkeypatch.setenv("SEGUE_API_KEY", "theirs")
    assert find_service(start=tmp_path).api_key == "theirs"
    assert find_service("http://other", "mine", tmp_path).api_url == "http://other"
    assert find_service(start=tmp_path).api_url == "https://segue.example"


@pytest.mark.parametrize(("url", "key"), [("ftp://x", "k"), ("nonsense", "k"), ("http://127.0.0.1:1", "schlüssel")])
def test_an_address_that_is_none_is_refused_before_anything_is_sent(url: str, key: str) -> None:
    with pytest.raises(ServiceUnreachable, match="is not the address of a service"):
        Client(url, key)


def test_the_page_of_a_run_keeps_the_browsers_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    announce(tmp_path)
    monkeypatch.chdir(tmp_path)
    with Client() as client:
        assert client.run_url("flow-1") == "http://127.0.0.1:8080/runs/flow-1#key=local"
