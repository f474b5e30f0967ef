"""Definitions of the largest size there may be, in every shape that could crash or hang the translator."""

from __future__ import annotations

HEAD = "segue: 1\nname: demo\n"
STEPS = "steps: {a: {run: echo a}}\n"


def _bomb() -> str:
    """Return aliases of aliases: a few lines that stand for ten billion values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join(lines) + "\n"


LARGE = {
    "an alias bomb": HEAD + STEPS + _bomb(),
    "an integer of 200,000 digits": HEAD + STEPS + "max_parallel: " + "9" * 200_000,
    "NUL": HEAD + STEPS + "description: \0" * 50_000,
    "halves of surrogate pairs": HEAD + STEPS + "description: \ud800" * 50_000,
    "eleven thousand steps": HEAD
    + "steps:\n  s0: {run: x}\n"
    + "".join(f"  s{n}: {{run: echo {n}, needs: [s{n - 1}]}}\n" for n in range(1, 11_000)),
    "many maps inside each other": HEAD + "steps: {a: {run: x, map: [" + "{over: [1]}," * 80_000 + "]}}",
    "many approvers": HEAD + "steps: {a: {approve: {quorum: 0, by: [" + "ada," * 200_000 + "]}}}",
    "a large form": HEAD + "steps: {a: {approve: {form: {" + "".join(f"f{n}: {{}}," for n in range(70_000)) + "}}}}",
    "many files": HEAD + "steps:\n" + "".join(f"  s{n}: {{uses: ./f{n}.yaml}}\n" for n in range(1_500)),
    "many events": HEAD + STEPS + "triggers: [" + "{event: {name: x, if: event.x}}," * 30_000 + "]",
    "many lists": "[" * 300_000,
    "many maps": "{a: " * 200_000,
    "many dashes": "- " * 300_000,
    "many questions": "? " * 300_000,
    "many quotes": '"' * 500_000,
    "many anchors": "&a " * 300_000,
    "one key": "a" * 1_000_000,
    "many keys": "".join(f"k{n}: v\n" for n in range(80_000)),
    "many equal keys": "k: v\n" * 150_000,
    "many steps": HEAD + "steps:\n" + "".join(f"  s{n}: {{run: x}}\n" for n in range(30_000)),
    "many misspelt needs": HEAD
    + "steps:\n"
    + "".join(f"  step_{n}: {{run: x, needs: [step_{n}x, stop_{n}]}}\n" for n in range(1_500)),
    "many unknown keys": HEAD + STEPS + "".join(f"steps{n}: x\n" for n in range(60_000)),
    "many params": HEAD + STEPS + "params:\n" + "".join(f"  p{n}: {{type: int}}\n" for n in range(40_000)),
    "many bad schemas": HEAD + STEPS + "params: {p: {enum: [" + "{a: 1}," * 100_000 + "], type: strin}}",
    "many expressions": HEAD + "steps: {a: {run: x, env: {A: '" + "${{ params.x }}" * 60_000 + "'}}}",
    "many openings": HEAD + "steps: {a: {run: x, env: {A: '" + "${{ " * 250_000 + "'}}}",
    "many openings in a script": HEAD + "steps: {a: {run: '" + "${{ " * 250_000 + "'}}",
    "a long expression": HEAD + "steps: {a: {run: x, if: '" + "(" * 900_000 + "'}}",
    "a long number": HEAD + STEPS + "max_parallel: " + "9" * 900_000,
    "a long float": HEAD + STEPS + "max_parallel: 1." + "9" * 900_000,
    "a long duration": HEAD + STEPS + "timeout: " + "9h" * 400_000,
    "a long cron": HEAD + STEPS + "triggers: [{schedule: {cron: '" + "1," * 400_000 + "'}}]",
    "a long name": "segue: 1\n" + STEPS + "name: " + "N" * 900_000,
    "a default that is deep": HEAD + STEPS + "params: {p: {default: " + "[" * 55 + "]" * 55 + "}, q: 5}",
    "a long line before the caret": HEAD + "steps: {a: {run: x, description: '" + "x" * 900_000 + "', colour: red}}",
}

ACCEPTED = {
    "the most steps": HEAD
    + "steps:\n"
    + "".join(f"  s{n}: {{run: x, needs: [s{max(0, n - 100)}]}}\n" if n else "  s0: {run: x}\n" for n in range(10_000)),
    "many edges": HEAD
    + "steps:\n"
    + "".join(
        f"  s{n}: {{run: x, needs: [{', '.join(f's{m}' for m in range(max(0, n - 5), n))}]}}\n" for n in range(1_500)
    ),
    "a list of half a million numbers": HEAD + "steps: {a: {uses: noop, with: {v: [" + "1," * 500_000 + "]}}}",
    "a line of 1 MB": HEAD + STEPS + "description: '" + "y" * 1_000_000 + "'\n",
    "many empty values": HEAD + "steps:\n a:\n  uses: noop\n  with:\n   v:\n" + "   -\n" * 200_000,
    "many anchored values": HEAD + "steps: {a: {uses: noop, with: {v: [" + "&a 1," * 170_000 + "]}}}",
}
"""What is large, and in order."""
