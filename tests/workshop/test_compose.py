"""docker-compose.yml, as far as it can be checked without an engine; the scripts beside it run for real."""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from workers.ports import free_port
from workers.stack import Stack
from workers.temporal_server import server_command

REPOSITORY = Path(__file__).parents[2]
DEPLOY = REPOSITORY / "deploy"
BIN = Path(sys.executable).parent


def make_env(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, DEPLOY / "make_env.py", path], capture_output=True, text=True, timeout=30)


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The whole file as docker-compose understands it, with the variables that deploy/make_env.py makes."""
    env_file = tmp_path_factory.mktemp("compose") / ".env"
    assert make_env(env_file).returncode == 0
    command = [BIN / "docker-compose", "--env-file", env_file, "--file", REPOSITORY / "docker-compose.yml", "config"]
    quiet = subprocess.run([*command, "--quiet"], capture_output=True, text=True, timeout=60)
    assert (quiet.returncode, quiet.stderr) == (0, ""), quiet.stderr
    shown = subprocess.run([*command, "--format", "json"], capture_output=True, text=True, timeout=60, check=True)
    document: dict[str, Any] = json.loads(shown.stdout)
    return document


def ours(compose: dict[str, Any]) -> dict[str, Any]:
    return {name: service for name, service in compose["services"].items() if service["image"] == "segue"}


def test_every_part_is_there(compose: dict[str, Any]) -> None:
    workers = {"worker-control", "worker-cpu", "worker-gpu"}
    servers = {"postgresql", "temporal", "temporal-ui", "seaweedfs", "api"}
    once = {"temporal-schema", "temporal-namespace", "prepare"}
    assert set(compose["services"]) == workers | servers | once
    assert set(ours(compose)) == workers | {"api", "prepare"}


def test_only_the_two_pages_can_be_reached_and_from_this_machine_alone(compose: dict[str, Any]) -> None:
    published = {
        (name, port["host_ip"], port["published"])
        for name, service in compose["services"].items()
        for port in service.get("ports", [])
    }
    assert published == {("api", "127.0.0.1", "8080"), ("temporal-ui", "127.0.0.1", "8233")}
    assert compose["services"]["temporal-ui"]["environment"]["TEMPORAL_DISABLE_WRITE_ACTIONS"] == "true"


def test_no_worker_of_steps_reaches_a_database(compose: dict[str, Any]) -> None:
    assert compose["networks"]["databases"]["internal"]
    for name in ("worker-cpu", "worker-gpu"):
        service = compose["services"][name]
        assert set(service["networks"]) == {"work"}
        assert "SEGUE_DATABASE_URL" not in service["environment"]
        assert "SEGUE_API_KEY" not in service["environment"]


def test_what_runs_on_has_a_health_check_and_what_runs_once_is_waited_for(compose: dict[str, Any]) -> None:
    services = compose["services"]
    awaited = {
        (needed, how["condition"])
        for service in services.values()
        for needed, how in service.get("depends_on", {}).items()
    }
    for name, service in services.items():
        if name in ("temporal-schema", "temporal-namespace", "prepare"):
            assert (name, "service_completed_successfully") in awaited
        elif name != "temporal-ui":  # its image holds nothing but the server
            assert service["healthcheck"]["test"], name
    assert {needed for needed, how in awaited if how == "service_healthy"} == {"postgresql", "temporal", "seaweedfs"}


def test_our_containers_have_no_rights_they_do_not_need(compose: dict[str, Any]) -> None:
    for name, service in ours(compose).items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["read_only"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged", False), name


def test_every_image_and_every_mounted_file_is_named(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        if service["image"] != "segue":
            assert re.search(r":\d", service["image"]), f"{name} has no pinned version"
        for mount in service.get("volumes", []):
            if mount["type"] == "bind":
                assert Path(mount["source"]).is_file(), mount
                assert mount["read_only"], mount


def test_temporal_is_the_version_that_the_tests_run_on(compose: dict[str, Any]) -> None:
    said = subprocess.run([BIN / "temporal", "--version"], capture_output=True, text=True, timeout=60).stdout
    found = re.search(r"Server ([\d.]+), UI ([\d.]+)", said)
    assert found, said
    assert compose["services"]["temporal"]["image"] == f"temporalio/server:{found[1]}"
    assert compose["services"]["temporal-schema"]["image"] == f"temporalio/admin-tools:{found[1]}"
    assert compose["services"]["temporal-ui"]["image"] == f"temporalio/ui:{found[2]}"


def test_the_embedded_server_is_tuned_like_this_one(tmp_path: Path) -> None:
    tuned = yaml.safe_load((DEPLOY / "temporal-dynamic-config.yaml").read_text())
    embedded = server_command(tmp_path / "temporal.db", 1)
    given = [embedded[at + 1] for at, word in enumerate(embedded) if word == "--dynamic-config-value"]
    assert given, "the embedded server is not tuned at all"
    for setting in given:
        name, _, value = setting.partition("=")
        assert tuned[name] == [{"value": yaml.safe_load(value)}], setting


def test_every_flag_of_the_object_store_is_one_that_it_knows(compose: dict[str, Any]) -> None:
    command = compose["services"]["seaweedfs"]["command"]
    assert command[0] == "mini"
    shown = subprocess.run([BIN / "weed", "help", "mini"], capture_output=True, text=True, timeout=60)
    known = set(re.findall(r"^  -([\w.]+)", shown.stdout + shown.stderr, re.MULTILINE))
    assert {word.lstrip("-").partition("=")[0] for word in command[1:]} <= known


def test_every_command_of_ours_is_one_that_segue_has(compose: dict[str, Any]) -> None:
    for name, service in ours(compose).items():
        if name == "prepare":
            assert (DEPLOY / Path(service["entrypoint"][1]).name).is_file()
            continue
        words = service["command"]
        ended = subprocess.run([BIN / "segue", words[0], "--help"], capture_output=True, text=True, timeout=60)
        assert ended.returncode == 0, ended.stderr
        for option in [word for word in words if word.startswith("--")]:
            assert option in ended.stdout, f"{name}: segue {shlex.join(words)}"


@pytest.mark.parametrize("script", sorted(DEPLOY.glob("*.sh")), ids=lambda path: path.name)
def test_the_shell_scripts_are_shell(script: Path) -> None:
    assert script.stat().st_mode & stat.S_IXUSR
    ended = subprocess.run(["sh", "-n", script], capture_output=True, text=True, timeout=30)
    assert ended.returncode == 0, ended.stderr


def test_secrets_are_random_private_and_never_replaced(tmp_path: Path) -> None:
    first, second = tmp_path / "one.env", tmp_path / "two.env"
    assert make_env(first).returncode == make_env(second).returncode == 0
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    values = [line.partition("=")[2] for path in (first, second) for line in path.read_text().splitlines()]
    assert len(set(values)) == len(values)
    assert min(map(len, values)) >= 32
    before = first.read_text()
    again = make_env(first)
    assert again.returncode == 1
    assert "stays as it is" in again.stderr
    assert first.read_text() == before


def test_prepare_makes_the_tables_and_lets_the_key_in(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'segue.db'}"
    key = "k" * 40
    environment = {**os.environ, "SEGUE_DATABASE_URL": url, "SEGUE_API_KEY": key, "PYTHONPATH": str(REPOSITORY)}
    for _ in range(2):
        command = [sys.executable, DEPLOY / "prepare.py"]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 0, ended.stderr
    asked = (
        "import asyncio, sys; from store.database import Database; from store.keys import verify_key; "
        "print(asyncio.run(verify_key(Database(sys.argv[1]), sys.argv[2])))"
    )
    for given, name in ((key, "first key"), ("another", "None")):
        command = [sys.executable, "-c", asked, url, given]
        assert subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True).stdout.strip() == name


def test_prepare_refuses_a_key_that_can_be_guessed() -> None:
    environment = {**os.environ, "SEGUE_API_KEY": "short", "PYTHONPATH": str(REPOSITORY)}
    ended = subprocess.run([sys.executable, DEPLOY / "prepare.py"], env=environment, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith("SEGUE_API_KEY must be")


@pytest.mark.parametrize(("queue", "ready"), [("cpu", True), ("segue-control", True), ("nobody-serves-this", False)])
def test_a_worker_is_healthy_when_temporal_has_seen_it(stack: Stack, queue: str, ready: bool) -> None:
    environment = {**os.environ, "SEGUE_TEMPORAL_ADDRESS": str(stack.service["temporal_address"])}
    command = [sys.executable, DEPLOY / "worker_ready.py", queue]
    ended = subprocess.run(
        command, env={**environment, "PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode == 0) == ready, ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_worker_without_temporal_is_not_healthy() -> None:
    environment = {**os.environ, "SEGUE_TEMPORAL_ADDRESS": f"127.0.0.1:{free_port()}", "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, DEPLOY / "worker_ready.py", "cpu"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert "does not answer" in ended.stderr
    assert "Traceback" not in ended.stderr
