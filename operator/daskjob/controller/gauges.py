"""What is not counted but looked up when Prometheus asks: the jobs that there are, and the work in hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from daskjob.api import constants as c
from daskjob.api.constants import Phase
from daskjob.controller.cache import Cache
from daskjob.controller.metrics import OTHER, namespace_label
from daskjob.controller.work_queue import WorkQueue

PHASES = tuple(str(phase) for phase in Phase)


class JobCollector(Collector):
    """To be registered with the registry."""

    def __init__(self, cache: Cache, queues: Collection[WorkQueue]) -> None:
        self._cache = cache
        self._queues = queues

    def collect(self) -> Iterator[Metric]:
        yield from self._jobs()
        yield from self._work()

    def _jobs(self) -> Iterator[Metric]:
        counts: Counter[tuple[str, str]] = Counter()
        for (namespace, _), body in self._cache.job_bodies():
            if (body.get("spec") or {}).get("managedBy", c.MANAGED_BY) == c.MANAGED_BY:
                # A job that nobody has looked at yet has no phase.
                phase = (body.get("status") or {}).get("phase") or str(Phase.PENDING)
                counts[namespace_label(namespace), phase if phase in PHASES else OTHER] += 1
        namespaces = sorted({namespace for namespace, _ in counts})
        jobs = GaugeMetricFamily("daskjob_jobs", "DaskJobs that there are, by phase.", labels=["namespace", "phase"])
        queued = GaugeMetricFamily(
            "daskjob_jobs_queued", "DaskJobs that wait for others to make room.", labels=["namespace"]
        )
        for namespace in namespaces:
            for phase in (*PHASES, OTHER):
                if phase != OTHER or counts[namespace, OTHER]:
                    jobs.add_metric([namespace, phase], counts[namespace, phase])
            queued.add_metric([namespace], counts[namespace, str(Phase.QUEUED)])
        yield jobs
        yield queued

    def _work(self) -> Iterator[Metric]:
        depth = GaugeMetricFamily(
            "daskjob_workqueue_depth", "Keys that wait in the work queue for a worker.", labels=["name"]
        )
        unfinished = GaugeMetricFamily(
            "daskjob_workqueue_unfinished_work_seconds",
            "How long the passes that are under way have been so, in sum.",
            labels=["name"],
        )
        longest = GaugeMetricFamily(
            "daskjob_workqueue_longest_running_processor_seconds",
            "How long the longest pass that is under way has been so.",
            labels=["name"],
        )
        for queue in self._queues:
            ages = queue.ages()
            depth.add_metric([queue.name], queue.depth)
            unfinished.add_metric([queue.name], sum(ages))
            longest.add_metric([queue.name], max(ages, default=0.0))
        yield depth
        yield unfinished
        yield longest
