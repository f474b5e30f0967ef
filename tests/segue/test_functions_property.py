"""Called or compiled, a workflow that is a function gives the same output and executes the same steps."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segue import InvalidDefinition
from tests.segue.function_runs import called, driven, module_of, plan_of
from tests.segue.function_texts import CALLED, STEPS, Writer
from translator import DefinitionError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("functions")


@pytest.mark.timeout(600)  # ten seconds on a machine that does nothing else
@given(seed=st.integers(0, 2**32))
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_call_and_the_compiled_run_give_equal_outputs_and_execute_the_same_steps(folder: Path, seed: int) -> None:
    random = Random(seed)
    writer = Writer(random)
    source = writer.text()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # a random text compares literals
        module = module_of(source, folder / "random_flow.py")
    try:
        plan = plan_of(module.flow, source)
    except InvalidDefinition as error:
        # What the writer knows no better than to write; anything else that is refused is a defect.
        assert all(each.code in ("E0736", "E0738", "E0739") for each in error.diagnostics), f"{source}\n{error}"  # noqa: PT017
        return
    except DefinitionError as error:
        # Types that can never fit are refused when a definition is submitted; Python would have compared them.
        assert all(each.code in NEVER_FITS for each in error.diagnostics), f"{source}\n{error}"  # noqa: PT017
        return
    given = {"n": random.randrange(-4, 12), "word": random.choice(["", "a"]), "xs": [random.randrange(6)] * 2}
    for params in ({}, given):
        direct, compiled = called(module, module.flow, params), driven(module, plan, params, random)
        assert (compiled.state, compiled.output) == (direct.state, direct.output), f"{source}\n{direct}\n{compiled}"
        assert not any(each.startswith(UNREAL) for each in compiled.executed), f"{source}\n{compiled}"
        more, fewer = Counter(compiled.executed), Counter(direct.executed)
        # When a run fails, steps that do not depend on the one that failed have run, and so have a map's other items.
        if direct.state == "failed" or writer.map_in_try:
            assert not fewer - more, f"{source}\n{direct}\n{compiled}"
        else:
            assert more == fewer, f"{source}\n{direct}\n{compiled}"


NEVER_FITS = ("E0309", "E0310", "E0311", "E0312")

UNREAL = ("add[null", "flaky[null", "pack[null", "many[null", "total[null", "unpack[null")
"""No step of these is ever called with None: where one is, it ran although what it depends on had failed."""


BODIES = {
    "steps of a try that share no value": """
        try:
            flaky(n)
            tell(word="second")
            x = flaky(n + 1)
        except StepFailed:
            x = 0
        return x
    """,
    "a step behind a try whose body never began": """
        x = flaky(n)
        try:
            y = flaky(x)
            z = add(y)
        except StepFailed:
            z = add(x)
        w = add(z)
        return [w, total([z, w])]
    """,
    "a condition that only makes sense behind another": """
        deep = same(n > 9)
        held = odd(n)
        if deep:
            x = add(n)
            if held[0] == 1:
                tell(word="x", value=x)
        return held
    """,
    "an early return in a branch of a branch": """
        x = flaky(n)
        if x > 2:
            if x == 4:
                return add(x)
            tell(word="deep")
        elif x == 1:
            return "one"
        y = add(x, 3)
        return [x, y]
    """,
    "a fallback where the step before it failed": """
        x = add(n)
        try:
            y = flaky(x)
            z = flaky(y)
        except StepFailed:
            z = add(x, 2)
        else:
            tell(word="fine", value=z)
        finally:
            tell(word="over")
        return add(z)
    """,
    "a failure before a try is not caught by it": """
        x = flaky(n)
        try:
            y = flaky(x)
        except StepFailed:
            tell(word="caught")
            y = 5
        return y
    """,
    "a failure in an except is not caught by it": """
        try:
            y = flaky(n)
        except StepFailed:
            y = flaky(n)
        return add(y)
    """,
    "return in a try and in its except": """
        try:
            if n > 3:
                return flaky(n)
            tell(word="small")
        except StepFailed:
            return add(n)
        return add(0)
    """,
    "an except that raises again": """
        try:
            y = flaky(n)
        except StepFailed:
            tell(word="failed")
            raise
        return add(y)
    """,
    "a finally after a failure nobody catches": """
        x = add(n)
        try:
            y = flaky(x)
        finally:
            tell(word="over", value=x)
        return y
    """,
    "a value that is kept where the step after it fails": """
        best = 1
        try:
            best = flaky(n)
        except StepFailed:
            tell(word="kept", value=best)
        return add(best)
    """,
    "a second try behind a first": """
        try:
            x = flaky(n)
        except StepFailed:
            x = 3
        try:
            y = flaky(x)
        except StepFailed:
            y = add(x)
        return [x, y, add(x, y)]
    """,
    "steps in and, or and a conditional": """
        if (flaky(n) > 2 and add(n) > 5) or pack(n).ok:
            return unpack(pack(n)) if n > 4 else total([n])
        return same(None) or same(0) or odd(n)
    """,
    "maps one behind the other, with a filter": """
        found = []
        for x in many(n):
            if x != 1:
                y = add(x)
                found.append(add(y, 2))
        return {"found": found, "words": [p.word for p in [pack(x) for x in found]], "all": total(found)}
    """,
    "a variable of two branches read in a third": """
        if n > 4:
            x = flaky(n)
        else:
            x = add(n)
        if x > 3:
            tell(word="large", value=x)
        return x
    """,
    "a workflow in a workflow, and its failure caught": """
        try:
            x = twice(n, by=1)
        except StepFailed:
            x = twice(1)
        return add(x)
    """,
    "a workflow that fails, and nobody catches it": """
        x = twice(n)
        return add(x)
    """,
    "a map of a workflow that has a map": """
        found = [packed([n, i]) for i in many(n)]
        return [[pack.word for pack in each] for each in found]
    """,
    "a workflow behind a step it has no value of": """
        tell(word="first")
        return twice.after(add(n))(4)
    """,
    "a finally that ends the workflow": """
        x = add(n)
        if x == 3:
            return "early"
        try:
            y = flaky(x)
            if y > 2:
                return add(y)
        finally:
            told = same(x)
            if told > 4:
                tell(word="large", value=told)
            else:
                tell(word="small")
        return y
    """,
    "a finally whose own step fails": """
        try:
            y = add(n)
        finally:
            flaky(n)
            tell(word="over")
        return y
    """,
    "a finally behind what fails before its try": """
        x = flaky(n)
        try:
            y = flaky(x)
        finally:
            tell(word="over", value=x)
        return y
    """,
    "a finally in a branch, and steps behind it": """
        if n > 3:
            try:
                x = flaky(n)
            finally:
                tell(word="inner")
        else:
            x = add(n)
        return add(x)
    """,
    "a try with an except in a try with a finally": """
        x = add(n)
        try:
            try:
                y = flaky(x)
            except StepFailed:
                y = flaky(n)
            try:
                z = add(y)
            finally:
                tell(word="inner", value=x)
        finally:
            tell(word="outer")
        return add(z)
    """,
    "what a finally gives is returned": """
        try:
            x = add(n)
        finally:
            y = add(n, 3)
        return [x, y]
    """,
    "order that no value asks for": """
        x = add(n)
        y = flaky.after(x)(4)
        return tell.after(y)(word="end")
    """,
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("n", range(8))
def test_what_is_easily_got_wrong_means_what_it_means_in_python(folder: Path, name: str, n: int) -> None:
    from textwrap import dedent, indent

    source = f"{STEPS}{CALLED}\n@workflow\ndef flow(n: int):\n{indent(dedent(BODIES[name]), '    ')}"
    module = module_of(source, folder / "one_flow.py")
    plan = plan_of(module.flow, source)
    for seed in range(5):
        direct, compiled = called(module, module.flow, {"n": n}), driven(module, plan, {"n": n}, Random(seed))
        assert (compiled.state, compiled.output) == (direct.state, direct.output), (direct, compiled)
        assert not any(each.startswith(UNREAL) for each in compiled.executed), compiled
        if direct.state == "succeeded":
            assert compiled.executed == direct.executed
        else:
            assert not Counter(direct.executed) - Counter(compiled.executed)
