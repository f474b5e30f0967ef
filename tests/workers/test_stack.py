"""Which parts of the embedded stack get what."""

from __future__ import annotations

from workers.stack import without_secrets


def test_parts_that_run_no_steps_get_no_secrets() -> None:
    environment = {"PATH": "/bin", "SEGUE_SECRET_TOKEN": "x", "SEGUE_SECRETS_DIR": "/s", "SEGUE_DATABASE_URL": "d"}
    assert without_secrets(environment) == {"PATH": "/bin", "SEGUE_DATABASE_URL": "d"}
