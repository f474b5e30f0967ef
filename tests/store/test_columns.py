"""What users' programs produce comes back the same, or visibly replaced, on both databases."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import StatementError

from store.columns import clean_json, clean_text, moment, text_of
from store.database import Database
from store.keys import add_key, verify_key
from store.tables import api_keys
from store.vars import get_vars, set_var

DOCUMENTS = [
    {"z": 1, "a": [1.0, -0.0, 1e300, 2**70, True, None, "é🎵"], "m": {}},
    "text",
    0,
    False,
    [],
    {"": ""},
    {"$segue": "json", "key": "runs/x", "size": 3},
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=range(len(DOCUMENTS)))
async def test_json_comes_back_equal_and_in_order(database: Database, document: Any) -> None:
    await set_var(database, "X", document)
    found = (await get_vars(database))["X"]
    assert json.dumps(found) == json.dumps(document)


@pytest.mark.parametrize(
    ("given_value", "kept"),
    [
        ("a\0b", "a␀b"),
        ({"k\0": ["\ud800x", "\udc00"]}, {"k␀": ["\ufffdx", "\ufffd"]}),
        ([math.nan, math.inf, -math.inf], ["nan", "inf", "-inf"]),
    ],
    ids=["nul", "surrogates", "not-a-number"],
)
async def test_what_a_database_or_browser_would_refuse_is_visibly_replaced(
    database: Database, given_value: Any, kept: Any
) -> None:
    await set_var(database, "X", given_value)
    assert (await get_vars(database))["X"] == kept


async def test_text_that_a_database_would_refuse_is_visibly_replaced(database: Database) -> None:
    await add_key(database, "a\0b\ud800", "key")
    assert await verify_key(database, "key") == "a␀b\ufffd"


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_cleaned_json_can_always_be_sent(value: Any) -> None:
    text = json.dumps(clean_json(value), allow_nan=False, ensure_ascii=False)
    assert "\0" not in text.encode().decode()
    assert clean_json(clean_json(value)) == clean_json(value)


@given(st.text())
def test_honest_text_is_left_alone(text: str) -> None:
    if "\0" not in text:
        assert clean_text(text) == text


async def test_times_are_utc_to_the_microsecond(database: Database) -> None:
    kolkata = timezone(timedelta(hours=5, minutes=30))
    time = datetime(2026, 3, 29, 2, 30, 0, 123456, tzinfo=kolkata)
    async with database.write() as connection:
        await connection.execute(api_keys.insert(), [{"sha256": "x", "name": "x", "created_at": time}])
        found = await connection.scalar(api_keys.select().with_only_columns(api_keys.c.created_at))
    assert found == time
    assert found.utcoffset() == timedelta(0)
    assert text_of(found) == "2026-03-28T21:00:00.123456Z"


async def test_a_time_without_timezone_is_refused(database: Database) -> None:
    row = {"sha256": "x", "name": "x", "created_at": datetime(2026, 1, 1)}
    async with database.write() as connection:
        with pytest.raises(StatementError, match="no timezone"):
            await connection.execute(api_keys.insert(), [row])


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf, 1e300])
def test_what_is_no_time_is_none(seconds: float) -> None:
    assert moment(seconds) is None
    assert moment(1.5) == datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)
