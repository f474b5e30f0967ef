"""The command line against the real service."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.segue.conftest import Bench
from tests.segue.definitions import write
from tests.waiting import until


def test_run_shows_what_happens_and_ends_with_the_output(bench: Bench) -> None:
    ended = bench.segue("run", "bench.yaml", "-p", "word=hey", "-p", "count=1")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    run = lines[0].split()[0]
    assert lines[0] == f"{run}  {bench.environment['SEGUE_API_URL']}/runs/{run}"
    assert re.search(r"^ +[0-9.]+ s  say  succeeded  cpu  attempt 1  [0-9.]+ s$", ended.out, re.MULTILINE)
    assert re.search(r"^ +[0-9.]+ s  linger  skipped  cpu  .*params\.wait", ended.out, re.MULTILINE)
    assert re.search(rf"^{run} succeeded in [0-9.]+ s$", ended.out, re.MULTILINE)
    assert ended.out.endswith('{\n  "words": [\n    "hey"\n  ]\n}\n')


def test_run_json_ends_with_one_document(bench: Bench) -> None:
    ended = bench.segue("run", "bench", "--params", "-", "--json", stdin='{"word": "hey"}')
    assert ended.code == 0
    document = ended.json
    assert list(document) == ["run", "workflow", "state", "steps", "output"]
    assert (document["workflow"], document["state"]) == ("bench", "succeeded")
    assert document["output"] == {"words": ["hey", "hey"]}
    assert list(document["steps"]) == ["say", "large", "each", "judge", "linger"]
    assert {tuple(step) for step in document["steps"].values()} == {("state", "attempts", "output", "reason")}
    assert document["steps"]["each"]["attempts"] == 1
    assert document["steps"]["linger"]["state"] == "skipped"
    assert document["steps"]["linger"]["reason"]
    assert document["run"] in ended.err, "progress is for people, and goes to stderr"


def test_a_failed_run_ends_with_1_its_first_cause_and_the_way_to_its_log(bench: Bench) -> None:
    ended = bench.segue("run", "bench", "-p", "fail=true")
    assert ended.code == 1
    run = ended.out.split()[0]
    assert ended.err.startswith(f"{run} failed")
    assert "judge: ExitCode" in ended.err
    assert "  | it is true" in ended.err, "the tail of the log"
    assert f"segue logs {run} 'judge'" in ended.err
    as_json = bench.segue("run", "bench", "-p", "fail=true", "--json")
    assert (as_json.code, as_json.json["state"]) == (1, "failed")
    assert as_json.json["steps"]["judge"]["attempts"] == 2
    assert bench.segue("show", run).out.splitlines()[0].startswith(f"{run}  version ")


def test_params_are_read_as_their_schema_says(bench: Bench) -> None:
    ended = bench.segue("run", "bench", "-p", "word=5", "-p", "count=1", "--json")
    assert ended.json["output"] == {"words": ["5"]}
    for wrong in ("count=five", "count=0", "wrod=x"):
        ended = bench.segue("run", "bench", "-p", wrong)
        assert (ended.code, ended.out) == (2, "")
        assert f"params.{wrong.partition('=')[0]}" in ended.err


def test_a_users_folder_named_as_one_of_ours_is_not_imported(bench: Bench, tmp_path: Path) -> None:
    for name in ("workflows", "api", "translator"):
        write(tmp_path, "raise RuntimeError('imported')\n", name=f"{name}/__init__.py")
    ended = bench.segue("run", "bench", "-p", "count=1", "--json", PYTHONPATH=str(tmp_path))
    assert (ended.code, ended.json["state"]) == (0, "succeeded")


def test_a_detached_run_can_be_looked_at_followed_and_cancelled(bench: Bench, tmp_path: Path) -> None:
    run = bench.segue("run", "bench", "-p", f"wait={tmp_path / 'gate'}", "--detach").out.strip()
    assert next(bench.client.logs(run, "linger", follow=True)).text == "waiting"
    assert re.search(rf"^{run} +running +", bench.segue("runs", "bench", "--limit", "500").out, re.MULTILINE)
    assert run in [each["id"] for each in bench.segue("runs", "--json", "--state", "running").json]
    shown = bench.segue("show", run).out
    assert re.search(r"^linger +running +cpu", shown, re.MULTILINE)
    assert bench.segue("logs", run, "say").out == "saying hello\n"
    ended = bench.segue("logs", run, "judge")
    assert (ended.out, ended.err) == ("", "it is false\n")
    assert bench.segue("cancel", run, "--reason", "enough").out == f"{run} is being cancelled\n"
    bench.client.wait(run, 60, check=False)
    assert bench.segue("cancel", run).out == f"{run} had ended already: cancelled\n"
    assert bench.segue("show", run, "--json").json["state"] == "cancelled"


def test_a_step_that_nobody_can_take_says_whom_it_waits_for(bench: Bench, tmp_path: Path) -> None:
    lonely = tmp_path / "lonely.yaml"
    lonely.write_text("segue: 1\nname: lonely\nsteps:\n  a: {run: 'true', queue: far-away}\n")
    started = bench.segue("run", lonely, "--detach")
    assert started.code == 0, started.err
    run = started.out.strip()
    until(lambda: bench.client.get_run(run).step("a").state == "queued", what="the step in its queue")
    said = bench.segue("show", run).out
    assert "Nobody serves the queue far-away. Start a worker: segue worker --queue far-away\n" in said
    bench.client.cancel(run)
    bench.client.wait(run, 60, check=False)
    assert "Nobody serves" not in bench.segue("show", run).out


def test_logs_follow_a_step_to_its_end(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    run = bench.client.run("bench", {"wait": str(gate)}).id
    command = [sys.executable, "-P", "-m", "segue", "logs", run, "linger", "-f"]
    with subprocess.Popen(
        command, cwd=bench.folder, env={**os.environ, **bench.environment}, stdout=subprocess.PIPE, text=True
    ) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "waiting\n"
        gate.touch()
        assert following.stdout.read() == "done waiting\n"
    assert following.returncode == 0


def test_ctrl_c_leaves_the_run_alone_and_says_how_to_end_it(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    command = [sys.executable, "-P", "-m", "segue", "run", "bench", "-p", f"wait={gate}"]
    environment = {**os.environ, **bench.environment}
    with subprocess.Popen(
        command,
        cwd=bench.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # As a terminal starts it: tests that run in the background of a shell hand down that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as running:
        assert running.stdout is not None
        run = running.stdout.readline().split()[0]
        assert any("linger" in line for line in running.stdout)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert err == f"The run goes on. segue show {run}, segue cancel {run}\n"
    gate.touch()
    assert bench.client.wait(run, 60).state == "succeeded"


def test_a_terminal_gets_a_live_table(bench: Bench) -> None:
    master, slave = pty.openpty()
    command = [sys.executable, "-P", "-m", "segue", "run", "bench"]
    environment = {**os.environ, **bench.environment, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
    with subprocess.Popen(command, cwd=bench.folder, env=environment, stdout=slave, stderr=slave) as running:
        os.close(slave)
        written = b""
        while True:
            try:
                part = os.read(master, 4096)
            except OSError:  # the other end is closed
                break
            written += part
    os.close(master)
    assert running.returncode == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.decode())
    last = text[text.rindex("step ") :]
    assert re.search(r"each\[1\] +succeeded +cpu +1 +[0-9.]+ s", last)
    assert re.search(r"linger +skipped +cpu", last)
    assert "succeeded in" in last


def test_deploy_says_what_it_did(bench: Bench, tmp_path: Path) -> None:
    version = bench.client.get_workflow("bench").version
    ended = bench.segue("deploy", "bench.yaml")
    assert ended.out == f"bench version {version} is there already\n  event knock: segue-trigger-bench\n"
    two = write(
        tmp_path,
        """
        for name in ("left", "right"):
            with DAG(name, schedule="0 6 * * MON", timezone="Europe/Paris"):
                EmptyOperator("a")
        """,
        name="two.py",
    )
    ended = bench.segue("deploy", two)
    assert "left version 1 is new\n  schedule 0 6 * * MON (Europe/Paris): segue-left-0\n" in ended.out
    assert [each["created"] for each in bench.segue("deploy", two, "--json").json] == [False, False]
    assert bench.segue("deploy", two, "-w", "right", "--json").json["name"] == "right"
    assert bench.segue("run", two).code == 2
    assert bench.segue("run", two, "-w", "left", "--json").json["workflow"] == "left"


def test_an_event_is_fired(bench: Bench) -> None:
    ended = bench.segue("fire", "bench", "--id", "cli-1", "--payload", '{"word": "x"}', "--name", "knock")
    assert (ended.code, ended.out) == (0, bench.client.fire_event("bench", "cli-1", {"word": "x"}) + "\n")
    assert bench.segue("fire", "none", "--id", "1").code == 2


def test_variables_are_set_listed_and_removed(bench: Bench) -> None:
    assert bench.segue("vars", "set", "CLI_A=1", "CLI_B=x=y").code == 0
    assert bench.segue("vars", "set", "--json", 'CLI_C={"n": 1}').code == 0
    listed = bench.segue("vars", "list").out.splitlines()
    assert [line for line in listed if line.startswith("CLI_")] == ["CLI_A=1", "CLI_B=x=y", 'CLI_C={"n": 1}']
    assert bench.segue("vars", "list", "--json").json["CLI_C"] == {"n": 1}
    assert bench.segue("vars", "unset", "CLI_A", "CLI_B", "CLI_C").code == 0
    assert bench.segue("vars", "unset", "CLI_A").code == 2


def test_the_web_pages_address_is_printed(bench: Bench) -> None:
    assert bench.segue("ui", "--no-open").out == bench.environment["SEGUE_API_URL"] + "\n"


@pytest.mark.parametrize(
    ("words", "offered"),
    [(["run", "benc"], "bench"), (["show", "bench-"], "{run}"), (["logs", "{run}", "ea"], "each[0]")],
)
def test_the_shell_completes_names_of_the_service(bench: Bench, words: list[str], offered: str) -> None:
    run = bench.client.run("bench", wait=True).id
    typed = [word.format(run=run) for word in words]
    environment = {
        **bench.environment,
        "_SEGUE_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["segue", *typed]),
        "COMP_CWORD": str(len(typed)),
    }
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "segue"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert offered.format(run=run) in ended.stdout.split()


def test_a_file_tests_its_own_dag_on_the_engine(bench: Bench, tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        def double(n):
            return {"n": 2 * n}

        with DAG("tested", params={"n": 21}) as dag:
            first = PythonOperator(python_callable=double, op_kwargs={"n": params.n})
            dag.output = first.output.n

        if __name__ == "__main__":
            import json
            print(json.dumps(dag.test({"n": 4})["output"]))
            try:
                dag.test({"n": "four"})
            except SegueError as error:
                print(json.dumps(str(error)))
        """,
        name="tested.py",
    )
    ended = subprocess.run(
        [sys.executable, str(path)],
        env={**os.environ, **bench.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert [json.loads(line) for line in ended.stdout.splitlines()] == [
        8,
        "tested could not be run; the reason is shown above.",
    ], ended.stderr
    assert "params.n" in ended.stderr


def test_a_workflow_that_is_a_function_runs_with_a_branch_a_map_and_a_caught_failure(
    bench: Bench, tmp_path: Path
) -> None:
    path = write(
        tmp_path,
        """
        from dataclasses import dataclass

        @dataclass
        class Data:
            rows: list[int]
            good: bool = True

        @step
        def build(size: int) -> Data:
            return Data(list(range(size)), size > 1)

        @step
        def weigh(data: Data, by: int) -> float:
            return by * sum(data.rows) / 2

        @step
        def fragile(value: float) -> float:
            if value > 10:
                raise ValueError(f"{value} is too much")
            return value

        @step
        def tell(word: str) -> str:
            return word.upper()

        @workflow
        def weighed(size: int = 4, factors: list[int] = [1, 2]):
            data = build(size)
            if not data.good:
                return tell(f"only {len(data.rows)}")
            weights = [weigh(data, factor) for factor in factors]
            try:
                last = fragile(weights[-1])
            except StepFailed:
                last = None
            return {"weights": weights, "last": last, "label": tell("fine") if last else tell("heavy")}

        if __name__ == "__main__":
            import json
            print(json.dumps([weighed(), weighed.test()["output"]]))
        """,
        name="weighed.py",
    )
    fine = bench.segue("run", path, "--json")
    assert fine.code == 0, fine.err
    assert fine.json["output"] == {"weights": [3.0, 6.0], "last": 6.0, "label": "FINE"}
    assert fine.json["steps"]["tell"]["state"] == "skipped"
    heavy = bench.segue("run", path, "-p", "factors=[1, 9]", "--json")
    assert heavy.json["output"] == {"weights": [3.0, 27.0], "last": None, "label": "HEAVY"}
    assert heavy.json["steps"]["fragile"]["state"] == "failed"
    assert "ValueError" in str(heavy.json["steps"]["fragile"]), "not StepFailed: a run has the step's own exception"
    assert bench.segue("run", path, "-p", "size=1", "--json").json["output"] == "ONLY 1"
    both = subprocess.run(
        [sys.executable, str(path)],
        env={**os.environ, **bench.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    direct, compiled = json.loads(both.stdout)
    assert direct == compiled == fine.json["output"], both.stderr


def test_artifacts_are_listed_and_fetched(bench: Bench, tmp_path: Path) -> None:
    run = bench.segue("run", "bench", "-p", "count=1", "--json").json["run"]
    assert bench.segue("artifacts", run).out.splitlines() == [
        "STEP   NAME               SIZE     TYPE",
        "judge  plots/größe 1.png  2.9 MiB  image/png",
        "judge  report.html        13 B     text/html",
    ]
    assert [each["name"] for each in bench.segue("artifacts", run, "judge", "--json").json] == [
        "plots/größe 1.png",
        "report.html",
    ]
    assert bench.segue("artifacts", run, "say").out == "STEP  NAME  SIZE  TYPE\n"
    file = tmp_path / "image.png"
    ended = bench.segue("artifacts", run, "judge", "--get", "plots/größe 1.png", "-o", file)
    assert ended.out == f"{file}: 2.9 MiB, image/png\n"
    assert file.read_bytes() == b"\0" * 3_000_000
    assert [each.name for each in tmp_path.iterdir()] == ["image.png"], "nothing is left beside it"

    ended = bench.segue("artifacts", run, "judge", "--get", "none.txt")
    assert (ended.code, ended.out) == (2, "")
    assert 'The step judge has no artifact "none.txt".' in ended.err
    assert "It left plots/größe 1.png, report.html." in ended.err
    ended = bench.segue("artifacts", run, "judge", "--get", "report.html", "-o", tmp_path / "no" / "x")
    assert "cannot be written: No such file or directory" in ended.err
    assert "segue artifacts RUN STEP --get NAME -o FILE" in bench.segue("artifacts", run, "--get", "x").err


CACHED = """
segue: 1
name: cached
params: {n: {type: integer, default: 1}}
defaults: {cache: true}
steps:
  slow:
    map: {over: [1, 2, 1]}
    run: |
      echo "computing $N"
      echo "n=$N" >> "$SEGUE_OUTPUT"
      echo "$N" > "$SEGUE_ARTIFACTS/n.txt"
    env: {N: "${{ item * params.n }}"}
  last: {needs: slow, run: echo done, cache: false}
output: "${{ steps.slow.output.map(x, x.n) }}"
"""


def test_an_output_is_reused_shown_listed_and_cleared(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "cached.yaml"
    file.write_text(CACHED)
    first = bench.segue("run", file, "--json").json
    second = bench.segue("run", file, "--json").json
    assert first["output"] == second["output"] == ["1", "2", "1"]
    run = second["run"]
    reasons = {step.key: step.reason for step in bench.client.get_run(run).steps}
    assert reasons["slow[1]"] == f"reused from run {first['run']}, step slow[1]"
    assert reasons["slow[0]"] in [f"reused from run {first['run']}, step slow[{item}]" for item in (0, 2)]
    assert (reasons["slow[2]"], reasons["last"]) == (reasons["slow[0]"], "succeeded")
    assert bench.segue("logs", run, "slow[1]").err == f"[segue] {reasons['slow[1]']}\n"
    [artifact] = bench.segue("artifacts", run, "slow[1]").out.splitlines()[1:]
    assert artifact.split() == ["slow[1]", "n.txt", "2", "B", "text/plain"]
    assert bench.client.output(run, "slow[1]") == {"n": "2"}

    listed = bench.segue("cache", "list", "cached").out.splitlines()
    assert listed[0].split() == ["WORKFLOW", "STEP", "KEY", "STATE", "AGE", "RUN", "AS"]
    assert len(listed) == 3
    assert all(line.split()[-2] == first["run"] for line in listed[1:])
    assert [each["state"] for each in bench.segue("cache", "list", "cached", "slow", "--json").json] == ["done"] * 2
    assert bench.segue("cache", "clear", "cached", "slow").out == "2 outputs of cached, step slow cleared\n"
    assert len(bench.segue("cache", "list", "cached").out.splitlines()) == 1
    for command in ("list", "clear"):
        refused = bench.segue("cache", command, "cachet")
        assert (refused.code, refused.out) == (2, "")
        assert "There is no workflow 'cachet'." in refused.err
        assert 'did you mean "cached"?' in refused.err
    third = bench.segue("run", file, "--json").json["run"]
    assert bench.client.get_run(third).step("slow[1]").reason == "succeeded"
    assert "computing 2" in bench.segue("logs", third, "slow[1]").out

    rerun = bench.client.rerun(run, ["last"])
    assert bench.client.wait(rerun.run.id, 60).state == "succeeded"
    assert bench.client.output(rerun.run.id, "slow") == [{"n": "1"}, {"n": "2"}, {"n": "1"}]
