"""Whether the service is there; the one route that needs no key."""

from __future__ import annotations

from fastapi import APIRouter, Request

from api.schemas import Health
from api.strict_json import StrictRoute

router = APIRouter(tags=["health"], route_class=StrictRoute)


@router.get("/health", summary="Is the service up?")
async def get_health(request: Request) -> Health:
    """Answer as long as the process can; the database and Temporal may be down."""
    return Health(version=request.app.version)
