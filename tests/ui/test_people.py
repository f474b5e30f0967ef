"""What a person does on the run page: answering an approval, deciding about a step that is held."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Route, expect

from tests.ui.pages import OpenPage
from tests.ui.service import Runs


async def test_an_approval_with_its_form_and_a_held_step_are_decided_on_the_page(
    open_page: OpenPage, runs: Runs, gate: Path
) -> None:
    run = await runs.start("ui-people", gate=str(gate))
    page = (await open_page(f"/runs/{run}?step=ask")).page
    await expect(page.locator("[data-test=reason]")).to_contain_text("Waits for an approval by anybody")
    form = page.get_by_role("form", name="Approve or reject")
    await expect(form.get_by_label("rollout")).to_have_value("10")

    await form.get_by_label("rollout").fill("many")
    await form.get_by_role("button", name="Approve").click()
    await expect(form).to_contain_text("must be a whole number")
    await form.get_by_label("rollout").fill("25")
    await form.get_by_label("Comment").fill("looks good")
    await form.get_by_role("button", name="Approve").click()
    await expect(page.locator("[data-test=reason]")).to_contain_text("looks good")
    await expect(form).to_have_count(0)

    ship = page.locator("[role=treeitem][data-key='ship']")
    await expect(ship).to_have_attribute("data-state", "held")
    await expect(page.locator("[role=treeitem][data-key='clean']")).to_have_attribute("data-state", "waiting")
    await ship.click()
    (gate / "ship").touch()
    await page.get_by_role("button", name="Try again").click()
    await expect(ship).to_have_attribute("data-state", "succeeded")
    ended = await runs.end(run)
    steps = {step["key"]: step for step in ended["steps"]}
    assert ended["state"] == "succeeded"
    assert steps["ask"]["output"]["rollout"] == 25
    assert steps["clean"]["state"] == "succeeded"


async def test_a_rejection_needs_no_form_and_a_held_step_may_be_let_fail(
    open_page: OpenPage, runs: Runs, gate: Path
) -> None:
    run = await runs.start("ui-people", gate=str(gate))
    page = (await open_page(f"/runs/{run}?step=ask", width=400)).page
    await page.get_by_role("button", name="Reject").click()
    ended = await runs.end(run)
    states = {step["key"]: step["state"] for step in ended["steps"]}
    assert states == {"ask": "succeeded", "ship": "skipped", "clean": "succeeded"}

    run = await runs.start("ui-people", gate=str(gate))
    page = (await open_page(f"/runs/{run}?step=ask")).page
    await page.get_by_role("form", name="Approve or reject").get_by_role("button", name="Approve").click()
    ship = page.locator("[role=treeitem][data-key='ship']")
    await expect(ship).to_have_attribute("data-state", "held")
    await ship.click()
    await page.get_by_role("button", name="Let it fail").click()
    await expect(ship).to_have_attribute("data-state", "failed")
    assert (await runs.end(run))["state"] == "failed"


async def test_a_step_in_a_queue_that_nobody_serves_says_how_to_serve_it(open_page: OpenPage, runs: Runs) -> None:
    run = await runs.start("ui-lonely")
    page = (await open_page(f"/runs/{run}?step=far")).page
    await expect(page.locator("[data-test=served]")).to_have_text(
        "Nobody serves the queue far-away. Start a worker: segue worker --queue far-away"
    )
    await page.get_by_text("Skip this step").click()
    await page.get_by_label("Why").fill("nobody is there")
    await page.get_by_role("button", name="Skip", exact=True).click()
    ended = await runs.end(run)
    assert [step["state"] for step in ended["steps"]] == ["skipped"]
    await expect(page.locator("[data-test=served]")).to_have_count(0)


async def test_a_run_is_paused_resumed_cancelled_and_retried_on_the_page(
    open_page: OpenPage, runs: Runs, gate: Path
) -> None:
    run = await runs.start("ui-branches", gate=str(gate))
    page = (await open_page(f"/runs/{run}")).page
    collect = page.locator("[role=treeitem][data-key='collect']")
    await expect(collect).to_have_attribute("data-state", "running")
    await page.get_by_role("button", name="Pause").click()
    await expect(page.locator("main")).to_have_attribute("data-state", "paused")
    await expect(page.locator(".cause")).to_contain_text("paused the run: from the web page")
    await page.get_by_role("button", name="Resume").click()
    await expect(page.locator("main")).to_have_attribute("data-state", "running")
    await page.get_by_role("button", name="Cancel run").click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel run").click()
    await expect(page.locator("main")).to_have_attribute("data-state", "cancelled")
    await page.get_by_role("button", name="Retry").click()
    await expect(page.locator("main")).to_have_attribute("data-state", "running")
    await expect(collect).to_have_attribute("data-state", "running")
    await collect.click()
    await page.get_by_text("Skip this step").click()
    await page.get_by_label("Why").fill("not today")
    await page.get_by_role("button", name="Skip", exact=True).click()
    await expect(collect).to_have_attribute("data-state", "skipped")
    await expect(page.locator("[data-test=reason]")).to_contain_text("skipped it: not today")
    await expect(page.locator("main")).to_have_attribute("data-state", "succeeded")
    await expect(page.get_by_text("Skip this step")).to_have_count(0)
    await expect(page.get_by_role("button", name="Retry")).to_have_count(0)


async def test_a_run_that_does_not_move_says_why_and_what_to_do(open_page: OpenPage, runs: Runs, gate: Path) -> None:
    run = await runs.start("ui-people", gate=str(gate))
    opened = await open_page("/")
    page = opened.page
    # What the service says of a run without a control worker, whom the other runs of this session need.
    stuck = "nobody serves the control queue; start a control worker: segue worker --queue segue-control"

    async def say(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, json={**await answer.json(), "stuck": stuck})

    await page.route(f"**/api/v1/runs/{run}", say)
    await page.goto(f"{opened.watch.origin}/runs/{run}")
    await expect(page.locator("[data-test=stuck]")).to_have_text(f"Stuck: {stuck}")
    await expect(page.locator("main")).to_have_attribute("data-state", "running")
    await page.unroute(f"**/api/v1/runs/{run}")
    await page.reload()
    await expect(page.locator("main")).to_have_attribute("data-state", "running")
    await expect(page.locator("[data-test=stuck]")).to_have_count(0)
    await page.get_by_role("button", name="Cancel run").click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel run").click()
    assert (await runs.end(run))["state"] == "cancelled"
