"""The shell operator."""

from __future__ import annotations

import os

import pytest

from activities.errors import StepFailed
from activities.operators.shell import parse_output
from tests.activities.conftest import Steps


async def test_script_stops_at_the_first_failing_command(steps: Steps) -> None:
    failure = await steps.failure(steps.shell("false\necho not reached"))
    assert failure.message == "the script ended with code 1"
    assert steps.log(failure.details[1]["folder"]) == []


async def test_failure_inside_a_pipe_counts(steps: Steps) -> None:
    failure = await steps.failure(steps.shell("false | cat"))
    assert failure.type == "ExitCode"


async def test_values_reach_the_script_through_its_environment_alone(steps: Steps) -> None:
    env = {"TEXT": '$(touch pwned); "quoted" `x`', "NUMBER": 1.5, "FLAG": True, "NONE": None, "LIST": [{"é": 1}]}
    script = 'printf "%s\\n" "$TEXT" "$NUMBER" "$FLAG" "$NONE" "$LIST"; test ! -e pwned'
    result = await steps.shell(script, env=env)
    assert steps.log(result.folder) == [env["TEXT"], "1.5", "true", "null", '[{"é":1}]']


async def test_script_sees_who_it_is_and_nothing_of_the_service(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "SEGUE_DATABASE_URL", "UV_INDEX_PASSWORD", "HTTPS_PROXY", "PYTHONPATH"):
        monkeypatch.setenv(name, "canary")
    result = await steps.shell("env", step="train", key="train[2]")
    seen = dict(line.split("=", 1) for line in steps.log(result.folder))
    assert "canary" not in seen.values()
    assert {name: seen[name] for name in seen if name.startswith("SEGUE_") and "/" not in seen[name]} == {
        "SEGUE_RUN_ID": "demo-1",
        "SEGUE_WORKFLOW": "demo",
        "SEGUE_STEP": "train",
        "SEGUE_KEY": "train[2]",
        "SEGUE_ATTEMPT": "1",
    }
    assert seen["PATH"] == os.environ["PATH"]


async def test_script_runs_in_a_copy_of_the_bundle_that_it_may_change(steps: Steps) -> None:
    bundle = steps.bundle({"conf/a.txt": "kept\n"})
    for _ in range(2):
        result = await steps.shell("cat conf/a.txt; echo changed > conf/a.txt; touch new; ls", bundle=bundle)
        assert steps.log(result.folder) == ["kept", "conf", "new"]


async def test_temporary_files_have_a_folder_of_their_own(steps: Steps) -> None:
    result = await steps.shell('f=$(mktemp); case "$f" in "$TMPDIR"/*) echo inside;; esac; ls -d "$TMPDIR" >/dev/null')
    assert steps.log(result.folder) == ["inside"]


async def test_artifacts_are_kept_also_of_a_failed_step(steps: Steps) -> None:
    script = """
        cd "$SEGUE_ARTIFACTS"; mkdir plots; echo 1 > report.html; echo 2 > "plots/é b.png"
        ln -s /etc/passwd link; exit $CODE
    """
    result = await steps.shell(script, env={"CODE": 0})
    kept = ["artifacts.json", "artifacts/plots/é b.png", "artifacts/report.html"]
    assert [name for name in steps.names(result.folder) if "artifacts" in name] == kept
    assert steps.objects.get(f"{result.folder}/artifacts/plots/é b.png") == b"2\n"
    failure = await steps.failure(steps.shell(script, env={"CODE": 1}))
    assert [name for name in steps.names(failure.details[1]["folder"]) if "artifacts" in name] == kept


async def test_too_many_artifacts_are_refused(steps: Steps) -> None:
    failure = await steps.failure(steps.shell('cd "$SEGUE_ARTIFACTS"; seq 10001 | xargs touch'))
    assert failure.type == "OutputInvalid"
    assert failure.message == "$SEGUE_ARTIFACTS holds more than 10,000 files; leave an archive"


async def test_complaint_of_the_shell_names_no_folder_of_ours(steps: Steps) -> None:
    failure = await steps.failure(steps.shell("\nno-such-command"))
    assert failure.details[0]["log_tail"] == ["../script: line 2: no-such-command: command not found"]


