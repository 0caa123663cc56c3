"""What pods and runner are told of the run that they are part of."""

from __future__ import annotations

import json

from daskjob.manifests.dask_cluster import dask_cluster
from daskjob.manifests.runner import job_file, runner_pod

from .builders import container, context, job, pod_specs


def test_code_can_ask_which_attempt_it_is_part_of() -> None:
    made = job(cluster={"env": [{"name": "A", "value": "b"}]})
    second = context(made, number=2)
    cluster, runner = dask_cluster(second)["spec"], runner_pod(second)
    for name, spec in {"scheduler": cluster["scheduler"], "worker": cluster["worker"], "runner": runner}.items():
        variables = [each for each in container(spec["spec"], name)["env"] if each["name"] == "DASKJOB_ATTEMPT"]
        assert variables == [{"name": "DASKJOB_ATTEMPT", "value": "2"}]


def test_every_pod_has_the_jobs_priority_class() -> None:
    for spec in pod_specs(job(priorityClassName="low", priority=5)).values():
        assert spec["priorityClassName"] == "low"
        assert "priority" not in spec, "that is the job's, in the operator's queue"
    assert all("priorityClassName" not in spec for spec in pod_specs(job()).values())


def test_a_template_may_give_one_component_another_class() -> None:
    spec = pod_specs(job(priorityClassName="low", runner={"template": {"spec": {"priorityClassName": "high"}}}))
    assert {name: each["priorityClassName"] for name, each in spec.items()} == {
        "scheduler": "low",
        "worker": "low",
        "runner": "high",
    }


def test_the_runner_waits_for_the_workers_that_the_job_starts_with() -> None:
    for workers, wanted in (({"replicas": 4, "minWorkers": 3}, 3), ({"replicas": 4}, 1)):
        made = job(cluster={"workers": workers})
        orders = json.loads(job_file(context(made, number=7)).dump())
        assert (orders["groups"][0]["minWorkers"], orders["attempt"]) == (wanted, 7)
