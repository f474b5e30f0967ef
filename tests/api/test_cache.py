"""Outputs that are kept for reuse: listed, cleared, and what they leave reachable from the runs that reuse them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from store.cache import Claim, Claims, Computation
from tests.api.conftest import Api
from tests.api.samples import deployed, fresh, move, plan, recorded_run, succeed
from workflows.messages import StepResult

FOLDER = "000.001-3f2a9c1e"


def put(api: Api, workflow: str, step: str, digest: str, state: Any, **more: Any) -> None:
    claim = Claim(state, f"{workflow}-1", step, FOLDER, at=1_800_000_000.0, **more)
    assert Claims(api.objects).make(Computation(workflow, step, digest * 64), 1, claim)


async def test_outputs_are_listed_and_cleared(api: Api) -> None:
    name, other = fresh("cached"), fresh("cached")
    put(api, name, "train", "0", "done", output={"$segue": "json", "key": "x", "size": 40})
    put(api, name, "train", "1", "computing")
    put(api, name, "train", "2", "failed")
    put(api, name, "other", "3", "done")
    put(api, other, "train", "4", "done")
    listed = (await api.get(f"/cache?workflow={name}&step=train"))["outputs"]
    assert listed == [
        {
            "workflow": name,
            "step": "train",
            "key": digest * 64,
            "state": state,
            "run": f"{name}-1",
            "step_key": "train",
            "at": "2027-01-15T08:00:00.000000Z",
            "size": size,
        }
        for digest, state, size in (("0", "done", 40), ("1", "computing", 0))
    ]
    assert len((await api.get(f"/cache?workflow={name}"))["outputs"]) == 3
    assert len((await api.get(f"/cache?workflow={name}&limit=1"))["outputs"]) == 1
    assert (await api.http.delete(f"/cache?workflow={name}&step=train")).json() == {"cleared": 1}
    assert [each["step"] for each in (await api.get(f"/cache?workflow={name}"))["outputs"]] == ["other"]
    assert (await api.http.delete(f"/cache?workflow={name}")).json() == {"cleared": 1}
    assert (await api.http.delete(f"/cache?workflow={name}")).json() == {"cleared": 0}
    assert [each["workflow"] for each in (await api.get("/cache?limit=1000"))["outputs"]].count(other) == 1


@pytest.mark.parametrize("query", ["workflow=../runs", "workflow=a/b", "workflow=a&step=..", "step=a", "limit=0"])
async def test_what_cannot_be_a_name_is_refused(api: Api, query: str) -> None:
    assert (await api.http.get(f"/cache?{query}")).status_code == 422
    assert (await api.http.delete(f"/cache?{query}")).status_code == 422


async def reusing(api: Api, made: Any, of: str, folder: str) -> str:
    """Return a run whose step `first` reused what the attempt in `folder` of the run `of` made."""
    run = await recorded_run(api.database, made)
    output = {"$segue": "json", "key": f"{folder}/output.json", "size": 2, "sha256": hashlib.sha256(b"{}").hexdigest()}
    reused = {"run": of, "step": "first", "folder": folder, "at": 1_800_000_000.0}
    result = StepResult({}, output, f"runs/{run}/first/{FOLDER}")
    await move(api.database, made, run, 1, "first", "succeeded", result=result, detail={"reused": reused})
    return run


async def test_what_the_first_run_left_is_reachable_from_the_one_that_reuses_it(api: Api) -> None:
    made = await deployed(api.database, plan(fresh("reuse")))
    first = await recorded_run(api.database, made)
    folder = f"runs/{first}/first/{FOLDER}"
    api.objects.put(f"{folder}/output.json", b"{}")
    api.objects.put(f"{folder}/artifacts/a.txt", b"a")
    about = {"name": "a.txt", "size": 1, "sha256": hashlib.sha256(b"a").hexdigest(), "type": "text/plain"}
    api.objects.put(f"{folder}/artifacts.json", json.dumps({"artifacts": [about]}).encode())
    await succeed(api.database, made, first, 1, "first", StepResult({}, None, folder))
    run = await reusing(api, made, first, folder)
    listed = await api.get(f"/runs/{run}/steps/first/artifacts")
    assert (listed["made_by"], listed["artifacts"]) == ({"run": first, "step": "first"}, [about])
    assert (await api.http.get(f"/runs/{run}/steps/first/artifacts/a.txt")).content == b"a"
    assert (await api.http.get(f"/runs/{run}/steps/first/output")).content == b"{}"
    assert [each["name"] for each in (await api.get(f"/runs/{run}/steps/first/files"))["files"]] == ["a.txt"]


async def test_a_record_of_reuse_opens_nothing_of_another_workflow_or_step(api: Api) -> None:
    made = await deployed(api.database, plan(fresh("thief")))
    other = await recorded_run(api.database, await deployed(api.database, plan(fresh("owner"))))
    mine = await recorded_run(api.database, made)
    places = [
        (other, f"runs/{other}/first/{FOLDER}"),  # another workflow's
        (mine, f"runs/{mine}/second/{FOLDER}"),  # another step's
        (mine, f"runs/{other}/first/{FOLDER}"),  # not that run's
    ]
    for of, folder in places:
        for name in ("output.json", "artifacts/a.txt"):
            api.objects.put(f"{folder}/{name}", b"{}")
        run = await reusing(api, made, of, folder)
        for path in ("output", "files", "artifacts", "artifacts/a.txt"):
            answer = await api.http.get(f"/runs/{run}/steps/first/{path}")
            assert (answer.status_code, answer.json()["code"]) == (500, "object_damaged"), (folder, path)
