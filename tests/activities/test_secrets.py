"""Secrets of a step: from this worker's sources to its process, and nowhere else."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest

from segue.secret_sources import MAX_SECRET_BYTES, SecretSources, SecretUnusable
from tests.activities.conftest import Steps
from tests.activities.service import Service, job
from tests.waiting import until
from workflows.messages import SecretText

CANARY = "canary-7f3a9c/+é"


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_SECRET_TOKEN", CANARY)
    monkeypatch.setenv("SEGUE_SECRET_PLAIN", "plain-canary")


def secret(*at: Any, before: str = "", behind: str = "", name: str = "TOKEN") -> SecretText:
    parts = [{"text": before}, {"secret": name}, {"text": behind}]
    return SecretText([*at], [part for part in parts if part != {"text": ""}])


async def test_a_script_gets_a_secret_and_its_log_does_not(steps: Steps) -> None:
    script = 'printf "%s" "$HEADER" | sha256sum; echo "is $HEADER"; echo "$HEADER" >&2'
    result = await steps.shell(script, env={"HEADER": None}, secrets=[secret("env", "HEADER", before="Bearer ")])
    digest = hashlib.sha256(f"Bearer {CANARY}".encode()).hexdigest()
    assert steps.log(result.folder, "stdout") == [f"{digest}  -", "is Bearer ***"]
    assert steps.log(result.folder, "stderr") == ["Bearer ***"]


async def test_a_function_gets_secrets_inside_its_arguments(steps: Steps) -> None:
    code = "def f(login, other):\n print(login); return [len(login['password']), len(login['list'][1]), other]"
    given = {"login": {"user": "u", "password": None, "list": [1, None]}, "other": "${{ secrets.TOKEN }}"}
    texts = [secret("inputs", "login", "password"), secret("inputs", "login", "list", 1, behind="!")]
    result = await steps.python(code, inputs=given, secrets=texts)
    assert result.value == [len(CANARY), len(CANARY) + 1, "${{ secrets.TOKEN }}"]
    assert CANARY not in "".join(steps.log(result.folder))
    assert "***" in "".join(steps.log(result.folder))


async def test_a_secret_printed_in_pieces_and_in_other_forms_is_hidden(steps: Steps) -> None:
    code = """
import base64, os, sys, urllib.parse
def f(token):
    for byte in token.encode():
        os.write(1, bytes([byte]))
    print(); print(base64.b64encode(f'user:{token}'.encode()).decode()); print(urllib.parse.quote(token, safe=''))
    print(repr(token), token.encode())
    os.write(1, b'x' * 70_000 + token.encode() + b'y' * 70_000)
