"""How a worker reaches Temporal: one client per process, connected before anything else starts."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig
from temporalio.service import GrpcCompression, RPCError

from store.settings import Settings
from workflows.wire import CONVERTER

logger = logging.getLogger("segue.workers")

FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 5.0

# A recording that lingers when its run ends answers to nobody, which the SDK would mention once a run.
LOGGING = LoggingConfig(filter="warn,temporalio_sdk_core::worker::activities=error")


async def connect(settings: Settings, identity: str, converter: DataConverter = CONVERTER) -> Client:
    """Return a client of `settings`' Temporal server and namespace, waiting until the server answers.

    A worker outlives its server: it is started before it, or after a restart, without anyone looking. Each failed
    try is logged with the address, so that a wrong one is seen.
    """
    runtime = Runtime(telemetry=TelemetryConfig(logging=LOGGING), worker_heartbeat_interval=timedelta(seconds=10))
    delay = FIRST_DELAY_SECONDS
    while True:
        try:
            return await Client.connect(
                settings.temporal_address,
                namespace=settings.temporal_namespace,
                identity=identity,
                runtime=runtime,
                data_converter=converter,
                # The server is near; compressing costs more than it saves (measured: part of 1.4 times the rate).
                grpc_compression=GrpcCompression.NONE,
            )
        except (RPCError, RuntimeError) as error:
            if delay > 1:
                logger.warning("Temporal at %s does not answer yet: %s", settings.temporal_address, error)
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY_SECONDS)
