"""Bundles: nothing escapes, nothing is trusted, everything is fetched once."""

from __future__ import annotations

import asyncio
import hashlib
import stat
import struct
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from activities.bundles import BundleCache, unpack
from activities.errors import StepFailed
from activities.scratch import ScratchSpace
from store.objects import open_object_store
from tests.activities.conftest import Steps


def entry(name: str, mode: int = stat.S_IFREG | 0o644, **attributes: Any) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("placeholder")
    # Past what zipfile itself does to names.
    info.filename = info.orig_filename = name
    info.external_attr = mode << 16
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info


def zipped(path: Path, *entries: zipfile.ZipInfo, data: bytes = b"x") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for info in entries:
            archive.writestr(info, b"" if info.filename.endswith("/") else data)
    return path


@pytest.mark.parametrize(
    "name",
    [
        "../escaped",
        "a/../../escaped",
        "a/..",
        "..",
        "/escaped",
        "//escaped",
        "./a",
        "a//b",
        "a/./b",
        "C:escaped",
        "c:/escaped",
        "..\\escaped",
        "a\\b",
        "a\nb",
        "a\x1b[31m",
        "",
        "a" * 300,
    ],
)
def test_odd_name_is_refused(tmp_path: Path, name: str) -> None:
    archive = zipped(tmp_path / "zip", entry(name))
    with pytest.raises(StepFailed) as caught:
        unpack(archive, tmp_path / "inside" / "files")
    assert caught.value.type == "BundleInvalid"
    assert "escaped" not in [path.name for path in tmp_path.rglob("*")]


@pytest.mark.parametrize("name", ["x\0.py", "x.py\0../../escaped"])
def test_name_with_nul_is_refused(tmp_path: Path, name: str) -> None:
    archive = zipped(tmp_path / "zip", entry("N" * len(name)))
    archive.write_bytes(archive.read_bytes().replace(b"N" * len(name), name.encode()))
    with pytest.raises(StepFailed, match="control character"):
        unpack(archive, tmp_path / "files")


@pytest.mark.parametrize(
    "mode",
    [stat.S_IFLNK | 0o777, stat.S_IFCHR | 0o600, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK],
    ids=["link", "character device", "block device", "fifo", "socket"],
)
def test_anything_but_a_file_or_folder_is_refused(tmp_path: Path, mode: int) -> None:
    archive = zipped(tmp_path / "zip", entry("a", mode), data=b"/etc/passwd")
    with pytest.raises(StepFailed, match="neither a file nor a folder"):
        unpack(archive, tmp_path / "files")
    assert list((tmp_path / "files").iterdir()) == []


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["a.py", "a.py"], "have one name"),
        (["a.py", "A.PY"], "have one name"),
        (["a", "a/b"], "cannot be unpacked"),
        (["a/", "a"], "have one name"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_entries_that_collide_are_refused(tmp_path: Path, names: list[str], problem: str) -> None:
    archive = zipped(tmp_path / "zip", *(entry(name) for name in names))
    with pytest.raises(StepFailed, match=problem):
        unpack(archive, tmp_path / "files")


def test_bomb_is_stopped_by_what_it_unpacks_not_by_what_it_says(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "zip", entry("a", compress_type=zipfile.ZIP_DEFLATED), data=b"\0" * 50_000_000)
    assert archive.stat().st_size < 60_000
    with pytest.raises(StepFailed, match="too large"):
        unpack(archive, tmp_path / "files", max_bytes=1_000_000)
    written = sum(path.stat().st_size for path in (tmp_path / "files").rglob("*") if path.is_file())
    assert written <= 2_000_000


def test_bytes_of_all_files_count_together(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "zip", *(entry(str(number)) for number in range(20)), data=b"x" * 100_000)
    with pytest.raises(StepFailed, match="too large"):
        unpack(archive, tmp_path / "files", max_bytes=1_000_000)


def test_entries_that_share_bytes_are_counted_apart(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "zip", entry("a"), entry("b"), entry("c"), data=b"x" * 400_000)
    data = bytearray(archive.read_bytes())
    for name in (b"b", b"c"):  # in the directory, point both at the bytes of a
        at = data.rindex(b"PK\x01\x02", 0, data.rindex(name))
        data[at + 42 : at + 46] = struct.pack("<I", 0)
    archive.write_bytes(data)
    with pytest.raises(StepFailed, match="the bundle"):
        unpack(archive, tmp_path / "files", max_bytes=1_000_000)


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "zip", *(entry(str(number)) for number in range(11)))
    with pytest.raises(StepFailed, match="has 11 files; 10 are allowed"):
        unpack(archive, tmp_path / "files", max_files=10)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: b"not a zip",
        lambda data: data.replace(b"hello hello", b"jello hello"),
    ],
    ids=["cut", "empty", "no zip", "wrong checksum"],
)
def test_broken_archive_is_a_typed_failure(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    archive = zipped(tmp_path / "zip", entry("a"), data=b"hello hello")
    archive.write_bytes(spoil(archive.read_bytes()))
    with pytest.raises(StepFailed) as caught:
        unpack(archive, tmp_path / "files")
    assert caught.value.type == "BundleInvalid"


def test_encrypted_entry_is_refused(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "zip", entry("a"))
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    with pytest.raises(StepFailed, match="encrypted"):
        unpack(archive, tmp_path / "files")


def test_plain_bundle_is_unpacked_with_its_executables(tmp_path: Path) -> None:
    entries = [entry("é/"), entry("é/run.sh", stat.S_IFREG | 0o4777), entry("a.b-c_d/x y.py", 0)]
    unpack(zipped(tmp_path / "zip", *entries), tmp_path / "files")
    assert (tmp_path / "files" / "é" / "run.sh").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "files" / "a.b-c_d" / "x y.py").stat().st_mode & 0o7777 == 0o644


