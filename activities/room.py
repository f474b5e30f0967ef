"""Room on a worker's machine: which steps occupy how much of it, and which wait for some to become free.

A worker learns what a step needs when it has the step: Temporal hands out tasks by queue, not by size. So a step that
finds no room waits here, first come, first served, and occupies nothing while it waits; a large one is never overtaken,
so that it cannot starve. What a step does with what it has is no business of this module.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from workflows.sizes import amount, amounts

GPU = "gpu"


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is.

    Attributes:
        cpu: Cores.
        memory: Bytes.
        gpus: Devices, as `CUDA_VISIBLE_DEVICES` names them.
    """

    cpu: float
    memory: float
    gpus: tuple[str, ...] = ()

    @property
    def amounts(self) -> dict[str, float]:
        """How much of each resource."""
        return {"cpu": self.cpu, "memory": self.memory, GPU: len(self.gpus)}

    def lacks(self, wanted: Mapping[str, float]) -> list[str]:
        """Return the resources of which more is wanted than there is at all."""
        return [name for name, value in wanted.items() if value > self.amounts.get(name, 0)]


@dataclass(frozen=True, slots=True)
class Share:
    """What a step occupies: so much of each resource, and these devices."""

    wanted: Mapping[str, float]
    gpus: tuple[str, ...] = ()


@dataclass(slots=True)
class _Waiting:
    wanted: Mapping[str, float]
    granted: asyncio.Future[Share] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Room:
    """The room of one worker process, for the steps of all its queues. All calls come from one event loop.

    Attributes:
        machine: What there is.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._free = machine.amounts
        self._gpus = [*machine.gpus]
        self._line: deque[_Waiting] = deque()

    @property
    def free(self) -> dict[str, float]:
        """What nobody occupies."""
        return dict(self._free)

    @contextlib.asynccontextmanager
    async def share(self, wanted: Mapping[str, float], tell: Callable[[str], None]) -> AsyncIterator[Share]:
        """Yield what a step occupies from here on, as soon as there is room; it is given back on leaving.

        Args:
            wanted: No more than the machine has.
            tell: Gets a sentence when the step has to wait.
        """
        waiting = _Waiting(wanted)
        self._line.append(waiting)
        self._grant()
        try:
            if not waiting.granted.done():
                tell(self._why(waiting))
            # Not the future itself: a cancel in the moment of the grant must not lose what was granted.
            await asyncio.wait([waiting.granted])
            yield waiting.granted.result()
        finally:
            self._give_back(waiting)

    def _why(self, waiting: _Waiting) -> str:
        """Say what is waited for."""
        lacking = [name for name, value in waiting.wanted.items() if value > self._free[name]]
        if not lacking:
            return f"waits behind {len(self._line) - 1} other steps for room ({amounts(waiting.wanted)})"
        missing = " and ".join(
            f"{amount(name, waiting.wanted[name])} ({amount(name, self._free[name]).removesuffix(f' {name}')} free)"
            for name in lacking
        )
        return f"waits for {missing}"

    def _grant(self) -> None:
        while self._line and self._fits(self._line[0].wanted):
            waiting = self._line.popleft()
            for name, value in waiting.wanted.items():
                self._free[name] = round(self._free[name] - value, 6)
            count = int(waiting.wanted.get(GPU, 0))
            devices, self._gpus = tuple(self._gpus[:count]), self._gpus[count:]
            waiting.granted.set_result(Share(waiting.wanted, devices))

    def _fits(self, wanted: Mapping[str, float]) -> bool:
        return all(value <= self._free[name] for name, value in wanted.items())

    def _give_back(self, waiting: _Waiting) -> None:
        if waiting.granted.done():
            share = waiting.granted.result()
            for name, value in share.wanted.items():
                self._free[name] = round(self._free[name] + value, 6)
            self._gpus = self._in_order([*self._gpus, *share.gpus])
        else:
            self._line.remove(waiting)
        self._grant()

    def _in_order(self, devices: Sequence[str]) -> list[str]:
        return [each for each in self.machine.gpus if each in devices]
