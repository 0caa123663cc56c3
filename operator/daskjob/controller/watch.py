"""All that kopf does for the operator: the watch streams. A watch event updates the caches and queues a key for a
pass."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import kopf

from daskjob.controller import metrics
from daskjob.controller.cache import Keep
from daskjob.controller.controller import Controller
from daskjob.controller.kind import Watched
from daskjob.kube.client import PAGE, Body
from daskjob.probes.process_settings import configure_kopf
from daskjob.probes.watch_health import Watches
from daskjob.streams.responses import response_class

AnyController = Controller[Any, Any, Any, Any]


class Backoffs:
    """Seconds before every further try of a request. They never end, so that no outage of the API server, however long,
    ends the process."""

    def __iter__(self) -> Iterator[float]:
        yield from (1, 2, 4, 8, 15)
        while True:
            yield random.uniform(20, 30)


async def watch(
    controllers: Sequence[AnyController], watches: Watches, namespaces: Collection[str], stop: asyncio.Event
) -> None:
    """Feeds caches and queues from the watch streams until `stop` is set. `namespaces`: empty for all."""
    await kopf.operator(
        registry=make_registry(controllers, watches, namespaces),
        settings=make_settings(controllers),
        clusterwide=not namespaces,
        namespaces=namespaces,
        stop_flag=stop,
    )


def make_registry(
    controllers: Sequence[AnyController], watches: Watches, namespaces: Collection[str]
) -> kopf.OperatorRegistry:
    """kopf's registry with handlers of raw events only, because kopf's other handlers leave annotations and finalizers
    on the objects. `namespaces`: those to watch; empty for all."""
    registry = kopf.OperatorRegistry()
    kept = _watched(controllers)
    listeners = {
        watched.resource.kind: [each for each in controllers if watched in each.kind.watched] for watched in kept
    }

    @kopf.on.login(registry=registry)
    async def login(**arguments: Any) -> kopf.AiohttpSession | None:
        found = kopf.login_with_service_account(**arguments) or kopf.login_with_kubeconfig(**arguments)
        return await watches.log_in(
            found, response_class({each.resource.plural: keep(each) for each in kept}, is_known)
        )

    def keep(watched: Watched) -> Keep:
        roots = [each.kind for each in listeners[watched.resource.kind] if each.kind.root is watched.resource]

        def keep_part(body: Body) -> Body:
            for kind in roots:
                kind.arrived(body)
            return watched.keep(body)

        return keep_part

    def is_known(body: Body) -> bool:
        # Most events bring nothing that is kept, or echo what the operator itself wrote: kopf's work on them would be
        # in vain.
        return all(controller.kind.cache.has(body) for controller in listeners[body["kind"]])

    def feed(watched: Watched) -> None:
        resource = watched.resource
        group, _, version = resource.api_version.rpartition("/")
        watches.expect(resource.path(namespace) for namespace in namespaces or (None,))

        @kopf.on.event(group, version, resource.plural, registry=registry, id=resource.plural)
        async def look(event: kopf.RawEvent, **_: Any) -> None:
            metrics.WATCH_EVENTS.labels(resource.plural).inc()
            # The session's responses have cut it down to what is kept (`streams.responses`).
            body = resource.stamp(dict(event["object"]))
            for controller in listeners[resource.kind]:
                cache = controller.kind.cache
                key = cache.drop(body) if event["type"] == "DELETED" else cache.put(body)
                if key is not None:
                    controller.queue.add_changed(key, watched.settles(body))

    for watched in kept:
        feed(watched)
    return registry


def _watched(controllers: Sequence[AnyController]) -> Collection[Watched]:
    return dict.fromkeys(watched for controller in controllers for watched in controller.kind.watched)


class _NoDiffBase(kopf.DiffBaseStorage):
    """Stores nothing: the operator has no handlers of changes."""

    def fetch(self, *, body: kopf.Body) -> None:
        return None

    def build(self, *, body: kopf.Body, extra_fields: object = None) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        pass


def make_settings(controllers: Sequence[AnyController]) -> kopf.OperatorSettings:
    """kopf's settings for the operator's watches."""
    settings = kopf.OperatorSettings()
    configure_kopf(settings)
    # Where a kind needs only objects with the operator's label, the API server sends only these.
    for watched in _watched(controllers):
        if watched.selector is not None:
            settings.watching.label_selectors[watched.resource.plural] = watched.selector
    # kopf looks for changes by what it stored on the object, which here is nothing.
    settings.persistence.diffbase_storage = _NoDiffBase()
    settings.watching.chunk_size = PAGE
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = Backoffs()
    settings.networking.enforce_retry_after = False
    return settings