class Fetches:
    """A cache over a store that counts its downloads."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.objects = open_object_store((folder / "objects").as_uri())
        self.count = 0
        fetch = self.objects.get_to_file

        def counted(key: str, path: Path) -> None:
            self.count += 1
            fetch(key, path)

        monkeypatch.setattr(self.objects, "get_to_file", counted)
        data = zipped(folder / "zip", entry("m.py"), data=b"A = 1").read_bytes()
        self.digest = hashlib.sha256(data).hexdigest()
        self.objects.put(f"bundles/{self.digest}.zip", data)
        self.root = folder / "bundles"
        self.scratch = ScratchSpace(folder / "run")
        self.pool = ThreadPoolExecutor(8)

    def cache(self) -> BundleCache:
        return BundleCache(self.objects, self.root, self.scratch)

    async def folder(self, cache: BundleCache, digest: str | None = None) -> Path:
        loop = asyncio.get_running_loop()
        return await cache.folder(digest or self.digest, lambda call: loop.run_in_executor(self.pool, call))


@pytest.fixture
def fetches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetches:
    return Fetches(tmp_path, monkeypatch)


async def test_bundle_is_fetched_once_for_many_steps(fetches: Fetches) -> None:
    cache = fetches.cache()
    folders = await asyncio.gather(*(fetches.folder(cache) for _ in range(10)))
    assert (fetches.count, len(set(folders))) == (1, 1)
    assert (folders[0] / "m.py").read_text() == "A = 1"
    await fetches.folder(fetches.cache())
    assert fetches.count == 1, "another worker of the machine uses what is there"


async def test_workers_that_fetch_at_the_same_time_end_with_one_folder(fetches: Fetches) -> None:
    folders = await asyncio.gather(*(fetches.folder(fetches.cache()) for _ in range(5)))
    assert len(set(folders)) == 1
    assert [path.name for path in fetches.root.iterdir()] == [fetches.digest]


async def test_bundle_that_is_not_its_name_is_refused_and_fetched_anew(fetches: Fetches) -> None:
    good = fetches.objects.get(f"bundles/{fetches.digest}.zip")
    fetches.objects.put(f"bundles/{fetches.digest}.zip", good + b"\0")
    cache = fetches.cache()
    with pytest.raises(StepFailed, match="not stored or sent whole"):
        await fetches.folder(cache)
    fetches.objects.put(f"bundles/{fetches.digest}.zip", good)
    assert (await fetches.folder(cache) / "m.py").exists()


@pytest.mark.parametrize(
    ("digest", "type"), [("0" * 64, "BundleMissing"), ("../" * 5, "BundleInvalid"), ("A" * 64, "BundleInvalid")]
)
async def test_unknown_bundle_is_a_typed_failure(steps: Steps, digest: str, type: str) -> None:
    failure = await steps.failure(steps.shell(":", bundle=digest))
    assert failure.type == type
