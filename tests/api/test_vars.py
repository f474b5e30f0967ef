"""Variables: set, listed, replaced, deleted."""

from __future__ import annotations

import pytest

from tests.api.conftest import Api


@pytest.mark.parametrize("value", ["text", 5, 0.5, True, None, [1, {"a": []}], {"url": "http://x"}, "ü\u2028😀"])
async def test_a_variable_keeps_any_json(api: Api, value: object) -> None:
    answer = await api.http.put("/vars/ANY_VALUE", json={"value": value})
    assert answer.json() == {"name": "ANY_VALUE", "value": value}
    assert (await api.get("/vars"))["vars"]["ANY_VALUE"] == value


async def test_a_deleted_variable_is_gone(api: Api) -> None:
    await api.http.put("/vars/GOING", json={"value": 1})
    assert (await api.http.delete("/vars/GOING")).status_code == 204
    again = await api.http.delete("/vars/GOING")
    assert (again.status_code, again.json()["code"]) == (404, "variable_not_found")
    assert "GOING" not in (await api.get("/vars"))["vars"]


@pytest.mark.parametrize("name", ["1A", "a-b", "a.b", "a%00", "a%0a", "%24segue", "a" * 101, "ä"])
async def test_a_name_that_no_expression_could_read_is_refused(api: Api, name: str) -> None:
    answer = await api.http.put(f"/vars/{name}", json={"value": 1})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["path"] == "name"


async def test_a_variable_has_a_largest_size(api: Api) -> None:
    largest = "x" * (16 * 1024 - 2)
    assert (await api.http.put("/vars/LARGEST", json={"value": largest})).status_code == 200
    answer = await api.http.put("/vars/LARGEST", json={"value": largest + "x"})
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, "value")
