"""The tests that come with the examples pass, run as an author runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDERS = sorted(path.parent for path in EXAMPLES.glob("*/tests"))


def test_train_digits_has_tests() -> None:
    assert EXAMPLES / "train-digits" in FOLDERS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_the_tests_of_an_example_pass(folder: Path) -> None:
    # Its own settings, which are none, not those of this repository; and nothing that it would not have.
    options = ["-c", os.devnull, f"--rootdir={folder}", "-p", "no:cacheprovider", "-p", "no:asyncio", "-W", "error"]
    ended = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", *options, "tests"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert " passed" in ended.stdout
