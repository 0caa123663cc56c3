"""What a pass asks about a job's pods, and what it changes of them."""

from __future__ import annotations

from datetime import timedelta

from daskjob.api import constants as c
from daskjob.api.attempt_names import scheduler_name
from daskjob.api.resource import EVENTS

from ..lifecycle.model import NAMESPACE
from .test_reconcile import Setting


async def test_events_are_asked_for_after_the_runner_has_reported_too() -> None:
    setting = Setting()
    await setting.look()
    report = setting.server.all("DaskJobReport")[0]
    status = {"protocol": 1, "seq": 1, "stage": "Starting", "workers": {"connected": 0}}
    setting.cache.put_whole(setting.server.update("DaskJobReport", report["metadata"]["name"], status=status))
    [cluster] = setting.server.all("DaskCluster")
    owner = {"apiVersion": c.DASK_API_VERSION, "kind": "DaskCluster", "controller": True}
    metadata = {
        "name": scheduler_name(cluster["metadata"]["name"]),
        "namespace": NAMESPACE,
        "labels": {**report["metadata"]["labels"], c.DASK_COMPONENT_LABEL: "scheduler"},
        "ownerReferences": [owner | {key: cluster["metadata"][key] for key in ("name", "uid")}],
    }
    pod = {"metadata": metadata, "spec": {"containers": [{"name": "scheduler"}]}}
    setting.cache.put_whole(setting.server.create("Pod", pod, "2026-03-01T12:00:00Z"))
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"name": metadata["name"]},
        "reason": "FailedMount",
        "message": 'secret "x" not found',
    }
    setting.server.create("Event", event, "2026-03-01T12:00:00Z")
    setting.now += timedelta(seconds=10)
    await setting.look()
    assert ("list", EVENTS.kind) in setting.client.requests
    assert setting.reason() == "VolumeMountFailed"


async def test_the_sidecars_of_a_runner_that_has_ended_are_ended_and_its_pod_is_kept() -> None:
    setting = Setting()
    await setting.look()
    [runner] = setting.server.all("Pod")
    name = runner["metadata"]["name"]
    done = {"name": "runner", "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}
    mesh = {"name": "mesh", "state": {"running": {"startedAt": "2026-03-01T12:00:00Z"}}}
    spec = {**runner["spec"], "containers": [*runner["spec"]["containers"], {"name": "mesh"}]}
    status = {"phase": "Running", "containerStatuses": [done, mesh]}
    setting.cache.put_whole(setting.server.update("Pod", name, spec=spec, status=status))
    for _ in range(3):
        await setting.look()
    assert setting.status()["failure"]["reason"] == "ExitCode"
    kept = setting.server.find("Pod", name)
    assert kept is not None
    assert kept["metadata"]["uid"] == runner["metadata"]["uid"]
    assert kept["spec"]["activeDeadlineSeconds"] == 1
