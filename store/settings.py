"""The service's settings: one frozen object, read once from the environment in `main` and passed down.

It never reads a file, and nothing else in the service reads `SEGUE_` variables, but for `segue.secret_sources`, whose
values are no settings.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _default_object_store() -> str:
    return (Path.cwd() / ".segue" / "objects").as_uri()


def _default_cache_dir() -> Path:
    return Path.home() / ".cache" / "segue"


class Settings(BaseSettings):
    """Where the service finds its parts; every field is also the environment variable `SEGUE_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="SEGUE_", frozen=True, extra="ignore")

    temporal_address: str = Field(default="127.0.0.1:7233", description="Host and port of the Temporal server.")
    temporal_namespace: str = Field(default="default", description="The Temporal namespace.")
    database_url: str = Field(
        default="sqlite+aiosqlite:///.segue/segue.db",
        description="The metadata database: `sqlite:///path` or `postgresql://user:password@host/name`.",
    )
    object_store: str = Field(
        default_factory=_default_object_store,
        description="Outputs, logs and bundles: `file:///folder` or `s3://bucket/prefix?endpoint=...&region=...`.",
    )
    cache_dir: Path = Field(
        default_factory=_default_cache_dir,
        description="Where workers keep bundles and the environments of steps; can be deleted at any time.",
    )
    api_host: str = Field(default="127.0.0.1", description="The address the API listens on.")
    api_port: int = Field(default=8080, ge=0, le=65535, description="The port the API listens on; 0 takes a free one.")
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s?#]+$",
        description="The API's address as other services reach it, for those that post back to a step.",
    )
    temporal_ui_url: str | None = Field(default=None, description="Address of Temporal's web UI, for links.")
    build_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
        description="Build of the control worker; a run then stays with the build that began it. Default: with any.",
    )
    python: str | None = Field(
        default=None, description="Interpreter of steps that name no requirements; default: the worker's own."
    )
