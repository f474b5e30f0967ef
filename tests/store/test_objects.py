"""One contract for every object store: a local directory and a real S3 server."""

from __future__ import annotations

import contextlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from store.objects import (
    InvalidKey,
    ObjectExists,
    ObjectInfo,
    ObjectNotFound,
    ObjectStore,
    ObjectStoreUnavailable,
    open_object_store,
)
from workers.seaweedfs import SeaweedFS


@pytest.fixture
def objects(stored: ObjectStore) -> ObjectStore:
    return stored


def keys(objects: ObjectStore, prefix: str = "", after: str = "") -> list[str]:
    return [info.key for info in objects.list(prefix, after)]


def test_an_object_reads_back_as_it_was_written(objects: ObjectStore) -> None:
    data = bytes(range(256)) * 10
    objects.put("runs/r-1/train[0]/000.001-3f2a9c1e/output.json", data)
    assert objects.get("runs/r-1/train[0]/000.001-3f2a9c1e/output.json") == data
    assert objects.stat("runs/r-1/train[0]/000.001-3f2a9c1e/output.json") == ObjectInfo(
        "runs/r-1/train[0]/000.001-3f2a9c1e/output.json", len(data)
    )


def test_an_empty_object_is_an_object(objects: ObjectStore) -> None:
    objects.put("logs/end", b"", create_only=True)
    assert objects.get("logs/end") == b""
    assert objects.stat("logs/end") == ObjectInfo("logs/end", 0)
    assert keys(objects) == ["logs/end"]
    with pytest.raises(ObjectExists):
        objects.put("logs/end", b"", create_only=True)


def test_create_only_refuses_and_leaves_the_first(objects: ObjectStore) -> None:
    objects.put("a/b", b"first", create_only=True)
    with pytest.raises(ObjectExists) as refused:
        objects.put("a/b", b"second", create_only=True)
    assert refused.value.key == "a/b"
    assert objects.get("a/b") == b"first"


def test_without_create_only_the_last_write_wins(objects: ObjectStore) -> None:
    objects.put("a/b", b"first")
    objects.put("a/b", b"second, longer")
    assert objects.get("a/b") == b"second, longer"


def test_of_many_creators_one_wins(objects: ObjectStore) -> None:
    start = threading.Barrier(8)

    def create(number: int) -> int | None:
        start.wait()
        try:
            objects.put("race", str(number).encode(), create_only=True)
        except ObjectExists:
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        winners = [number for number in pool.map(create, range(8)) if number is not None]
    assert len(winners) == 1
    assert objects.get("race") == str(winners[0]).encode()


@pytest.mark.parametrize("size", [0, 5, 40 * 1024 * 1024 + 17], ids=["empty", "small", "several-parts"])
def test_files_go_in_and_out_whole(objects: ObjectStore, tmp_path: Path, size: int) -> None:
    source, target = tmp_path / "source", tmp_path / "new" / "target"
    source.write_bytes(os.urandom(size))
    objects.put_file("files/0-model.bin", source, create_only=True)
    objects.get_to_file("files/0-model.bin", target)
    assert target.read_bytes() == source.read_bytes()
    assert b"".join(objects.open("files/0-model.bin")) == source.read_bytes()
    source.write_bytes(os.urandom(size + 1))
    with pytest.raises(ObjectExists):
        objects.put_file("files/0-model.bin", source, create_only=True)
    assert objects.stat("files/0-model.bin") == ObjectInfo("files/0-model.bin", size)
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_chunks_are_bounded(objects: ObjectStore) -> None:
    objects.put("big", b"x" * (3 * 1024 * 1024 + 1))
    sizes = [len(chunk) for chunk in objects.open("big")]
    assert sum(sizes) == 3 * 1024 * 1024 + 1
    assert max(sizes) <= 1024 * 1024


def test_what_is_not_there_is_said_so(objects: ObjectStore, tmp_path: Path) -> None:
    objects.put("a/b/c", b"x")
    for key in ("nothing", "a/b", "a", "a/b/d"):
        with pytest.raises(ObjectNotFound) as missing:
            objects.get(key)
        assert missing.value.key == key
        with pytest.raises(ObjectNotFound):
            objects.open(key)
        with pytest.raises(ObjectNotFound):
            objects.get_to_file(key, tmp_path / "target")
        assert objects.stat(key) is None
        objects.delete(key)
    assert not (tmp_path / "target").exists()
    assert objects.get("a/b/c") == b"x"


def test_a_deleted_object_is_gone(objects: ObjectStore) -> None:
    objects.put("a/b", b"x")
    objects.delete("a/b")
    assert objects.stat("a/b") is None
    assert keys(objects) == []
    objects.put("a/b", b"y", create_only=True)
    assert objects.get("a/b") == b"y"


def test_a_folder_is_listed_in_order_and_from_anywhere(objects: ObjectStore) -> None:
    names = [f"logs/{n:06}.ndjson" for n in range(1, 13)]
    for name in reversed([*names, "logs/end", "log", "logs2/000001.ndjson"]):
        objects.put(name, b"x")
    assert keys(objects, "logs/") == [*names, "logs/end"]
    assert keys(objects, "logs/0") == names
    assert keys(objects, "logs/", after=names[9]) == [*names[10:], "logs/end"]
    assert keys(objects, "logs/", after="logs/end") == []
    assert sorted(keys(objects)) == sorted([*names, "logs/end", "log", "logs2/000001.ndjson"])


