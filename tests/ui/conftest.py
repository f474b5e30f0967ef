"""A real browser on the real stack: the built page, runs to look at, and a watch over what no page may do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, Playwright, async_playwright, expect

from tests.ui.cable import Cable
from tests.ui.definitions import BRANCHES, FAILURE, LONELY, PEOPLE, WATCHED
from tests.ui.pages import WATCH, Opened, OpenPage, Watch
from tests.ui.service import Runs, Service
from workers.stack import Stack

UI = Path(__file__).parents[2] / "ui"

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 20_000

NO_BROWSER = "NO BROWSER: the web page was not tested. Install Debian's chromium, or run `playwright install chromium`."

expect.set_options(timeout=PATIENCE_MS)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once, at the end and in red, that nothing here was tested."""
    if any(NO_BROWSER in str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])):
        terminalreporter.write_line(NO_BROWSER, red=True, bold=True)


@pytest.fixture(scope="session")
def built() -> None:
    """Build the page, as `make ui` does."""
    done = subprocess.run([sys.executable, str(UI / "build.py")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def service(built: None, stack: Stack) -> Service:
    return Service(str(stack.service["api_url"]).rstrip("/"), str(stack.service["api_key"]))


@pytest.fixture(scope="session")
async def runs(service: Service) -> AsyncIterator[Runs]:
    """The API, with the workflows of these tests deployed."""
    headers = {"Authorization": f"Bearer {service.api_key}"}
    async with httpx.AsyncClient(base_url=service.api_url, headers=headers, timeout=30) as http:
        for text in (BRANCHES, FAILURE, LONELY, PEOPLE, WATCHED):
            source = {"filename": "test.yaml", "text": text, "language": "yaml"}
            answer = await http.post("/api/v1/workflows", json={"source": source})
            assert answer.status_code == 201, answer.text
        yield Runs(http)


@pytest.fixture
async def cable(service: Service) -> AsyncIterator[Cable]:
    """Another way to the service, which the test can cut."""
    address = httpx.URL(service.api_url)
    async with Cable(address.host, address.port or 80) as connected:
        yield connected


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """The folder in which a step of `ui-branches` looks for the file that lets it go on."""
    folder = tmp_path / "gate"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
async def finished_run(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run of `ui-branches` that has succeeded, its branch `notify` skipped."""
    gate = tmp_path_factory.mktemp("open-gate")
    (gate / "collect").touch()
    run = await runs.start("ui-branches", gate=str(gate))
    assert (await runs.end(run))["state"] == "succeeded"
    return run


@pytest.fixture(scope="session")
async def failed_run(runs: Runs) -> str:
    run = await runs.start("ui-failure")
    assert (await runs.end(run))["state"] == "failed"
    return run


def _chromium(playwright: Playwright) -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    own = playwright.chromium.executable_path
    if Path(own).exists():
        return own
    if os.environ.get("CI") == "true":
        pytest.fail(NO_BROWSER)
    pytest.skip(NO_BROWSER)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=_chromium(playwright), args=FLAGS)
        yield launched
        await launched.close()


@pytest.fixture
async def open_page(browser: Browser, service: Service) -> AsyncIterator[OpenPage]:
    """Opens a page of the service; afterwards no page may have done what `Watch` forbids."""
    opened: list[Opened] = []

    async def open_at(
        path: str, *, width: int = 1280, height: int = 800, key: bool = True, origin: str = service.api_url
    ) -> Opened:
        context = await browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
        context.set_default_timeout(PATIENCE_MS)
        await context.add_init_script(WATCH)
        page = await context.new_page()
        watch = Watch(origin)
        watch.over(page)
        opened.append(Opened(page, context, watch))
        await page.goto(f"{origin}{path}" + (f"#key={service.api_key}" if key else ""))
        return opened[-1]

    yield open_at
    for each in opened:
        violations = await each.page.evaluate("window.violations")
        await each.context.close()
        assert violations == []
        assert each.watch.faults == []
