"""The web page and the headers that guard it."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import FileResponse

from api import problems
from api.boundary import SecurityHeaders
from api.pages import Pages
from tests.api.conftest import Api


@pytest.fixture
def built(tmp_path: Path) -> Path:
    static = tmp_path / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<h1>page</h1>")
    (static / "assets" / "app-1a2b.js").write_text("let page")
    (tmp_path / "secret.txt").write_text("secret")
    (static / "link.txt").symlink_to(tmp_path / "secret.txt")
    return static


def client(folder: Path) -> httpx.AsyncClient:
    from fastapi import FastAPI

    app = FastAPI(openapi_url=None)
    app.router.default = Pages(folder)
    problems.install(app)
    app.add_middleware(SecurityHeaders)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://page")


@pytest.mark.parametrize("path", ["/", "/runs/train-digits-01jd", "/workflows/a.b", "/runs/x-2026-11-24T06:00:00Z"])
async def test_every_page_is_the_start_page(built: Path, path: str) -> None:
    async with client(built) as page:
        answer = await page.get(path, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.text) == (200, "<h1>page</h1>")
    assert answer.headers["cache-control"] == "no-cache"


async def test_an_asset_is_kept_for_ever_and_a_missing_one_is_missing(built: Path) -> None:
    async with client(built) as page:
        answer = await page.get("/assets/app-1a2b.js")
        missing = await page.get("/assets/app-old.js", headers={"Accept": "text/html"})
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert missing.status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/assets/../../secret.txt",
        "/./../secret.txt",
        "/link.txt",
        "//etc/passwd",
        "/\0",
        "/a\0.html",
        "/" + "a" * 5_000,
        "/..\\secret.txt",
    ],
)
def test_no_path_leads_out_of_the_folder(built: Path, path: str) -> None:
    try:
        answer = Pages(built).respond(path, Headers({"accept": "text/html"}))
    except problems.Problem:
        return
    assert isinstance(answer, FileResponse)
    assert answer.path == built / "index.html"


async def test_a_page_that_was_not_built_says_how_to_build_it(tmp_path: Path) -> None:
    async with client(tmp_path / "static") as page:
        answer = await page.get("/", headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert "make ui" in answer.text


async def test_a_script_that_asks_for_an_unknown_path_gets_a_problem(built: Path) -> None:
    async with client(built) as page:
        answer = await page.get("/nothing", headers={"Accept": "application/json"})
        posted = await page.post("/nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (posted.status_code, posted.json()["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize("path", ["/", "/api/v1/health", "/api/v1/runs", "/api/v1/nothing", "/assets/none.js"])
async def test_every_answer_has_the_security_headers(api: Api, path: str) -> None:
    answer = await api.anonymous.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] in ("no-store", "no-cache")


def test_starlette_is_not_asked_to_redirect() -> None:
    """A redirect would tell a stranger which paths exist, before any key is asked for."""
    from api.app import create_app
    from store.settings import Settings

    app = create_app(Settings())
    assert isinstance(app, Starlette)
    assert app.router.redirect_slashes is False
