"""Gauges of jobs, which Prometheus' scrape computes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from daskjob.api import constants as c
from daskjob.api.constants import Phase
from daskjob.controller.cache import Cache
from daskjob.controller.metrics import OTHER, namespace_label

PHASES = tuple(str(phase) for phase in Phase)


class JobCollector(Collector):
    """How many jobs exist, by namespace and phase. `cache`: of jobs."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def collect(self) -> Iterator[Metric]:
        counts: Counter[tuple[str, str]] = Counter()
        for (namespace, _), body in self._cache.roots():
            if (body.get("spec") or {}).get("managedBy", c.MANAGED_BY) == c.MANAGED_BY:
                # A job without a first pass has no phase yet.
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
