"""The main job on the other back ends: PostgreSQL for state, SeaweedFS for objects."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.connections import connected
from tests.services import EXAMPLE, running_services
from workers.stack import Stack


@pytest.mark.timeout(300)
def test_the_main_job_runs_on_postgresql_and_s3(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_DATABASE_URL", postgresql_url)
    with (
        Stack(tmp_path / "data", s3=True) as stack,
        running_services(tmp_path / "services") as services,
        connected(stack) as client,
    ):
        client.set_var("SERVICES_URL", services.url)
        client.deploy(EXAMPLE / "train.yaml")
        run = client.run("train-digits", params={"trees": 40}).wait(timeout=200)
        assert run.state == "succeeded", run.reason
        assert any("round 10/10" in line.text for line in client.logs(run.id, "train[0]"))
        assert client.output(run.id, "check_data")["quality"] == "good"
    assert not (tmp_path / "data" / "segue.db").exists()
    assert not (tmp_path / "data" / "objects").exists()
