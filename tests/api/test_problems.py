"""Errors: every one a problem document, none of them ours when the request was wrong."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api import boundary
from api.routes import vars as vars_routes
from store.database import Database
from tests.api.conftest import Api, running_api, settings_in
from workers.ports import free_port

MALFORMED = {
    "empty": b"",
    "cut off": b'{"workflow": ',
    "not json": b"workflow=x",
    "two": b"{}{}",
    "NaN": b'{"workflow": "x", "params": {"a": NaN}}',
    "infinite": b'{"workflow": "x", "params": {"a": -Infinity}}',
    "not UTF-8": b'{"workflow": "\xff"}',
    "UTF-16": '{"workflow": "x"}'.encode("utf-16"),
    "a bomb": b"[" * 1_000_000,
    "a number of 10,000 digits": b'{"workflow": ' + b"9" * 10_000 + b"}",
}
WRONG: dict[str, tuple[bytes, str]] = {
    "a list": (b"[]", "body"),
    "a text": (b'"x"', "body"),
    "null": (b"null", "body"),
    "no workflow": (b"{}", "workflow"),
    "a number for a name": (b'{"workflow": 5}', "workflow"),
    "an unknown field": (b'{"workflow": "x", "wrokflow": 1}', "wrokflow"),
    "a version in quotes": (b'{"workflow": "x", "version": "1"}', "version"),
    "a version of true": (b'{"workflow": "x", "version": true}', "version"),
    "version zero": (b'{"workflow": "x", "version": 0}', "version"),
    "params in a list": (b'{"workflow": "x", "params": []}', "params"),
    "a NUL": (b'{"workflow": "x", "params": {"a": ["b\\u0000"]}}', "params.a[0]"),
    "half a pair": (b'{"workflow": "x", "params": {"a": "\\ud800"}}', "params.a"),
    "a number beyond a double": (b'{"workflow": "x", "params": {"a": 1e999}}', "params.a"),
    "a number beyond 64 bits": (b'{"workflow": "x", "params": {"a": 9223372036854775808}}', "params.a"),
    "too deep": (b'{"workflow": "x", "params": {"a": ' + b"[" * 70 + b"]" * 70 + b"}}", "params.a" + "[0]" * 62),
    "a NUL in a name": (b'{"workflow": "x\\u0000"}', "workflow"),
    "a path for a name": (b'{"workflow": "../x"}', "workflow"),
    "a long name": (json.dumps({"workflow": "x" * 300}).encode(), "workflow"),
}


def check(document: dict[str, Any], status: int) -> None:
    assert document["status"] == status
    assert document["type"] == f"urn:segue:problem:{document['code']}"
    assert document["title"]
    assert document["detail"]
    assert "Traceback" not in json.dumps(document)


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
async def test_a_body_that_is_not_json_is_a_400(api: Api, body: bytes) -> None:
    answer = await api.http.post("/runs", content=body, headers={"Content-Type": "application/json"})
    assert answer.headers["content-type"] == "application/problem+json"
    # FastAPI takes an empty body for none at all.
    status = 422 if body == b"" else 400
    assert answer.status_code == status
    check(answer.json(), status)


@pytest.mark.parametrize(("body", "path"), WRONG.values(), ids=WRONG)
async def test_a_body_that_does_not_fit_says_where(api: Api, body: bytes, path: str) -> None:
    answer = await api.http.post("/runs", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    check(answer.json(), 422)
    assert path in [error["path"] for error in answer.json()["errors"]]


async def test_every_problem_of_a_body_is_told_at_once(api: Api) -> None:
    answer = await api.http.post("/runs", json={"workflow": 1, "version": "a", "params": 2, "more": 3})
    assert {error["path"] for error in answer.json()["errors"]} == {"workflow", "version", "params", "more"}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
async def test_json_must_be_called_json(api: Api, kind: str) -> None:
    answer = await api.http.post("/runs", content=b'{"workflow": "x"}', headers={"Content-Type": kind})
    assert answer.status_code == 422
    check(answer.json(), 422)


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_above_the_limit_is_a_413(api: Api, declared: bool) -> None:
    whole = b'{"workflow": "' + b"x" * boundary.MAX_JSON_BYTES + b'"}'

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(whole), 500_000):
            yield whole[start : start + 500_000]

    headers = {"Content-Type": "application/json"}
    answer = await api.http.post("/runs", content=whole if declared else chunks(), headers=headers)
    assert answer.status_code == 413
    check(answer.json(), 413)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("POST", "/nothing", 404),
        ("GET", "/runs/", 404),
        ("DELETE", "/runs", 405),
        ("PUT", "/runs/x", 405),
        ("PATCH", "/workflows", 405),
        ("GET", "/runs/%00", 422),
        ("GET", "/runs/%ff", 422),
        ("GET", "/workflows/a b", 422),
        ("GET", "/workflows/x/versions/0", 422),
        ("GET", "/workflows/x/versions/99999999999999999999", 422),
        ("GET", "/workflows/x/versions/one", 422),
        ("GET", "/workflows/x/versions/1", 404),
        ("GET", "/workflows/x", 404),
    ],
)
async def test_a_wrong_address_is_a_problem(api: Api, method: str, path: str, status: int) -> None:
    answer = await api.http.request(method, path)
    assert answer.status_code == status, answer.text
    check(answer.json(), status)
    if status == 405:
        assert answer.headers["allow"]


async def test_a_bug_is_a_500_with_a_number_and_no_trace(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("secret of the service")

    monkeypatch.setattr(vars_routes, "get_vars", broken)
    answer = await api.http.get("/vars")
    assert answer.status_code == 500
    check(answer.json(), 500)
    assert "secret" not in answer.text
    assert answer.headers["content-security-policy"]
    [record] = [record for record in caplog.records if record.name == "segue.api"]
    assert answer.json()["incident"] in record.getMessage()


async def test_without_a_database_everything_but_health_is_a_quick_503(tmp_path: Path) -> None:
    async with running_api(settings_in(tmp_path, free_port())) as other:
        services = other.server.config.app.state.services
        gone = Database(f"postgresql://nobody:none@127.0.0.1:{free_port()}/none", timeout=1.5)
        working, services.database = services.database, gone
        try:
            assert (await other.anonymous.get("/api/v1/health")).status_code == 200
            for path in ("/runs", "/workflows", "/vars", "/runs/x"):
                answer = await other.http.get(path)
                assert answer.status_code == 503, path
                assert answer.headers["retry-after"]
                assert answer.elapsed.total_seconds() < 2
                check(answer.json(), 503)
        finally:
            await services.database.close()
            services.database = working
        assert (await other.http.get("/vars")).status_code == 200


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("workflow", "version", "params", "source", "document", "bundle", "id", "name", "payload", "value")
bodies = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, json_values))
paths = st.sampled_from(["/runs", "/workflows", "/workflows/x/events", "/vars/X", "/runs/x/cancel"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=paths, body=bodies | json_values)
async def test_no_body_makes_the_service_fail(api: Api, path: str, body: Any) -> None:
    method = "PUT" if path.startswith("/vars") else "POST"
    content = json.dumps(body).encode()
    answer = await api.http.request(method, path, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in (200, 400, 404, 422), answer.text
    if answer.status_code != 200:
        check(answer.json(), answer.status_code)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(min_size=1, max_size=20), after=st.text(max_size=20))
async def test_no_address_makes_the_service_fail(api: Api, name: str, after: str) -> None:
    part = quote(name.encode("utf-8", "surrogatepass"), safe="")
    for path in (f"/runs/{part}", f"/workflows/{part}", f"/runs/{part}/steps/{part}/logs", f"/bundles/{part}"):
        query = quote(after.encode("utf-8", "surrogatepass"))
        answer = await api.http.get("/", extensions={"target": f"/api/v1{path}?after={query}&cursor={query}".encode()})
        assert answer.status_code in (404, 405, 422), (path, answer.text)
        check(answer.json(), answer.status_code)
