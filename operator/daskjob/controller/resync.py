"""The resync: lists everything, so that the cache learns what a watch missed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Any

from daskjob.controller.cache import Key
from daskjob.controller.fair_queue import Urgency
from daskjob.controller.feed import AnyController, Feed
from daskjob.controller.kind import Kind, Watched
from daskjob.errors import ApiError, ErrorKind
from daskjob.kube.client import Body, KubeClient
from daskjob.probes.heartbeat import Heartbeat

logger = logging.getLogger(__name__)

#: Seconds until the next resync after one that succeeded, and after one that failed.
INTERVAL = 300.0
RETRY = 5.0


async def first_look(
    client: KubeClient, feed: Feed, namespaces: Collection[str], listed: Callable[[], Awaitable[bool]]
) -> None:
    """Queues all root objects for a pass, once the caches have everything. `listed`: whether the watches' own lists
    are all that there is; else it lists everything once more."""
    if not await listed():
        await resync(client, feed, namespaces)
    for controller in feed.controllers:
        for key in controller.kind.cache.root_keys():
            controller.queue.add(key)


async def resync(client: KubeClient, feed: Feed, namespaces: Collection[str]) -> None:
    """Lists every watched resource once, corrects the caches, and queues root objects for a pass: those that do not
    rest, and those of which a watch missed something. `namespaces`: empty for all."""
    missed: list[tuple[AnyController, Key]] = []

    def keep(watched: Watched, concerned: Sequence[AnyController], item: Body) -> Body:
        # The caches take each object as it comes: nothing else holds the whole list.
        kept = feed.read(watched, item)
        for controller in concerned:
            is_new = not controller.kind.cache.has(kept)
            key = controller.kind.cache.put(kept)
            # It may have come into being after its job was cleaned up: the job rests, and only this pass sees it.
            if key is not None and is_new:
                missed.append((controller, key))
        return {"uid": kept["metadata"]["uid"]}

    try:
        for each, concerned in feed.watched.items():
            for namespace in namespaces or (None,):
                known = [controller.kind.cache.uids(each.resource.kind, namespace) for controller in concerned]
                found = await client.list(
                    each.resource, namespace, labels=each.selector, keep=partial(keep, each, concerned)
                )
                listed = {item["uid"] for item in found}
                for controller, uids in zip(concerned, known, strict=True):
                    # Nothing may be left of a job whose deletion the watch missed: only this pass notes its end.
                    for key in controller.kind.cache.remove_missing(each.resource.kind, listed, uids):
                        controller.queue.add(key)
    finally:
        # Also if a later list fails: to the next resync, they are known.
        for controller, key in missed:
            controller.queue.add(key)
    for controller in feed.controllers:
        for key in controller.kind.cache.root_keys():
            if controller.kind.urgency(key) is not Urgency.RESTS:
                controller.queue.add(key)


async def keep_resyncing(look: Callable[[], Awaitable[None]], done: asyncio.Event, resynced: Heartbeat) -> None:
    """Resyncs every few minutes until cancelled, sooner after a failure. It sets `done` after the first success: before
    that, the absence of an object from a cache proves nothing. It gives `resynced` after every try."""
    while True:
        try:
            await look()
            done.set()
            pause = INTERVAL
        except ApiError as error:
            logger.warning("resync failed, trying again in %.0f s: %s", RETRY, error)
            pause = RETRY
        resynced.give()
        await asyncio.sleep(pause)


async def is_served(client: KubeClient, kind: Kind[Any, Any, Any, Any], namespaces: Collection[str]) -> bool:
    """Whether the operator can serve a kind: it is required, or the API server knows its resource. If an upgrade has
    not brought the CRD of a kind that is not required, the operator serves the others."""
    if kind.required:
        return True
    try:
        await client.list(kind.root, next(iter(namespaces), None))
    except ApiError as error:
        if error.kind is ErrorKind.NOT_FOUND:
            logger.error(
                "%s objects are not resynced after: apply crds/%s.yaml, then restart the operator",
                kind.root.kind,
                kind.root.plural,
            )
            return False
        logger.warning("cannot tell whether there are %s objects: %s", kind.root.kind, error)
    return True
