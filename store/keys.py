"""API keys: 32 random bytes, of which only the sha256 is stored.

A key is random, so a plain hash cannot be guessed back; a slow one would let anybody keep the API busy.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime

from sqlalchemy import select

from store.database import Database
from store.tables import api_keys


async def create_key(database: Database, name: str) -> str:
    """Make a key for somebody and return it; it cannot be shown again."""
    key = secrets.token_urlsafe(32)
    await add_key(database, name, key)
    return key


async def add_key(database: Database, name: str, key: str) -> None:
    """Accept a key that was made elsewhere; adding it again changes its name at most."""
    async with database.write() as connection:
        await connection.execute(
            database.upsert(api_keys, ["name"]),
            [{"sha256": _digest(key), "name": name, "created_at": datetime.now(UTC)}],
        )


async def verify_key(database: Database, key: str) -> str | None:
    """Return the name of whose key it is; None: nobody's."""
    async with database.read() as connection:
        return await connection.scalar(select(api_keys.c.name).where(api_keys.c.sha256 == _digest(key)))


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
