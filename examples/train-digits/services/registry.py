"""The model registry: versions of models that never change, and which of them is released."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from services.documents import InvalidError, checked_name, read_document, write_bytes, write_document


class Registry:
    """Models, in a folder: one file and one document for each version, one document for the release."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "model"

    def put_file(self, name: str, version: str, data: bytes) -> dict[str, Any]:
        """Keep the file of a version; the same bytes again change nothing, others are refused."""
        path = self._path(name, version, ".bin")
        if path.exists() and path.read_bytes() != data:
            raise InvalidError(f"version {version} of {name} has another file already")
        write_bytes(path, data)
        return {"name": name, "version": version, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    def release(self, name: str, document: dict[str, Any]) -> dict[str, Any]:
        """Make a version the released one: `{"version", "sha256", ...}`; its file must be there, and be that one."""
        version = checked_name(str(document.get("version", "")))
        path = self._path(name, version, ".bin")
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != document.get("sha256"):
            raise InvalidError(f"version {version} of {name} has no file with the sha256 {document.get('sha256')}")
        return write_document(self._path(name, "released", ".json"), {**document, "name": name})

    def released(self, name: str) -> dict[str, Any]:
        """Return what is known of the released version."""
        return read_document(self._path(name, "released", ".json"))

    def released_file(self, name: str) -> bytes:
        """Return the file of the released version."""
        return self._path(name, self.released(name)["version"], ".bin").read_bytes()

    def _path(self, name: str, stem: str, suffix: str) -> Path:
        return self._folder / checked_name(name) / f"{checked_name(stem)}{suffix}"
