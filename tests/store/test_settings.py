"""Settings come from the environment, once, and stay."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from store.objects import open_object_store
from store.settings import Settings


def test_defaults_keep_everything_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings()
    assert settings.temporal_address == "127.0.0.1:7233"
    assert settings.database_url == "sqlite+aiosqlite:///.segue/segue.db"
    assert open_object_store(settings.object_store).url == (tmp_path / ".segue" / "objects").as_uri()


def test_a_variable_of_the_environment_wins_over_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_DATABASE_URL", "postgresql://u:p@db/segue")
    monkeypatch.setenv("SEGUE_API_PORT", "9000")
    monkeypatch.setenv("SEGUE_NO_SUCH_SETTING", "1")
    settings = Settings()
    assert settings.database_url == "postgresql://u:p@db/segue"
    assert settings.api_port == 9000


def test_settings_cannot_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().api_port = 1
    monkeypatch.setenv("SEGUE_API_PORT", "70000")
    with pytest.raises(ValidationError, match="api_port"):
        Settings()


def test_every_setting_says_what_it_is_for() -> None:
    assert all(field.description for field in Settings.model_fields.values())
