"""What finished jobs cost the operator's memory: `python tests/benchmarks/resting.py [JOBS ...]`.

Each job has its report and its runner's pod, as they are after a success; every tenth has a result of 256 KiB. No API
server and no process of the operator: only what `JobKind`'s cache keeps of them, and what must go through all of them:
a scrape of the gauges, and the classes of urgency at a resync.
"""

from __future__ import annotations

import gc
import json
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

from daskjob.api import constants as c
from daskjob.controllers.job.job_gauges import JobCollector
from daskjob.controllers.job.kind import JobKind
from daskjob.controllers.job.urgency import urgency_of
from daskjob.kube.client import KubeClient
from daskjob.manifests.context import Defaults

Body = dict[str, Any]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
THEN = "2026-03-01T11:00:00Z"
LARGE = 256 * 1024
STAGES = ("accepted", "created", "runnerStarted", "connected", "firstWorker", "computed", "finished", "cleanedUp")


def objects(number: int) -> Iterator[Body]:
    """A finished job, its report and its runner's pod, as the API server has them."""
    name, uid = f"job-{number:06}", f"00000000-0000-4000-8000-{number:012}"
    attempt = f"{name}-{uid[:5]}-1"
    value = "x" * LARGE if number % 10 == 0 else "41541750"
    result = {"type": "int", "value": value, "size": len(value), "sha256": f"{number:064}"}
    progress = {"total": 501, "done": 501, "processing": 0, "erred": 0, "percent": 100, "text": "501/501"}
    timings = dict.fromkeys(STAGES, THEN)
    end = {"startTime": THEN, "completionTime": THEN, "outcome": "Succeeded", "reason": "Succeeded"}
    condition = {"status": "True", "reason": "Succeeded", "message": "the graph is done", "lastTransitionTime": THEN}
    conditions = [{"type": each, **condition} for each in ("Complete", "CleanedUp", "Ready", "ClusterReady")]
    labels = {c.MANAGED_BY_LABEL: c.MANAGER, c.JOB_LABEL: name, c.JOB_UID_LABEL: uid, c.ATTEMPT_LABEL: "1"}
    owner = {"apiVersion": c.API_VERSION, "kind": "DaskJob", "name": name, "uid": uid, "controller": True}

    def metadata(own: str, mine: str, **more: Any) -> Body:
        version = {"uid": mine, "resourceVersion": str(100 + number), "generation": 1, "creationTimestamp": THEN}
        return {"namespace": "team", "name": own, **version, **more}

    owned = {"labels": labels, "ownerReferences": [owner]}
    yield {
        "apiVersion": c.API_VERSION,
        "kind": "DaskJob",
        "metadata": metadata(name, uid),
        "spec": {
            "graph": {"entrypoint": "square_sum:graph", "args": [500], "source": {"inline": "code\n" * 100}},
            "cluster": {"image": "ghcr.io/dask/dask:latest", "workers": {"replicas": 2, "threads": 1}},
        },
        "status": {
            "phase": "Succeeded",
            "observedGeneration": 1,
            "startTime": THEN,
            "completionTime": THEN,
            "conditions": conditions,
            "attempt": 1,
            "attempts": [{"number": 1, "name": attempt, **end}],
            "progress": progress,
            "cluster": {"name": attempt, "workers": 2, "ready": 2},
            "result": result,
            "timings": timings,
        },
    }
    status = {"protocol": 1, "seq": 9, "outcome": "Succeeded", "stage": "Finished", "heartbeatTime": THEN}
    yield {
        "apiVersion": c.API_VERSION,
        "kind": "DaskJobReport",
        "metadata": metadata(attempt, f"r{uid}", **owned),
        "spec": {"runnerPodUID": f"p{uid}", "attempt": 1},
        "status": {**status, "progress": progress, "result": result, "timings": timings},
    }
    ended = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": THEN, "finishedAt": THEN}}
    yield {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata(f"{attempt}-runner", f"p{uid}", **owned),
        "spec": {"containers": [{"name": "runner", "image": "ghcr.io/dask/dask:latest"}]},
        "status": {
            "phase": "Succeeded",
            "podIP": "10.0.0.1",
            "containerStatuses": [{"name": "runner", "ready": False, "restartCount": 0, "state": ended}],
        },
    }


def as_received(number: int) -> Iterator[Body]:
    """The same, with strings of their own, as parsed answers have them."""
    for body in objects(number):
        yield json.loads(json.dumps(body))


def milliseconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - began)


def measure(jobs: int) -> str:
    """One line of figures."""
    cache = JobKind(Mock(spec=KubeClient), lambda: NOW, b"", Defaults()).cache
    gc.collect()
    tracemalloc.start()
    for number in range(jobs):
        for body in as_received(number):
            cache.put_whole(body)
    gc.collect()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    scrape = milliseconds(lambda: list(JobCollector(cache).collect()))
    urgency = milliseconds(lambda: [urgency_of(cache, key) for key in cache.root_keys()])
    listed = milliseconds(lambda: cache.uids("Pod", None))
    return (
        f"{kept / jobs / 1024:.1f} KiB a job, {kept / 2**20:.0f} MiB in all; one scrape of the gauges {scrape:.0f} ms, "
        f"all classes of urgency {urgency:.0f} ms, the UIDs of a kind {listed:.0f} ms"
    )


if __name__ == "__main__":
    for count in [int(each) for each in sys.argv[1:]] or [1_000, 10_000]:
        print(f"{count:>7} jobs: {measure(count)}", flush=True)
