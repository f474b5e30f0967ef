"""Room on a worker's machine: who gets it, in which order, and what becomes of those who wait."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

from activities.room import Machine, Room, Share

GI = 2**30


class Line:
    """Steps at one worker's room, each a task that leaves when it is told to."""

    def __init__(self, machine: Machine) -> None:
        self.room = Room(machine)
        self.shares: dict[str, Share] = {}
        self.said: dict[str, str] = {}
        self._leave: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, name: str, **wanted: float) -> None:
        self._leave[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._step(name, wanted))
        await self._settle()

    async def go(self, *names: str) -> None:
        for name in names:
            self._leave[name].set()
            await self._tasks[name]
        await self._settle()

    async def cancel(self, name: str) -> None:
        self._tasks[name].cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._tasks[name]
        await self._settle()

    async def _step(self, name: str, wanted: Mapping[str, float]) -> None:
        async with self.room.share(wanted, lambda why: self.said.update({name: why})) as share:
            self.shares[name] = share
            await self._leave[name].wait()
            del self.shares[name]

    async def _settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


async def test_steps_run_together_as_long_as_there_is_room() -> None:
    line = Line(Machine(4, 8 * GI))
    await line.come("a", cpu=2, memory=4 * GI)
    await line.come("b", cpu=2, memory=4 * GI)
    assert {*line.shares} == {"a", "b"}
    assert line.room.free == {"cpu": 0, "memory": 0, "gpu": 0}


async def test_a_step_that_waits_says_for_what_and_occupies_nothing() -> None:
    line = Line(Machine(4, 8 * GI, ("0",)))
    await line.come("a", memory=6 * GI)
    await line.come("b", memory=4 * GI, gpu=1)
    assert line.said == {"b": "waits for 4Gi memory (2Gi free)"}
    assert line.room.free["gpu"] == 1
    await line.go("a")
    assert {*line.shares} == {"b"}


async def test_a_large_step_is_not_overtaken_by_small_ones() -> None:
    line = Line(Machine(4, 8 * GI))
    await line.come("a", cpu=3)
    await line.come("large", cpu=4)
    await line.come("small", cpu=1)
    assert {*line.shares} == {"a"}
    assert line.said["small"] == "waits behind 1 other steps for room (1 cpu)"
    await line.go("a")
    assert {*line.shares} == {"large"}
    await line.go("large")
    assert {*line.shares} == {"small"}


async def test_those_behind_a_step_that_gives_up_go_on() -> None:
    line = Line(Machine(4, 8 * GI))
    await line.come("a", cpu=3)
    await line.come("large", cpu=4)
    await line.come("small", cpu=1)
    await line.cancel("large")
    assert {*line.shares} == {"a", "small"}


async def test_a_step_that_is_cancelled_gives_back_what_it_had() -> None:
    line = Line(Machine(4, 8 * GI, ("0", "1")))
    await line.come("a", cpu=4, gpu=2)
    await line.cancel("a")
    assert line.room.free == {"cpu": 4, "memory": 8 * GI, "gpu": 2}


async def test_no_two_steps_have_the_same_device() -> None:
    line = Line(Machine(4, 8 * GI, ("0", "2", "GPU-5")))
    await line.come("a", gpu=1)
    await line.come("b", gpu=2)
    assert (line.shares["a"].gpus, line.shares["b"].gpus) == (("0",), ("2", "GPU-5"))
    await line.come("c", gpu=1)
    await line.go("a")
    assert line.shares["c"].gpus == ("0",)


async def test_fractions_of_a_core_add_up() -> None:
    line = Line(Machine(1, GI))
    names = [str(number) for number in range(10)]
    for name in names:
        await line.come(name, cpu=0.1)
    assert len(line.shares) == 10
    await line.go(*names)
    assert line.room.free["cpu"] == 1


def test_a_machine_says_what_it_lacks() -> None:
    assert Machine(4, 8 * GI, ("0",)).lacks({"cpu": 5, "memory": GI, "gpu": 2}) == ["cpu", "gpu"]
