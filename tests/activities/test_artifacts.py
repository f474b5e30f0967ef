"""What a step leaves: its artifacts, found, named, listed, and used by the next step."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from activities.artifacts import find_artifacts, media_type
from activities.references import _batches
from store.objects import ObjectStore
from tests.activities.conftest import Steps


def listed(steps: Steps, folder: str) -> dict[str, Any]:
    """Return what the attempt's list says of each file; the objects must be what it says."""
    found = json.loads(steps.objects.get(f"{folder}/artifacts.json"))["artifacts"]
    for each in found:
        data = steps.objects.get(f"{folder}/artifacts/{each['name']}")
        assert (len(data), hashlib.sha256(data).hexdigest()) == (each["size"], each["sha256"])
    return {each["name"]: each["type"] for each in found}


async def test_named_files_are_kept_beside_those_in_the_folder(tmp_path: Path, stored: ObjectStore) -> None:
    steps = Steps(tmp_path, objects=stored)
    script = """
        mkdir -p plots/deep other; echo a > plots/a.png; echo b > plots/deep/b.GIF; echo c > other/c.txt
        echo r > report.html; echo no > unnamed; echo f > "$SEGUE_ARTIFACTS/data.parquet"
    """
    result = await steps.shell(script, artifacts=["plots", "*.html", "**/c.txt"])
    assert listed(steps, result.folder) == {
        "data.parquet": "application/vnd.apache.parquet",
        "other/c.txt": "text/plain",
        "plots/a.png": "image/png",
        "plots/deep/b.GIF": "image/gif",
        "report.html": "text/html",
    }


async def test_a_missing_file_fails_the_step_and_the_others_are_kept(steps: Steps) -> None:
    attempt = steps.shell("echo x > a.txt; ln -s a.txt b.txt", artifacts=["a.txt", "b.txt", "c/*.png"])
    failure = await steps.failure(attempt)
    assert failure.type == "OutputInvalid"
    assert failure.message == (
        'artifacts fits no file in the folder in which the step runs: "b.txt", "c/*.png" (links do not count)'
    )
    assert failure.non_retryable
    assert listed(steps, failure.details[1]["folder"]) == {"a.txt": "text/plain"}


async def test_a_step_that_failed_says_so_and_not_that_a_file_is_missing(steps: Steps) -> None:
    failure = await steps.failure(steps.shell("echo x > a.txt; exit 3", artifacts=["a.txt", "b.txt"]))
    assert failure.message == "the script ended with code 3"
    folder = failure.details[1]["folder"]
    assert listed(steps, folder) == {"a.txt": "text/plain"}
    assert any("artifacts are lost" in line and '"b.txt"' in line for line in steps.log(folder))


@pytest.mark.parametrize(
    "script",
    [
        'rm -r "$SEGUE_ARTIFACTS"; ln -s /etc "$SEGUE_ARTIFACTS"',
        'ln -s /etc "$SEGUE_ARTIFACTS/etc"; ln -s /etc/passwd "$SEGUE_ARTIFACTS/passwd"',
        'mkfifo "$SEGUE_ARTIFACTS/passwd"',
        'here=$PWD; cd ..; rm -r "$here"; ln -s /etc "$here"',
    ],
)
async def test_nothing_outside_of_the_step_is_kept(steps: Steps, script: str) -> None:
    failure = await steps.failure(steps.shell(script, artifacts=["passwd", "*/passwd"]))
    assert failure.message.startswith("artifacts fits no file")
    assert not [name for name in steps.names(failure.details[1]["folder"]) if "artifacts" in name]


async def test_links_that_are_passed_over_are_told_of(steps: Steps) -> None:
    result = await steps.shell('cd "$SEGUE_ARTIFACTS"; ln -s /etc/passwd a; ln -s /etc b; echo x > c')
    assert steps.log(result.folder) == ["[segue] links are no artifacts, since they may point anywhere: 2"]
    assert [*listed(steps, result.folder)] == ["c"]


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ('echo 1 > a; echo 2 > "$SEGUE_ARTIFACTS/a"', "a"),
        ('mkdir a; echo 1 > a/b; echo 2 > "$SEGUE_ARTIFACTS/a"', "a/b"),
        ('echo 1 > a; mkdir "$SEGUE_ARTIFACTS/a"; echo 2 > "$SEGUE_ARTIFACTS/a/b"', "a"),
    ],
)
async def test_two_files_of_one_name_are_refused(steps: Steps, script: str, name: str) -> None:
    failure = await steps.failure(steps.shell(script, artifacts=["a"]))
    assert failure.message == f'artifacts "{name}" is in $SEGUE_ARTIFACTS too: give one of them another name'


