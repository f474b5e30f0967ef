"""API keys."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from store.database import Database
from store.keys import add_key, create_key, verify_key
from store.tables import api_keys


async def test_a_key_opens_and_is_not_kept(database: Database) -> None:
    key = await create_key(database, "ada")
    assert await verify_key(database, key) == "ada"
    async with database.read() as connection:
        stored = (await connection.execute(select(api_keys))).all()
    assert len(stored) == 1
    assert key not in str(stored)
    assert len(key) >= 43


async def test_keys_differ_and_open_under_their_own_name(database: Database) -> None:
    keys = {await create_key(database, name): name for name in ("ada", "bob")}
    assert {key: await verify_key(database, key) for key in keys} == keys


async def test_a_key_made_elsewhere_can_be_added_again(database: Database) -> None:
    await add_key(database, "dev", "given")
    await add_key(database, "dev", "given")
    assert await verify_key(database, "given") == "dev"


@pytest.mark.parametrize("key", ["", "wrong", "given ", "GIVEN", "g\0iven", "\ud800", "x" * 100_000])
async def test_any_other_key_opens_nothing(database: Database, key: str) -> None:
    await add_key(database, "dev", "given")
    assert await verify_key(database, key) is None
