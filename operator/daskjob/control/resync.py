"""The full look at everything: what a watch may have missed, found again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection

from daskjob.api import constants as c
from daskjob.control.client import DASK_JOBS, WATCHED, KubeClient
from daskjob.control.errors import ApiError
from daskjob.control.queue import WorkQueue
from daskjob.control.store import Store
from daskjob.probes.sign import Sign

logger = logging.getLogger(__name__)

INTERVAL = 300.0
RETRY = 5.0


async def resync(client: KubeClient, store: Store, queue: WorkQueue, namespaces: Collection[str]) -> None:
    """Lists all there is, corrects the store, and has every job looked at. `namespaces`: empty for all."""
    for resource in WATCHED:
        selector = None if resource is DASK_JOBS else c.MANAGED_SELECTOR
        for namespace in namespaces or (None,):
            known = store.uids(resource.kind, namespace)
            bodies = await client.list(resource, namespace, labels=selector)
            store.replace(resource.kind, bodies, known)
    for key in store.jobs():
        queue.add(key)


async def keep_resyncing(look: Callable[[], Awaitable[None]], done: asyncio.Event, looked: Sign) -> None:
    """Looks at everything every few minutes, until cancelled; sooner after a failure. `done` is set after the first
    success: before it, something missing from a store means nothing. `looked` is given after each try."""
    while True:
        try:
            await look()
            done.set()
            pause = INTERVAL
        except ApiError as error:
            logger.warning("resync failed, trying again in %.0f s: %s", RETRY, error)
            pause = RETRY
        looked.give()
        await asyncio.sleep(pause)
