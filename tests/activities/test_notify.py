"""The notify operator, to a real receiver."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest

from tests.activities.conftest import Steps
from tests.activities.service import Service
from tests.waiting import eventually


def address(service: Service, path: str, user: str = "") -> str:
    return service.url.replace("http://", f"json://{user}") + path


async def test_message_arrives_at_every_address(steps: Steps, service: Service) -> None:
    to = [address(service, "/one"), address(service, "/two").replace("json://", "json:")]
    result = await steps.run("notify", inputs={"to": to, "title": "Done", "text": "é <b>", "format": "markdown"})
    assert result.value == {"sent": 2}
    assert [request["path"] for request in service.requests] == ["/one", "/two"]
    body = json.loads(service.requests[0]["body"])
    assert (body["title"], body["message"]) == ("Done", "é <b>")
    assert steps.log(result.folder) == ["with.to[0] (json): sent", "with.to[1] (json): sent"]


async def test_value_that_is_no_text_is_sent_as_json(steps: Steps, service: Service) -> None:
    await steps.run("notify", inputs={"to": address(service, "/one"), "title": 5, "text": {"é": [1, None]}})
    body = json.loads(service.requests[0]["body"])
    assert (body["title"], body["message"]) == ("5", '{"é":[1,null]}')


async def test_connection_may_have_several_addresses(
    steps: Steps, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_CONNECTION_OPS", f"{address(service, '/one')} {address(service, '/two')}")
    result = await steps.run("notify", inputs={"connection": "ops", "text": "hi"})
    assert result.value == {"sent": 2}


async def test_refusal_may_be_worth_another_try_and_tells_no_credentials(steps: Steps, service: Service) -> None:
    user = "reader:geheim123@"
    to = [address(service, "/status/503?+X-Key=geheim789", user), address(service, "/echo", user)]
    failure = await steps.failure(steps.run("notify", inputs={"to": to, "text": "hi"}))
    assert (failure.type, failure.non_retryable) == ("NotifyError", False)
    assert failure.message.startswith("the message was not taken (1 of 2 were sent): with.to[0] (json): ")
    assert len(service.requests) == 2
    told = failure.message + json.dumps(failure.details) + "".join(steps.log(failure.details[1]["folder"]))
    assert "geheim" not in told


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"to": "nonsense://geheim"}, "with.to[0] (nonsense) is of no service that Apprise knows: see "),
        ({"to": "slack://geheim"}, "with.to[0] (slack) is not complete: see "),
        ({"connection": "ops"}, 'this worker has no connection "ops": set SEGUE_CONNECTION_OPS'),
        ({"to": 5}, "with.to.str: Input should be a valid string"),
    ],
)
async def test_address_that_cannot_be_one_fails_for_good(steps: Steps, inputs: dict[str, Any], message: str) -> None:
    failure = await steps.failure(steps.run("notify", inputs={**inputs, "text": "hi"}))
    assert (failure.type, failure.non_retryable) == ("InputInvalid", True)
    assert failure.message.startswith(message)
    assert "geheim" not in failure.message


async def test_cancel_does_not_wait_for_a_service_that_says_nothing(steps: Steps) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        to = f"json://127.0.0.1:{silent.getsockname()[1]}/x?rto=600"
        running, attempt = steps.start("notify", inputs={"to": to, "text": "hi"})
        task = asyncio.create_task(attempt)
        silent.setblocking(False)
        connection, _ = await asyncio.wait_for(asyncio.get_running_loop().sock_accept(silent), 30)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with connection:
            connection.setblocking(False)
            await eventually(lambda: _is_closed(connection))


def _is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(65_536) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
