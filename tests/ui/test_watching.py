"""What a step tells, in a real browser: its bar, its charts, groups and levels of its log."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import expect

from tests.ui.pages import OpenPage
from tests.ui.service import Runs


async def test_a_bar_and_charts_are_there_while_the_step_runs(open_page: OpenPage, runs: Runs, gate: Path) -> None:
    run = await runs.start("ui-watched", gate=str(gate))
    opened = await open_page(f"/runs/{run}?step=train&tab=metrics")
    page = opened.page
    bar = page.get_by_role("progressbar", name="3/10 epochs")
    await expect(bar).to_have_attribute("value", "3")
    await expect(bar).to_have_attribute("max", "10")
    plot = page.locator("[data-metric=loss]")
    await expect(plot.get_by_role("heading")).to_have_text("loss 0.4")
    await expect(plot.get_by_role("img")).to_have_accessible_name("loss: from 0.4 to 0.8 over steps 1 to 5")
    await expect(plot).to_contain_text("5 points, steps 1 to 5")
    frame, drawn = await page.locator(".charts").bounding_box(), await plot.bounding_box()
    assert frame is not None
    assert drawn is not None
    assert frame["height"] < 2 * drawn["height"], "charts are as high as they need"
    panel = await page.locator(".panel-body").bounding_box()
    assert panel is not None
    assert frame["width"] > panel["width"] * 0.9, "charts share the panel's width"
    (gate / "train").touch()
    await expect(page.locator("main")).to_have_attribute("data-state", "succeeded")
    await expect(bar).to_have_count(0)
    await expect(plot).to_be_visible()


async def test_groups_are_folded_and_levels_marked(open_page: OpenPage, runs: Runs, gate: Path) -> None:
    (gate / "train").touch()
    run = await runs.start("ui-watched", gate=str(gate))
    await runs.end(run)
    opened = await open_page(f"/runs/{run}?step=train&tab=logs")
    page = opened.page
    log = page.get_by_role("log")
    await expect(log.locator("[data-mark=warning] .log-text")).to_have_text("few rows")
    await expect(log).not_to_contain_text("installing")
    head = log.get_by_role("button", name="Set up")
    await expect(head).to_have_attribute("aria-expanded", "false")
    box = await head.bounding_box()
    assert box is not None
    assert box["height"] == 18, "a line like all others"
    await head.click()
    await expect(log).to_contain_text("installing <b>much</b>")
    await head.click()
    await expect(log).not_to_contain_text("installing")
    await page.get_by_role("searchbox").fill("much")
    await expect(page.get_by_text("1/1")).to_be_visible()
    await expect(log.locator("mark")).to_have_text("much")
