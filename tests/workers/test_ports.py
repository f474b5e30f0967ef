from __future__ import annotations

import socket
from pathlib import Path

from workers.ports import FIRST, LAST, choose_ports


def test_ports_are_the_same_as_last_time_when_they_are_free(tmp_path: Path) -> None:
    first = choose_ports(tmp_path / "ports.json", {"api": None, "temporal": None})
    assert choose_ports(tmp_path / "ports.json", {"api": None, "temporal": None}) == first
    assert first["api"] != first["temporal"]


def test_a_port_somebody_else_took_is_replaced(tmp_path: Path) -> None:
    first = choose_ports(tmp_path / "ports.json", {"api": None})
    with socket.create_server(("127.0.0.1", first["api"])):
        assert choose_ports(tmp_path / "ports.json", {"api": None}) != first


def test_a_port_that_was_asked_for_is_kept(tmp_path: Path) -> None:
    assert choose_ports(tmp_path / "ports.json", {"api": 4711}) == {"api": 4711}


def test_a_damaged_memory_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text("[1")
    assert choose_ports(tmp_path / "ports.json", {"api": None})["api"] > 0


def test_a_port_is_none_that_the_kernel_gives_to_others(tmp_path: Path) -> None:
    """An outgoing connection or a server on any port would take it between the choice and our server's start."""
    names = [f"part-{number}" for number in range(50)]
    ports = choose_ports(tmp_path / "ports.json", dict.fromkeys(names)).values()
    assert all(FIRST <= port <= LAST for port in ports)
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not FIRST <= server.getsockname()[1] <= LAST
