"""Sends calls over HTTP. The one place that knows httpx, which is imported when a client is made.

A call that nobody answers is sent again a moment later; every call may be. After that it is `ServiceUnreachable`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from segue.calls import PREFIX, Call, answer_of, refusal
from segue.discovery import Address
from segue.errors import MissingPackage, ServiceUnreachable

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0


def _httpx() -> Any:
    try:
        import httpx
    except ImportError:
        raise MissingPackage("The client needs httpx: pip install 'segue[cli]'") from None
    return httpx


def _options(library: Any, address: Address) -> dict[str, Any]:
    if urlsplit(address.api_url).scheme not in ("http", "https") or not address.api_key.isascii():
        raise ServiceUnreachable(
            f"{address.api_url!r} is not the address of a service, or its API key is not text in ASCII.",
            hint="Check SEGUE_API_URL and SEGUE_API_KEY.",
        )
    local = urlsplit(address.api_url).hostname in ("127.0.0.1", "localhost", "::1")
    return {
        "base_url": address.api_url + PREFIX,
        "headers": {"Authorization": f"Bearer {address.api_key}"},
        "timeout": library.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        # A proxy from the environment has nothing to do with a service on this machine.
        "trust_env": not local,
        # Reading the certificates of the world takes longer than the answer of a service that needs none.
        "verify": urlsplit(address.api_url).scheme == "https",
    }


def _pauses(patience: float) -> tuple[float, ...]:
    """Return the pauses before the second and the third try."""
    return (patience / 5, patience * 4 / 5) if patience > 0 else ()


def _arguments(call: Call[Any]) -> dict[str, Any]:
    body = {"content": call.content} if call.content is not None else {} if call.json is None else {"json": call.json}
    return {"method": call.method, "url": call.path, "params": call.query, "headers": call.headers, **body}


def _read(call: Call[T], response: httpx.Response) -> T:
    return answer_of(call, response.status_code, response.headers.get("content-type", ""), response.content)


def _refused(call: Call[Any], response: httpx.Response) -> Exception:
    return refusal(call, response.status_code, response.headers.get("content-type", ""), response.content)


def _unreachable(address: Address, error: Exception) -> ServiceUnreachable:
    return ServiceUnreachable(
        f"The Segue service at {address.api_url} does not answer ({type(error).__name__}).",
        hint="Is it running? `segue dev` starts one.",
    )


class Lost(Exception):
    """A stream was cut off; it may be opened again."""


class Transport:
    """Sends calls and waits for the answers."""

    def __init__(self, address: Address, patience: float) -> None:
        library = _httpx()
        self._pauses = _pauses(patience)
        self.address = address
        self._http: httpx.Client = library.Client(**_options(library, address))
        self._failure: type[Exception] = library.TransportError

    def send(self, call: Call[T]) -> T:
        """Return the answer to a call.

        Raises:
            SegueError: The service refused it, or nobody answers.
        """
        for pause in (*self._pauses, None):
            try:
                return _read(call, self._http.request(**_arguments(call)))
            except (self._failure, ServiceUnreachable) as error:
                if pause is None:
                    raise self._final(error) from None
                time.sleep(pause)
        raise AssertionError

    def lines(self, call: Call[Any], silence: float) -> Iterator[str]:
        """Yield the lines of a streamed answer.

        Raises:
            Lost: The connection ended, or nothing came for `silence` seconds.
        """
        with self._stream(call, silence) as response:
            yield from response.iter_lines()

    def chunks(self, call: Call[Any], silence: float) -> Iterator[bytes]:
        """Yield a streamed answer as it comes, never more than a part of it at once.

        Raises:
            Lost: As `lines`.
        """
        with self._stream(call, silence) as response:
            yield from response.iter_bytes()

    @contextlib.contextmanager
    def _stream(self, call: Call[Any], silence: float) -> Iterator[httpx.Response]:
        try:
            with self._http.stream(**_arguments(call), timeout=silence) as response:
                if response.status_code >= 400:
                    response.read()
                    raise _refused(call, response)
                yield response
        except (self._failure, ServiceUnreachable) as error:
            raise Lost from error

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def _final(self, error: Exception) -> Exception:
        return error if isinstance(error, ServiceUnreachable) else _unreachable(self.address, error)


class AsyncTransport:
    """Sends calls and awaits the answers."""

    def __init__(self, address: Address, patience: float) -> None:
        library = _httpx()
        self._pauses = _pauses(patience)
        self.address = address
        self._http: httpx.AsyncClient = library.AsyncClient(**_options(library, address))
        self._failure: type[Exception] = library.TransportError

    async def send(self, call: Call[T]) -> T:
        """Return the answer to a call.

        Raises:
            SegueError: The service refused it, or nobody answers.
        """
        for pause in (*self._pauses, None):
            try:
                return _read(call, await self._http.request(**_arguments(call)))
            except (self._failure, ServiceUnreachable) as error:
                if pause is None:
                    raise self._final(error) from None
                await asyncio.sleep(pause)
        raise AssertionError

    async def lines(self, call: Call[Any], silence: float) -> AsyncIterator[str]:
        """Yield the lines of a streamed answer.

        Raises:
            Lost: The connection ended, or nothing came for `silence` seconds.
        """
        async with self._stream(call, silence) as response:
            async for line in response.aiter_lines():
                yield line

    async def chunks(self, call: Call[Any], silence: float) -> AsyncIterator[bytes]:
        """Yield a streamed answer as it comes, never more than a part of it at once.

        Raises:
            Lost: As `lines`.
        """
        async with self._stream(call, silence) as response:
            async for chunk in response.aiter_bytes():
                yield chunk

    @contextlib.asynccontextmanager
    async def _stream(self, call: Call[Any], silence: float) -> AsyncIterator[httpx.Response]:
        try:
            async with self._http.stream(**_arguments(call), timeout=silence) as response:
                if response.status_code >= 400:
                    await response.aread()
                    raise _refused(call, response)
                yield response
        except (self._failure, ServiceUnreachable) as error:
            raise Lost from error

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    def _final(self, error: Exception) -> Exception:
        return error if isinstance(error, ServiceUnreachable) else _unreachable(self.address, error)
