"""Each warning, with a definition that has it and the nearest one that has not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.golden.record import VALID
from translator import files_of_yaml
from translator.diagnostics import Diagnostic
from translator.lint import Warned, lint

NOW = datetime(2026, 11, 26, tzinfo=UTC)


def warnings(text: str, **service: Any) -> list[Diagnostic]:
    return lint(text, None, "flow.yaml", {}, NOW, **service)


def flow(steps: str, head: str = "") -> str:
    return f"segue: 1\nname: flow\n{head}steps:\n{steps}"


def codes(text: str, **service: Any) -> list[str]:
    return [each.code for each in warnings(text, **service)]


SOMETIMES = "  a: {run: echo, output: {ok: {type: integer}}}\n  b: {needs: {a: output.ok > 1}, python: 'm:f'}\n"
ANY = "params: {p: {type: integer, default: 1}}\n"

NULL_READS = {
    "a rule that starts without the need": (
        SOMETIMES + "  c: {needs: b, trigger_rule: all_done, run: echo, env: {X: '${{ steps.b.output.x }}'}}\n",
        SOMETIMES + "  c: {needs: b, trigger_rule: all_done, run: echo, env: {X: '${{ steps.b.output?.x }}'}}\n",
    ),
    "a rule that starts at once": (
        "  a: {python: 'm:f'}\n"
        "  c: {needs: a, trigger_rule: always, run: echo, env: {X: '${{ steps.a.output[0] }}'}}\n",
        "  a: {python: 'm:f'}\n  c: {needs: a, run: echo, env: {X: '${{ steps.a.output[0] }}'}}\n",
    ),
    "one of several": (
        "  a: {run: echo}\n  b: {run: echo}\n"
        "  c: {needs: [a, b], trigger_rule: one_success, run: echo, env: {X: '${{ size(steps.a.output) }}'}}\n",
        "  a: {run: echo}\n"
        "  c: {needs: [a], trigger_rule: one_success, run: echo, env: {X: '${{ size(steps.a.output) }}'}}\n",
    ),
    "the edge of another need": (
        SOMETIMES + "  c: {needs: {a: '${{ steps.b.output.x }}', b: true}, run: echo}\n",
        SOMETIMES + "  c: {needs: {a: '${{ output.ok > 2 }}', b: '${{ output.x }}'}, run: echo}\n",
    ),
    "guarded by has": (
        SOMETIMES + "  c: {needs: b, trigger_rule: all_done, if: '${{ steps.b.output.x > 1 }}', run: echo}\n",
        SOMETIMES
        + "  c: {needs: b, trigger_rule: all_done, if: '${{ has(steps.b.output.x) && steps.b.output.x > 1 }}', run: echo}\n",  # noqa: E501  # noqa: E501
    ),
    "guarded by the step's own if": (
        SOMETIMES
        + "  c: {needs: b, trigger_rule: all_done, if: '${{ params.p > 1 }}', run: echo,\n"
        + "      env: {X: '${{ steps.b.output.x }}'}}\n",
        SOMETIMES
        + "  c: {needs: b, trigger_rule: all_done, if: \"${{ steps.b.status == 'succeeded' && params.p > 1 }}\", run: echo,\n"  # noqa: E501  # noqa: E501
        + "      env: {X: '${{ steps.b.output.x }}'}}\n",
    ),
}


@pytest.mark.parametrize("name", NULL_READS)
def test_reading_through_an_output_that_may_be_null(name: str) -> None:
    bad, good = NULL_READS[name]
    head = ANY if "params.p" in bad + good else ""
    found = [each for each in warnings(flow(bad, head)) if each.code == Warned.NULL_READ]
    assert len(found) == 1
    assert found[0].hint.startswith("guard it: ")
    assert Warned.NULL_READ not in codes(flow(good, head))


def test_the_output_of_the_workflow_reads_a_step_that_may_be_skipped() -> None:
    tail = "output: {x: '${{ steps.b.output.x }}', y: '${{ steps.a.output.ok }}'}\n"
    [found] = warnings(flow(SOMETIMES) + tail)
    assert (found.code, found.line, found.column) == (Warned.NULL_READ, 6, 18)
    assert found.hint == "guard it: steps.b.output?.x"
    assert codes(flow(SOMETIMES) + tail.replace("b.output.x", "b.output?.x")) == []


PAIRS = {
    "a rule that nothing can satisfy": (
        Warned.UNREACHABLE,
        flow("  a: {run: echo}\n  b: {needs: a, trigger_rule: all_skipped, run: echo}\n"),
        flow("  a: {if: params.p > 1, run: echo}\n  b: {needs: a, trigger_rule: all_skipped, run: echo}\n", ANY),
    ),
    "both branches": (
        Warned.UNREACHABLE,
        flow(
            "  a: {run: echo}\n  b: {needs: {a: output.x == 'good'}, run: echo}\n"
            "  c: {needs: {a: output.x == 'bad'}, run: echo}\n  d: {needs: [b, c], run: echo}\n"
        ),
        flow(
            "  a: {run: echo}\n  b: {needs: {a: output.x == 'good'}, run: echo}\n"
            "  c: {needs: {a: output.x == 'bad'}, run: echo}\n"
            "  d: {needs: [b, c], trigger_rule: none_failed_min_one_success, run: echo}\n"
        ),
    ),
    "a limit and its opposite": (
        Warned.UNREACHABLE,
        flow("  a: {if: params.p < 5, run: echo}\n  b: {needs: a, if: params.p >= 5, run: echo}\n", ANY),
        flow("  a: {if: params.p < 5, run: echo}\n  b: {needs: a, if: params.p >= 3, run: echo}\n", ANY),
    ),
    "a comparison of literals": (
        Warned.CONSTANT,
        flow("  a: {if: 1 > 2, run: echo}\n"),
        flow("  a: {if: params.p > 2, run: echo}\n", ANY),
    ),
    "a part that decides alone": (
        Warned.CONSTANT,
        flow("  a: {python: 'm:f'}\n  b: {needs: {a: output.x > 1 || true}, run: echo}\n"),
        flow("  a: {python: 'm:f'}\n  b: {needs: {a: output.x > 1 && true}, run: echo}\n"),
    ),
    "an alarm as the only leaf": (
        Warned.UNSEEN_FAILURE,
        flow(
            "  a: {run: echo}\n  alarm: {needs: a, trigger_rule: one_failed, uses: noop}\n"
            "  b: {needs: [a, alarm], trigger_rule: none_skipped, run: echo}\n"
        ),
        flow(
            "  a: {run: echo}\n  alarm: {needs: a, trigger_rule: one_failed, uses: noop}\n  b: {needs: a, run: echo}\n"
        ),
    ),
    "a tolerant leaf": (
        Warned.UNSEEN_FAILURE,
        flow("  a: {run: echo}\n  b: {needs: a, run: echo}\n  c: {needs: [a, b], trigger_rule: all_done, run: echo}\n"),
        flow(
            "  a: {run: echo}\n  b: {needs: a, run: echo}\n  c: {needs: [a, b], trigger_rule: none_failed, run: echo}\n"
        ),
    ),
    "a param that nothing reads": (
        Warned.UNUSED_PARAM,
        flow("  a: {run: echo}\n", ANY),
        flow("  a: {run: echo, env: {ALL: '${{ params }}'}}\n", ANY),
    ),
    "a time that a change of the clock leaves out": (
        Warned.CLOCK_CHANGE,
        flow("  a: {run: echo}\n", "triggers: [{schedule: {cron: '30 2 * * *', timezone: Europe/Paris}}]\n"),
        flow("  a: {run: echo}\n", "triggers: [{schedule: {cron: '30 3 * * *', timezone: Europe/Paris}}]\n"),
    ),
    "a time that comes on a day without a change": (
        Warned.CLOCK_CHANGE,
        flow("  a: {run: echo}\n", "triggers: [{schedule: {cron: '30 2 * * SUN', timezone: Europe/Paris}}]\n"),
        flow("  a: {run: echo}\n", "triggers: [{schedule: {cron: '30 2 * * MON', timezone: Europe/Paris}}]\n"),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_definition_is_warned_about_and_the_nearest_one_is_not(name: str) -> None:
    code, bad, good = PAIRS[name]
    assert code in codes(bad)
    assert code not in codes(good)


KEY = "AKIA" + "Z7QX" * 4
SECRETS = {
    "an AWS key": (f"env: {{ID: {KEY}}}", "env: {ID: AKIAEXAMPLE}"),
    "a private key": ('env: {K: "-----BEGIN RSA PRIVATE KEY-----"}', 'env: {K: "-----BEGIN CERTIFICATE-----"}'),
    "a password by its name": ("env: {DB_PASSWORD: hunter2hunter2}", "env: {DB_PASSWORD: '${{ vars.DB_PASSWORD }}'}"),
    "a placeholder": ("env: {API_TOKEN: f3a9c1d27b}", "env: {API_TOKEN: changeme1}"),
    "the path of a secret": ("env: {API_KEY: 9f8e7d6c5b4a}", "env: {API_KEY: /run/keys/api1}"),
    "a word that is no name of one": ("env: {TOKEN: 9f8e7d6c5b4a}", "env: {TOKENIZER: 9f8e7d6c5b4a}"),
    "a URL with a password": ("env: {U: 'postgres://me:s3cret9@db/x'}", "env: {U: 'postgres://me@db:5432/x'}"),
    "a script": ("env: {A: b}", "env: {A: c}"),
}


@pytest.mark.parametrize("name", [name for name in SECRETS if name != "a script"])
def test_a_secret_in_the_clear(name: str) -> None:
    bad, good = SECRETS[name]
    [found] = warnings(flow(f"  a: {{run: echo, {bad}}}\n"))
    assert (found.code, found.source) == (Warned.SECRET, "")
    assert codes(flow(f"  a: {{run: echo, {good}}}\n")) == []


def test_a_secret_that_a_script_assigns() -> None:
    assert codes(flow("  a: {run: API_TOKEN=f3a9c1d27b make}\n")) == [Warned.SECRET]
    assert codes(flow('  a: {run: API_TOKEN="$OTHER1TOKEN" make}\n')) == []


def test_the_default_of_a_param_that_is_a_secret() -> None:
    head = "params: {db_password: {type: string, default: hunter2hunter2}}\n"
    use = "  a: {run: echo, env: {P: '${{ params.db_password }}'}}\n"
    assert codes(flow(use, head)) == [Warned.SECRET]
    assert codes(flow(use, head.replace(", default: hunter2hunter2", ""))) == []


def test_a_queue_that_nobody_serves_is_named_when_a_service_is_up() -> None:
    text = flow("  a: {run: echo, queue: gpu}\n  b: {run: echo}\n")
    [found] = warnings(text, pollers={"cpu": 1, "gpu": 0})
    assert (found.code, found.line, found.column) == (Warned.NO_WORKER, 4, 25)
    assert codes(text, pollers={"cpu": 1, "gpu": 2}) == codes(text) == []


def test_a_variable_that_the_service_has_not() -> None:
    text = flow("  a: {run: echo, env: {A: '${{ vars.API }}'}}\n")
    assert codes(text, variables={}) == [Warned.MISSING_VAR]
    assert codes(text, variables={"API": 1}) == codes(text) == []


def test_one_warning_stands_for_all_steps_before_the_same_tolerant_leaf() -> None:
    steps = "".join(f"  w{number}: {{needs: start, run: echo}}\n" for number in range(4))
    text = flow(
        "  start: {run: echo}\n" + steps + "  end: {needs: [w0, w1, w2, w3], trigger_rule: all_done, run: echo}\n"
    )
    [found] = warnings(text)
    assert found.message.startswith('when step "w0" or one of 3 others fails')
    assert found.hint.endswith("add another that needs w0, w1, w2, w3")


def test_definitions_that_we_show_have_no_warnings_but_those_of_their_subject() -> None:
    for path in VALID:
        text = path.read_text()
        files = {name: (path.parent / name).read_text() for name in files_of_yaml(text)}
        found = {each.code for each in lint(text, None, path.name, files, NOW)}
        allowed = {Warned.UNUSED_PARAM, Warned.UNSEEN_FAILURE, Warned.UNREACHABLE, Warned.NULL_READ}
        assert found <= allowed, path.stem
        assert Warned.UNREACHABLE not in found or path.stem in ("needs-conditions", "rule-all-skipped")
