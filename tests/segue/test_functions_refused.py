"""What cannot be said in steps is refused: with its place, its name and the way out, all at once."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

import pytest

from segue import Diagnostic, InvalidDefinition
from tests.segue.function_runs import module_of

HEAD = """\
import enum
import math
from dataclasses import dataclass
from segue import StepFailed, params, step, workflow

class Color(enum.Enum):
    RED = "red"

@dataclass
class Pack:
    n: int
    word: str = ""

@step
def work(x=None, *, y=0) -> int: ...

@step
def pack(n) -> Pack: ...

@step
def many(n) -> list: ...

@step
def fixed(x, /): ...

def helper(x): ...

NUMBERS = [1]

"""
LINES = HEAD.count("\n")


def problems_of(folder: Path, source: str, name: str = "flow") -> list[Diagnostic]:
    """Return what is wrong with the workflow `flow` of a module; lines count from the end of its head."""
    module = module_of(HEAD + source, folder / "refused.py")
    with pytest.raises(InvalidDefinition) as caught:
        getattr(module, name).document(HEAD + source)
    assert {each.file for each in caught.value.diagnostics} == {str(folder / "refused.py")}
    return caught.value.diagnostics


def problem_of_body(folder: Path, body: str) -> tuple[int, int, str, str, str]:
    source = "@workflow\ndef flow(n: int, word: str, data: dict, anything, color: Color = Color.RED):\n"
    [problem] = problems_of(folder, source + indent(dedent(body).strip("\n"), "    ") + "\n")
    return problem.line - LINES - 2, problem.column, problem.code, problem.message, problem.hint


@pytest.mark.parametrize(
    ("body", "line", "column", "code", "words", "way"),
    [
        ("while n: work()", 1, 5, "E0731", "a while loop cannot be part", "a for loop over a list is a map"),
        ("with open(word): work()", 1, 5, "E0731", "a with statement", "inside a @step"),
        ("raise ValueError(n)", 1, 5, "E0731", "raise cannot", "let a @step raise it"),
        ("raise", 1, 5, "E0731", "raise cannot", "let a @step raise it"),
        ("assert n", 1, 5, "E0731", "assert", "let a @step check it"),
        ("import os", 1, 5, "E0731", "an import inside", "at the top of the file"),
        ("def inner(): ...", 1, 5, "E0731", "a function inside", "as a @step"),
        ("class Inner: ...", 1, 5, "E0731", "a class inside", "move this into a @step"),
        ("match n:\n    case 1: work()", 1, 5, "E0731", "a match statement", "use if and elif"),
        ("del n", 1, 5, "E0731", "del cannot", "move this"),
        ("x = lambda: n", 1, 9, "E0731", "a lambda", "move this"),
        ("work((x := n))", 1, 11, "E0731", "(:=)", "on a line of its own"),
        ("work({n})", 1, 10, "E0731", "a set", "use a list"),
        ("work({x: n for x in many(n)})", 1, 10, "E0731", "a dict comprehension", "move this"),
        ("work(x for x in many(n))", 1, 9, "E0731", "a generator", "use a list"),
        ("work([*many(n)])", 1, 10, "E0731", "unpacking with *", "move this"),
        ("work({**data})", 1, 10, "E0736", "unpacking with **", "write the keys out"),
        ("work(many(n)[1:])", 1, 10, "E0731", "a slice", "move this"),
        ("work(b'x')", 1, 10, "E0736", "bytes is no JSON", "move this"),
        ("work()\nn + 1", 2, 5, "E0731", "nobody takes this value", "remove it"),
        ("work()\ndata['x'] = 1", 2, 5, "E0731", "an item of a value cannot be assigned", "build a new value"),
        ("work()\na, b = many(n)", 2, 5, "E0731", "cannot be unpacked", "first = pair[0]"),
        ("xs = many(n)\nxs += [1]", 2, 5, "E0731", "xs may be a list", "write xs = xs + ..."),
        ("work(zzz)", 1, 10, "E0732", "there is nothing called zzz", ""),
        ("work(wrod)", 1, 10, "E0732", "there is nothing called wrod", 'did you mean "word"?'),
        ("work(late)\nlate = 1", 1, 10, "E0732", "late is read before it is assigned", ""),
        ("work(math)", 1, 10, "E0732", "math is a module, which is no value", "text, numbers"),
        ("work(params.x)", 1, 10, "E0732", "params belongs to the spelling with operators", "make it a parameter"),
        ("work(work)", 1, 10, "E0733", "work is a step and is not called", "write work(...)"),
        ("if n:\n    x = work()\nwork(x)", 3, 10, "E0732", "x is assigned in one branch alone", "in every branch"),
        ("work(pack(n).m)", 1, 10, "E0732", "Pack has no field m", ""),
        ("work(pack(n)['n'])", 1, 10, "E0736", "a dataclass has no items", "write .n"),
        ("work(data.n)", 1, 10, "E0736", "a dict has no attribute n", 'write ["n"]'),
        ("work(word.n)", 1, 10, "E0736", "a str has no attribute n", "move this"),
        ("work(word[0])", 1, 10, "E0736", "a str has no items", "move this"),
        ("helper(n)", 1, 5, "E0733", "helper is not a step", "decorate helper with @step"),
        ("print(n)", 1, 5, "E0733", "print is not a step", "print inside a @step"),
        ("work(max(n, 1))", 1, 10, "E0733", "max is not a step", "call max inside a @step"),
        ("work(NUMBERS(n))", 1, 10, "E0733", "NUMBERS is not a step", "decorate"),
        ("work(math.sqrt(n))", 1, 10, "E0733", "math.sqrt is not a step", "decorate"),
        ("work(wrok(n))", 1, 10, "E0732", "there is nothing called wrok", 'did you mean "work"?'),
        ("work(word.lower())", 1, 10, "E0733", "no method lower()", "do it in a @step"),
        ("work(word.split())", 1, 10, "E0734", "split() takes 1 arguments", "at a given text"),
        ("work(1, 2)", 1, 5, "E0734", "work takes 1 arguments without names", ""),
        ("work(z=1)", 1, 5, "E0734", "work has no argument z", ""),
        ("pack()", 1, 5, "E0734", "pack is not given n", ""),
        ("work(n, x=1)", 1, 5, "E0734", "work is given x twice", ""),
        ("work(*many(n))", 1, 5, "E0734", "arguments are written out", "name each argument"),
        ("fixed(n)", 1, 5, "E0734", "fixed has arguments without names", "remove the /"),
        ("work(n ** 2)", 1, 10, "E0731", '"**" has no counterpart', "move this"),
        ("work(n is word)", 1, 10, "E0736", '"is" asks for the same object', "use =="),
        ("work(n == (1, 2))", 1, 10, "E0736", "a tuple is a list once", "use a list"),
        ("work(data < data)", 1, 10, "E0736", "a dict has no order", "move this"),
        ("work(many(n) < [1])", 1, 10, "E0736", "a list has no order", "move this"),
        ("work(word - 1)", 1, 10, "E0736", "takes numbers, not a str", "move this"),
        ("work(word + n)", 1, 10, "E0736", "does not take a str and an int", "use an f-string"),
        ("work(word % n)", 1, 10, "E0736", "takes numbers, not a str", "move this"),
        ("work(n // 0.5)", 1, 10, "E0736", "takes whole numbers", "move this"),
        ("work(1 / 0)", 1, 10, "E0731", "ZeroDivisionError", ""),
        ("work(2 ** 3)", 1, 10, "E0731", '"**"', "move this"),
        ("work(9223372036854775807 + 1)", 1, 10, "E0736", "does not fit in 64 bits", "move this"),
        ("work(f'{n:03}')", 1, 10, "E0736", "expressions have no formats", "in a @step"),
        ("work(f'{n!r}')", 1, 10, "E0736", "expressions have no formats", "in a @step"),
        ("work(f'{data}')", 1, 10, "E0736", "a dict has another text", "in a @step"),
        ("work(pack(n) == anything)", 1, 10, "E0736", "a Pack equals nothing but another one", "compare a field"),
        ("work(color == 'red')", 1, 10, "E0736", "a Color equals nothing but another one", "with a member"),
        ("if color: work()", 1, 8, "E0736", "the truth of an enum's member", "x == Color.RED"),
        ("work(f'{color}')", 1, 10, "E0736", "an enum has another text", "in a @step"),
        ("for x in data: work(x)", 1, 5, "E0737", "a loop goes over a list, not over a dict", "return a list"),
        ("for x in range(n): work(x)", 1, 14, "E0736", "range() of what is known only in a run", "from a @step"),
        ("for a, b in many(n): work(a)", 1, 5, "E0737", "the variable of a loop is one name", "pair[0]"),
        ("for x in many(n):\n    work(x)\nelse:\n    work()", 1, 5, "E0737", "a loop has no else", "behind the loop"),
        (
            "for x in many(n):\n    if x: work(x)\n    work()",
            2,
            9,
            "E0737",
            "depends on the item",
            "around the whole body",
        ),
        ("for x in many(n):\n    return x", 2, 9, "E0737", "so it cannot return", "behind the loop"),
        ("for x in many(n):\n    work(x)\n    break", 3, 9, "E0731", "break cannot", "choose the items first"),
        ("for x in many(n):\n    for y in x: work(y)", 2, 9, "E0737", "a loop in a loop", "of its own"),
        (
            "for x in many(n):\n    y = work(x)\n    work(x, y=y)",
            3,
            9,
            "E0737",
            "called with work and x",
            "do both in one @step",
        ),
        (
            "t = 0\nfor x in many(n):\n    work(t)\n    t = x",
            3,
            14,
            "E0732",
            "t is carried from one item",
            "whole loop in a @step",
        ),
        ("t = 0\nfor x in many(n):\n    t += x\nwork()", 3, 9, "E0737", "t is carried from one item", "whole loop"),
        (
            "for x in many(n):\n    work(x)\nwork(x)",
            3,
            10,
            "E0732",
            "x is known only inside the loop",
            "results.append",
        ),
        (
            "r = many(n)\nfor x in r:\n    r.append(work(x))",
            3,
            9,
            "E0737",
            "r is not a list that was made for",
            "write r = []",
        ),
        (
            "r = []\ns = r\nfor x in many(n):\n    r.append(work(x))",
            4,
            9,
            "E0737",
            "r is not a list that was made",
            "write r = []",
        ),
        (
            "r = []\nfor x in many(n):\n    r.append(x)\n    r.append(x)\nwork(r)",
            4,
            9,
            "E0737",
            "appended to twice",
            "two lists",
        ),
        (
            "work([work(x) for x in many(n) for y in many(n)])",
            1,
            10,
            "E0737",
            "over one list here",
            "of its own",
        ),
        ("work([[work(y) for y in x] for x in many(n)])", 1, 12, "E0737", "inside two loops", "of its own"),
        (
            "work([work(x) if x else 0 for x in many(n)])",
            1,
            11,
            "E0737",
            "depends on the item",
            "choose the items first",
        ),
        (
            "work([work(x) for x in many(n) if work(x)])",
            1,
            10,
            "E0737",
            "which items are chosen depends on what a step",
            "return the items",
        ),
        ("work([[x, work(x)] for x in many(n)])", 1, 10, "E0737", "made of work and x", "return both"),
        (
            "work(any(work(x) for x in many(n)))",
            1,
            10,
            "E0737",
            "would not call the step for every item",
            "assign the list",
        ),
        (
            "try:\n    work()\nexcept ValueError:\n    work()",
            3,
            5,
            "E0739",
            "catches StepFailed here, not ValueError",
            "except StepFailed",
        ),
        (
            "try:\n    work()\nexcept:\n    work()",
            3,
            5,
            "E0739",
            "catches StepFailed here, not everything",
            "except StepFailed",
        ),
        ("try:\n    n\nexcept StepFailed:\n    work()", 2, 9, "E0731", "nobody takes this value", "remove it"),
        (
            "try:\n    pass\nexcept StepFailed:\n    work()\nwork()",
            1,
            5,
            "E0739",
            "no step is called in this try",
            "remove the try",
        ),
        (
            "try:\n    work()\nexcept StepFailed as e:\n    work(e)",
            4,
            14,
            "E0732",
            "e is the exception",
            "the run shows why",
        ),
        (
            "try:\n    try:\n        work()\n    finally:\n        work()\nexcept StepFailed:\n    work()",
            2,
            9,
            "E0739",
            "a try inside a try that has an except",
            "of its own",
        ),
        ("try: work()\nfinally:\n    try: pass\n    finally: pass", 3, 9, "E0739", "or inside a finally", "of its own"),
        (
            "try:\n    x = work()\n    work()\nexcept StepFailed:\n    work(x)",
            5,
            14,
            "E0732",
            "x is assigned inside a try",
            "in the except",
        ),
        ("try:\n    work()\nfinally:\n    return 1", 4, 9, "E0739", "a finally that returns", "behind the try"),
        ("x = n", 0, 1, "E0736", "the workflow calls no step", "decorate a function with @step"),
    ],
)
def test_every_refusal_has_its_place_its_name_and_the_way_out(
    tmp_path: Path, body: str, line: int, column: int, code: str, words: str, way: str
) -> None:
    found_line, found_column, found_code, message, hint = problem_of_body(tmp_path, body)
    assert words in message
    assert way in hint if way else hint == ""
    assert (found_code, found_line, found_column) == (code, line, column)


def test_all_problems_are_said_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    source = "@workflow\ndef flow(n):\n    while n:\n        pass\n"
    source += "    x = helper(n) + nothing\n    print(x)\n    work(x ** 2)\n"
    found = problems_of(tmp_path, source)
    assert [(each.line - LINES, each.code) for each in found] == [
        (3, "E0731"),
        (5, "E0733"),
        (5, "E0732"),
        (6, "E0733"),
        (7, "E0731"),
    ]
    assert found[1].render() == (
        f"{tmp_path}/refused.py:{LINES + 5}:9: error[E0733]: helper is not a step\n"
        "    x = helper(n) + nothing\n        ^\n"
        "hint: decorate helper with @step, or call it inside one"
    )


@pytest.mark.parametrize(
    ("body", "line", "words", "way"),
    [
        ("try:\n    work()\nexcept StepFailed:\n    work()", 4, "an except goes on", "leave on_failure out"),
        ("try:\n    work()\nfinally:\n    work()\nwork()", 5, "this finally goes on", "the last statement"),
    ],
)
def test_nothing_goes_on_after_a_failure_that_is_to_stop_the_run(
    tmp_path: Path, body: str, line: int, words: str, way: str
) -> None:
    [problem] = problems_of(tmp_path, f"@workflow(on_failure='stop')\ndef flow(n):\n{indent(body, '    ')}\n")
    assert (problem.line - LINES, problem.code) == (line + 1, "E0739")
    assert words in problem.message
    assert way in problem.hint


def test_columns_count_characters(tmp_path: Path) -> None:
    [problem] = problems_of(tmp_path, "@workflow\ndef flow(n):\n    work('é', y=nothing)\n")
    assert problem.column == 17


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        ("*values", "a workflow's params are known by name"),
        ("**values", "a workflow's params are known by name"),
        ("when: bytes", "bytes is no type of a param"),
        ("when: math.inf", "is no type of a param"),
        ("when: 'Nowhere'", "the annotation of when cannot be read here"),
        ("when=math", "the default of when is a module"),
    ],
)
def test_params_that_json_cannot_hold_are_refused(tmp_path: Path, signature: str, words: str) -> None:
    [problem] = problems_of(tmp_path, f"@workflow\ndef flow({signature}):\n    work()\n")
    assert words in problem.message
    assert (problem.line - LINES, problem.code) == (2, "E0735")


def test_a_workflow_is_no_async_function(tmp_path: Path) -> None:
    [problem] = problems_of(tmp_path, "@workflow\nasync def flow():\n    work()\n")
    assert problem.message == "a workflow is no async function"


def test_an_expression_that_grows_too_long_is_refused(tmp_path: Path) -> None:
    doubled = "    x = x + x\n" * 14
    [problem] = problems_of(tmp_path, f"@workflow\ndef flow(x):\n{doubled}    work(x)\n")
    assert problem.code == "E0738"
    assert problem.hint == "compute the value in a @step"


def test_conditions_and_outputs_that_grow_too_long_are_refused(tmp_path: Path) -> None:
    branches = "".join(f"    if n == {index}:\n        return '{'x' * 90}'\n" for index in range(2, 62))
    found = problems_of(tmp_path, f"@workflow\ndef flow(n: int):\n{branches}    work()\n    return 0\n")
    assert [(each.line - LINES, each.code, each.message) for each in found] == [
        (4, "E0738", "what the workflow returns has become too long")
    ]
    tests = "".join(f"    if word == '{'x' * 140}{index}':\n        return 1\n" for index in range(60))
    found = problems_of(tmp_path, f"@workflow\ndef flow(word: str):\n{tests}    work()\n    return 0\n")
    assert (122 + 1, "the conditions of this step have become too long") in [
        (each.line - LINES, each.message) for each in found
    ]


@pytest.mark.parametrize(
    ("decorator", "words"),
    [
        ("@step(quene='gpu')\ndef f(): ...", "step has no argument 'quene'"),
        ("@workflow(nam='x')\ndef f(): ...", "workflow has no argument 'nam'"),
        ("@step\nclass F: ...", "@step stands on type"),
        ("workflow(3)", "@workflow stands on int"),
        ("@step(retries='many')\ndef f(): ...", "retries='many' is not a number of retries"),
        ("@step(env={1: 2})\ndef f(): ...", "env has the key 1, which is not text"),
        ("@workflow(timeout=[])\ndef f(): ...", "timeout=[] is not a duration"),
        ("@workflow(concurrency=3)\ndef f(): ...", "concurrency=3 has two meanings"),
        ("@workflow(triggers=['daily'])\ndef f(): ...", "'daily' is no trigger"),
    ],
)
def test_decorators_refuse_what_they_do_not_know(tmp_path: Path, decorator: str, words: str) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        module_of(f"from segue import step, workflow\n{decorator}\n", tmp_path / "decorated.py")
    [problem] = caught.value.diagnostics
    assert words in problem.message
    assert (problem.file, problem.line) == (str(tmp_path / "decorated.py"), 2)
