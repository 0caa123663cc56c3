"""`python -m daskjob`: the operator's process."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime

from daskjob import __version__
from daskjob.controller import metrics
from daskjob.controller.controller import Controller
from daskjob.controller.feed import AnyController, Feed
from daskjob.controller.gauges import WorkCollector
from daskjob.controller.health import Health, answer
from daskjob.controller.resync import first_look, is_served, keep_resyncing, resync
from daskjob.controller.watch import watch
from daskjob.controllers.cron.kind import CronKind
from daskjob.controllers.job.kind import JobKind
from daskjob.controllers.job.policies import Policies
from daskjob.kube.client import KubeClient
from daskjob.kube.lease import LeaseLock, lead
from daskjob.operator.settings import Settings, read_settings
from daskjob.probes.process_settings import configure_logging
from daskjob.probes.watch_health import Watches
from daskjob.runner.archive import build

logger = logging.getLogger("daskjob")


def now() -> datetime:
    return datetime.now(UTC)


def make_controllers(client: KubeClient, settings: Settings) -> list[AnyController]:
    """The controllers, one line per kind."""
    policies = Policies(client, settings.report_policy, settings.object_policies)
    return [
        Controller(
            JobKind(client, now, build(), settings.defaults, settings.limits, policies, settings.process.excluded)
        ),
        Controller(CronKind(client, now, settings.defaults, settings.limits, settings.process.excluded)),
    ]


async def work(client: KubeClient, feed: Feed, watches: Watches, health: Health, settings: Settings) -> None:
    """The leader's work: resyncs and passes, until cancelled."""
    logger.info("leading")
    health.lead()

    async def look_at_all() -> None:
        if health.complete.is_set():
            await resync(client, feed, settings.process.namespaces)
        else:
            await first_look(client, feed, settings.process.namespaces, watches.listed_once)

    async with asyncio.TaskGroup() as group:
        group.create_task(keep_resyncing(look_at_all, health.complete, health.resynced))
        await health.complete.wait()
        for controller in feed.controllers:
            await controller.kind.prepare()
            group.create_task(controller.kind.beside())
            group.create_task(controller.run(settings.concurrency))


async def operate(settings: Settings) -> None:
    """Runs the operator until a signal stops it. Exits with an error when a part of it fails, so that the kubelet
    starts it again."""
    client = await KubeClient.connect(metrics.requesting)
    configured = make_controllers(client, settings)
    controllers = [each for each in configured if await is_served(client, each.kind, settings.process.namespaces)]
    feed, queues = Feed(controllers), [controller.queue for controller in controllers]
    watches = Watches(metrics.watch_request)
    for controller in controllers:
        controller.kind.followed_for = watches.followed_for
    lock = LeaseLock(client, settings.operator_namespace, settings.lease_name, settings.pod_name)
    health = Health(watches, lock, queues, more=[controller.kind.details for controller in controllers])
    collectors = [WorkCollector(queues), *(each for controller in controllers for each in controller.kind.collectors())]
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    parts: dict[str, Coroutine[None, None, object]] = {
        "stop": stop.wait(),
        "probes": answer(health, collectors, settings.process.health_port, settings.metrics_port),
        "leader": lead(lock, lambda: work(client, feed, watches, health, settings)),
        "watches": watch(feed, watches, settings.process.namespaces, stop),
    }
    try:
        ended = await _until_one_ends(parts)
    finally:
        await lock.release()
        await client.close()
    # kopf handles the signals as well: its end is a stop, too.
    if not stop.is_set() and "watches" not in ended:
        sys.exit(1)
    logger.info("stopped")


async def _until_one_ends(parts: dict[str, Coroutine[None, None, object]]) -> list[str]:
    """Runs all parts until one of them ends, cancels the others, and returns the names of those that ended. Exits if
    one failed."""
    tasks = [asyncio.create_task(part, name=name) for name, part in parts.items()]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    failed = [task for task in done if not task.cancelled() and task.exception() is not None]
    for task in failed:
        logger.critical("%s ended", task.get_name(), exc_info=task.exception())
    if failed:
        sys.exit(1)
    return [task.get_name() for task in done]


def main() -> None:
    """The entry point of the process. Exits if a setting cannot be used."""
    try:
        settings = read_settings()
    except ValueError as error:
        sys.exit(f"daskjob: {error}")
    configure_logging(settings.process)
    # kopf logs every event that it handles, aiohttp every request for /healthz.
    for chatty in ("kopf.objects", "aiohttp.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logger.info("daskjob operator %s, namespaces: %s", __version__, ", ".join(settings.process.namespaces) or "all")
    asyncio.run(operate(settings))


if __name__ == "__main__":
    main()
