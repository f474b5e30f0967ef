"""Simulates runs: `python -m tests.simulator --seeds 0..10000`, or with `--mutants` looks for planted bugs.

A seed that breaks a promise is printed as the smallest case that still does, with everything that happened. The same
seed does the same again, on every machine.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

from tests.simulator.cases import case_of
from tests.simulator.hunting import hunt
from tests.simulator.mutants import MUTANTS, Mutant
from tests.simulator.shrinking import Failure, failure_of, shrunk

BLOCK = 500
"""Seeds that a process takes at a time."""
MAX_SHOWN = 5


def simulate(seeds: range) -> tuple[list[Failure], float]:
    """Return what these seeds break, made smaller, and the seconds of the processor that it took."""
    begun = time.process_time()
    found = [failure for failure in (failure_of(case_of(seed)) for seed in seeds) if failure is not None]
    return [shrunk(failure) for failure in found[:MAX_SHOWN]], time.process_time() - begun


def seeds_of(text: str) -> range:
    """Read `0..10000`, whose end is not among them, or a single seed."""
    first, between, last = text.partition("..")
    return range(int(first), int(last) if between else int(first) + 1)


def main() -> int:
    """Read the arguments and simulate."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--seeds", type=seeds_of, default=range(1_000), metavar="FROM..TO")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--mutants", action="store_true", help="plant each known bug, and look for it in these seeds")
    given = parser.parse_args()
    if given.mutants:
        return _hunt(MUTANTS, given.seeds)
    begun = time.monotonic()
    blocks = [given.seeds[start : start + BLOCK] for start in range(0, len(given.seeds), BLOCK)]
    with ProcessPoolExecutor(given.processes) as processes:
        return _report(processes.map(simulate, blocks), len(given.seeds), begun)


def _report(ended: Iterable[tuple[list[Failure], float]], count: int, begun: float) -> int:
    broken, used = 0, 0.0
    for failures, seconds in ended:
        used += seconds
        for failure in failures:
            broken += 1
            if broken <= MAX_SHOWN:
                print(failure.text(), end="\n\n", flush=True)
    took = time.monotonic() - begun
    print(f"{count:,} seeds in {took:.1f} s: {count / took:.0f} a second, {count / used:.0f} for each processor")
    print(f"{broken or 'no'} failures")
    return 1 if broken else 0


def _hunt(mutants: Iterable[Mutant], seeds: range) -> int:
    missed = 0
    for mutant in mutants:
        found = hunt(mutant, seeds)
        missed += found is None
        print(f"{mutant.name}: " + ("NOT FOUND" if found is None else f"seed {found[0]}, {found[1]}"), flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
