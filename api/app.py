"""The API as an ASGI application: routes, what surrounds them, and what lives as long as it does.

It never runs or imports what users write: definitions arrive as data and code as sealed bundles.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

from api import problems
from api.auth import CALLBACK_PATH, OPEN_PATHS, RequireKey
from api.boundary import BodyLimit, LastCatch, SecurityHeaders
from api.pages import Pages
from api.problems import respond, unavailable
from api.routes import (
    answers,
    artifacts,
    bundles,
    cache,
    callbacks,
    events,
    fleet,
    health,
    logs,
    metrics,
    operations,
    outputs,
    queues,
    reruns,
    runs,
    vars,
    workflows,
)
from api.schemas import ProblemDocument
from api.services import Services
from api.temporal import Temporal
from store.database import Database, DatabaseUnavailable
from store.keys import verify_key
from store.objects import ObjectStoreUnavailable, open_object_store
from store.settings import Settings

PREFIX = "/api/v1"

DATABASE_TIMEOUT_SECONDS = 1.5

_DESCRIPTION = """
Deploy workflows, start runs, watch them. Every request carries an API key as `Authorization: Bearer <key>`. Every error
is a problem document (RFC 9457) with a stable `code`. Times are RFC 3339 in UTC, durations are seconds.
"""


def create_app(settings: Settings) -> FastAPI:
    """Return the API; its database, object store and Temporal client are opened when it starts."""
    app = FastAPI(
        title="Segue",
        description=_DESCRIPTION,
        version=version("segue-server"),
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # these load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        responses={
            "default": {
                "model": ProblemDocument,
                "description": "A problem document.",
            }
        },
    )
    app.state.settings = settings
    app.include_router(_routes(), prefix=PREFIX)
    app.router.default = Pages()
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    problems.install(app)
    app.add_exception_handler(DatabaseUnavailable, _on_database_unavailable)
    app.add_exception_handler(ObjectStoreUnavailable, _on_objects_unavailable)

    async def find_key(key: str) -> str | None:
        services: Services = app.state.services
        try:
            return await verify_key(services.ready_database(), key)
        except DatabaseUnavailable:
            raise unavailable("The database") from None

    # The last one added is the outermost.
    app.add_middleware(BodyLimit)
    app.add_middleware(RequireKey, find_key=find_key)
    app.add_middleware(LastCatch)
    app.add_middleware(SecurityHeaders)
    return app


def _routes() -> APIRouter:
    router = APIRouter()
    for noun in (health, workflows, bundles, runs, answers, callbacks, operations, reruns, events):
        router.include_router(noun.router)
    for noun in (logs, metrics, outputs, artifacts, cache, queues, fleet, vars):
        router.include_router(noun.router)
    return router


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    services = Services(
        settings=settings,
        database=Database(settings.database_url, timeout=DATABASE_TIMEOUT_SECONDS),
        objects=open_object_store(settings.object_store),
        temporal=Temporal(settings.temporal_address, settings.temporal_namespace),
    )
    app.state.services = services
    migrating = None if await services.migrate() else asyncio.create_task(services.migrate_until_done())
    try:
        yield
    finally:
        services.stopping.set()
        if migrating is not None:
            migrating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await migrating
        await services.database.close()
        services.objects.close()


async def _on_database_unavailable(request: Request, error: Exception) -> JSONResponse:
    return respond(unavailable("The database"))


async def _on_objects_unavailable(request: Request, error: Exception) -> JSONResponse:
    return respond(unavailable("The object store"))


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
        )
        problem = {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
        for operation in (each for path in schema["paths"].values() for each in path.values()):
            operation["responses"]["default"]["content"] = {"application/problem+json": problem}
        schema["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        schema["security"] = [{"key": []}]
        for path in (OPEN_PATHS | {CALLBACK_PATH}) & schema["paths"].keys():
            for operation in schema["paths"][path].values():
                operation["security"] = []
        app.openapi_schema = schema
    return app.openapi_schema