async def test_odd_names_of_artifacts_become_possible_keys(steps: Steps) -> None:
    script = r"""cd "$SEGUE_ARTIFACTS"; touch 'a\b' $'new\nline' $'\xff' "$(printf 'x%.0s' $(seq 250)).bin" .incoming"""
    result = await steps.shell(script)
    names = [name.removeprefix("artifacts/") for name in steps.names(result.folder) if "artifacts/" in name]
    assert len(names) == 5
    assert {"a_b", "new_line", ".incoming"} < set(names)
    assert max(map(len, names)) < 160


@pytest.mark.parametrize(
    ("script", "message", "facts"),
    [
        ("kill -9 $$", "the script was ended by SIGKILL", {"signal": 9}),
        (
            "kill -SEGV $$",
            "the script was ended by SIGSEGV (it reached for memory that it does not have)",
            {"signal": 11},
        ),
        (
            "kill -XCPU $$",
            "the script was ended by SIGXCPU (it used up its CPU time)",
            {"signal": 24},
        ),
        ("bash -c 'kill -9 $$'", "the script ended with code 137 (a command was ended by SIGKILL)", {"exit_code": 137}),
        ("exit 255", "the script ended with code 255", {"exit_code": 255}),
        ("no-such-command", "the script ended with code 127", {"exit_code": 127}),
    ],
)
async def test_failure_names_code_or_signal(steps: Steps, script: str, message: str, facts: dict[str, int]) -> None:
    failure = await steps.failure(steps.shell(script))
    assert failure.type == "ExitCode"
    assert failure.message.startswith(message)
    assert facts.items() <= failure.details[0].items()


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"A=B": "x"}, "env: 'A=B' is no name of an environment variable"),
        ({"A": "a\0b"}, "env.A: an environment variable cannot hold a NUL character"),
        (
            {"A": "x" * 200_000},
            "env.A: 200000 bytes are more than an environment variable can hold (131072); pass a file",
        ),
    ],
)
async def test_variable_that_cannot_be_is_refused_by_name(steps: Steps, env: dict[str, str], message: str) -> None:
    failure = await steps.failure(steps.shell(":", env=env))
    assert (failure.type, failure.message, failure.non_retryable) == ("InputInvalid", message, True)


async def test_environment_that_is_too_large_as_a_whole_is_refused(steps: Steps) -> None:
    failure = await steps.failure(steps.shell(":", env={f"A{n}": "x" * 100_000 for n in range(80)}))
    assert failure.type == "CommandRefused"
    assert "Argument list too long" in failure.message


async def test_input_is_empty(steps: Steps) -> None:
    result = await steps.shell("cat; echo end")
    assert steps.log(result.folder) == ["end"]


def test_output_lines_are_read_as_github_reads_them() -> None:
    text = "a=1\r\n\nb = x=y\nc<<END\nfirst\n  second=2\n\nEND\nd=e<<f\na=2\nempty=\n"
    assert parse_output(text) == {"a": "2", "b": " x=y", "c": "first\n  second=2\n", "d": "e<<f", "empty": ""}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a=1\nfree text\n", "$SEGUE_OUTPUT line 2 is neither key=value nor key<<END: 'free text'"),
        ("=1", "$SEGUE_OUTPUT line 1 is neither key=value nor key<<END: '=1'"),
        ("x=1\na<<END\ntext", "$SEGUE_OUTPUT line 2 has no line 'END' that ends the text of 'a'"),
    ],
)
def test_output_that_cannot_be_read_names_the_line(text: str, message: str) -> None:
    with pytest.raises(StepFailed, match="OUTPUT") as caught:
        parse_output(text)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (r"printf 'a=\xff' >> $SEGUE_OUTPUT", "$SEGUE_OUTPUT is not UTF-8 (byte 2)"),
        ("rm $SEGUE_OUTPUT", "$SEGUE_OUTPUT cannot be read: No such file or directory"),
        ("head -c 70000000 /dev/zero >> $SEGUE_OUTPUT", "$SEGUE_OUTPUT has more than 67,108,864 bytes"),
    ],
)
async def test_poison_in_the_output_file_is_a_typed_failure(steps: Steps, script: str, message: str) -> None:
    failure = await steps.failure(steps.shell(script))
    assert failure.type == "OutputInvalid"
    assert failure.message.startswith(message)
