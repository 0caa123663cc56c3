"""Groups of workers beside the usual ones: where their tasks run, how they grow, and that nothing is left of them."""

from __future__ import annotations

from typing import Any

from ..support.jobs import apply, manifest, result_of
from ..support.kube import Kube

CODE = """
import os
import time

import dask
from dask import delayed
from distributed import get_worker


def where(number):
    time.sleep(0.3)
    worker = get_worker()
    group = worker.name.split("-worker-")[0].split("-")[-1]
    return [group, os.environ.get("KIND"), getattr(worker, "prepared", None)]


def main():
    parts = {}
    for group in ("default", "big", "late"):
        with dask.annotate(resources={group: 1}):
            parts[group] = [delayed(where)(number, dask_key_name=f"{group}-{number}") for number in range(6)]
    return parts
"""
PREPARE = "def dask_setup(worker):\n    worker.prepared = 'yes'\n"


def test_tasks_run_in_the_group_that_they_ask_for(kube: Kube) -> None:
    """One group begins with no worker, and gets some when there are tasks for it."""
    groups = [
        {"name": "big", "replicas": 2, "minWorkers": 2, "threads": 2, "env": [{"name": "KIND", "value": "large"}]},
        {"name": "late", "adaptive": {"maximum": 1}, "preload": ["prepare"]},
    ]
    graph = {"entrypoint": "code:main", "source": {"files": {"code.py": CODE, "prepare.py": PREPARE}}}
    body = manifest("groups", CODE, cluster={"workerGroups": groups})
    job = apply(kube, {**body, "spec": {**body["spec"], "graph": graph}})

    def with_late(status: dict[str, Any]) -> bool:
        shown = (status.get("cluster") or {}).get("groups") or []
        return any(each["name"] == "late" and each.get("ready") for each in shown)

    status = job.reaches("a worker of the group that begins with none", with_late, 60)
    counts = {each["name"]: (each["wanted"], each["ready"]) for each in status["cluster"]["groups"]}
    assert counts == {"default": (1, 1), "big": (2, 2), "late": (1, 1)}
    assert status["cluster"]["workers"] == {"wanted": 4, "ready": 4}
    wanted = {"default": [None, None], "big": ["large", None], "late": [None, "yes"]}
    assert result_of(job.end()) == {name: [[name, *rest]] * 6 for name, rest in wanted.items()}
    job.is_clean()
