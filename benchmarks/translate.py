"""What translation costs: from the text of a definition to its plan and content hash, beside libyaml's bare loader.

The steps are of an ordinary kind: each calls a function with a value of another step's output, and names a need. Both
read the same text and take turns. Prints a line per size: seconds of CPU, the median of the rounds, and as `ratio` the
translator's over the loader's, which knows no places, checks nothing and gives no plan.

    python benchmarks/translate.py [--rounds N] [--steps N ...]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))

from translator import compile_yaml

SIZES = (1_000, 10_000)
HEAD = "segue: 1\nname: large\nparams: {size: {type: integer, default: 3}}\nsteps:\n"
FIRST = '  s0: {python: "m:f", with: {n: "${{ params.size }}"}}\n'
FURTHER = '  s{number}: {{needs: s{need}, python: "m:f", with: {{n: "${{{{ steps.s{before}.output }}}}"}}}}\n'


def definition(steps: int) -> str:
    """Return the text of a workflow with so many steps."""
    further = (FURTHER.format(number=number, need=max(0, number - 50), before=number - 1) for number in range(1, steps))
    return "".join([HEAD, FIRST, *further])


def load(text: str) -> object:
    """Read a text as bare YAML."""
    return yaml.load(text, yaml.CSafeLoader)


def translate(text: str) -> str:
    """Translate a definition; return the content hash of its plan."""
    return compile_yaml(text, "large.yaml").content_hash


def _seconds(call: Callable[[str], object], text: str) -> float:
    began = time.process_time()
    call(text)
    return time.process_time() - began


def main(sizes: tuple[int, ...], rounds: int) -> None:
    """Measure and print."""
    print(f"{'steps':>6}  {'load':>8}  {'translate':>9}  {'ratio':>5}")
    translate(definition(10))
    for steps in sizes:
        text = definition(steps)
        taken = [(_seconds(load, text), _seconds(translate, text)) for _ in range(rounds)]
        loading, translating = (statistics.median(each) for each in zip(*taken, strict=True))
        print(f"{steps:>6}  {loading:>6.3f} s  {translating:>7.3f} s  {translating / loading:>5.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What translation costs beside a bare load of the same text.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, nargs="+", default=SIZES)
    given = parser.parse_args()
    main(tuple(given.steps), given.rounds)
