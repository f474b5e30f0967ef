"""Releases a model: its file first, then the word that it is the one to use."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from pipeline.rest import recorded, send


@recorded
def release(dataset: str, candidate: dict[str, Any], accuracy: float) -> dict[str, Any]:
    """Put the candidate's model into the registry as a version named after this run, and release it."""
    version = os.environ["SEGUE_RUN_ID"]
    data = Path(candidate["model"]).read_bytes()
    send("PUT", f"models/{dataset}/versions/{version}", data)
    released = send(
        "PUT",
        f"models/{dataset}/released",
        {
            "version": version,
            "sha256": hashlib.sha256(data).hexdigest(),
            "accuracy": accuracy,
            "hp": candidate["hp"],
        },
    )
    print(f"released {dataset} {version}, accuracy {accuracy}: {released['href']}")
    return {"model": released["href"], "version": version, "accuracy": accuracy}
