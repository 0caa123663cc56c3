"""`python3 -m daskjob.dask_controller`: see the package."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Collection
from typing import Any

import kopf

from daskjob.dask_controller import adoption, behaviour, connection, registry, replacement
from daskjob.dask_controller.liveness import Health
from daskjob.dask_controller.readable import Readable
from daskjob.probes.process_settings import Environment, ProcessSettings
from daskjob.streams.responses import response_class

CONTROLLER = "dask_kubernetes.operator.controller.controller"
#: Seconds that the API server may take, after an installation, to serve the custom resource definitions.
RESOURCES_SECONDS = 60.0

logger = logging.getLogger("daskjob.controller")


def assemble(health: Health, excluded: Collection[str] = ()) -> kopf.OperatorRegistry:
    """The registry that kopf runs: the selected handlers of dask-kubernetes, and our start, end and login. Logs which
    handlers it has and which not. `excluded`: namespaces that are not served."""
    controller = importlib.import_module(CONTROLLER)
    behaviour.bound_locks(controller)
    behaviour.leave_out_annotations(controller)
    clusters = adoption.KnownClusters()
    adoption.adopt_from_the_start(controller, clusters)
    selection = registry.select(kopf.get_default_registry())
    logger.info("Handlers kept: %s", ", ".join(selection.kept))
    logger.info("Handlers left out: %s", ", ".join(selection.left_out + selection.foreign))
    clusters.index_in(selection.registry)
    replacement.replace_when_asked(controller, selection.registry)
    held: list[connection.SharedApi] = []
    responses = response_class({plural: Readable(plural, excluded) for plural in behaviour.WATCHED})

    @kopf.on.startup(registry=selection.registry, id="daskjob", backoff=2)
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        await health.begin()
        behaviour.configure_kopf(settings, lambda: clusters.with_group)
        api = await connection.open_api()
        held.append(api)  # kr8s itself keeps only a weak reference
        await connection.wait_for_resources(api, RESOURCES_SECONDS)
        health.expect_watches()

    @kopf.on.cleanup(registry=selection.registry, id="daskjob")
    async def end(**_: Any) -> None:
        await health.end()

    @kopf.on.login(registry=selection.registry, id="login")
    async def login(**arguments: Any) -> kopf.AiohttpSession | None:
        return await health.watches.log_in(connection.login(os.environ, **arguments), responses)

    return selection.registry


def main() -> int:
    try:
        settings = ProcessSettings.read(Environment(os.environ))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    behaviour.configure_logging(settings)
    try:
        handlers = assemble(Health(settings.health_port, settings.namespaces, behaviour.WATCHED), settings.excluded)
    except (registry.UnexpectedRegistry, RuntimeError) as error:
        logger.error("%s", error)
        return 1
    logger.info("Watching %s.", ", ".join(settings.namespaces) or "all namespaces")
    kopf.run(
        registry=handlers,
        # One patch for all handlers of an event; kopf's default sends one patch per handler.
        lifecycle=kopf.lifecycles.all_at_once,
        standalone=True,
        clusterwide=not settings.namespaces,
        namespaces=settings.namespaces,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
