"""Worker groups and preloads on this machine."""

from __future__ import annotations

import json

from .conftest import Command, manifest

CODE = """
import os

import dask
from dask import delayed
from distributed import get_worker

def where(number):
    worker = get_worker()
    return [worker.name.rpartition("-")[0], os.environ.get("KIND"), getattr(worker, "prepared", None)]

def scheduler(dask_scheduler):
    return dask_scheduler.prepared

def main(client, **groups):
    parts = {}
    for name, wanted in groups.items():
        with dask.annotate(resources=wanted):
            parts[name] = [delayed(where)(number, dask_key_name=f"{name}-{number}") for number in range(3)]
    return {"scheduler": client.run_on_scheduler(scheduler), **dask.compute(parts)[0]}
"""
PREPARE = "def dask_setup(of):\n    of.prepared = 'yes'\n"
FILES = {"code.py": CODE, "prepare.py": PREPARE}


def a_job(name: str, files: dict[str, str], kwargs: dict[str, object], **cluster: object):
    whole = manifest(name, "", cluster=cluster)
    graph = {"entrypoint": "code:main", "kwargs": kwargs, "source": {"files": files}}
    return {**whole, "spec": {**whole["spec"], "graph": graph}}


def test_tasks_run_in_the_group_that_they_ask_for(command: Command) -> None:
    groups = [
        {"name": "big", "replicas": 2, "env": [{"name": "KIND", "value": "large"}]},
        {"name": "late", "adaptive": {"maximum": 1}, "preload": ["prepare"]},
    ]
    wanted = {"default": {"default": 1}, "big": {"big": 1}, "late": {"late": 1}}
    job = a_job("groups", FILES, wanted, workerGroups=groups, scheduler={"preload": ["prepare"]})
    command.write("job.yaml", job)
    done = command.run("job.yaml", "-o", "value")
    assert json.loads(done.stdout) == {
        "scheduler": "yes",
        "default": [["worker", None, None]] * 3,
        "big": [["big-worker", "large", None]] * 3,
        "late": [["late-worker", None, "yes"]] * 3,
    }, done.stderr
    assert "adaptive: all 1 workers of group late (the maximum) are started at once here" in done.stderr


def test_a_worker_of_two_processes(command: Command) -> None:
    """It counts as one; its preloads are in both."""
    group = {"name": "pairs", "processes": 2, "preload": ["prepare"]}
    job = a_job("pairs", FILES, {"pairs": {"pairs": 1}}, workerGroups=[group], scheduler={"preload": ["prepare"]})
    command.write("job.yaml", job)
    done = command.run("job.yaml", "-o", "json")
    status = json.loads(done.stdout)["status"]
    found = json.loads(status["result"]["value"])["pairs"]
    assert [each[0] for each in found] == ["pairs-worker-0"] * 3, done.stderr
    assert [each[2] for each in found] == ["yes"] * 3


def test_what_no_single_group_offers(command: Command) -> None:
    job = a_job(
        "both", {**FILES, "prepare.py": PREPARE}, {"x": {"big": 1, "gpu": 1}}, scheduler={"preload": ["prepare"]}
    )
    groups = [{"name": "big", "daskResources": {"memory": "8"}}, {"name": "gpu"}]
    job["spec"]["cluster"]["workerGroups"] = groups
    command.write("job.yaml", job)
    done = command.run("job.yaml")
    assert done.stdout.splitlines() == ["both  Failed     NoSuitableWorkers"], done.stderr
    assert "asks for big: 1, gpu: 1, which no worker offers: workers of group default offer default: 1; " in done.stderr
    assert "workers of group big offer big: 1, memory: 8; workers of group gpu offer gpu: 1" in done.stderr


def test_a_preload_that_fails_is_told(command: Command) -> None:
    broken = {**FILES, "broken.py": "def dask_setup(of):\n    raise ValueError('no licence')\n"}
    command.write(
        "jobs.yaml",
        a_job("setup", broken, {}, scheduler={"preload": ["broken"]}),
        a_job("import", FILES, {}, workers={"preload": ["nowhere"]}),
    )
    done = command.run("jobs.yaml")
    assert done.stdout.splitlines() == ["setup   Failed     PreloadFailed", "import  Failed     PreloadFailed"], (
        done.stderr
    )
    assert "preload broken failed: ValueError: no licence" in done.stderr
    assert "preload nowhere failed: ModuleNotFoundError: No module named 'nowhere'" in done.stderr
