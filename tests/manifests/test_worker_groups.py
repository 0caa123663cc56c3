"""The DaskWorkerGroups of a job, and preloads."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from daskjob.api import constants as c
from daskjob.api.attempt_names import attempt_name, group_key, group_name
from daskjob.api.tokens import NONCE_LENGTH, Tokens, follows_from
from daskjob.errors import SpecError
from daskjob.manifests.attempt import refusals, rejections
from daskjob.manifests.context import AttemptContext
from daskjob.manifests.dask_cluster import dask_cluster, scheduler_spec, worker_groups, worker_spec
from daskjob.manifests.runner import job_file
from daskjob.runner.surroundings import PROCESSES_VARIABLE, REQUEST_VARIABLE
from daskjob.schema.field_error import FieldError

from ..support.dask_command import DASK_CUDA_OPTIONS
from .builders import LONGEST, context, job

GROUPS = [
    {
        "name": "gpu",
        "replicas": 2,
        "threads": 4,
        "daskResources": {"GPU": 1},
        "preload": ["setup", "pkg.more"],
        "env": [{"name": "KIND", "value": "own"}],
        "resources": {"limits": {"nvidia.com/gpu": 1}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"nodeSelector": {"gpu": "yes"}}},
    },
    {"name": "late", "adaptive": {"maximum": 3}},
]
CLUSTER = {
    "image": "i",
    "env": [{"name": "KIND", "value": "all"}, {"name": "OTHER", "value": "x"}],
    "scheduler": {"preload": ["of.scheduler"]},
    "workerGroups": GROUPS,
}


def test_a_group_is_made_as_dask_kubernetes_makes_its_own() -> None:
    of = replace(context(job(cluster=CLUSTER)), tokens=Tokens("secret"))
    gpu, late = worker_groups(of, "uid-cluster")
    assert gpu["metadata"]["name"] == f"{of.attempt.name}-gpu"
    assert gpu["metadata"]["ownerReferences"][0]["uid"] == "uid-cluster"
    assert gpu["metadata"]["labels"] == {
        **of.labels,
        c.DASK_CLUSTER_LABEL: of.attempt.name,
        c.DASK_COMPONENT_LABEL: "workergroup",
    }
    assert gpu["spec"]["cluster"] == of.attempt.name
    worker = gpu["spec"]["worker"]
    assert (worker["replicas"], worker["metadata"]["labels"]) == (2, {"a": "b"})
    assert worker["spec"]["nodeSelector"] == {"gpu": "yes"}
    (main,) = worker["spec"]["containers"]
    assert main["resources"]["limits"] == {"nvidia.com/gpu": 1}
    assert {each["name"]: each.get("value") for each in main["env"]}.items() >= {"KIND": "own", "OTHER": "x"}.items()
    command = main["command"]
    assert command[command.index("--resources") + 1] == "gpu=4 GPU=1"
    assert [command[index + 1] for index, each in enumerate(command) if each == "--preload"] == ["setup", "pkg.more"]
    assert late["spec"]["worker"]["replicas"] == 0


def test_the_cluster_announces_its_groups() -> None:
    of = replace(context(job(cluster=CLUSTER)), tokens=Tokens("secret"))
    cluster = dask_cluster(of)
    pledges = json.loads(cluster["metadata"]["annotations"][c.GROUPS_ANNOTATION])
    tokens = {each["metadata"]["name"]: each["metadata"]["annotations"] for each in worker_groups(of, "u")}
    assert pledges == {
        group_key(name, of.attempt.name): follows_from(found[c.TOKEN_ANNOTATION]) for name, found in tokens.items()
    }
    assert len({*pledges.values(), of.tokens.cluster, of.tokens.runner, of.tokens.digest}) == 5
    command = cluster["spec"]["worker"]["spec"]["containers"][0]["command"]
    assert command[command.index("--resources") + 1] == "default=1"
    alone = dask_cluster(replace(context(job()), tokens=Tokens("secret")))
    assert c.GROUPS_ANNOTATION not in alone["metadata"]["annotations"]
    assert "--resources" not in alone["spec"]["worker"]["spec"]["containers"][0]["command"]


def test_the_scheduler_has_its_preloads_and_no_gpu() -> None:
    (main,) = scheduler_spec(context(job(cluster=CLUSTER)))["containers"]
    assert main["command"][main["command"].index("--preload") + 1] == "of.scheduler"
    assert not main["resources"]


def test_the_runner_knows_the_groups() -> None:
    of = context(job(cluster=CLUSTER))
    assert json.loads(job_file(of).dump())["groups"] == [
        {
            "name": name,
            "prefix": f"{of.attempt.name}-{name}-worker-",
            "minWorkers": least,
            "adaptive": {"minimum": 0, "maximum": 3} if name == "late" else None,
            "resources": resources,
            "processes": 1,
        }
        for name, least, resources in (
            ("default", 1, {"default": 1}),
            ("gpu", 1, {"gpu": 4, "GPU": 1}),
            ("late", 0, {"late": 1}),
        )
    ]


def command_of(of: AttemptContext, key: str = "default") -> tuple[list[str], dict[str, str]]:
    """Dask's module and what follows it, and the environment."""
    (main,) = worker_spec(of, key)["containers"]
    command: list[str] = main["command"]
    return command[command.index("--dask") + 1 :], {each["name"]: each.get("value") for each in main["env"]}


