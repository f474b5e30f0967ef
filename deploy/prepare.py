"""Makes the metadata database ready before the API and the control worker start: its tables, and the first API key.

Run once for each deployment of a new version, with the service's settings and `SEGUE_API_KEY` in the environment;
running it again changes nothing.
"""

from __future__ import annotations

import asyncio
import os
import sys

from store.database import Database
from store.keys import add_key
from store.settings import Settings

MIN_KEY_LENGTH = 32


async def prepare(url: str, key: str) -> None:
    """Bring the database at `url` to this version, and let `key` in."""
    database = Database(url)
    try:
        await database.migrate()
        await add_key(database, "first key", key)
    finally:
        await database.close()


def main() -> None:
    """Prepare what the environment names."""
    key = os.environ.get("SEGUE_API_KEY", "")
    if len(key) < MIN_KEY_LENGTH:
        sys.exit(f"SEGUE_API_KEY must be a random text of at least {MIN_KEY_LENGTH} characters")
    asyncio.run(prepare(Settings().database_url, key))
    print("the database is ready")


if __name__ == "__main__":
    main()
