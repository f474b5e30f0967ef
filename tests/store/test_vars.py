"""Variables."""

from __future__ import annotations

from store.database import Database
from store.vars import delete_var, get_vars, set_var


async def test_a_var_is_set_changed_and_deleted(database: Database) -> None:
    await set_var(database, "B", None)
    await set_var(database, "A", {"x": [1]})
    assert await get_vars(database) == {"A": {"x": [1]}, "B": None}
    await set_var(database, "A", "text")
    assert list((await get_vars(database)).items()) == [("A", "text"), ("B", None)]
    assert await delete_var(database, "A")
    assert not await delete_var(database, "A")
    assert await get_vars(database) == {"B": None}