def test_several_processes_of_a_worker_have_a_nanny_and_share_its_memory() -> None:
    size = {"requests": {"memory": "2Gi"}}
    workers = {"processes": 4, "minWorkers": 1, "resources": size, "daskResources": {"disk": 2}}
    of = context(job(cluster={"image": "i", "workers": workers}))
    command, environment = command_of(of)
    assert command[0] == "distributed.cli.dask_worker"
    assert command[command.index("--nanny") + 1 : command.index("--nanny") + 3] == ["--nworkers", "4"]
    assert "--no-nanny" not in command
    assert environment[PROCESSES_VARIABLE] == "4"
    assert environment[REQUEST_VARIABLE] == str(2**29)
    orders = json.loads(job_file(of).dump())["groups"][0]
    assert (orders["processes"], orders["resources"]) == (4, {"disk": 2}), "the resources are of each process"
    command, environment = command_of(context(job(cluster={"image": "i", "workers": {"resources": size}})))
    assert "--no-nanny" in command
    assert (environment.get(PROCESSES_VARIABLE), environment[REQUEST_VARIABLE]) == (None, "2Gi")


def test_workers_of_dask_cuda() -> None:
    gpus = {"limits": {"nvidia.com/gpu": "2"}}
    group = {"name": "gpu", "command": "cuda", "processes": 2, "resources": gpus, "preload": ["setup"]}
    command, environment = command_of(context(job(cluster={"image": "i", "workerGroups": [group]})), "gpu")
    assert command[0] == "dask_cuda.cli"
    assert {each for each in command if each.startswith("--")} <= DASK_CUDA_OPTIONS
    assert environment[PROCESSES_VARIABLE] == "2"


def test_dask_cuda_starts_a_process_for_each_gpu() -> None:
    gpu = {"limits": {"nvidia.com/gpu": 2}}
    own = {"name": "gpu", "command": "cuda", "resources": gpu}
    by_template = {**own, "resources": {}, "template": {"spec": {"containers": [{"name": "worker", "resources": gpu}]}}}
    for group in (own, by_template):
        of = context(job(cluster={"image": "i", "workerGroups": [group]}))
        assert refusals(of) == (
            FieldError(
                "spec.cluster.workerGroups[gpu].processes",
                "must be 2, as nvidia.com/gpu is: with command: cuda there is a process for each GPU",
            ),
        )
    assert refusals(context(job(cluster={"image": "i", "workerGroups": [{**own, "command": "worker"}]}))) == ()


@pytest.mark.parametrize("name", ["nvidia.com/gpu", "nvidia.com/mig-1g.5gb", "amd.com/gpu", "gpu.intel.com/i915"])
@pytest.mark.parametrize("part", ["limits", "requests"])
def test_the_scheduler_has_no_gpu(name: str, part: str) -> None:
    gpu = {part: {name: 1}}
    path = "spec.cluster.scheduler"
    inside = f"{path}.template.spec.containers[scheduler].resources.{part}[{name}]"
    template = {"spec": {"containers": [{"name": "scheduler", "resources": gpu}]}}
    for scheduler, place in (
        ({"resources": gpu}, f"{path}.resources.{part}[{name}]"),
        ({"template": template}, inside),
    ):
        (found,) = refusals(context(job(cluster={"image": "i", "scheduler": scheduler})))
        assert found.path == place
        assert found.message.startswith("is for workers, which run the tasks")
    workers = {"workers": {"resources": gpu}, "scheduler": {"resources": {part: {"cpu": 1, "example.com/nic": 1}}}}
    assert refusals(context(job(cluster={"image": "i", **workers}))) == ()


@pytest.mark.parametrize(
    ("part", "path"),
    [
        ({"env": [{"name": "DASKJOB_X"}]}, "spec.cluster.workerGroups[gpu].env[DASKJOB_X]"),
        ({"template": {"spec": {"hostNetwork": True}}}, "spec.cluster.workerGroups[gpu].template.spec.hostNetwork"),
    ],
)
def test_a_group_is_judged_as_the_others(part: dict, path: str) -> None:
    of = context(job(cluster={"image": "i", "workerGroups": [{"name": "gpu", **part}]}))
    assert [each.path for each in refusals(of)] == [path]
    with pytest.raises(SpecError) as raised:
        worker_groups(of, "u")
    assert raised.value.path == path


def test_what_kubernetes_refuses_of_a_group_is_told_before() -> None:
    template = {
        "spec": {"containers": [{"name": "worker", "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}]}
    }
    of = context(job(cluster={"image": "i", "workerGroups": [{"name": "gpu", "template": template}]}))
    assert [each.path for each in rejections(of)] == [
        "spec.cluster.workerGroups[gpu].template.spec.containers[worker].resources.requests[cpu]"
    ]


def test_names_have_room() -> None:
    attempt = attempt_name(LONGEST, "3f2a9c10-0000-4000-8000-000000000001", 1000, "b" * NONCE_LENGTH)
    name = group_name(attempt, "g" * 15)
    assert len(name) <= 63, "it is a label's value"
    assert group_key(name, attempt) == "g" * 15
    assert [group_key(each, attempt) for each in (attempt, f"{attempt}-", "other-gpu", f"{attempt}-Gpu")] == [None] * 4
