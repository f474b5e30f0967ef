"""Bundles: what is stored is what was named."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import AsyncIterator

import pytest

from api import boundary
from tests.api.conftest import Api


def bundle(content: str) -> tuple[str, bytes]:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("train.py", content)
    data = file.getvalue()
    return hashlib.sha256(data).hexdigest(), data


async def test_a_bundle_is_stored_once_and_found(api: Api) -> None:
    sha256, data = bundle("print('stored once')")
    assert (await api.http.head(f"/bundles/{sha256}")).status_code == 404
    first = await api.http.put(f"/bundles/{sha256}", content=data)
    assert (first.status_code, first.json()) == (201, {"sha256": sha256, "size": len(data)})
    second = await api.http.put(f"/bundles/{sha256}", content=data)
    assert (second.status_code, second.json()) == (200, first.json())
    assert (await api.http.head(f"/bundles/{sha256}")).status_code == 200
    assert api.objects.get(f"bundles/{sha256}.zip") == data


async def test_a_bundle_may_come_in_chunks_without_its_length(api: Api) -> None:
    sha256, data = bundle("x" * 3_000_000)

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(data), 100_000):
            yield data[start : start + 100_000]

    assert (await api.http.put(f"/bundles/{sha256}", content=chunks())).status_code == 201
    assert api.objects.get(f"bundles/{sha256}.zip") == data


async def test_a_body_of_another_sum_is_not_stored(api: Api) -> None:
    sha256, data = bundle("damaged")
    answer = await api.http.put(f"/bundles/{sha256}", content=data[:-1])
    assert (answer.status_code, answer.json()["code"]) == (422, "bundle_damaged")
    assert api.objects.stat(f"bundles/{sha256}.zip") is None


async def test_a_body_that_is_no_zip_is_not_stored(api: Api) -> None:
    data = b"#!/bin/sh"
    sha256 = hashlib.sha256(data).hexdigest()
    answer = await api.http.put(f"/bundles/{sha256}", content=data)
    assert (answer.status_code, answer.json()["code"]) == (422, "bundle_invalid")
    assert api.objects.stat(f"bundles/{sha256}.zip") is None


@pytest.mark.parametrize("name", ["abc", "0" * 63, "0" * 65, "G" * 64, "..%2f" + "0" * 59, "A" * 64])
async def test_a_name_that_is_no_sha256_is_refused(api: Api, name: str) -> None:
    answer = await api.http.put(f"/bundles/{name}", content=b"PK\x03\x04")
    assert answer.status_code in (404, 422)


@pytest.mark.parametrize("declared", [True, False])
async def test_a_bundle_above_the_limit_is_refused(api: Api, declared: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boundary, "MAX_BUNDLE_BYTES", 1024 * 1024)
    data = b"PK\x03\x04" + bytes(1024 * 1024)

    async def chunks() -> AsyncIterator[bytes]:
        yield data

    answer = await api.http.put(f"/bundles/{'1' * 64}", content=data if declared else chunks())
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert "1 MiB" in answer.json()["detail"]
