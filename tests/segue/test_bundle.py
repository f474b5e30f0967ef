"""Bundles: the same files give the same bytes, and nothing leaves the definition's folder."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from pathlib import Path

import pytest

from segue import InvalidBundle, bundle
from segue.bundle import make_bundle


def fill(folder: Path, *paths: str) -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(f"# {path}\n")
    return folder


def files(folder: Path, *include: str, **more: str) -> list[str]:
    made = make_bundle(folder, include or ("**/*.py",), **more)
    return [] if made is None else list(made.files)


def test_the_same_files_give_the_same_bytes_whenever_they_were_written(tmp_path: Path) -> None:
    names = ["b.py", "a.py", "pipeline/x.py", "pipeline/deep/y.py"]
    one = make_bundle(fill(tmp_path / "one", *names))
    other = fill(tmp_path / "other", *reversed(names))
    for path in other.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
        path.chmod(0o700 if path.is_dir() else 0o600)
    two = make_bundle(other)
    assert one is not None
    assert two is not None
    assert one == two
    assert one.sha256 == hashlib.sha256(one.data).hexdigest()
    (other / "a.py").write_text("changed")
    changed = make_bundle(other)
    assert changed is not None
    assert changed.sha256 != one.sha256


def test_a_bundle_is_a_zip_that_gives_the_files_back(tmp_path: Path) -> None:
    fill(tmp_path, "a.py", "run.sh")
    (tmp_path / "run.sh").chmod(0o755)
    made = make_bundle(tmp_path, ["*"])
    assert made is not None
    with zipfile.ZipFile(io.BytesIO(made.data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a.py", "run.sh"]
        assert archive.read("a.py") == b"# a.py\n"
        assert [oct(info.external_attr >> 16) for info in archive.infolist()] == ["0o100644", "0o100755"]


@pytest.mark.parametrize(
    ("pattern", "fitting"),
    [
        ("**/*.py", ["a.py", "p/b.py", "p/q/c.py"]),
        ("*.py", ["a.py"]),
        ("p/**", ["p/b.py", "p/conf.yaml", "p/q/c.py"]),
        ("p/*", ["p/b.py", "p/conf.yaml"]),
        ("p/**/*.py", ["p/b.py", "p/q/c.py"]),
        ("./p/?.py", ["p/b.py"]),
        ("**", ["a.py", "p/b.py", "p/conf.yaml", "p/q/c.py"]),
        ("p/conf.yaml", ["p/conf.yaml"]),
    ],
)
def test_patterns_are_globs(tmp_path: Path, pattern: str, fitting: list[str]) -> None:
    assert files(fill(tmp_path, "a.py", "p/b.py", "p/q/c.py", "p/conf.yaml"), pattern) == fitting


def test_hidden_files_caches_and_environments_never_travel(tmp_path: Path) -> None:
    fill(tmp_path, "a.py", ".env", ".segue/x.py", ".venv/y.py", "p/__pycache__/z.py", "node_modules/w.py", "b.pyc")
    fill(tmp_path, "env/pyvenv.cfg", "env/lib/v.py", "lib/site-packages/u.py")
    assert files(tmp_path, "**") == ["a.py"]


def test_requirements_and_further_files_travel_too(tmp_path: Path) -> None:
    fill(tmp_path, "a.py", "conf/requirements.txt", "b.txt")
    made = make_bundle(tmp_path, requirements=["conf/requirements.txt"], extra=["b.txt", "a.py"])
    assert made is not None
    assert made.files == ("a.py", "b.txt", "conf/requirements.txt")


def test_a_lock_travels_with_its_project(tmp_path: Path) -> None:
    fill(tmp_path, "conf/uv.lock", "conf/pyproject.toml", "pyproject.toml")
    made = make_bundle(tmp_path, requirements=["conf/uv.lock"])
    assert made is not None
    assert made.files == ("conf/pyproject.toml", "conf/uv.lock")


def test_nothing_to_send_is_no_bundle(tmp_path: Path) -> None:
    assert make_bundle(fill(tmp_path, "flow.yaml")) is None


def test_links_inside_are_followed_and_links_out_are_refused(tmp_path: Path) -> None:
    fill(tmp_path, "secret.py")
    folder = fill(tmp_path / "flow", "a.py")
    (folder / "same.py").symlink_to("a.py")
    assert files(folder) == ["a.py", "same.py"]
    (folder / "outside").symlink_to(tmp_path)
    assert files(folder) == ["a.py", "same.py"], "a link to a folder is not entered"
    (folder / "out.py").symlink_to("../secret.py")
    with pytest.raises(InvalidBundle, match=r"out\.py leads out"):
        files(folder)


@pytest.mark.parametrize("pattern", ["../*.py", "/etc/*", "a/../../b"])
def test_patterns_that_lead_out_are_refused(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(InvalidBundle, match="leads out"):
        files(fill(tmp_path, "a.py"), pattern)


@pytest.mark.parametrize("path", ["../secret.txt", "none.txt", "folder"])
def test_a_requirements_file_must_be_a_file_of_the_folder(tmp_path: Path, path: str) -> None:
    fill(tmp_path, "secret.txt")
    folder = fill(tmp_path / "flow", "a.py", "folder/x")
    with pytest.raises(InvalidBundle):
        files(folder, requirements=[path])


def test_a_pattern_that_fits_nothing_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(InvalidBundle, match='"pipline/\\*\\*" fits no file'):
        files(fill(tmp_path, "pipeline/a.py"), "pipeline/**", "pipline/**")


def test_too_much_is_refused_with_the_file_at_which_it_was_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "a.py", "b.py", "c.py")
    monkeypatch.setattr(bundle, "MAX_BYTES", 10)
    with pytest.raises(InvalidBundle, match=r"at b\.py"):
        files(tmp_path)
    monkeypatch.setattr(bundle, "MAX_FILES", 2)
    with pytest.raises(InvalidBundle, match="fits 3 files; a bundle may have 2"):
        files(tmp_path)
    monkeypatch.setattr(bundle, "MAX_ENTRIES_SEEN", 1)
    with pytest.raises(InvalidBundle, match="more than 1 files"):
        files(tmp_path)


def test_pipes_are_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    fill(tmp_path, "a.py")
    assert files(tmp_path, "**") == ["a.py"], "only regular files travel: reading a pipe would wait for ever"