"""
    result = await steps.python(code, inputs={"token": None}, secrets=[secret("inputs", "token")])
    log = "".join(steps.log(result.folder))
    encoded = base64.b64encode(CANARY.encode()).decode()
    for form in (CANARY, encoded, quote(CANARY, safe=""), CANARY.encode().hex(), repr(CANARY.encode())[2:-1]):
        assert form[2:-3] not in log
    assert "x***y" in log


async def test_a_failure_does_not_tell_the_secret(steps: Steps) -> None:
    code = "def f(token): raise ValueError(f'no access with {token}')"
    attempt = steps.python(code, inputs={"token": None}, secrets=[secret("inputs", "token")])
    failure = await steps.failure(attempt)
    assert (failure.type, failure.message) == ("ValueError", "no access with ***")
    assert CANARY not in json.dumps([*failure.details], ensure_ascii=False)
    assert "ValueError: no access with ***" in failure.details[0]["log_tail"]


async def test_a_failure_that_is_cut_short_does_not_tell_half_of_the_secret(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "0123456789abcdef" * 200
    monkeypatch.setenv("SEGUE_SECRET_TOKEN", long)
    code = "def f(token): raise ValueError('x' * 700 + token)"
    failure = await steps.failure(steps.python(code, inputs={"token": None}, secrets=[secret("inputs", "token")]))
    assert failure.message == "x" * 700 + "***"
    for script in ('echo "$T" >> "$SEGUE_OUTPUT"', 'echo "n=$T" >> "$SEGUE_OUTPUT"'):
        declared = {"n": {"schema": {"type": "integer"}}}
        failure = await steps.failure(
            steps.shell(script, env={"T": None}, secrets=[secret("env", "T")], output=declared)
        )
        assert failure.type == "OutputInvalid"
        assert "0123" not in failure.message


async def test_an_output_is_not_changed_and_the_log_says_what_it_holds(steps: Steps) -> None:
    result = await steps.shell('echo "a=$T" >> "$SEGUE_OUTPUT"', env={"T": None}, secrets=[secret("env", "T")])
    assert result.value == {"a": CANARY}
    assert steps.log(result.folder) == [
        '[segue] the output holds the secret "TOKEN": outputs are kept and shown as they are'
    ]


async def test_a_request_carries_secrets_and_its_log_and_failure_do_not(steps: Steps, service: Service) -> None:
    request = {
        "method": "POST",
        "url": None,
        "headers": {"Authorization": None, "X-Param": "${{ secrets.TOKEN }}"},
        "params": {"key": None},
        "json": {"deep": [{"secret": None}]},
    }
    texts = [
        secret("action", "request", "url", before=f"{service.url}/echo/"),
        secret("action", "request", "headers", "Authorization", before="Bearer ", name="PLAIN"),
        secret("action", "request", "params", "key"),
        secret("action", "request", "json", "deep", 0, "secret"),
    ]
    result = await steps.run("http", action={"request": request}, secrets=texts, output={})
    sent = service.requests[-1]
    assert sent["headers"]["authorization"] == "Bearer plain-canary"
    assert sent["headers"]["x-param"] == "${{ secrets.TOKEN }}"
    assert quote(CANARY, safe="") in sent["path"]
    assert json.loads(sent["body"]) == {"deep": [{"secret": CANARY}]}
    log = steps.log(result.folder)
    assert any(line.startswith(f"POST {service.url}/echo/*** -> 200") for line in log), log
    texts[0] = secret("action", "request", "url", before=f"{service.url}/status/403?k=")
    failure = await steps.failure(steps.run("http", action={"request": request}, secrets=texts))
    assert failure.type == "HttpStatus"
    assert "canary" not in failure.message + json.dumps([*failure.details])


async def test_a_remote_job_gets_its_secrets_beside_what_the_service_answered(steps: Steps, service: Service) -> None:
    action = job(service, headers={"Authorization": None}, until="${{ response.json.polls > 1 }}")
    texts = [
        SecretText(["action", "poll", "url"], [{"late": "submit.json.href"}, {"text": "?key="}, {"secret": "TOKEN"}]),
        secret("action", "poll", "headers", "Authorization", before="${{ submit.json.href }} ", name="PLAIN"),
    ]
    await steps.run("http", action=action, secrets=texts)
    polls = [request for request in service.requests if request["method"] == "GET"]
    assert polls
    assert all(unquote(request["path"]).endswith(f"?key={CANARY}") for request in polls)
    # What is text in the plan's own part stays text: it is not read as a template a second time.
    assert {request["headers"]["authorization"] for request in polls} == {"${{ submit.json.href }} plain-canary"}


async def test_a_secret_that_no_source_has_fails_the_step_for_good_and_says_what_to_do(steps: Steps) -> None:
    texts = [secret("env", "A", name="db_password"), secret("env", "B"), secret("env", "C", name="other")]
    env = dict.fromkeys("ABC")
    attempt = steps.run("shell", {"task_queue": "gpu"}, action={"script": "echo ran"}, env=env, secrets=texts)
    failure = await steps.failure(attempt)
    assert (failure.type, failure.non_retryable) == ("SecretMissing", True)
    assert failure.message == (
        'env.A: there is no secret "db_password" on this worker of queue gpu: set SEGUE_SECRET_DB_PASSWORD in its '
        "environment, or put a file db_password into the folder that SEGUE_SECRETS_DIR names\n"
        'env.C: there is no secret "other" on this worker of queue gpu: set SEGUE_SECRET_OTHER in its environment, or '
        "put a file other into the folder that SEGUE_SECRETS_DIR names"
    )
    assert failure.details[0] == {"secrets": ["db_password", "other"], "queue": "gpu"}
    assert steps.log(failure.details[1]["folder"]) == []


async def test_a_file_is_read_for_each_attempt_so_that_a_new_value_counts(
    steps: Steps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_SECRETS_DIR", str(tmp_path))
    for value in ("first-value", "second"):
        (tmp_path / "rotated").write_text(value + "\n")
        result = await steps.shell('echo "${#T}"', env={"T": None}, secrets=[secret("env", "T", name="rotated")])
        assert steps.log(result.folder) == [str(len(value))]


async def test_a_step_sees_no_secret_that_it_was_not_given(
    steps: Steps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_SECRETS_DIR", str(tmp_path))
    result = await steps.shell("env | grep -c -e SECRET -e canary || true")
    assert steps.log(result.folder) == ["0"]
    result = await steps.python("import os\ndef f(): return [n for n in os.environ if 'SECRET' in n]")
    assert result.value == []


async def test_a_cancelled_step_leaves_no_secret_in_its_log(steps: Steps) -> None:
    script = 'printf "%s" "$T"; touch ready; sleep 60'
    running, attempt = steps.start("shell", action={"script": script}, env={"T": None}, secrets=[secret("env", "T")])
    task = asyncio.create_task(attempt)
    await asyncio.to_thread(until, lambda: any(steps.folder.glob("cache/run/*/*/work/ready")))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    stored = b"".join(path.read_bytes() for path in (steps.folder / "objects").rglob("*") if path.is_file())
    assert CANARY.encode() not in stored


def test_sources_prefer_the_environment_and_drop_one_newline(tmp_path: Path) -> None:
    environment = {"SEGUE_SECRETS_DIR": str(tmp_path), "SEGUE_SECRET_A": "of the environment", "SEGUE_SECRET_E": ""}
    sources = SecretSources(environment)
    for name, text in {"a": "of a file", "b": "text\n", "c": "two\n\n", "d": "dos\r\n", "e": "file", "f": "\n"}.items():
        (tmp_path / name).write_bytes(text.encode())
    found = {name: sources.find(name) for name in "abcdefg"}
    assert found == {
        "a": "of the environment",
        "b": "text",
        "c": "two\n",
        "d": "dos",
        "e": "file",
        "f": None,
        "g": None,
    }
    assert SecretSources({}).find("a") is None
    (tmp_path / "inner").mkdir()
    inner = SecretSources({"SEGUE_SECRETS_DIR": str(tmp_path / "inner")})
    assert [inner.find(name) for name in ("../a", str(tmp_path / "a"), "", ".", "a\n")] == [None] * 5


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"\xff\xfe", "not UTF-8"), (b"a\0b", "NUL"), (b"x" * (MAX_SECRET_BYTES + 2), "more than 65,536 bytes")],
)
def test_what_cannot_be_given_to_a_step_is_refused_without_the_value(tmp_path: Path, data: bytes, why: str) -> None:
    (tmp_path / "key").write_bytes(data)
    sources = SecretSources({"SEGUE_SECRETS_DIR": str(tmp_path)})
    with pytest.raises(SecretUnusable, match=why) as caught:
        sources.find("key")
    assert "xxxx" not in str(caught.value)
    assert not sources.has("key")


async def test_an_unusable_secret_fails_the_step(steps: Steps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_SECRETS_DIR", str(tmp_path))
    (tmp_path / "folder").mkdir()
    failure = await steps.failure(steps.shell("true", env={"T": None}, secrets=[secret("env", "T", name="folder")]))
    assert failure.type == "SecretMissing"
    assert failure.message == (
        f'env.T: the secret "folder" cannot be used: the file {tmp_path}/folder cannot be read: Is a directory'
    )
