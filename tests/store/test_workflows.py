"""Versions are numbered, immutable and only made when something changed."""

from __future__ import annotations

import asyncio

from store.database import Database
from store.runs import create_run
from store.workflows import deploy_workflow, get_version, get_workflow, list_versions, list_workflows
from tests.store.samples import created, deployed, plan
from workflows.messages import RunRequest
from workflows.plan import Trigger

SOURCE = {"filename": "train.yaml", "text": "segue: 1", "language": "yaml"}


async def test_a_deploy_makes_a_version_that_reads_back(database: Database) -> None:
    trigger = Trigger("schedule", {"cron": "0 3 * * *"}, {"x": 1})
    made, is_new = await deploy_workflow(
        database, plan(description="d", labels={"team": "a"}, triggers=(trigger,)), SOURCE, "b" * 64
    )
    assert is_new
    assert (made.workflow, made.version, made.bundle) == ("train", 1, "b" * 64)
    assert await get_version(database, "train") == made
    assert await get_version(database, "train", 1) == made
    assert made.source == SOURCE
    assert made.plan == plan(description="d", labels={"team": "a"}, triggers=(trigger,)).to_json()
    found = await get_workflow(database, "train")
    assert found is not None
    assert (found.description, found.labels, found.version, found.plan_hash) == ("d", {"team": "a"}, 1, made.plan_hash)
    assert found.triggers == [{"kind": "schedule", "spec": {"cron": "0 3 * * *"}, "params": {"x": 1}}]
    assert found.last_run is None


async def test_the_same_plan_and_bundle_make_no_new_version(database: Database) -> None:
    first, _ = await deploy_workflow(database, plan(), SOURCE, "a")
    again, is_new = await deploy_workflow(database, plan(), {"text": "spelt differently"}, "a")
    assert (again, is_new) == (first, False)
    other_bundle, _ = await deploy_workflow(database, plan(), SOURCE, "b")
    other_plan, _ = await deploy_workflow(database, plan(timeout=5.0), SOURCE, "b")
    back, _ = await deploy_workflow(database, plan(), SOURCE, "a")
    assert [v.version for v in (first, other_bundle, other_plan, back)] == [1, 2, 3, 4]
    assert [v.version for v in await list_versions(database, "train")] == [4, 3, 2, 1]
    assert await get_version(database, "train", 1) == first


async def test_deploys_at_once_are_numbered_without_gaps(url: str) -> None:
    several = [Database(url) for _ in range(2)]
    try:
        await several[0].migrate()
        plans = [plan(timeout=float(n)) for n in range(1, 9)]
        made = await asyncio.gather(*(deploy_workflow(several[n % 2], p, SOURCE, None) for n, p in enumerate(plans)))
        assert sorted(version.version for version, _ in made) == list(range(1, 9))
        same = await asyncio.gather(*(deploy_workflow(several[n % 2], plan("same"), SOURCE, None) for n in range(8)))
        assert [version.version for version, _ in same] == [1] * 8
        assert sum(is_new for _, is_new in same) == 1
    finally:
        for database in several:
            await database.close()


async def test_the_list_has_each_workflow_once_with_its_last_run(database: Database) -> None:
    await created(database, "train-1")
    await created(database, "train-2")
    await deployed(database, "alone")
    await deploy_workflow(database, plan("train", timeout=9.0), SOURCE, None)
    listed = await list_workflows(database)
    assert [(w.name, w.version, w.last_run.id if w.last_run else None) for w in listed] == [
        ("alone", 1, None),
        ("train", 2, "train-2"),
    ]


async def test_what_is_not_there_is_none(database: Database) -> None:
    await deployed(database)
    assert await get_workflow(database, "nothing\0") is None
    assert await get_version(database, "nothing") is None
    assert [await get_version(database, "train", n) for n in (0, -1, 2, 2**31, 2**70)] == [None] * 5
    assert await list_versions(database, "nothing") == []


async def test_a_run_of_a_workflow_nobody_knows_stays_out_of_the_list(database: Database) -> None:
    await create_run(database, "ghost-1", RunRequest("ghost"))
    assert await list_workflows(database) == []
