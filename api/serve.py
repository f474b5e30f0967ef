"""`segue api`: the API as a process.

It prints one line, its address; what goes wrong later is logged to stderr. It stops within a few seconds of SIGTERM
or Ctrl-C, open event streams included.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import sys
from types import FrameType

import uvicorn

from api.app import create_app
from store.settings import Settings

GRACEFUL_STOP_SECONDS = 3


def serve(settings: Settings) -> None:
    """Run the API until SIGTERM or SIGINT.

    Args:
        settings: `api_port` 0 takes a free port; the printed line says which.

    Raises:
        SystemExit: The address cannot be listened on; the message says why.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    listener = listen(settings.api_host, settings.api_port)
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACEFUL_STOP_SECONDS,
    )
    print(f"Segue API on {_address(listener)}", flush=True)
    with contextlib.closing(listener), contextlib.suppress(KeyboardInterrupt):
        Server(config).run(sockets=[listener])


class Server(uvicorn.Server):
    """uvicorn's server, which tells the application before it waits for open requests."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note the wish to stop; unlike uvicorn's own, it does not raise the signal again afterwards."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the event streams, which would otherwise hold the stop up until its time-out."""
        self.config.app.state.services.stopping.set()  # type: ignore[union-attr]
        await super().shutdown(sockets)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address; port 0 takes a free one.

    Raises:
        SystemExit: The address cannot be listened on; the message says why.
    """
    listener = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # Not `socket.create_server`: its sockets name no protocol, and asyncio then leaves Nagle's algorithm on, which
        # holds every second packet of an answer back for 40 ms.
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
        return listener
    except OSError as error:
        if listener is not None:
            listener.close()
        reason = error.strerror or str(error)
        sys.exit(f"The API cannot listen on {host}:{port}: {reason}. Choose another with SEGUE_API_PORT.")


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
