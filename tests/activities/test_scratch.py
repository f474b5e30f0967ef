"""Scratch folders, where many are asked for at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from activities.scratch import ScratchSpace

AT_ONCE = 8


def test_workers_that_start_in_the_same_moment_take_no_folder_of_one_another(tmp_path: Path) -> None:
    for number in range(30):
        spaces = [ScratchSpace(tmp_path / str(number)) for _ in range(AT_ONCE)]
        together = Barrier(AT_ONCE)

        def make(space: ScratchSpace, together: Barrier = together) -> Path:
            together.wait()
            return space.make()

        with ThreadPoolExecutor(AT_ONCE) as pool:
            folders = list(pool.map(make, spaces))
        assert all(folder.is_dir() and (folder.parent / ".lock").exists() for folder in folders)


def test_threads_of_a_worker_share_one_place(tmp_path: Path) -> None:
    for number in range(30):
        space, together = ScratchSpace(tmp_path / str(number)), Barrier(AT_ONCE)

        def make(_: int, space: ScratchSpace = space, together: Barrier = together) -> Path:
            together.wait()
            return space.make()

        with ThreadPoolExecutor(AT_ONCE) as pool:
            folders = list(pool.map(make, range(AT_ONCE)))
        assert len(set(folders)) == AT_ONCE
        assert len({folder.parent for folder in folders}) == 1
