"""Shared steps as a client finds them: beside the definition, or in the folders of `SEGUE_LIBRARY`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from segue import InvalidDefinition
from segue.cli.shared_files import MAX_BYTES, MAX_TOTAL_BYTES, read_files
from segue.submission import read_definition
from tests.segue.definitions import write

AUTH = """
segue: 1
step: auth
inputs: {user: {type: string}}
run: ./login
env: {WHO: "${{ inputs.user }}"}
"""
FLOW = "segue: 1\nname: flow\nsteps: {login: {uses: USES, with: {user: ada}}}\n"


def flow(folder: Path, uses: str) -> Path:
    path = folder / "flow.yaml"
    path.write_text(FLOW.replace("USES", uses))
    return path


def put(folder: Path, name: str, text: str = AUTH) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_local_file_and_a_package_beside_the_definition_are_read_and_sent_along(tmp_path: Path) -> None:
    put(tmp_path, "common/auth.yaml")
    put(tmp_path, "library/auth@2.yaml")
    for uses, name in (("./common/auth.yaml", "common/auth.yaml"), ("library/auth@2", "library/auth@2.yaml")):
        translated = read_definition(flow(tmp_path, uses)).translated
        assert translated.files == {name: AUTH}
        assert translated.plan["steps"][0]["env"] == {"WHO": "ada"}


def test_a_package_may_lie_in_a_folder_of_the_library_and_a_local_file_may_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "first", "other.yaml")
    put(tmp_path / "second", "library/auth@2.yaml")
    put(tmp_path / "second", "auth.yaml")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.setenv("SEGUE_LIBRARY", os.pathsep.join(["", str(tmp_path / "first"), str(tmp_path / "second")]))
    assert list(read_definition(flow(here, "library/auth@2")).translated.files) == ["library/auth@2.yaml"]
    with pytest.raises(InvalidDefinition, match="E0213"):
        read_definition(flow(here, "./auth.yaml"))


def test_a_definition_in_python_finds_its_shared_steps_as_well(tmp_path: Path) -> None:
    put(tmp_path, "common/auth.yaml")
    source = 'with DAG("flow"):\n    login = UsesOperator("./common/auth.yaml", inputs={"user": "ada"})\n'
    python, yaml = read_definition(write(tmp_path, source)), read_definition(flow(tmp_path, "./common/auth.yaml"))
    assert python.translated == yaml.translated


def test_a_mistake_in_a_shared_step_is_named_by_the_file_s_own_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path, "flows/common/auth.yaml", AUTH.replace("inputs.user }", "inputs.usr }"))
    flow(tmp_path / "flows", "./common/auth.yaml")
    with pytest.raises(InvalidDefinition) as caught:
        read_definition(Path("flows/flow.yaml"))
    assert str(caught.value) == (
        'flows/common/auth.yaml:6:17: error[E0302]: the shared step has no input "usr"\n'
        '    env: {WHO: "${{ inputs.usr }}"}\n'
        "                    ^\n"
        'hint: did you mean "user"?'
    )


def test_nothing_outside_the_folder_is_read(tmp_path: Path) -> None:
    secret = put(tmp_path, "secret.yaml", "secret")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link.yaml").symlink_to(secret)
    (folder / "fifo.yaml").mkdir()
    os.mkfifo(folder / "pipe.yaml")
    names = ["../secret.yaml", str(secret), "link.yaml", "fifo.yaml", "pipe.yaml"]
    assert read_files([*names, "a\0b.yaml", "none.yaml", "x" * 5_000], [str(folder)]) == {}


def test_what_is_too_large_or_no_text_is_said_where_it_stands(tmp_path: Path) -> None:
    put(tmp_path, "large.yaml", "#" * (MAX_BYTES + 5))
    (tmp_path / "binary.yaml").write_bytes(b"segue: 1\nstep: \xff\n")
    for uses, code in (("./large.yaml", "E0101"), ("./binary.yaml", "E0102")):
        with pytest.raises(InvalidDefinition) as caught:
            read_definition(flow(tmp_path, uses))
        assert [(each.code, Path(each.file).name) for each in caught.value.diagnostics] == [(code, uses[2:])]
    names = [put(tmp_path, f"many/{n}.yaml", "#" * MAX_BYTES).name for n in range(5)]
    read = read_files([f"many/{name}" for name in names], [str(tmp_path)])
    assert sum(map(len, read.values())) <= MAX_TOTAL_BYTES + MAX_BYTES
