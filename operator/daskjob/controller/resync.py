"""The full look at everything: what a watch may have missed, found again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection

from daskjob.api import constants as c
from daskjob.controller.cache import Cache
from daskjob.controller.work_queue import WorkQueue
from daskjob.kube.api_error import ApiError
from daskjob.kube.client import KubeClient
from daskjob.kube.resources import DASK_JOBS, WATCHED
from daskjob.probes.heartbeat import Heartbeat

logger = logging.getLogger(__name__)

INTERVAL = 300.0
RETRY = 5.0


async def resync(client: KubeClient, cache: Cache, queue: WorkQueue, namespaces: Collection[str]) -> None:
    """Lists all there is, corrects the store, and has every job looked at. `namespaces`: empty for all."""
    for resource in WATCHED:
        selector = None if resource is DASK_JOBS else c.MANAGED_SELECTOR
        for namespace in namespaces or (None,):
            known = cache.uids(resource.kind, namespace)
            bodies = await client.list(resource, namespace, labels=selector)
            cache.replace(resource.kind, bodies, known)
    for key in cache.jobs():
        queue.add(key)


async def keep_resyncing(look: Callable[[], Awaitable[None]], done: asyncio.Event, looked: Heartbeat) -> None:
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