def test_a_listing_gives_sizes_below_every_folder(objects: ObjectStore) -> None:
    objects.put("r/a/x/1", b"1")
    objects.put("r/a/y/22", b"22")
    objects.put("r/b", b"")
    assert list(objects.list("r/")) == [ObjectInfo("r/a/x/1", 1), ObjectInfo("r/a/y/22", 2), ObjectInfo("r/b", 0)]
    assert keys(objects, "r/a/", after="r/a/x/1") == ["r/a/y/22"]
    assert keys(objects, "nothing/") == []


def test_a_listing_longer_than_a_page_is_whole(objects: ObjectStore) -> None:
    names = [f"many/{n:05}" for n in range(1_003)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda name: objects.put(name, b""), names))
    assert keys(objects, "many/") == names


@pytest.mark.parametrize(
    "key", ["z/a b+c%25[0]&x=1", "z/é-日本-🎵", "z/#?;:@", "z/...", "z/.hidden", "z/~", "z/a'b\"c", "z/" + "n" * 200]
)
def test_odd_but_honest_keys_work(objects: ObjectStore, key: str) -> None:
    objects.put(key, b"x", create_only=True)
    assert objects.get(key) == b"x"
    assert objects.stat(key) == ObjectInfo(key, 1)
    assert keys(objects, "z/") == [key]
    objects.delete(key)
    assert keys(objects, "z/") == []


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "..",
        "a/../../b",
        "a/..",
        "./a",
        "a//b",
        "a/",
        "a\\..\\b",
        "a\x00b",
        "a\nb",
        "\ud800",
        "n" * 201,
        "/".join(["n" * 100] * 10),
        ".incoming/x",
    ],
    ids=range(15),
)
def test_keys_that_could_lead_elsewhere_are_refused(objects: ObjectStore, tmp_path: Path, key: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    for attempt in (
        lambda: objects.put(key, b"x"),
        lambda: objects.put_file(key, file),
        lambda: objects.get(key),
        lambda: objects.get_to_file(key, tmp_path / "target"),
        lambda: objects.open(key),
        lambda: objects.stat(key),
        lambda: objects.delete(key),
    ):
        with pytest.raises(InvalidKey):
            attempt()
    assert keys(objects) == []


def test_a_reader_never_sees_half_an_object(objects: ObjectStore) -> None:
    bodies = [bytes([n]) * 300_000 for n in range(4)]
    objects.put("x", bodies[0])
    done = threading.Event()

    def write() -> None:
        for n in range(20):
            objects.put("x", bodies[n % 4])
        done.set()

    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(write)
        while not done.is_set() and not written.done():
            assert objects.get("x") in bodies
        written.result()


def test_a_link_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    objects = open_object_store((tmp_path / "objects").as_uri())
    objects.put("a/b", b"x")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "objects" / "out").symlink_to(tmp_path)
    (tmp_path / "objects" / "a" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(InvalidKey):
        objects.get("out/secret")
    with pytest.raises(ObjectStoreUnavailable):
        objects.get("a/link")
    assert keys(objects) == ["a/b"]


def test_a_folder_and_an_object_of_one_name_exclude_each_other_in_a_directory(tmp_path: Path) -> None:
    objects = open_object_store((tmp_path / "objects").as_uri())
    objects.put("a/b", b"x")
    for create_only in (False, True):
        with pytest.raises(InvalidKey):
            objects.put("a/b/c", b"y", create_only=create_only)
    with pytest.raises(InvalidKey):
        objects.put("a", b"y")
    assert objects.get("a/b") == b"x"


def test_nothing_of_a_failed_write_stays(tmp_path: Path) -> None:
    objects = open_object_store((tmp_path / "objects").as_uri())
    objects.put("a", b"x", create_only=True)
    with pytest.raises(ObjectExists):
        objects.put("a", b"y", create_only=True)
    with pytest.raises(FileNotFoundError):
        objects.put_file("b", tmp_path / "missing")
    assert list((tmp_path / "objects" / ".incoming").iterdir()) == []


def test_a_store_that_is_down_is_told_from_a_missing_object(seaweedfs: SeaweedFS) -> None:
    wrong = open_object_store(seaweedfs.url, access_key=seaweedfs.access_key, secret_key="wrong")
    nobody = open_object_store("s3://segue?endpoint=http://127.0.0.1:1", access_key="a", secret_key="b")
    for store in (wrong, nobody):
        with contextlib.closing(store), pytest.raises(ObjectStoreUnavailable) as error:
            store.get("a")
        assert store.url in str(error.value)
        assert "wrong" not in str(error.value)


@pytest.mark.parametrize(
    "url", ["", "objects", "file://host/x", "file:relative", "s3://", "http://x/y", "s3://b?endpiont=x", "s3://b?x"]
)
def test_an_unknown_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"object store|bad query"):
        open_object_store(url)
