"""What the routes stand on: the database, the object store, Temporal. Made once, in the application's lifespan.

The API comes up whether or not these can be reached, and what needs one that cannot answers 503.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request

from api.problems import unavailable
from api.temporal import Temporal
from store.database import Database, DatabaseUnavailable
from store.migrations import DatabaseTooNew
from store.objects import ObjectStore
from store.settings import Settings

logger = logging.getLogger("segue.api")

MIGRATION_RETRY_SECONDS = 1.0


@dataclass
class Services:
    """The parts of the service that a request may use.

    Attributes:
        deploying: A lock per workflow, held while a deploy changes its triggers.
        stopping: Set when the process is about to end; whoever streams then stops.
        ready: The database has the tables of this version.
    """

    settings: Settings
    database: Database
    objects: ObjectStore
    temporal: Temporal
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    deploying: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    ready: bool = False

    async def migrate(self) -> bool:
        """Bring the database's tables to this version; return False when it cannot be reached now."""
        try:
            await self.database.migrate()
        except DatabaseUnavailable:
            return False
        except DatabaseTooNew as error:
            logger.error("%s", error)
            return False
        self.ready = True
        return True

    async def migrate_until_done(self) -> None:
        """Try `migrate` until it succeeds or the process stops."""
        while not self.stopping.is_set() and not await self.migrate():
            await self.pause(MIGRATION_RETRY_SECONDS)

    async def pause(self, seconds: float) -> None:
        """Wait, but no longer than until the process stops."""
        try:
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        except TimeoutError:
            return

    def ready_database(self) -> Database:
        """Return the database, or raise the 503 when its tables are not there yet."""
        if not self.ready:
            raise unavailable("The database")
        return self.database


def _services(request: Request) -> Services:
    return cast(Services, request.app.state.services)


def _database(request: Request) -> Database:
    return _services(request).ready_database()


def _objects(request: Request) -> ObjectStore:
    return _services(request).objects


def _temporal(request: Request) -> Temporal:
    return _services(request).temporal


def _actor(request: Request) -> str:
    return cast(str, request.state.actor)


InServices = Annotated[Services, Depends(_services)]
InDatabase = Annotated[Database, Depends(_database)]
InObjects = Annotated[ObjectStore, Depends(_objects)]
InTemporal = Annotated[Temporal, Depends(_temporal)]
Actor = Annotated[str, Depends(_actor)]
"""The name of the API key that asks."""
