"""The page of a run in a real browser: graph, tree, panel, logs, outputs, live."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.ui.cable import Cable
from tests.ui.definitions import IMAGE, SCRIPT
from tests.ui.pages import CUT, OpenPage
from tests.ui.service import Runs

STEPS = ["collect", "measure", "release", "notify"]

COUNT_COLOUR = """(state) => {
  const canvas = document.querySelector("canvas");
  if (!canvas?.width) return -1;
  const probe = document.createElement("span");
  probe.className = state;
  document.body.append(probe);
  const [r, g, b] = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
  probe.remove();
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  let found = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 6 && data[i + 3] > 250) found++;
  }
  return found;
}"""


def step(page: Page, key: str) -> Locator:
    """The step's item in the tree."""
    return page.locator(f"[role=treeitem][data-key='{key}']")


async def wait_for_colour(page: Page, state: str, there: bool) -> None:
    """Wait until the graph shows the colour of a state, or no longer does."""
    wanted = "count > 20" if there else "count >= 0 && count <= 20"
    await page.wait_for_function(f"(state) => {{ const count = ({COUNT_COLOUR})(state); return {wanted}; }}", arg=state)


async def test_every_step_is_there_before_it_runs_and_changes_live(open_page: OpenPage, runs: Runs, gate: Path) -> None:
    run = await runs.start("ui-branches", gate=str(gate))
    opened = await open_page(f"/runs/{run}")
    page = opened.page
    await expect(page.get_by_role("treeitem")).to_have_count(len(STEPS))
    await expect(step(page, "collect")).to_have_attribute("data-state", "running")
    for later in STEPS[1:]:
        await expect(step(page, later)).to_have_attribute("data-state", "waiting")
    await expect(step(page, "release")).to_have_accessible_name("release, waiting")
    await wait_for_colour(page, "running", True)
    await wait_for_colour(page, "succeeded", False)
    await page.evaluate("window.loaded = 1")

    (gate / "collect").touch()
    for done in ("collect", "measure", "release"):
        await expect(step(page, done)).to_have_attribute("data-state", "succeeded")
    await expect(step(page, "notify")).to_have_attribute("data-state", "skipped")
    await expect(page.locator("main")).to_have_attribute("data-state", "succeeded")
    await wait_for_colour(page, "succeeded", True)
    await wait_for_colour(page, "running", False)
    assert await page.evaluate("window.loaded") == 1


async def test_the_graph_selects_what_is_clicked(open_page: OpenPage, finished_run: str) -> None:
    opened = await open_page(f"/runs/{finished_run}?step=release")
    page = opened.page
    await expect(step(page, "release")).to_have_attribute("aria-selected", "true")
    # The first step is the only one in the first layer, which is centred at the top of the graph.
    canvas = page.locator("canvas")
    box = await canvas.bounding_box()
    assert box is not None
    await wait_for_colour(page, "succeeded", True)
    for part in range(1, 20):
        await canvas.click(position={"x": box["width"] / 2, "y": box["height"] * part / 20})
        if "step=collect" in page.url:
            break
    await expect(step(page, "collect")).to_have_attribute("aria-selected", "true")


async def test_a_skipped_step_shows_its_condition_and_the_values_it_saw(open_page: OpenPage, finished_run: str) -> None:
    opened = await open_page(f"/runs/{finished_run}?step=notify")
    panel = opened.page.get_by_role("complementary", name="Step notify")
    need = panel.locator("[data-need=collect]")
    await expect(need).to_have_attribute("data-outcome", "false")
    await expect(need).to_contain_text("output.quality == ")
    await expect(need).to_contain_text('output.quality = "good"')
    await expect(panel.locator("[data-test=reason]")).to_contain_text("skipped")


async def test_a_condition_that_is_pointed_at_shows_what_it_saw(open_page: OpenPage, finished_run: str) -> None:
    opened = await open_page(f"/runs/{finished_run}")
    page = opened.page
    await wait_for_colour(page, "succeeded", True)
    box = await page.locator("canvas").bounding_box()
    assert box is not None
    shown: set[str] = set()
    for x in range(40, int(box["width"]), 100):
        for y in range(20, int(box["height"]), 16):
            await page.mouse.move(box["x"] + x, box["y"] + y)
            shown.update(await page.get_by_role("tooltip").all_inner_texts())
    assert {text.split("\n")[0] for text in shown} == {"collect → release", "collect → notify"}
    notify = next(text for text in shown if "notify" in text)
    assert "✕ false" in notify
    assert 'output.quality = "good"' in notify
    assert "✓ true" in next(text for text in shown if "release" in text)


