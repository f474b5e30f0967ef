"""`make demo`: starts Segue and this example's services, trains and releases a model before your eyes, and stays up.

Called with the Python of Segue's own environment. Everything is kept under `--data`, so a second start, or one after a
crash, goes on with what is there.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from segue import Client, Run
from workers.parts import Part
from workers.ports import choose_ports
from workers.stack import Stack, StackError

EXAMPLE = Path(__file__).resolve().parent
START_SECONDS = 20.0
STOP_SECONDS = 3.0


def main() -> int:
    """Run the demo; return the exit code of the run."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("-p", "--param", action="append", default=[], metavar="KEY=VALUE", help="a param of the run")
    parser.add_argument("--data", type=Path, default=Path(".segue"), help="folder of all state (default: .segue)")
    parser.add_argument("--once", action="store_true", help="end after the run instead of staying up")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with _services(options.data / "train-digits-services") as (services, url):
            return _demo(options, services, url)
    except StackError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        return 130


def _demo(options: argparse.Namespace, services: Part, url: str) -> int:
    print("Starting Segue: Temporal, the API with its web page, a worker for each queue ...", flush=True)
    with Stack(options.data, log=print) as stack:
        stack.parts.append(services)  # whatever dies is started again
        environment = {
            **os.environ,
            "SEGUE_API_URL": str(stack.service["api_url"]),
            "SEGUE_API_KEY": str(stack.service["api_key"]),
        }
        with Client(environment["SEGUE_API_URL"], environment["SEGUE_API_KEY"]) as client:
            client.set_var("SERVICES_URL", url)
            print(
                f"\nThe web page:    {stack.service['ui_url']}\nTemporal's page: {stack.service['temporal_ui_url']}\n"
            )
            params = [word for param in options.param for word in ("-p", param)]
            command = [sys.executable, "-P", "-m", "segue", "run", str(EXAMPLE / "train.yaml"), *params]
            code = subprocess.run(command, env=environment).returncode
            newest = next((run for run in client.runs("train-digits") if run.cause.kind == "manual"), None)
            if newest is not None and newest.ended:
                _tell(client.get_run(newest.id), url)
                print(f"\nThe run's page:   {client.run_url(newest.id)}")
        if not options.once:
            print(f"The web page:     {stack.service['ui_url']}")
            print(f"Temporal's page:  {stack.service['temporal_ui_url']}")
            print("Everything stays up until Ctrl-C.", flush=True)
            stack.wait()
            print("Stopping ...", flush=True)
        return code


def _tell(run: Run, url: str) -> None:
    """Say what came of the run, and how to use it."""
    dataset = run.params["dataset"]
    result = run.output or {}
    if result.get("model"):
        requirements, script = EXAMPLE / "requirements.txt", EXAMPLE / "use_model.py"
        uv = Path(sys.executable).with_name("uv")
        print(f"\nReleased {run.id}: right on {result['accuracy']:.1%} of the rows that it had not seen.")
        print(f"  {url}/models/{dataset}/released")
        print("Use it:")
        print(f"  {uv} run --no-project --with-requirements {requirements} {script} {url} {dataset}")
    elif run.state == "succeeded":
        why = "the data is bad" if result.get("quality") == "bad" else "no model is good enough"
        print(f"\nNothing was released: {why}. The data team was told:")
        print(f"  {url}/notifications")


@contextmanager
def _services(data: Path) -> Iterator[tuple[Part, str]]:
    """Start the example's services, on the port of last time if it is free, and wait until they answer."""
    data.mkdir(parents=True, exist_ok=True)
    port = choose_ports(data / "ports.json", {"services": None})["services"]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-P", "-m", "services", "--data", str(data), "--port", str(port)]
    part = Part("services", command, {**os.environ, "PYTHONPATH": str(EXAMPLE)}, data)
    try:
        part.start()
        deadline = time.monotonic() + START_SECONDS
        while not _answers(f"{url}/health"):
            if part.exit_status() is not None or time.monotonic() > deadline:
                raise StackError(f"the example's services did not start ({part.log_path}):\n{part.log_tail()}")
            time.sleep(0.05)
        yield part, url
    finally:
        part.ask_to_stop()
        part.stop(time.monotonic() + STOP_SECONDS)


def _answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
        return bool(answer.status == 200)
    return False


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
