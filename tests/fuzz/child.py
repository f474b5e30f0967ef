"""One run of the fuzzer in a process of its own: `python -m tests.fuzz.child TARGET [FOLDER...] [-OPTION...]`.

The options are libFuzzer's. The process ends by itself, with 0 when nothing was found.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["workflows", "translator"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Fuzz one target."""
    target = TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], lambda data: target(data.decode("utf-8", "replace")))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
