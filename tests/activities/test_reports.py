"""What a step tells while it runs: its progress, its metrics, marks in its log."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import pytest

from activities import reports
from activities.reports import METRICS, Reports, Series
from segue.markers import Mark, plain, read_mark
from tests.activities.conftest import Steps
from workflows.messages import SecretText, StepResult


def series(steps: Steps, result: StepResult) -> dict[str, Any]:
    document = json.loads(steps.objects.get(f"{result.folder}/{METRICS}"))
    return {each["name"]: [*zip(each["steps"], each["values"], strict=True)] for each in document["series"]}


def told(steps: Steps) -> list[Any]:
    assert steps.last is not None
    return [details[0] for details in steps.last.heartbeats if details]


@pytest.mark.parametrize(
    ("line", "mark"),
    [
        ("plain", None),
        ("::", None),
        ("::unknown::text", None),
        ("  ::warning::indented", None),
        ("::warning::careful: a::b", Mark("warning", "careful: a::b")),
        ("::error file=a.py,line=3::wrong", Mark("error", "wrong")),
        ("::debug::", Mark("debug")),
        ("::notice::n", Mark("notice", "n")),
        ("::group::Set up", Mark("group", "Set up")),
        ("::endgroup::", Mark("endgroup")),
        ("::checkpoint::", Mark("checkpoint")),
        ("::progress::3/10 rows read", Mark("progress", "rows read", numbers=(3, 10))),
        ("::progress:: 3 / 10", Mark("progress", numbers=(3, 10))),
        ("::progress::30% of it", Mark("progress", "of it", numbers=(30, 100))),
        ("::progress::7", Mark("progress", numbers=(7, None))),
        ("::progress::x/10", None),
        ("::metric accuracy=0.93", Mark("metric", name="accuracy", numbers=(0.93, None))),
        ("::metric loss/train=1e-3 step=40::", Mark("metric", name="loss/train", numbers=(0.001, 40))),
        ("::metric::loss=2", Mark("metric", name="loss", numbers=(2, None))),
        ("::metric loss=high", None),
        ("::metric loss", None),
        ("::metric" + " " * 60_000 + "loss=1", None),
        ("::progress::1" + " " * 60_000 + "x", None),
    ],
)
def test_marks_are_those_of_github_actions_and_all_else_is_text(line: str, mark: Mark | None) -> None:
    assert read_mark(line) == mark


def test_a_level_is_taken_from_its_line_and_nothing_else_is() -> None:
    assert [plain(line) for line in ("::error::no", "no", "::group::g")] == ["no", "no", "::group::g"]


async def test_a_python_step_tells_its_progress_and_its_metrics(steps: Steps) -> None:
    result = await steps.python(
        "import segue\n"
        "def f():\n"
        "  for epoch in range(3):\n"
        "    segue.metric('loss', 1 / (epoch + 1))\n"
        "    segue.metric('accuracy', epoch / 2, step=10 * epoch)\n"
        "  segue.metric('loss', float('nan'))\n"
        "  segue.progress(1, 3, 'first')\n"
    )
    assert series(steps, result) == {
        "loss": [(0, 1.0), (1, 0.5), (2, pytest.approx(1 / 3)), (3, None)],
        "accuracy": [(0, 0.0), (10, 0.5), (20, 1.0)],
    }
    assert told(steps)[-1] == {"attempt": 1, "progress": {"done": 1, "total": 3, "text": "first"}}


async def test_a_shell_step_tells_them_by_lines_which_stay_in_its_log(steps: Steps) -> None:
    lines = ["::metric accuracy=0.5", "::metric accuracy=0.75 step=9", "::progress::3/10 reading", "::warning::slow"]
    result = await steps.shell("\n".join(f"echo '{line}'" for line in lines))
    assert series(steps, result) == {"accuracy": [(0, 0.5), (9, 0.75)]}
    assert told(steps)[-1]["progress"] == {"done": 3, "total": 10, "text": "reading"}
    assert steps.log(result.folder) == lines


async def test_the_log_of_segue_marks_levels_and_folds_groups(steps: Steps) -> None:
    result = await steps.python(
        "import segue\n"
        "def f():\n"
        "  segue.log.info('%d rows', 3)\n"
        "  segue.log.debug('so')\n"
        "  segue.log.warning('two\\nlines')\n"
        "  try: 1 / 0\n"
        "  except ZeroDivisionError: segue.log.exception('oh')\n"
        "  with segue.group('Part one'): print('inside')\n"
    )
    said = steps.log(result.folder, "stderr")
    assert said[:5] == ["3 rows", "::debug::so", "::warning::two", "::warning::lines", "::error::oh"]
    assert said[-1] == "::error::ZeroDivisionError: division by zero"
    assert steps.log(result.folder, "stdout") == ["::group::Part one", "inside", "::endgroup::"]


async def test_a_failure_says_its_last_line_without_the_mark(steps: Steps) -> None:
    failure = await steps.failure(steps.start("shell", action={"script": "echo '::error::no disk' >&2; exit 3"})[1])
    assert failure.message.endswith(": no disk")


async def test_a_step_without_metrics_leaves_no_object_of_them(steps: Steps) -> None:
    assert METRICS not in steps.names((await steps.shell("true")).folder)


async def test_secrets_are_hidden_in_what_a_step_tells(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_SECRET_TOKEN", "hunter2-hunter2")
    result = await steps.python(
        "import segue\ndef f(token):\n  segue.progress(1, 2, token)\n  segue.metric(token, 1)\n",
        inputs={"token": None},
        secrets=[SecretText(["inputs", "token"], [{"secret": "TOKEN"}])],
    )
    assert "hunter2" not in json.dumps(told(steps)) + json.dumps(series(steps, result))


async def test_a_flood_makes_the_step_wait_and_ends_with_its_newest(steps: Steps) -> None:
    result = await steps.python(
        "import segue\ndef f():\n  for n in range(20_001):\n    segue.progress(n, 20_000)\n    segue.metric('n', n)\n"
    )
    points = series(steps, result)["n"]
    assert len(points) <= reports.MAX_POINTS + 1
    assert points[-1] == (20_000, 20_000)
    assert points[0] == (0, 0)
    assert len(told(steps)) < 1_000


async def test_what_is_written_to_the_pipe_may_be_anything(steps: Steps) -> None:
    result = await steps.shell(
        "for line in '{' '[]' 'null' '{\"progress\": 1}' '{\"metric\": [\"x\", \"y\", null, 0]}'"
        ' \'{"checkpoint": "../../x"}\' \'{"progress": [1e999, 2, ""]}\'; do echo "$line" > "$SEGUE_REPORT"; done\n'
        "head -c 40000 /dev/zero > $SEGUE_REPORT; echo > $SEGUE_REPORT\n"
        'echo \'{"progress": [1, 2, "fine"]}\' > "$SEGUE_REPORT"\n'
        'rm "$SEGUE_REPORT"; ln -s /etc/passwd "$SEGUE_REPORT"\n'
    )
    assert told(steps)[-1]["progress"]["text"] == "fine"
    assert METRICS not in steps.names(result.folder)


async def test_numbers_and_texts_from_the_pipe_are_what_people_can_be_shown(steps: Steps) -> None:
    messages = [
        {"progress": [10**400, 2, ""]},
        {"metric": ["x", 10**400, None, 0]},
        {"metric": ["x\x1b[2J", 1, None, 0]},
        {"progress": [1, 2, "a\x1b[31m\nb"]},
    ]
    script = "".join(f"echo '{json.dumps(each)}' > $SEGUE_REPORT\n" for each in messages)
    result = await steps.shell(script)
    assert [each["progress"]["text"] for each in told(steps)][-1] == "a[31m b"
    assert series(steps, result) == {"x[2J": [(0, 1.0)]}


async def test_no_call_fails_where_nobody_listens(steps: Steps) -> None:
    result = await steps.python(
        "import os, segue\n"
        "def f():\n"
        "  os.environ['SEGUE_REPORT'] = '/nowhere/report'\n"
        "  segue.progress(1)\n"
        "  segue.metric('a', 1)\n"
        "  return segue.checkpoint.save({'n': 1})\n"
    )
    assert result.value is False


def test_a_long_series_is_thinned_and_keeps_its_ends() -> None:
    made = Series()
    for number in range(10_000):
        made.add(number, None, 0.0)
    document = made.to_json("n")
    assert len(document["values"]) <= reports.MAX_POINTS + 1
    assert (document["steps"][0], document["steps"][-1]) == (0, 9_999)
    gaps = {round(after - before) for before, after in zip(document["steps"], document["steps"][1:], strict=False)}
    assert len(gaps) <= 2


async def test_more_series_than_are_kept_are_refused_once_in_the_log() -> None:
    written: list[bytes] = []
    notes: list[str] = []

    async def put(data: bytes) -> None:
        written.append(data)

    taking = Reports(put, lambda: None, str, notes.append)
    for number in range(reports.MAX_SERIES + 3):
        taking.take({"metric": [f"m{number}", 1, None, 0]})
    await taking.close()
    assert len(json.loads(written[-1])["series"]) == reports.MAX_SERIES
    assert len(notes) == 1


async def test_series_that_could_not_be_written_are_written_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "FLUSH_SECONDS", 0.01)
    monkeypatch.setattr(reports, "BEAT_SECONDS", 0.01)
    written: list[bytes] = []
    failures = [OSError("no"), OSError("no")]
    kept = asyncio.Event()

    async def put(data: bytes) -> None:
        if failures:
            raise failures.pop()
        written.append(data)
        kept.set()

    taking = Reports(put, lambda: None, str, lambda text: None)
    taking.line("::metric a=1")
    taking.take({"metric": ["a", None, 5, 0]})
    await asyncio.wait_for(kept.wait(), 30)
    await taking.close()
    [kept_series] = json.loads(written[-1])["series"]
    assert kept_series["values"] == [1.0, None]
    assert not math.isnan(kept_series["steps"][1])
