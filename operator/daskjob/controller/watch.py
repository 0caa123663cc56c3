"""All that kopf does for the operator: the watch streams. A watch event updates the caches and queues a key for a
pass."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Iterator
from functools import partial
from typing import Any

import kopf

from daskjob.controller.feed import Feed
from daskjob.controller.kind import Watched
from daskjob.kube.client import PAGE
from daskjob.probes.process_settings import configure_kopf
from daskjob.probes.watch_health import Watches
from daskjob.streams.responses import response_class


class Backoffs:
    """Seconds before every further try of a request. They never end, so that no outage of the API server, however long,
    ends the process."""

    def __iter__(self) -> Iterator[float]:
        yield from (1, 2, 4, 8, 15)
        while True:
            yield random.uniform(20, 30)


async def watch(feed: Feed, watches: Watches, namespaces: Collection[str], stop: asyncio.Event) -> None:
    """Feeds caches and queues from the watch streams until `stop` is set. `namespaces`: empty for all."""
    await kopf.operator(
        registry=make_registry(feed, watches, namespaces),
        settings=make_settings(feed),
        clusterwide=not namespaces,
        namespaces=namespaces,
        stop_flag=stop,
    )


def make_registry(feed: Feed, watches: Watches, namespaces: Collection[str]) -> kopf.OperatorRegistry:
    """kopf's registry with handlers of raw events only, because kopf's other handlers leave annotations and finalizers
    on the objects. `namespaces`: those to watch; empty for all."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**arguments: Any) -> kopf.AiohttpSession | None:
        found = kopf.login_with_service_account(**arguments) or kopf.login_with_kubeconfig(**arguments)
        keepers = {each.resource.plural: partial(feed.keep, each) for each in feed.watched}
        takers = {each.resource.plural: partial(feed.take, each) for each in feed.watched}
        return await watches.log_in(found, response_class(keepers, feed.is_known, takers))

    def follow(watched: Watched) -> None:
        resource = watched.resource
        group, _, version = resource.api_version.rpartition("/")
        watches.expect(resource.path(namespace) for namespace in namespaces or (None,))

        @kopf.on.event(group, version, resource.plural, registry=registry, id=resource.plural)
        async def look(event: kopf.RawEvent, **_: Any) -> None:
            # The session's responses have cut it down to what is kept (`streams.responses`).
            feed.note(watched, str(event["type"]), dict(event["object"]))

    for watched in feed.watched:
        follow(watched)
    return registry


class _NoDiffBase(kopf.DiffBaseStorage):
    """Stores nothing: the operator has no handlers of changes."""

    def fetch(self, *, body: kopf.Body) -> None:
        return None

    def build(self, *, body: kopf.Body, extra_fields: object = None) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        pass


def make_settings(feed: Feed) -> kopf.OperatorSettings:
    """kopf's settings for the operator's watches."""
    settings = kopf.OperatorSettings()
    configure_kopf(settings)
    # Where a kind needs only objects with the operator's label, the API server sends only these.
    for watched in feed.watched:
        if watched.selector is not None:
            settings.watching.label_selectors[watched.resource.plural] = watched.selector
    # kopf looks for changes by what it stored on the object, which here is nothing.
    settings.persistence.diffbase_storage = _NoDiffBase()
    settings.watching.chunk_size = PAGE
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = Backoffs()
    settings.networking.enforce_retry_after = False
    return settings
