"""Nobody gets anything without a key, whatever the path looks like."""

from __future__ import annotations

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from api.app import create_app
from api.auth import CALLBACK_PATH, OPEN_PATHS
from api.strict_json import StrictRoute
from store.settings import Settings
from tests.api.conftest import Api


def routes() -> list[tuple[str, str]]:
    document = create_app(Settings()).openapi()
    return [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]


def test_every_route_reads_json_strictly() -> None:
    found = [route for route in iter_route_contexts(create_app(Settings()).routes) if "/openapi" not in route.path]
    assert [route.path for route in found if not isinstance(route.original_route, StrictRoute)] == []


def filled(path: str) -> str:
    return path.replace("{sha256}", "0" * 64).replace("{number}", "1").replace("{", "").replace("}", "")


def test_the_document_has_every_route_of_the_application() -> None:
    app = create_app(Settings())
    listed = set(routes())
    served = {
        (method, found.path.replace(":path", ""))
        for found in iter_route_contexts(app.routes)
        for method in found.methods
    }
    served -= {("GET", "/api/v1/openapi.json"), ("HEAD", "/api/v1/openapi.json")}  # FastAPI's own
    assert {("POST", "/api/v1/runs"), ("GET", "/api/v1/runs/{run}/events")} <= served
    assert served == listed


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x:y"}])
async def test_every_route_refuses_a_request_without_a_key(api: Api, headers: dict[str, str]) -> None:
    refused = 0
    for method, path in routes():
        answer = await api.anonymous.request(method, filled(path), headers=headers)
        if path in OPEN_PATHS:
            assert answer.status_code == 200, path
            continue
        if path == CALLBACK_PATH:
            assert answer.json()["code"] == "callback_not_found"
            continue
        assert answer.status_code == 401, (method, path)
        assert answer.headers["www-authenticate"].startswith("Bearer")
        refused += 1
    assert refused == len(routes()) - 2


TRICKS = [
    "/api/v1/runs/health",
    "/api/v1/runs/x/health",
    "/api/v1/health/../runs",
    "/api/v1/health/..%2fruns",
    "/api/v1/health;/../runs",
    "/api/v1/runs?x=/api/v1/health",
    "/api/v1/runs%3fx=/health",
    "/api/v1/openapi.json/",
    "/api/v1/health/",
    "/api/v1/%72uns",
    "/api/v1/runs/",
    "/api/v1/nothing",
    "/api",
    "/api/",
    "/api/v1/runs/openapi.json",
    "/api/../api/v1/runs",
]


@pytest.mark.parametrize("path", TRICKS)
async def test_a_path_that_only_resembles_an_open_one_is_refused(api: Api, path: str) -> None:
    answer = await api.anonymous.get("/", extensions={"target": path.encode()})  # httpx would tidy the path
    assert answer.status_code == 401, answer.text


@pytest.mark.parametrize("path", ["//api/v1/runs", "/./api/v1/runs", "/API/v1/runs", "/assets/../api/v1/runs"])
async def test_a_path_beside_the_api_gives_the_page_and_no_data(api: Api, path: str) -> None:
    answer = await api.anonymous.get("/", extensions={"target": path.encode()})  # httpx would tidy the path
    assert answer.status_code == 404 or answer.headers["content-type"].startswith("text/html")
    assert '"runs"' not in answer.text


@pytest.mark.parametrize(
    "path", ["/api/v1/callbacks/", "/api/v1/callbacks", "/api/v1/callbacks/x/y", "/api/v1/callbacksx"]
)
async def test_only_a_post_to_one_callback_needs_no_key(api: Api, path: str) -> None:
    assert (await api.anonymous.post(f"/api/v1/{path}")).status_code == 401
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert (await api.anonymous.request(method, "/api/v1/callbacks/x")).status_code == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_an_open_path_is_open_to_reading_only(api: Api, method: str) -> None:
    answer = await api.anonymous.request(method, "/api/v1/health")
    assert answer.status_code == 401


async def test_a_key_is_taken_in_any_case_of_its_scheme(api: Api) -> None:
    answer = await api.anonymous.get("/api/v1/runs", headers={"Authorization": f"bearer {api.key}"})
    assert answer.status_code == 200


async def test_a_key_in_the_address_is_no_key(api: Api) -> None:
    answer = await api.anonymous.get("/api/v1/runs", params={"key": api.key, "access_token": api.key})
    assert answer.status_code == 401


async def test_a_header_that_is_not_ascii_is_refused_like_any_wrong_key(api: Api) -> None:
    headers = httpx.Headers([(b"Authorization", "Bearer schlüssel".encode("latin-1"))])
    answer = await api.anonymous.get("/api/v1/runs", headers=headers)
    assert answer.status_code == 401
