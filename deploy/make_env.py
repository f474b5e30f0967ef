"""Writes `.env` for docker-compose.yml: a random password for each part, and the API key. Standard library only.

`python3 deploy/make_env.py`, once. A file that is there is never touched: the databases know its passwords.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

NAMES = (
    "POSTGRES_PASSWORD",
    "TEMPORAL_DB_PASSWORD",
    "SEGUE_DB_PASSWORD",
    "S3_ACCESS_KEY",
    "S3_SECRET_KEY",
    "SEGUE_API_KEY",
)


def main(path: Path) -> None:
    """Write `path`, readable by its owner alone."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        sys.exit(f"{path} is there already; the databases know its passwords, so it stays as it is")
    with os.fdopen(handle, "w") as file:
        file.writelines(f"{name}={secrets.token_hex(24)}\n" for name in NAMES)
    print(f"wrote {path}; the API key is the value of SEGUE_API_KEY in it")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / ".env")