async def test_odd_names_that_become_one_are_told_apart(steps: Steps) -> None:
    result = await steps.shell(r"""cd "$SEGUE_ARTIFACTS"; echo 1 > 'a\b'; echo 22 > a_b; echo 333 > $'a\tb'""")
    names = [*listed(steps, result.folder)]
    assert len(names) == 3
    assert all(name.startswith("a_b") for name in names)


async def test_a_path_that_is_too_long_is_said(steps: Steps) -> None:
    script = 'd=$(printf "x%.0s" $(seq 100)); cd "$SEGUE_ARTIFACTS"; mkdir -p $d/$d/$d/$d/$d; touch $d/$d/$d/$d/$d/f'
    failure = await steps.failure(steps.shell(script))
    assert failure.message.startswith("$SEGUE_ARTIFACTS has a path of 506 bytes, xxx")


def test_too_many_files_are_refused_and_none_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.artifacts.MAX_ARTIFACTS", 3)
    monkeypatch.setattr("activities.artifacts.MAX_SEEN", 5)
    folder, work = tmp_path / "artifacts", tmp_path / "work"
    for place, count in ((folder, 2), (work, 2)):
        place.mkdir()
        for number in range(count):
            (place / f"{place.name}{number}").touch()
    found = find_artifacts(tmp_path, folder, work, ["*"])
    assert (found.paths, found.problem and found.problem.message) == (
        {},
        "artifacts fits more than 3 files; leave an archive",
    )
    for number in range(9):
        (work / f"more{number}").touch()
    found = find_artifacts(tmp_path, folder, work, ["x"])
    assert found.problem is not None
    assert found.problem.message.startswith("the folder in which the step runs holds more than 5 files")


async def test_a_file_of_a_script_is_what_the_next_step_gets(tmp_path: Path, stored: ObjectStore) -> None:
    steps = Steps(tmp_path, objects=stored)
    output = {"report": {"schema": {"type": "string", "format": "file"}}, "model": {"schema": {"format": "file"}}}
    script = """
        echo good > "$SEGUE_ARTIFACTS/report.html"; echo weights > model.bin
        echo "report=$SEGUE_ARTIFACTS/report.html" >> "$SEGUE_OUTPUT"; echo model=model.bin >> "$SEGUE_OUTPUT"
    """
    made = await steps.shell(script, output=output)
    assert made.value["report"]["key"] == f"{made.folder}/artifacts/report.html"
    assert made.value["report"]["name"] == "report.html"
    env = {"REPORT": made.value["report"], "ALL": made.value}
    used = await steps.shell('basename "$REPORT"; cat "$REPORT"', run="other", env=env)
    assert steps.log(used.folder) == ["report.html", "good"]
    code = "def f(model): return open(model).read()"
    assert (await steps.python(code, inputs={"model": made.value["model"]})).value == "weights\n"


async def test_a_declared_file_that_is_not_there_fails_the_step(steps: Steps) -> None:
    output = {"report": {"schema": {"format": "file"}}}
    failure = await steps.failure(steps.shell("echo report=no.html >> $SEGUE_OUTPUT", output=output))
    assert failure.message.startswith("output.report is the path of no file: ")


def test_a_media_type_does_not_depend_on_the_machine() -> None:
    names = ["a.html", "a.svg", "A.PNG", "a.jpeg", "a.csv", "a.json", "a.npy", "a.ipynb", "a", "a.unknown"]
    assert [media_type(name).partition("/")[2] for name in names] == [
        *("html", "svg+xml", "png", "jpeg", "csv", "json", "x-npy", "x-ipynb+json", "octet-stream", "octet-stream"),
    ]


def test_large_files_are_written_one_by_one_and_small_ones_side_by_side(tmp_path: Path) -> None:
    sizes = {"a": 9 << 20, "b": 1, "c": 7 << 20, "d": 2 << 20, **{f"e{number}": 0 for number in range(9)}}
    for name, size in sizes.items():
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
    paths = {name: tmp_path / name for name in [*sizes, "gone"]}
    assert [[name for name, _ in batch] for batch in _batches(paths)] == [
        ["a"],
        ["b", "c"],
        ["d", *(f"e{number}" for number in range(7))],
        ["e7", "e8", "gone"],
    ]