async def test_lines_of_a_log_appear_while_the_step_runs(open_page: OpenPage, runs: Runs, gate: Path) -> None:
    run = await runs.start("ui-branches", gate=str(gate))
    opened = await open_page(f"/runs/{run}?step=collect&tab=logs")
    page = opened.page
    log = page.get_by_role("log")
    await expect(log).to_contain_text("first line")
    await expect(step(page, "collect")).to_have_attribute("data-state", "running")
    await expect(log.locator("[data-stream=stderr]")).to_contain_text("said on the other stream")
    await expect(log.locator("[data-stream=stdout]")).to_contain_text("first line")
    await expect(log).not_to_contain_text("last line")
    (gate / "collect").touch()
    await expect(log).to_contain_text("last line")
    await expect(page.get_by_text("3 lines · complete")).to_be_visible()

    search = page.get_by_role("searchbox")
    await search.fill("LINE")
    await expect(page.get_by_text("1/2")).to_be_visible()
    await expect(log.locator("mark").first).to_have_text("line")
    await search.press("Enter")
    await expect(page.get_by_text("2/2")).to_be_visible()


async def test_small_and_large_outputs_are_shown(open_page: OpenPage, finished_run: str) -> None:
    opened = await open_page(f"/runs/{finished_run}?step=collect&tab=output")
    page = opened.page
    await expect(page.locator(".json")).to_contain_text('quality: "good"')
    await step(page, "release").click()
    await expect(page.locator(".reference")).to_contain_text("KiB")
    await expect(page.locator(".reference")).to_contain_text("sha256")
    await page.get_by_role("button", name="all 20,000 characters").click()
    await expect(page.locator(".json-text")).to_contain_text("x" * 20_000)


async def test_items_of_a_map_are_counted_and_opened(open_page: OpenPage, finished_run: str) -> None:
    opened = await open_page(f"/runs/{finished_run}")
    page = opened.page
    await expect(step(page, "measure")).to_have_accessible_name("measure, succeeded, 3 of 3 succeeded")
    await expect(page.get_by_role("treeitem")).to_have_count(len(STEPS))
    await step(page, "measure").focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "Enter"):
        await page.keyboard.press(key)
    await expect(step(page, "measure[1]")).to_have_attribute("aria-selected", "true")
    await page.get_by_role("link", name="output").click()
    await expect(page.locator(".json")).to_contain_text('square: "9"')


async def test_the_table_lists_steps_and_items(open_page: OpenPage, finished_run: str) -> None:
    opened = await open_page(f"/runs/{finished_run}?view=table")
    rows = opened.page.locator("table.steps tbody tr")
    await expect(rows).to_have_count(len(STEPS))
    await opened.page.get_by_role("button", name="3 items").click()
    await expect(rows).to_have_count(len(STEPS) + 3)
    await expect(opened.page.locator("tr[data-key=collect]")).to_contain_text("cpu")


async def test_an_artifact_is_downloaded(open_page: OpenPage, finished_run: str) -> None:
    opened = await open_page(f"/runs/{finished_run}?step=collect&tab=files")
    async with opened.page.expect_download() as started:
        await opened.page.get_by_role("button", name="report.html").click()
    download = await started.value
    assert download.suggested_filename == "report.html"
    assert (await download.path()).read_text() == "<h1>a report</h1>\n"


async def test_artifacts_stand_beside_the_output_and_only_pixels_are_shown(
    open_page: OpenPage, finished_run: str
) -> None:
    opened = await open_page(f"/runs/{finished_run}?step=collect&tab=output")
    page = opened.page
    artifacts = page.locator("[data-test=artifacts]")
    await expect(artifacts.locator("li")).to_have_count(3)
    await expect(artifacts.locator("li").first).to_contain_text("image/svg+xml")
    await expect(artifacts.locator("img")).to_have_count(1)
    picture = artifacts.get_by_alt_text("pixels.png")
    await expect(picture).to_be_visible()
    await expect(picture).to_have_js_property("naturalWidth", 3)
    assert await page.evaluate("window.hacked") is None
    async with page.expect_download() as started:
        await artifacts.get_by_role("button", name="drawing.svg").click()
    assert (await started.value).suggested_filename == "drawing.svg"


async def test_a_failure_is_told_in_the_header_with_a_way_to_its_step(open_page: OpenPage, failed_run: str) -> None:
    opened = await open_page(f"/runs/{failed_run}")
    page = opened.page
    await expect(page.locator(".cause")).to_contain_text("train failed: ExitCode")
    await page.locator(".cause a").click()
    panel = page.get_by_role("complementary", name="Step train")
    await expect(panel).to_contain_text("ExitCode")
    await expect(panel.locator("pre.tail")).to_contain_text("no rows: <b>nothing</b> to learn from")
    await expect(step(page, "release")).to_have_attribute("data-state", "upstream_failed")


