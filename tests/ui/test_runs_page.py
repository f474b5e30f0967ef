"""The list of runs in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.async_api import expect

from tests.ui.cable import Cable
from tests.ui.pages import CUT, OpenPage
from tests.ui.service import Runs


async def test_a_new_run_appears_and_ends_without_a_reload(open_page: OpenPage, runs: Runs, gate: Path) -> None:
    opened = await open_page("/")
    await expect(opened.page.locator("[data-link=live]")).to_be_visible()
    run = await runs.start("ui-branches", gate=str(gate))
    row = opened.page.locator(f"[data-run='{run}']")
    await expect(row).to_have_attribute("data-state", "running")
    (gate / "collect").touch()
    await expect(row).to_have_attribute("data-state", "succeeded")
    await expect(row).to_contain_text("succeeded")
    await row.get_by_role("link", name=run).click()
    await expect(opened.page).to_have_url(re.compile(f"/runs/{run}$"))


async def test_filters_are_in_the_address(open_page: OpenPage, finished_run: str, failed_run: str) -> None:
    opened = await open_page("/?state=failed")
    page = opened.page
    await expect(page.locator(f"[data-run='{failed_run}']")).to_be_visible()
    await expect(page.locator(f"[data-run='{finished_run}']")).to_have_count(0)
    await page.get_by_role("link", name="succeeded").click()
    await expect(page).to_have_url(re.compile(r"/\?state=succeeded$"))
    await expect(page.locator(f"[data-run='{finished_run}']")).to_be_visible()
    await page.get_by_label("Workflow").select_option("ui-failure")
    await expect(page).to_have_url(re.compile(r"/\?state=succeeded&workflow=ui-failure$"))
    await expect(page.get_by_text("No run matches.")).to_be_visible()
    await page.go_back()
    await expect(page.locator(f"[data-run='{finished_run}']")).to_be_visible()


async def test_without_a_key_the_page_says_how_to_get_one(open_page: OpenPage) -> None:
    opened = await open_page("/", key=False)
    await expect(opened.page.get_by_text("segue ui", exact=True)).to_be_visible()


async def test_a_refused_key_is_said_and_another_one_works(open_page: OpenPage, runs: Runs, finished_run: str) -> None:
    opened = await open_page("/", key=False)
    opened.watch.tolerated = ("401",)
    page = opened.page
    await page.get_by_label("API key").fill("wrong")
    await page.get_by_role("button", name="Use this key").click()
    await expect(page.get_by_role("heading", name="This key was not accepted")).to_be_visible()
    await page.get_by_label("API key").fill(runs.http.headers["Authorization"].removeprefix("Bearer "))
    await page.get_by_role("button", name="Use this key").click()
    await expect(page.locator(f"[data-run='{finished_run}']")).to_be_visible()


async def test_the_key_leaves_the_address_and_stays_for_the_next_visit(open_page: OpenPage, finished_run: str) -> None:
    opened = await open_page("/")
    await expect(opened.page).to_have_url(re.compile("[^#]*/$"))
    await opened.page.reload()
    await expect(opened.page.locator(f"[data-run='{finished_run}']")).to_be_visible()


async def test_a_lost_service_is_said_within_three_seconds_and_forgotten_when_it_is_back(
    open_page: OpenPage, cable: Cable, finished_run: str
) -> None:
    opened = await open_page("/", origin=cable.url)
    opened.watch.tolerated = CUT
    await expect(opened.page.locator("[data-link=live]")).to_be_visible()
    await cable.cut()
    await expect(opened.page.get_by_role("alert")).to_contain_text("Reconnecting", timeout=3_000)
    await expect(opened.page.locator(f"[data-run='{finished_run}']")).to_be_visible()
    await cable.mend()
    await expect(opened.page.locator("[data-link=live]")).to_be_visible()
    await expect(opened.page.get_by_role("alert")).to_have_count(0)


async def test_a_form_made_from_the_params_starts_a_run(open_page: OpenPage, runs: Runs, gate: Path) -> None:
    opened = await open_page("/workflows")
    page = opened.page
    await page.get_by_role("link", name="ui-branches", exact=True).click()
    form = page.get_by_role("form", name="Start a run")
    await form.get_by_label("rows").fill("0")
    await form.get_by_label("gate").fill(str(gate))
    opened.watch.tolerated = ("422",)
    await form.get_by_role("button", name="Start run").click()
    await expect(form.locator("#param-rows-help")).to_contain_text("0 is less than 1")
    await form.get_by_label("rows").fill("7")
    await form.get_by_label("quality").select_option(label="bad")
    await form.get_by_role("button", name="Start run").click()
    await expect(page.get_by_role("tree")).to_be_visible()
    (gate / "collect").touch()
    run = page.url.rsplit("/", 1)[-1]
    assert (await runs.end(run))["params"] == {"gate": str(gate), "quality": "bad", "rows": 7}
