"""The OpenAPI document: complete enough to write a client from."""

from __future__ import annotations

from typing import Any

from api.app import create_app
from store.settings import Settings
from tests.api.conftest import Api


async def test_the_document_is_served_without_a_key(api: Api) -> None:
    answer = await api.anonymous.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    assert answer.json()["openapi"].startswith("3.1")


def operations() -> list[tuple[str, dict[str, Any]]]:
    document = create_app(Settings()).openapi()
    return [
        (f"{method} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_operation_has_a_summary_a_description_and_a_problem() -> None:
    for name, operation in operations():
        assert operation.get("summary"), name
        assert operation.get("description"), name
        assert operation["responses"]["default"]["content"] == {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
        }, name
        assert operation["tags"], name


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for _, operation in operations()]
    assert len(names) == len(set(names))


def test_validation_errors_are_described_as_they_are_sent() -> None:
    document = create_app(Settings()).openapi()
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert {"path", "message"} == set(document["components"]["schemas"]["FieldProblem"]["properties"])
    for name, operation in operations():
        assert "422" not in operation["responses"], name


def test_the_document_says_that_a_key_is_needed() -> None:
    document = create_app(Settings()).openapi()
    assert document["security"] == [{"key": []}]
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert [name for name, operation in operations() if operation.get("security") == []] == [
        "get /api/v1/health",
        "post /api/v1/callbacks/{token}",
    ]