async def test_a_run_is_cancelled_after_asking(open_page: OpenPage, runs: Runs, gate: Path) -> None:
    run = await runs.start("ui-branches", gate=str(gate))
    opened = await open_page(f"/runs/{run}")
    page = opened.page
    await expect(step(page, "collect")).to_have_attribute("data-state", "running")
    await page.get_by_role("button", name="Cancel run").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Keep running").click()
    await expect(dialog).to_be_hidden()
    assert (await runs.get(run))["state"] == "running"
    await page.get_by_role("button", name="Cancel run").click()
    await dialog.get_by_role("button", name="Cancel run").click()
    await expect(page.locator("main")).to_have_attribute("data-state", "cancelled")
    await expect(step(page, "collect")).to_have_attribute("data-state", "cancelled")
    await expect(page.get_by_role("button", name="Cancel run")).to_have_count(0)
    assert (await runs.end(run))["state"] == "cancelled"


async def test_a_link_shows_the_same_again(open_page: OpenPage, finished_run: str) -> None:
    first = (await open_page(f"/runs/{finished_run}")).page
    await step(first, "collect").click()
    await first.get_by_role("navigation", name="About this step").get_by_role("link", name="logs").click()
    await first.get_by_role("navigation", name="View").get_by_role("link", name="table").click()
    await expect(first.get_by_role("log")).to_contain_text("last line")
    address = first.url.split("/runs/")[1]
    second = (await open_page(f"/runs/{address}")).page
    await expect(second.get_by_role("log")).to_contain_text("last line")
    await expect(second.locator("tr.selected")).to_have_attribute("data-key", "collect")
    await second.go_back()
    await first.go_back()
    await expect(step(first, "collect")).to_have_attribute("aria-selected", "true")


async def test_what_users_write_stays_text(open_page: OpenPage, finished_run: str) -> None:
    opened = await open_page(f"/runs/{finished_run}?step=collect")
    page = opened.page
    await expect(page.get_by_text(IMAGE)).to_be_visible()
    await page.get_by_role("link", name="logs").click()
    await expect(page.get_by_text(f"first line {SCRIPT}")).to_be_visible()
    await page.get_by_role("link", name="output").click()
    await expect(page.locator(".json")).to_contain_text("window.hacked = 2")
    await expect(page.locator("main img:not(.picture), main script")).to_have_count(0)
    assert await page.evaluate("window.hacked") is None


# The cable's ends are cut under asyncio's writers, whose finalizer may complain of it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_stream_that_was_lost_goes_on_without_a_missed_change(
    open_page: OpenPage, cable: Cable, runs: Runs, gate: Path
) -> None:
    run = await runs.start("ui-branches", gate=str(gate))
    opened = await open_page(f"/runs/{run}", origin=cable.url)
    opened.watch.tolerated = CUT
    page = opened.page
    await expect(page.locator("[data-link=live]")).to_be_visible()
    await expect(step(page, "collect")).to_have_attribute("data-state", "running")
    await cable.cut()
    await expect(page.get_by_role("alert")).to_contain_text("Reconnecting", timeout=20_000)
    (gate / "collect").touch()
    assert (await runs.end(run))["state"] == "succeeded"
    await expect(step(page, "collect")).to_have_attribute("data-state", "running")
    await cable.mend()
    await expect(page.locator("main")).to_have_attribute("data-state", "succeeded", timeout=20_000)
    await expect(page.get_by_role("alert")).to_have_count(0)
    for key, state in zip(STEPS, ("succeeded", "succeeded", "succeeded", "skipped"), strict=True):
        await expect(step(page, key)).to_have_attribute("data-state", state)


async def test_a_run_that_is_not_there_is_said(open_page: OpenPage) -> None:
    opened = await open_page("/runs/ui-branches-000000000000")
    opened.watch.tolerated = ("404",)
    await expect(opened.page.get_by_text("There is no run")).to_be_visible()


async def test_a_phone_shows_every_part_without_sideways_scrolling(open_page: OpenPage, failed_run: str) -> None:
    for path in ("/", "/workflows", "/workflows/ui-branches", *(f"/runs/{failed_run}{view}" for view in VIEWS)):
        opened = await open_page(path, width=320, height=640)
        await expect(opened.page.locator("main")).to_contain_text("ui-")
        widths = await opened.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert widths == [320, 320], path
    await opened.page.get_by_role("button", name="Close step").click()
    await expect(opened.page.get_by_role("navigation", name="View")).to_be_visible()


VIEWS = ("", "?view=steps", "?view=table", "?step=train&tab=logs", "?step=train")
