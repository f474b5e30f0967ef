"""Following a log: which page comes next, over attempts, until the step has ended."""

from __future__ import annotations

from typing import Any

import pytest

from segue import NotFound
from segue.calls import Call
from segue.log_tail import read_log
from segue.models import LogLine, LogPage, Run


class Service:
    """Answers from a list of pages; the step's state is that of the newest."""

    def __init__(self, *pages: LogPage | str) -> None:
        self.pages = list(pages)
        self.asked: list[tuple[str | None, int]] = []

    def read(self, **options: Any) -> list[str]:
        script = read_log("flow-1", "train", **options)
        answer: Any = None
        lines: list[str] = []
        while True:
            try:
                wish = script.send(answer)
            except StopIteration:
                return lines
            answer = None
            if isinstance(wish, LogLine):
                lines.append(wish.text)
            elif isinstance(wish, Call):
                answer = self._answer(wish)

    def _answer(self, call: Call[Any]) -> Any:
        page = self.pages.pop(0)
        if not call.path.endswith("/logs"):
            assert isinstance(page, str)
            step = {"key": "train", "state": page}
            return Run.from_json({"id": "flow-1", "workflow": "flow", "state": "running", "steps": [step]})
        self.asked.append((call.query.get("attempt"), int(call.query["after"])))
        return page


def page(attempt: str | None, *texts: str, next: int = 0, complete: bool = False, attempts: str = "") -> LogPage:
    lines = tuple(LogLine(0.0, "stdout", text) for text in texts)
    return LogPage(attempt, tuple(attempts or attempt or ""), lines, next, complete)


def test_without_follow_all_that_is_there_is_read_page_by_page() -> None:
    service = Service(page("a", "1", "2", next=2), page("a", "3", next=3), page("a", next=3))
    assert service.read() == ["1", "2", "3"]
    assert service.asked == [(None, 0), ("a", 2), ("a", 3)]


def test_without_follow_a_complete_page_is_the_last() -> None:
    assert Service(page("a", "1", next=1, complete=True), "succeeded").read() == ["1"]
    assert Service(page(None)).read() == []


def test_following_waits_for_the_first_line_and_ends_with_the_step() -> None:
    service = Service(
        page(None), page("a", "1", next=1), page("a", next=1), page("a", "2", next=2, complete=True), "succeeded"
    )
    assert service.read(follow=True) == ["1", "2"]


def test_following_goes_on_with_the_next_attempt() -> None:
    service = Service(
        page("a", "1", next=1, complete=True),
        "retrying",
        page("a", next=1, complete=True, attempts="ab"),
        page("b", "2", next=1, complete=True, attempts="ab"),
        "succeeded",
    )
    assert service.read(follow=True) == ["1", "2"]
    assert service.asked[-1] == ("b", 0)


def test_following_a_step_that_never_runs_ends() -> None:
    assert Service(page(None, complete=True), "skipped").read(follow=True) == []


def test_an_attempt_is_chosen_by_its_place_and_read_alone() -> None:
    service = Service(page("b", attempts="ab"), page("a", "1", next=1, complete=True, attempts="ab"))
    assert service.read(attempt=1, follow=True) == ["1"]
    assert service.asked[-1] == ("a", 0)
    with pytest.raises(NotFound, match="in 2 attempts; there is no 3"):
        Service(page("b", attempts="ab")).read(attempt=3)
