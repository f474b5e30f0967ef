"""Outputs and files: what is sent is what was recorded, or nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import httpx
import pytest

from tests.api.conftest import Api
from tests.api.samples import deployed, fresh, mapped, move, plan, recorded_run, succeed
from workflows.messages import StepResult
from workflows.plan import Plan

FOLDER = "000.001-3f2a9c1e"


def reference(key: str, data: bytes, kind: str = "json", **more: Any) -> dict[str, Any]:
    return {"$segue": kind, "key": key, "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), **more}


async def new_run(api: Api) -> tuple[Plan, str, str]:
    """Return a plan, a run of it, and the folder of the first attempt of its step `first`."""
    made = await deployed(api.database, plan(fresh("output")))
    run = await recorded_run(api.database, made)
    return made, run, f"runs/{run}/first/{FOLDER}"


async def with_output(api: Api, data: bytes, value: Any) -> tuple[str, str]:
    """Return a run whose step `first` gave `data`, and the key of that object."""
    made, run, folder = await new_run(api)
    key = f"{folder}/output.json"
    api.objects.put(key, data)
    await succeed(api.database, made, run, 1, "first", StepResult(value, reference(key, data), folder))
    return run, key


@pytest.mark.parametrize("size", [10, 1_000_000, 5_000_000])
async def test_an_output_is_sent_whole_whatever_its_size(api: Api, size: int) -> None:
    data = json.dumps({"text": "x" * size}).encode()
    run, _ = await with_output(api, data, reference("elsewhere", data))
    answer = await api.http.get(f"/runs/{run}/steps/first/output")
    assert (answer.status_code, answer.content == data) == (200, True)
    assert answer.headers["content-type"] == "application/json"
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert answer.headers["repr-digest"] == f"sha-256=:{digest}:"


async def test_a_small_output_that_was_damaged_is_not_sent(api: Api) -> None:
    run, key = await with_output(api, b'{"accuracy": 0.9}', {"accuracy": 0.9})
    api.objects.put(key, b'{"accuracy": 0.8}')
    answer = await api.http.get(f"/runs/{run}/steps/first/output")
    assert (answer.status_code, answer.json()["code"]) == (500, "object_damaged")


@pytest.mark.parametrize("damage", ["changed", "shorter", "longer"])
async def test_a_large_output_that_was_damaged_never_arrives_whole(api: Api, damage: str) -> None:
    data = b"[" + b"1," * 2_000_000 + b"1]"
    run, key = await with_output(api, data, None)
    api.objects.put(key, {"changed": data[:-2] + b"2]", "shorter": data[:-1], "longer": data + b" "}[damage])
    with pytest.raises(httpx.RemoteProtocolError):
        await api.http.get(f"/runs/{run}/steps/first/output")


async def test_an_output_that_is_gone_is_a_404(api: Api) -> None:
    run, key = await with_output(api, b"{}", {})
    api.objects.delete(key)
    answer = await api.http.get(f"/runs/{run}/steps/first/output")
    assert (answer.status_code, answer.json()["code"]) == (404, "object_not_found")


async def test_a_step_that_did_not_succeed_has_no_output(api: Api) -> None:
    _, run, _ = await new_run(api)
    answer = await api.http.get(f"/runs/{run}/steps/first/output")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_output")


async def test_the_output_of_a_map_is_the_list(api: Api) -> None:
    made = await deployed(api.database, mapped(fresh("map")))
    run = await recorded_run(api.database, made)
    await move(api.database, made, run, 1, "train", "succeeded", result=StepResult([0.5, None]))
    answer = await api.http.get(f"/runs/{run}/steps/train/output")
    assert answer.json() == [0.5, None]


async def test_a_record_that_points_into_another_run_opens_nothing(api: Api) -> None:
    made, run, _ = await new_run(api)
    other = b'"secret"'
    api.objects.put(f"runs/{run}-other/first/{FOLDER}/output.json", other)
    stolen = reference(f"runs/{run}-other/first/{FOLDER}/output.json", other)
    result = StepResult(stolen, stolen, f"runs/{run}-other/first/{FOLDER}")
    await succeed(api.database, made, run, 1, "first", result)
    for path in ("output", "files", "files/output.json"):
        answer = await api.http.get(f"/runs/{run}/steps/first/{path}")
        assert (answer.status_code, answer.json()["code"]) == (500, "object_damaged"), path


async def test_files_are_listed_and_sent_as_attachments(api: Api) -> None:
    made, run, folder = await new_run(api)
    model, page = b"\x00\x01model", b"<script>alert(1)</script>"
    api.objects.put(f"{folder}/files/1-model.bin", model)
    api.objects.put(f"{folder}/files/2-data", b"bytes")
    api.objects.put(f"{folder}/artifacts/report.html", page)
    api.objects.put(f"{folder}/artifacts/plots/größe 1.png", b"png")
    api.objects.put(f"{folder}/logs/000001.ndjson", b"{}")
    value = {
        "model": reference(f"{folder}/files/1-model.bin", model, "file", name="model.bin"),
        "more": [{"data": reference(f"{folder}/files/2-data", b"bytes", "bytes")}],
    }
    await succeed(api.database, made, run, 1, "first", StepResult(value, None, folder))
    listed = (await api.get(f"/runs/{run}/steps/first/files"))["files"]
    assert [(file["name"], file["size"], file["kind"]) for file in listed] == [
        ("plots/größe 1.png", 3, "artifact"),
        ("report.html", len(page), "artifact"),
        ("1-model.bin", 7, "file"),
        ("2-data", 5, "bytes"),
    ]
    assert [file["sha256"] is not None for file in listed] == [False, False, True, True]

    sent = await api.http.get(f"/runs/{run}/steps/first/files/report.html")
    assert sent.content == page
    assert sent.headers["content-type"] == "application/octet-stream"
    assert sent.headers["content-disposition"].startswith("attachment;")
    assert sent.headers["x-content-type-options"] == "nosniff"
    assert sent.headers["content-security-policy"].startswith("sandbox")
    sent = await api.http.get(f"/runs/{run}/steps/first/files/plots/größe%201.png")
    assert sent.content == b"png"
    assert sent.headers["content-disposition"] == "attachment; filename*=UTF-8''gr%C3%B6%C3%9Fe%201.png"

    api.objects.put(f"{folder}/files/1-model.bin", b"changed")
    damaged = await api.http.get(f"/runs/{run}/steps/first/files/1-model.bin")
    assert damaged.status_code == 500
    for name in ("none", "..", "../logs/000001.ndjson", "%2e%2e/output.json", "1-model.bin/"):
        target = f"/api/v1/runs/{run}/steps/first/files/{name}".encode()
        assert (await api.http.get("/", extensions={"target": target})).status_code == 404, name


async def test_files_of_a_large_output_are_found_through_its_document(api: Api) -> None:
    made, run, folder = await new_run(api)
    api.objects.put(f"{folder}/files/1-model.bin", b"model")
    inner = reference(f"{folder}/files/1-model.bin", b"model", "file", name="model.bin")
    document = json.dumps({"model": inner, "rest": "x" * 20_000}).encode()
    api.objects.put(f"{folder}/output.json", document)
    whole = reference(f"{folder}/output.json", document)
    await succeed(api.database, made, run, 1, "first", StepResult(whole, whole, folder))
    listed = (await api.get(f"/runs/{run}/steps/first/files"))["files"]
    assert listed == [{"name": "1-model.bin", "size": 5, "sha256": inner["sha256"], "kind": "file"}]


async def test_a_step_that_has_not_run_has_no_files(api: Api) -> None:
    _, run, _ = await new_run(api)
    assert await api.get(f"/runs/{run}/steps/first/files") == {"files": []}
