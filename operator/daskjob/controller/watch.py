"""kopf's part: the watch streams. Every event only says "look again"; the work is done from our own queue."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator
from typing import Any

import kopf

from daskjob.api import constants as c
from daskjob.controller import metrics
from daskjob.controller.cache import Cache
from daskjob.controller.work_queue import WorkQueue
from daskjob.kube.resources import DASK_CRON_JOBS, DASK_JOBS, WATCHED, Resource
from daskjob.probes.watch_health import Watches


class Backoffs:
    """Seconds before each further try of a request: without end, so that no outage of the API server, however long,
    ends the process."""

    def __iter__(self) -> Iterator[float]:
        yield from (1, 2, 4, 8, 15)
        while True:
            yield random.uniform(20, 30)


Feed = tuple[Cache, WorkQueue]
"""Who is told of an event: what is known, and what is to be looked at."""


def make_registry(
    cache: Cache, queue: WorkQueue, watches: Watches, namespaces: Collection[str], crons: Feed | None = None
) -> kopf.OperatorRegistry:
    """Handlers of raw events only: others would leave annotations and finalizers on the objects. `namespaces`: those
    that are watched; empty for all. `crons`: of cron jobs; None, if these are not looked after."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**arguments: Any) -> kopf.AiohttpSession | None:
        found = kopf.login_with_service_account(**arguments) or kopf.login_with_kubeconfig(**arguments)
        return await watches.log_in(found)

    def watch(resource: Resource, *feeds: Feed) -> None:
        group, _, version = resource.api_version.rpartition("/")
        watches.expect(resource.path(namespace) for namespace in namespaces or (None,))

        @kopf.on.event(group, version, resource.plural, registry=registry, id=resource.plural)
        async def look(event: kopf.RawEvent, **_: Any) -> None:
            metrics.WATCH_EVENTS.labels(resource.plural).inc()
            body = {**event["object"], "kind": resource.kind, "apiVersion": resource.api_version}
            for known, waiting in feeds:
                key = known.drop(body) if event["type"] == "DELETED" else known.put(body)
                if key is not None:
                    waiting.add(key)

    made_by_crons = [crons] if crons is not None else []
    for resource in WATCHED:
        watch(resource, (cache, queue), *(made_by_crons if resource is DASK_JOBS else []))
    if crons is not None:
        watch(DASK_CRON_JOBS, crons)
    return registry


def make_settings() -> kopf.OperatorSettings:
    """kopf's settings: what each is for stands beside it."""
    settings = kopf.OperatorSettings()
    # One leader is found by a Lease; kopf's own way is advisory and goes by the clock.
    settings.peering.standalone = True
    # Events on jobs are ours.
    settings.posting.enabled = False
    # The kinds are known; looking for new ones needs rights that nothing else needs.
    settings.scanning.disabled = True
    # Only what carries our label is sent at all.
    for resource in WATCHED:
        if resource is not DASK_JOBS:
            settings.watching.label_selectors[resource.plural] = c.MANAGED_SELECTOR
    settings.watching.chunk_size = 500
    settings.watching.connect_timeout = 5
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.networking.connect_timeout = 5
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = Backoffs()
    settings.networking.enforce_retry_after = False
    settings.process.ultimate_exiting_timeout = 20
    return settings
