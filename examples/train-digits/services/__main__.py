"""Start the services: `python -m services --data DIR --port N`."""

from __future__ import annotations

import argparse
import fcntl
import signal
import sys
from pathlib import Path
from types import FrameType

from services.server import Services


def main() -> None:
    """Serve until SIGTERM or Ctrl-C; a line `services ready on URL` says when requests are answered."""
    parser = argparse.ArgumentParser(prog="services", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that keeps the state")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0: a free one (default)")
    options = parser.parse_args()
    options.data.mkdir(parents=True, exist_ok=True)
    with (options.data / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            sys.exit(f"services: another instance uses {options.data}")
        try:
            server = Services(options.data, options.port)
        except OSError as error:
            sys.exit(f"services: port {options.port} cannot be used: {error.strerror}")
        try:
            signal.signal(signal.SIGTERM, _stop)
            print(f"services ready on {server.url}", flush=True)
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            pass
        finally:
            server.server_close()


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
