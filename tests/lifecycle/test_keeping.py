"""What the operator keeps of objects: all that decisions read, and little else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from daskjob.api import constants as c
from daskjob.api.cluster_spec import Cluster
from daskjob.api.graph_spec import Graph, Source
from daskjob.lifecycle import keeping
from daskjob.lifecycle.job.observation import Job
from daskjob.lifecycle.job.reading import observe, read_job
from daskjob.lifecycle.pods import read_pod
from daskjob.sources import source_of
from daskjob.streams.depth import UNREADABLE

from .builders import NOW

JOBS = Path(__file__).parents[2] / "jobs"
MANIFESTS = sorted(JOBS.glob("*/job.yaml"))


def of_api_server(manifest: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """The manifest as the API server has it, with much that nobody needs."""
    managed = [{"manager": "kubectl", "fieldsV1": {f"f:{number}": {} for number in range(500)}}]
    labels = {f"team-{number}": "x" for number in range(1000)}
    return {
        **manifest,
        "metadata": {
            "namespace": "team",
            "name": "sum",
            "uid": "u",
            "resourceVersion": "7",
            "generation": 2,
            "creationTimestamp": "2026-03-01T12:00:00Z",
            "managedFields": managed,
            "labels": labels,
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "x" * 10_000},
            **metadata,
        },
    }


def run_only(job: Job) -> Job:
    """The job without what only the objects of an attempt are built from."""
    graph, cluster = job.spec.graph, job.spec.cluster
    source = graph.source
    kept = Source(config_map=source.config_map) if source is not None and source.config_map is not None else None
    workers = replace(cluster.workers, template={})
    groups = tuple(replace(each, template={}, env=()) for each in cluster.worker_groups)
    spec = replace(
        job.spec,
        graph=Graph(entrypoint=graph.entrypoint, source=kept),
        cluster=Cluster(image=cluster.image, dashboard=cluster.dashboard, workers=workers, worker_groups=groups),
        runner=type(job.spec.runner)(),
    )
    return replace(job, spec=spec)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.parent.name)
def test_a_job_reads_the_same_from_what_is_kept(path: Path) -> None:
    (manifest,) = (each for each in yaml.safe_load_all(path.read_text()) if each["kind"] in ("DaskJob", "DaskCronJob"))
    if manifest["kind"] == "DaskCronJob":
        manifest = {"kind": "DaskJob", "spec": manifest["spec"]["jobTemplate"]["spec"]}
    body = of_api_server(manifest)
    kept = keeping.keep_dask_job(body)
    whole = read_job(body, NOW)
    assert read_job(kept, NOW) == run_only(whole)
    code = source_of(whole.spec.graph)
    found = source_of(read_job(kept, NOW).spec.graph)
    assert (found.references() if found else ()) == (code.references() if code else ())
    assert len(json.dumps(kept)) < 1500


def test_the_fingerprint_is_that_of_the_whole_run() -> None:
    def digest(**graph: Any) -> str:
        spec = {"graph": {"entrypoint": "m:f", **graph}}
        return read_job(keeping.keep_dask_job(of_api_server({"kind": "DaskJob", "spec": spec})), NOW).digest

    assert len({digest(), digest(args=[1]), digest(args=[2]), digest(source={"inline": "x"})}) == 4


def test_a_long_result_is_not_kept_and_neither_is_a_traceback() -> None:
    long = "x" * 200_000
    types = {f"/{number}": "datetime" for number in range(2000)}
    result = {"type": "str", "value": json.dumps(long), "types": types}
    status = {"outcome": "Failed", "result": result, "failure": {"traceback": long, "message": "m"}}
    for keep in (keeping.keep_dask_job, keeping.keep_report):
        kept = keep(of_api_server({"kind": "X", "spec": {}, "status": status}))
        assert len(json.dumps(kept)) < 2000
        assert kept["status"]["failure"]["message"] == "m"


def test_of_annotations_and_labels_only_ours_are_kept() -> None:
    metadata = {"annotations": {c.RERUN_ANNOTATION: "y" * 9000}, "labels": {c.JOB_LABEL: "sum", "a": "b"}}
    kept = keeping.keep_dask_job(of_api_server({"kind": "DaskJob", "spec": {}}, **metadata))
    assert kept["metadata"]["labels"] == {c.JOB_LABEL: "sum"}
    assert kept["metadata"]["annotations"] == {c.RERUN_ANNOTATION: "y" * 4096}


def test_a_pod_reads_the_same_from_what_is_kept() -> None:
    state = {"terminated": {"exitCode": 3, "reason": "Error", "message": "{}", "containerID": "c"}}
    pod = {
        "kind": "Pod",
        "spec": {
            "nodeName": "n",
            "activeDeadlineSeconds": 1,
            "schedulerName": "other",
            "dnsPolicy": "Default",
            "initContainers": [{"name": "a", "image": "i" * 500}, {"name": "mesh", "restartPolicy": "Always"}],
            "containers": [{"name": "runner", "env": [{"name": "A"}] * 100}],
            "readinessGates": [{"x": 1}],
            "resourceClaims": [
                {"name": "gpu", "resourceClaimName": "mine"},
                {"name": "x", "resourceClaimTemplateName": "t"},
            ],
        },
        "status": {
            "phase": "Failed",
            "reason": "Evicted",
            "message": "disk",
            "podIP": "198.18.0.9",
            "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node"},
                {"type": "Ready", "status": "False"},
                {"type": "DisruptionTarget", "status": "True"},
                {"type": "Initialized", "status": "True"},
            ],
            "initContainerStatuses": [{"name": "a", "state": state, "imageID": "i"}, {"name": "mesh", "ready": True}],
            "containerStatuses": [
                {"name": "runner", "ready": True, "restartCount": 1, "state": state, "imageID": "i"},
                {"name": "sidecar", "state": {"running": {"startedAt": "2026-03-01T12:00:00Z"}}},
            ],
        },
    }
    body = of_api_server(pod, labels={c.ATTEMPT_LABEL: "2", c.COMPONENT_LABEL: "runner"})
    assert read_pod(keeping.keep_pod(body)) == read_pod(body)
    assert (read_pod(body).scheduler, read_pod(body).dns_policy) == ("other", "Default")
    assert len(json.dumps(keeping.keep_pod(body))) < 1500
    body["spec"] |= {"schedulerName": "default-scheduler", "dnsPolicy": "ClusterFirst"}
    assert not keeping.keep_pod(body)["spec"].keys() & {"schedulerName", "dnsPolicy"}
    assert read_pod(keeping.keep_pod(body)) == read_pod(body)


def test_a_job_that_cannot_be_read_is_told_so() -> None:
    body = {**of_api_server({"kind": "DaskJob", "spec": {"graph": {}}}), UNREADABLE: "is nested deeper than 100 levels"}
    job = read_job(keeping.keep_dask_job(body), NOW)
    assert job.spec_problem is not None
    assert job.spec_problem.startswith("spec: is nested deeper than 100 levels; put")


def test_objects_of_an_attempt_are_observed_the_same() -> None:
    job = read_job(of_api_server({"kind": "DaskJob", "spec": {}, "status": {"attempt": 1}}), NOW)
    labels = {c.JOB_UID_LABEL: "u", c.JOB_LABEL: "sum", c.ATTEMPT_LABEL: "1", c.DASK_COMPONENT_LABEL: "worker"}
    owners = [{"apiVersion": "v1", "kind": "DaskCluster", "name": "sum", "uid": "c", "controller": True}]
    refused = {c.REFUSED_ANNOTATION: json.dumps({"status": 403, "message": "no room"})}
    whole = [
        of_api_server(
            {"kind": "DaskCluster", "spec": {"worker": {"a": "b" * 999}}}, labels=labels, annotations=refused
        ),
        of_api_server(
            {"kind": "DaskWorkerGroup", "spec": {"worker": {"replicas": 3, "spec": {}}}},
            labels=labels,
            ownerReferences=owners,
            annotations={c.REPLACE_ANNOTATION: "2026-03-01T12:00:00Z"},
        ),
        of_api_server(
            {
                "kind": "DaskJobReport",
                "spec": {"runnerPodUID": "r", "cancel": True},
                "status": {"protocol": 1, "seq": 4},
            },
            labels=labels,
        ),
    ]
    keepers = (keeping.keep_cluster, keeping.keep_worker_group, keeping.keep_report)
    kept = [keep(body) for keep, body in zip(keepers, whole, strict=True)]
    assert observe(job, kept, NOW) == observe(job, whole, NOW)
    assert all(len(json.dumps(each)) < 900 for each in kept)


def test_a_result_is_kept_once_the_report_is_sealed() -> None:
    result = {"type": "str", "value": '"x"'}
    body = {"kind": "DaskJobReport", "metadata": {"name": "a"}, "status": {"protocol": 1, "result": result}}
    assert "result" not in keeping.keep_report(body)["status"]
    body["status"] = {"protocol": 1, "result": result, "outcome": "Succeeded"}
    assert keeping.keep_report(body)["status"]["result"]["value"] == '"x"'
