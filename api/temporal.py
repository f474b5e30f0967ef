"""The API's connection to Temporal: made when it is first needed, and again after it was lost.

The API starts, and answers what it can, while Temporal is down; whatever needs Temporal then gets a 503 in less than
two seconds. Nothing here retries for long: a client that is told to come back does so.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from datetime import timedelta

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.service import RetryConfig, RPCError, RPCStatusCode

from api.control_queue import ControlQueue
from api.problems import unavailable
from workflows.messages import OPERATE_UPDATE, SEARCH_ATTRIBUTES, Operation
from workflows.wire import CONVERTER

RPC_TIMEOUT = timedelta(seconds=1.5)
"""Given to every call, so that a server that hangs is told from one that is slow to do many things."""
PATIENCE_SECONDS = 1.8
"""The most a request waits for Temporal, connecting included."""

_UNREACHABLE = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,  # how the SDK reports its own `rpc_timeout`
        RPCStatusCode.RESOURCE_EXHAUSTED,
    }
)

_NOT_HEARD = frozenset({RPCStatusCode.FAILED_PRECONDITION, RPCStatusCode.ABORTED})
"""What Temporal says of an update whose workflow task it gave up, since the workflow was beginning anew."""
AGAIN_SECONDS = 0.05


class Temporal:
    """A lazily connected Temporal client.

    Attributes:
        control_queue: What is known about who serves the control queue.
    """

    def __init__(self, address: str, namespace: str) -> None:
        self.namespace = namespace
        self._address = address
        # The client reports its retries as warnings on our output; whoever asked gets a 503 and that is enough.
        quiet = LoggingConfig(TelemetryFilter(core_level="ERROR", other_level="ERROR"))
        self._runtime = Runtime(telemetry=TelemetryConfig(logging=quiet))
        self._client: Client | None = None
        self._connecting = asyncio.Lock()
        self.control_queue = ControlQueue(self.session)

    @contextlib.asynccontextmanager
    async def session(self, patience: float = PATIENCE_SECONDS) -> AsyncIterator[Client]:
        """Yield the connected client; inside, a Temporal that does not answer becomes a 503.

        Args:
            patience: Seconds that everything inside may take.
        """
        try:
            async with asyncio.timeout(patience):
                yield await self._connected()
        except TimeoutError:
            raise unavailable("Temporal") from None
        except RPCError as error:
            if error.status in _UNREACHABLE:
                raise unavailable("Temporal") from error
            raise

    async def _connected(self) -> Client:
        if self._client is not None:
            return self._client
        async with self._connecting:
            if self._client is None:
                self._client = await self._connect()
            return self._client

    async def _connect(self) -> Client:
        try:
            client = await Client.connect(
                self._address,
                namespace=self.namespace,
                identity=f"segue-api@{socket.gethostname()}:{os.getpid()}",
                runtime=self._runtime,
                data_converter=CONVERTER,
                connect_timeout=RPC_TIMEOUT,
                retry_config=RetryConfig(initial_interval_millis=50, max_elapsed_time_millis=1_000, max_retries=3),
            )
        except RuntimeError as error:  # what the SDK raises for any failure to connect
            raise unavailable("Temporal") from error
        await register_search_attributes(client)
        return client


async def register_search_attributes(client: Client) -> None:
    """Tell the server about the search attributes of runs; a server that knows them already changes nothing."""
    types = {"Keyword": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD, "Int": IndexedValueType.INDEXED_VALUE_TYPE_INT}
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(
            namespace=client.namespace,
            search_attributes={name: types[kind] for name, kind in SEARCH_ATTRIBUTES.items()},
        ),
        timeout=RPC_TIMEOUT,
    )


async def tell_run(client: Client, run: str, wish: Operation) -> str:
    """Have a run that goes on do something, and return its state then.

    A run that goes on in another execution in that moment hears nothing, and is told once more: its id makes it one
    operation. Lasts until it has heard, so limit it from outside.

    Raises:
        WorkflowUpdateFailedError: The run refuses.
        RPCError: Temporal does not know the run, or cannot be reached.
    """
    handle = client.get_workflow_handle(run)
    while True:
        try:
            state: str = await handle.execute_update(OPERATE_UPDATE, wish, id=wish.id, result_type=str)
            return state
        except RPCError as error:
            if error.status not in _NOT_HEARD:
                raise
        await asyncio.sleep(AGAIN_SECONDS)
