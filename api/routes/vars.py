"""Variables of the service: named JSON that workflows read as `vars.NAME`.

A run sees them as they were when it started. They are no place for secrets: anyone with a key reads them.
"""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.problems import invalid, not_found
from api.schemas import Var, Vars, VarValue
from api.services import InDatabase
from api.strict_json import StrictRoute
from store.vars import delete_var, get_vars, set_var

router = APIRouter(tags=["vars"], route_class=StrictRoute)

MAX_VAR_BYTES = 16 * 1024

Name = Annotated[str, Path(pattern="^[A-Za-z_][A-Za-z0-9_]{0,99}$", examples=["META_API"])]


@router.get("/vars", summary="All variables")
async def list_all(database: InDatabase) -> Vars:
    """Return every variable with its value."""
    return Vars(vars=await get_vars(database))


@router.put("/vars/{name}", summary="Set a variable")
async def put(name: Name, body: VarValue, database: InDatabase) -> Var:
    """Create the variable or replace its value; runs that have started keep the old one."""
    if len(json.dumps(body.value).encode()) > MAX_VAR_BYTES:
        raise invalid([("value", f"a variable may have at most {MAX_VAR_BYTES:,} bytes of JSON")])
    await set_var(database, name, body.value)
    return Var(name=name, value=body.value)


@router.delete("/vars/{name}", status_code=204, response_class=Response, summary="Delete a variable")
async def delete(name: Name, database: InDatabase) -> None:
    """Remove the variable; runs that have started keep it."""
    if not await delete_var(database, name):
        raise not_found("variable", name)
