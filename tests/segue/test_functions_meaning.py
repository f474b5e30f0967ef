"""An expression of a workflow's body gives what Python gives, or fails aloud."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.segue.function_runs import module_of, plan_of
from workflows.expressions import ExpressionError
from workflows.templates import render

VALUES: list[Any] = [None, True, False, 0, 1, -1, 3, 7, 1.0, 0.0, -2.5, 1e20, 1e-7, "", "a", "ab", "1", "True", [], [1]]
VALUES += [[True], ["a", "b"], [3, -1], {}, {"a": 1}, {"k": None, "n": 4}]
EXPRESSIONS = [
    "a == b",
    "a != b",
    "a == 1",
    "a == True",
    "a != 0",
    "0.0 == a",
    "a == 'a'",
    "a is None",
    "a is not True",
    "not a",
    "bool(a)",
    "a and b",
    "a or b",
    "(a or b) == 1",
    "not (a and not b)",
    "1 if a else 2",
    "a if a == b else b",
    "a < b",
    "a >= b",
    "0 <= a < b",
    "a in [0, 'a', None]",
    "a in [1, 2]",
    "a not in b",
    "'a' in b",
    "a + b",
    "a - b",
    "a * b",
    "a / b",
    "a // b",
    "a % b",
    "a % 2 == 0",
    "7 // 2 + -7 // 2 + -7 % 3",
    "-a",
    "str(a)",
    "f'<{a}>'",
    "f'{a}'",
    "f'{a}{b}'",
    "len(a)",
    "int(a)",
    "float(a)",
    "a[0]",
    "a[-1]",
    "a[b]",
    "a['n']",
    "a.get('k', b)",
    "a.get('k')",
    "{'x': a, 'y': [b, 1]}",
    "{'x': a}['x']",
    "[a, b][1]",
    "[1, 2][-1]",
    "{'k': [3]}['k'][0]",
    "(a, b)[0]",
    "[x for x in a]",
    "[x for x in a if x]",
    "[{'v': x, 'b': b} for x in a]",
    "[x == b for x in a]",
    "[[y for y in [x, b]] for x in a]",
    "any(x for x in a)",
    "all(x > 0 for x in a)",
    "any(a)",
    "a.startswith('a')",
    "a.replace('a', b)",
    "a.split(',')",
    "'-'.join(a)",
    "'${{ a }}'",
    "f'${{{{ {b} }}}}'",
    '"it\'s \\\\ \\n"',
    "'é' + '\\ue000'",
]

NESTED = ([1], [True])
"""Inside lists and objects `true` is not `1`, as docs/functions.md says; nothing else is excepted."""
FORGIVING = {"a[b]", "a.get('k', b)", "a.get('k')", "a not in b"}
"""Python raises for an index of 1.0, a list's `get` and a list as a key; the call in Python shows it."""


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_gives_what_python_gives_or_fails_aloud(tmp_path: Path, expression: str) -> None:
    source = "from segue import step, workflow\n\n@step\ndef tell(): ...\n\n@workflow\ndef flow(a, b):\n    tell()\n"
    source += f"    return {expression}\n"
    module = module_of(source, tmp_path / "meaning.py")
    output = plan_of(module.flow, source).output
    agreed = 0
    for a, b in product(VALUES, VALUES):
        direct = _outcome(lambda a=a, b=b: eval(expression, {"a": a, "b": b}))  # type: ignore[misc]
        compiled = _outcome(lambda a=a, b=b: render(output, {"params": {"a": a, "b": b}}))  # type: ignore[misc]
        compares = any(part in expression for part in ("==", "!=", "in b"))
        if (compares and any(each in NESTED for each in (a, b))) or (direct is None and expression in FORGIVING):
            continue
        if compiled is not None:
            assert compiled == direct, f"a = {a!r}, b = {b!r}: {output}"
            agreed += 1
    assert agreed >= 7, f"{output} fails for nearly every value"


def _outcome(run: Any) -> str | None:
    try:
        return json.dumps(run())
    except (ExpressionError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError):
        return None
