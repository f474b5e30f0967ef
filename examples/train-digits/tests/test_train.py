"""What train-digits decides, tested in memory: no service, no scikit-learn. Run it with `pytest` in this folder."""

from datetime import timedelta

import pytest

from segue.testing import fails, takes

GOOD = {
    "initiate": {"dataset": "digits"},
    "embedding": {"components": 16},
    "dataset": {"uri": "http://services/builds/1", "rows": 1797},
    "check_data": {"quality": "good"},
    "train": lambda task: {"hp": task.inputs["hp"], "accuracy": 0.9 + task.item["depth"] / 200},
    "check_model": {"best": 2, "accuracy": 0.96},
    "release": {"model": "digits-1"},
    "notify_data_team": None,
}


@pytest.fixture(params=["train.yaml", "train.py"])
def train(request, segue_run):
    """Run one of the two spellings, with mocks in the place of the good ones."""
    definition = request.param

    def run(mocks=None, **options):
        return segue_run(definition, steps=GOOD | (mocks or {}), vars={"SERVICES_URL": "http://services"}, **options)

    return run


def test_a_good_model_is_released(train):
    result = train()
    assert result.output == {"quality": "good", "accuracy": 0.96, "model": "digits-1"}
    assert result.steps["release"].inputs["candidate"] == {"hp": {"depth": 12}, "accuracy": 0.96}
    assert result.states["notify_data_team"] == "skipped"


def test_bad_data_is_reported_and_trains_nothing(train):
    result = train({"check_data": {"quality": "bad"}}, params={"corrupt": 0.4})
    assert result.state == "succeeded"
    assert 'output.quality = "bad"' in result.why("train")
    assert result.output == {"quality": "bad", "accuracy": None, "model": None}
    message = result.steps["notify_data_team"].action["request"]["json"]
    assert message["data"] == {"quality": "bad"}
    assert result.steps["dataset"].action["submit"]["json"]["corrupt"] == 0.4


def test_a_model_that_is_not_good_enough_is_reported(train):
    result = train({"check_model": {"best": 0, "accuracy": 0.89}})
    assert (result.states["release"], result.states["notify_data_team"]) == ("skipped", "succeeded")
    assert train({"check_model": {"best": 0, "accuracy": 0.89}}, params={"min_accuracy": 0.85}).output["model"]


def test_the_embedding_is_computed_while_the_data_set_is_built(train):
    result = train({"embedding": takes("4m", {}), "dataset": takes("9m", GOOD["dataset"])})
    assert result.duration == timedelta(minutes=9)


def test_a_service_that_is_away_for_a_moment_costs_nothing_but_time(train):
    away = fails("ConnectionError", "no route", times=2).then(GOOD["initiate"])
    result = train({"initiate": away})
    assert (result.state, result.duration) == ("succeeded", timedelta(seconds=1 + 2))


def test_an_hour_is_enough_or_the_run_ends(train):
    result = train({"train": takes("9m", fails("MemoryError"))}, cancel_at="50m")
    assert result.reason == "step train failed: MemoryError"
    assert len(result.steps["train[0]"].attempts) == 3


def test_an_event_chooses_the_data_set(train):
    assert train(event={"dataset": "wine"}).steps["initiate"].inputs == {"dataset": "wine"}
