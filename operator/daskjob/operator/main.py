"""`python -m daskjob`: the operator."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

import kopf

from daskjob import __version__
from daskjob.controller import metrics
from daskjob.controller.cache import Cache, Key
from daskjob.controller.gauges import JobCollector
from daskjob.controller.health import Health, answer
from daskjob.controller.resync import keep_resyncing, resync
from daskjob.controller.watch import make_registry, make_settings
from daskjob.controller.work_queue import WorkQueue
from daskjob.controllers.cron.reconcile import CronReconciler, cron_cache, crons_served, resync_crons
from daskjob.controllers.job.execute import Executor
from daskjob.controllers.job.reconcile import Reconciler
from daskjob.controllers.job.report_policy import INTERVAL, policy_in_force
from daskjob.errors import SpecError
from daskjob.kube.api_error import ApiError, ErrorKind
from daskjob.kube.client import KubeClient
from daskjob.kube.lease import LeaseLock, lead
from daskjob.operator.settings import Settings, read_settings
from daskjob.probes.watch_health import Watches
from daskjob.runner.archive import build

logger = logging.getLogger("daskjob")


def now() -> datetime:
    return datetime.now(UTC)


async def operate(settings: Settings) -> None:
    """Runs until it is told to stop, or can no longer do its work: then whoever started it starts it again."""
    client = await KubeClient.connect(metrics.requesting)
    cache, queue = Cache(), WorkQueue()
    performer = Executor(client, cache, settings.defaults, build())
    reconciler = Reconciler(client, cache, performer, now, settings.limits, queue.add)
    with_crons = await crons_served(client, settings.namespaces)
    crons, cron_queue = cron_cache(), WorkQueue("daskcronjob")
    cron_reconciler = CronReconciler(client, crons, now)
    queues = [queue, cron_queue]

    watches = Watches(metrics.watch_request)
    lock = LeaseLock(client, settings.operator_namespace, settings.lease_name, settings.pod_name)
    health, lookup = Health(watches, lock, queues), JobCollector(cache, queues)

    async def process(key: Key, queue: WorkQueue, reconcile: Callable[[Key], Awaitable[float | None]]) -> None:
        try:
            with metrics.reconciling(queue.name):
                requeue_after = await reconcile(key)
        except ApiError as error:
            if error.kind is ErrorKind.TERMINATING:
                return
            pause = queue.add_failed(key, at_least=error.retry_after or 0.0)
            if error.requeue_after is not None:
                queue.add_after(key, max(error.requeue_after, error.retry_after or 0.0))
            level = logging.DEBUG if error.kind is ErrorKind.CONFLICT else logging.WARNING
            logger.log(level, "%s/%s: %s; again in %.1f s", *key, error, pause)
        except SpecError as error:
            logger.warning("%s/%s: %s; again in %.1f s", *key, error, queue.add_failed(key))
        except Exception:
            logger.exception("%s/%s: unexpected; again in %.1f s", *key, queue.add_failed(key))
        else:
            queue.forget_failures(key)
            if requeue_after is not None:
                queue.add_after(key, requeue_after)

    async def process_job(key: Key) -> None:
        await process(key, queue, reconciler.reconcile)

    async def process_cron(key: Key) -> None:
        await process(key, cron_queue, cron_reconciler.reconcile)

    async def look_at_all() -> None:
        await resync(client, cache, queue, settings.namespaces)
        if with_crons:
            await resync_crons(client, cache, crons, cron_queue, settings.namespaces)

    async def check_policy() -> float:
        """Returns in how many seconds to check again."""
        token = await policy_in_force(client, settings.policy_name)
        performer.defaults = replace(settings.defaults, report_token=token)
        # Soon, where it may just be on its way.
        return INTERVAL if token else 10.0

    async def keep_checking(pause: float) -> None:
        while True:
            await asyncio.sleep(pause)
            pause = await check_policy()

    async def work() -> None:
        logger.info("leading")
        health.lead()
        async with asyncio.TaskGroup() as group:
            group.create_task(keep_resyncing(look_at_all, health.complete, health.looked))
            await health.complete.wait()
            group.create_task(keep_checking(await check_policy()))
            group.create_task(queue.run(process_job, settings.concurrency))
            group.create_task(cron_queue.run(process_cron, settings.concurrency))

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    tasks = [
        asyncio.create_task(stop.wait(), name="stop"),
        asyncio.create_task(answer(health, lookup, settings.health_port, settings.metrics_port), name="probes"),
        asyncio.create_task(lead(lock, work), name="leader"),
        asyncio.create_task(
            kopf.operator(
                registry=make_registry(
                    cache, queue, watches, settings.namespaces, (crons, cron_queue) if with_crons else None
                ),
                settings=make_settings(),
                clusterwide=not settings.namespaces,
                namespaces=settings.namespaces,
                stop_flag=stop,
            ),
            name="watches",
        ),
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await lock.release()
        await client.close()
    failed = [task for task in done if not task.cancelled() and task.exception() is not None]
    for task in failed:
        logger.critical("%s ended", task.get_name(), exc_info=task.exception())
    # kopf takes the signals for itself, and ends then.
    told = stop.is_set() or any(task.get_name() == "watches" for task in done)
    if failed or not told:
        sys.exit(1)
    logger.info("stopped")


def main() -> None:
    try:
        settings = read_settings()
    except ValueError as error:
        sys.exit(f"daskjob: {error}")
    formats = {"json": kopf.LogFormat.JSON}
    kopf.configure(log_format=formats.get(settings.log_format, kopf.LogFormat.FULL))
    logging.getLogger().setLevel(settings.log_level)
    # "Handler succeeded" for every event, and a line for every look at /healthz.
    for chatty in ("kopf.objects", "aiohttp.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logger.info("daskjob operator %s, namespaces: %s", __version__, ", ".join(settings.namespaces) or "all")
    asyncio.run(operate(settings))


if __name__ == "__main__":
    main()
