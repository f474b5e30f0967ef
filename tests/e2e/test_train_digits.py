"""The main job: a model is trained, judged and released; on bad data the other branch runs."""

from __future__ import annotations

import subprocess
import urllib.request
from pathlib import Path

import pytest

from segue import Client
from segue.models import Run
from tests.services import EXAMPLE, Services

FAST = {"trees": 40}


@pytest.fixture(scope="module")
def good(client: Client, services: Services) -> Run:
    """A finished run on good data."""
    return client.run("train-digits", params=FAST).wait(timeout=150)


@pytest.mark.timeout(300)
def test_good_data_trains_judges_and_releases_a_model(good: Run, services: Services) -> None:
    states = {step.key: step.state for step in good.steps}
    assert good.state == "succeeded", good.reason
    assert states.pop("notify_data_team") == "skipped"
    assert set(states.values()) == {"succeeded"}
    assert {"train[0]", "train[1]", "train[2]"} <= set(states)
    assert good.output["quality"] == "good"
    assert good.output["accuracy"] >= 0.9
    released = services.get("models/digits/released")
    assert released["version"] == good.id
    assert services.executions(good.id, "finished")["release"] == 1


def test_train_runs_on_the_gpu_fleet_and_the_rest_on_the_cpu_fleet(good: Run) -> None:
    fleets = {(step.queue, (step.worker or "").partition("@")[0]) for step in good.steps if step.worker}
    assert fleets == {("cpu", "cpu"), ("gpu", "gpu")}
    assert {step.step for step in good.steps if step.queue == "gpu"} == {"train"}


def test_the_skipped_branch_says_why(good: Run) -> None:
    step = good.step("notify_data_team")
    assert "one_success" in step.reason or "check_data" in step.reason
    assert step.detail


def test_the_released_model_is_fetched_and_used(good: Run, services: Services, shared_cache: Path) -> None:
    """In the environment that the worker made for the steps, since the service itself has no scikit-learn."""
    made = sorted((shared_cache / "environments").glob("*/lib/*/site-packages/sklearn"))
    assert made, "the workers made no environment"
    used = subprocess.run(
        [made[0].parents[3] / "bin" / "python", "use_model.py", services.url],
        cwd=EXAMPLE,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "right:" in used.stdout
    right, _, of = used.stdout.rpartition("right: ")[2].partition(" of ")
    assert int(right) / int(of) >= 0.9
    with urllib.request.urlopen(f"{services.url}/models/digits/released/model") as answer:
        assert len(answer.read()) > 1_000


def test_logs_and_outputs_of_every_step_can_be_read(good: Run, client: Client) -> None:
    lines = [line.text for line in client.logs(good.id, "train[1]")]
    assert any(line.startswith("round 10/10") for line in lines)
    assert client.output(good.id, "check_data")["quality"] == "good"
    assert client.output(good.id, "train[1]")["hp"] == {"depth": 8}


@pytest.mark.timeout(300)
def test_bad_data_tells_the_data_team_and_trains_nothing(client: Client, services: Services) -> None:
    run = client.run("train-digits", params={**FAST, "corrupt": 0.4}).wait(timeout=150)
    states = {step.key: step.state for step in run.steps}
    assert run.state == "succeeded", run.reason
    assert states["notify_data_team"] == "succeeded"
    assert {states[key] for key in ("train", "check_model", "release")} == {"skipped"}
    assert '(output.quality = "bad")' in run.step("train").reason
    assert run.output == {"quality": "bad", "accuracy": None, "model": None}
    assert run.id in {message["key"] for message in services.get("notifications")["notifications"]}


@pytest.mark.timeout(300)
def test_the_wine_data_set_works_too(client: Client, services: Services) -> None:
    run = client.run("train-digits", params={**FAST, "dataset": "wine"}).wait(timeout=150)
    assert run.state == "succeeded", run.reason
    assert services.get("models/wine/released")["version"] == run.id
