"""The pytest plugin: fixtures, and the table of steps below a test that fails.

pytest loads this module at its start wherever `segue` is installed, so it imports nothing else of Segue's before a test
asks for it, and a session that tests no workflow goes on as if it were not there.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from traceback import format_exception
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from segue.testing import Recording, Result

RUNNING = "segue.testing.running"
ENGINE = str(Path(__file__).parent / "engine")


@pytest.fixture
def segue_run(request: pytest.FixtureRequest) -> Callable[..., Result]:
    """`segue.testing.run`; a definition's path is looked for beside the test's file, then in the folders above."""
    from segue.testing import run

    def run_here(definition: Any, **options: Any) -> Result:
        if isinstance(definition, str | Path) and "\n" not in str(definition):
            definition = _found(definition, request)
        return run(definition, **options)

    return run_here


@pytest.fixture
def segue_recorded(request: pytest.FixtureRequest) -> Callable[[str | Path], Recording]:
    """`segue.testing.recorded`; the path is looked for as `segue_run` does."""
    from segue.testing import recorded

    return lambda path: recorded(_found(path, request))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Forget the runs of the test before."""
    running = sys.modules.get(RUNNING)
    if running is not None:
        running.recent.clear()


# Not `wrapper=True`, which a pytest that is some years old does not know: it would not even start.
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    """Show the runs of a test that fails, and where the functions of its mocks raised."""
    outcome = yield
    report = outcome.get_result()
    running = sys.modules.get(RUNNING)
    if running is not None and report.when == "call" and report.failed:
        report.sections += [section for result in running.recent for section in _sections(result)]


def _sections(result: Result) -> Iterator[tuple[str, str]]:
    yield f"run of {result.workflow}", str(result)
    for step in [each for whole in result.steps.values() for each in (whole, *whole.items)]:
        error = step.exception
        if error is not None and error.__traceback__ is not None:
            frames = error.__traceback__
            while frames.tb_next is not None and frames.tb_frame.f_code.co_filename.startswith(ENGINE):
                frames = frames.tb_next
            yield f"the mock of {step.key} raised", "".join(format_exception(type(error), error, frames))


def _found(path: str | Path, request: pytest.FixtureRequest) -> Path:
    """Return the nearest file of this name; when there is none, where it would be beside the test."""
    top = request.config.rootpath
    for folder in request.path.parents:
        if (folder / path).is_file():
            return folder / path
        if folder == top:
            break
    return request.path.parent / path
