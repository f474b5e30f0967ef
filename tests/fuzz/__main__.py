"""Fuzzes a target: `python -m tests.fuzz expressions 600 --keep`.

With `--keep` the inputs that reach new code are added to the corpus, which is then made as small as it can be. An
input that breaks something is printed, and belongs in a test once it is mended.
"""

from __future__ import annotations

import argparse
import sys

from tests.fuzz.fuzzing import fuzz, minimised, read_corpus, write_corpus
from tests.fuzz.targets import TARGETS


def main() -> int:
    """Read the arguments and fuzz."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("seconds", type=int)
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    before = len(read_corpus(given.target))
    result = fuzz(given.target, given.seconds)
    print(result.log[-3_000:])
    if result.broken is not None:
        print(f"this input breaks {given.target}: {result.broken!r}")
    if given.keep:
        write_corpus(given.target, minimised(TARGETS[given.target], result.corpus))
        print(f"the corpus has {len(read_corpus(given.target))} inputs, where it had {before}")
    return 0 if result.broken is None else 1


if __name__ == "__main__":
    sys.exit(main())
