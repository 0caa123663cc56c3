"""Gauges of the work queues, which Prometheus' scrape computes."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from daskjob.controller.work_queue import WorkQueue


class WorkCollector(Collector):
    """Depth and age of the work queues of a process."""

    def __init__(self, queues: Collection[WorkQueue]) -> None:
        self._queues = queues

    def collect(self) -> Iterator[Metric]:
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
