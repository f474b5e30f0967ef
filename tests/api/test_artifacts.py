"""Artifacts: listed as their worker said, sent as what was recorded, and never shown as a page."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tests.api.conftest import Api
from tests.api.samples import deployed, fresh, move, plan, recorded_run, succeed
from workflows.messages import StepResult
from workflows.plan import Plan

FOLDER = "000.001-3f2a9c1e"
FILES = {"plots/größe 1.png": b"\x89PNG", "page.html": b"<script>", "image.svg": b"<svg onload=x>", "a": b""}
TYPES = {"plots/größe 1.png": "image/png", "page.html": "text/html", "image.svg": "image/svg+xml", "a": "x/y"}


def put(api: Api, folder: str, files: dict[str, bytes] = FILES, *, listed: bool = True) -> None:
    about = []
    for name, data in files.items():
        api.objects.put(f"{folder}/artifacts/{name}", data)
        digest = hashlib.sha256(data).hexdigest()
        about.append({"name": name, "size": len(data), "sha256": digest, "type": TYPES.get(name, "text/plain")})
    if listed:
        api.objects.put(f"{folder}/artifacts.json", json.dumps({"artifacts": about}).encode())


async def new_run(api: Api, made: Plan | None = None, **result: Any) -> tuple[Plan, str, str]:
    """Return a plan, a run of it whose step `first` succeeded, and the folder of that attempt."""
    made = made or await deployed(api.database, plan(fresh("artifacts")))
    run = await recorded_run(api.database, made)
    folder = f"runs/{run}/first/{FOLDER}"
    await succeed(api.database, made, run, 1, "first", StepResult(None, None, folder, **result))
    return made, run, folder


async def test_artifacts_are_listed_in_order_and_in_pages(api: Api) -> None:
    _, run, folder = await new_run(api)
    put(api, folder)
    answer = await api.get(f"/runs/{run}/steps/first/artifacts")
    assert [each["name"] for each in answer["artifacts"]] == sorted(FILES)
    assert answer["artifacts"][1] == {
        "name": "image.svg",
        "size": 14,
        "sha256": hashlib.sha256(FILES["image.svg"]).hexdigest(),
        "type": "image/svg+xml",
    }
    assert (answer["made_by"], answer["next"]) == ({"run": run, "step": "first"}, None)
    page = await api.get(f"/runs/{run}/steps/first/artifacts?limit=3")
    assert page["next"] == "page.html"
    rest = await api.get(f"/runs/{run}/steps/first/artifacts?limit=3&after=page.html")
    assert ([each["name"] for each in rest["artifacts"]], rest["next"]) == (["plots/größe 1.png"], None)


async def test_an_artifact_is_sent_as_a_download_and_only_images_have_their_type(api: Api) -> None:
    _, run, folder = await new_run(api)
    put(api, folder)
    for name, data in FILES.items():
        sent = await api.http.get(f"/runs/{run}/steps/first/artifacts/{name}")
        assert sent.content == data
        png = name.endswith(".png")
        assert sent.headers["content-type"] == ("image/png" if png else "application/octet-stream"), name
        assert sent.headers["content-disposition"].startswith("attachment;")
        assert sent.headers["x-content-type-options"] == "nosniff"
        assert sent.headers["content-security-policy"].startswith("sandbox")


async def test_what_is_not_listed_is_not_sent(api: Api) -> None:
    _, run, folder = await new_run(api)
    put(api, folder)
    api.objects.put(f"{folder}/output.json", b"{}")
    for name in ("none", "..", "../output.json", "%2e%2e/output.json", "a/", "a/b"):
        target = f"/api/v1/runs/{run}/steps/first/artifacts/{name}".encode()
        assert (await api.http.get("/", extensions={"target": target})).status_code == 404, name
    api.objects.put(f"{folder}/artifacts/page.html", b"changed!")
    answer = await api.http.get(f"/runs/{run}/steps/first/artifacts/page.html")
    assert (answer.status_code, answer.json()["code"]) == (500, "object_damaged")


async def test_a_list_that_no_worker_wrote_opens_nothing(api: Api) -> None:
    for text in (b"[]", b'{"artifacts": [{"name": "../../x"}]}', b"{", b'{"artifacts": {"a": 1}}'):
        _, run, folder = await new_run(api)
        api.objects.put(f"{folder}/artifacts.json", text)
        answer = await api.http.get(f"/runs/{run}/steps/first/artifacts")
        assert (answer.status_code, answer.json()["code"]) == (500, "object_damaged"), text
    _, run, folder = await new_run(api)
    outside = {"name": "../output.json", "size": 2, "sha256": "00" * 32, "type": "x"}
    api.objects.put(f"{folder}/artifacts.json", json.dumps({"artifacts": [outside]}).encode())
    answer = await api.http.get(f"/runs/{run}/steps/first/artifacts/%2e%2e%2foutput.json")
    assert answer.status_code in (404, 422, 500)


async def test_files_of_a_worker_that_was_lost_are_listed_as_far_as_they_are_there(api: Api) -> None:
    _, run, folder = await new_run(api)
    put(api, folder, {"a.txt": b"a", "b/c.txt": b"c"}, listed=False)
    answer = await api.get(f"/runs/{run}/steps/first/artifacts")
    assert [(each["name"], each["size"], each["sha256"]) for each in answer["artifacts"]] == [
        ("a.txt", 1, None),
        ("b/c.txt", 1, None),
    ]
    assert (await api.http.get(f"/runs/{run}/steps/first/artifacts/b/c.txt")).content == b"c"


async def test_a_step_that_has_not_run_has_no_artifacts(api: Api) -> None:
    _, run, _ = await new_run(api)
    answer = await api.get(f"/runs/{run}/steps/second/artifacts")
    assert answer == {"artifacts": [], "made_by": None, "next": None}
    assert (await api.http.get(f"/runs/{run}/steps/none/artifacts")).status_code == 404


async def test_a_rerun_leads_to_the_artifacts_of_the_steps_that_it_kept(api: Api) -> None:
    made, earlier, folder = await new_run(api)
    put(api, folder)
    rerun = await recorded_run(api.database, made)
    await move(api.database, made, rerun, 1, "first", "succeeded", detail={"kept": {"run": earlier}})
    answer = await api.get(f"/runs/{rerun}/steps/first/artifacts")
    assert [each["name"] for each in answer["artifacts"]] == sorted(FILES)
    assert answer["made_by"] == {"run": earlier, "step": "first"}
    assert (await api.http.get(f"/runs/{rerun}/steps/first/artifacts/page.html")).content == b"<script>"


async def test_a_step_that_was_kept_from_another_workflow_or_from_nowhere_opens_nothing(api: Api) -> None:
    _, other, folder = await new_run(api)
    put(api, folder)
    made = await deployed(api.database, plan(fresh("artifacts")))
    for earlier in (other, "none"):
        rerun = await recorded_run(api.database, made)
        await move(api.database, made, rerun, 1, "first", "succeeded", detail={"kept": {"run": earlier}})
        answer = await api.get(f"/runs/{rerun}/steps/first/artifacts")
        assert answer == {"artifacts": [], "made_by": None, "next": None}
