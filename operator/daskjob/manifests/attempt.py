"""All objects of an attempt, built once: the controller creates exactly the objects that the spec's check built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from daskjob.api.cluster_spec import path_of_group
from daskjob.errors import SpecError
from daskjob.manifests.context import AttemptContext, AttemptFiles
from daskjob.manifests.dask_cluster import dask_cluster, scheduler_service, scheduler_spec, worker_groups, worker_spec
from daskjob.manifests.network_policy import network_policy
from daskjob.manifests.pod_files import secret
from daskjob.manifests.resolver import resolver_pod
from daskjob.manifests.runner import job_file, report, runner_pod
from daskjob.schema.field_error import FieldError
from daskjob.schema.pod_check import UnknownField, check_pod
from daskjob.schema.pod_values import refused_values
from daskjob.wire.runner_deadline import RunnerDeadline

Manifest = Mapping[str, Any]


def refusals(context: AttemptContext) -> tuple[FieldError, ...]:
    """Why the operator refuses a job's pods: the first error of each of scheduler, worker groups and runner."""
    found = []
    workers = (partial(worker_spec, key=key) for key in context.spec.cluster.groups)
    builders: tuple[Callable[[AttemptContext], Manifest], ...] = (scheduler_spec, *workers, runner_pod)
    for build in builders:
        try:
            build(context)
        except SpecError as error:
            found.append(FieldError(error.path, error.message))
    return tuple(dict.fromkeys(found))


def rejections(context: AttemptContext) -> tuple[FieldError, ...]:
    """Why Kubernetes would refuse pods that the operator takes, as far as that can be told without a cluster: what only
    the API server says otherwise, when a pod is created."""
    spec = context.spec
    pods = (
        (scheduler_spec(context), spec.cluster.scheduler, "spec.cluster.scheduler", "scheduler"),
        *(
            (worker_spec(context, key), group, path_of_group(key), "worker")
            for key, group in spec.cluster.groups.items()
        ),
        (runner_pod(context)["spec"], spec.runner, "spec.runner", "runner"),
    )
    found = []
    for pod, component, path, own in pods:
        merged = f"{path}.template.spec.containers[{own}].resources"
        containers = (component.template.get("spec") or {}).get("containers") or ()
        by_template = any(each.get("resources") for each in containers if each["name"] == own)
        for error in refused_values(pod, f"{path}.template.spec"):
            where = error.path if by_template else error.path.replace(merged, f"{path}.resources", 1)
            found.append(FieldError(where, error.message))
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class UncertainPod:
    """A pod's spec with fields, from the user's template, that this release of the operator does not know."""

    spec: Mapping[str, Any]
    unknown: tuple[UnknownField, ...]


@dataclass(frozen=True)
class AttemptObjects:
    """DaskCluster and runner pod; the other objects need the UIDs that the API server gives these two.

    The pods have digests of the files that they mount: objects that were built another time have other files.
    """

    context: AttemptContext
    cluster: Manifest
    runner: Manifest

    @classmethod
    def build(
        cls,
        context: AttemptContext,
        program: bytes,
        key_pair: tuple[bytes, bytes],
        deadline: RunnerDeadline | None = None,
    ) -> AttemptObjects:
        """Builds cluster and runner. `program`: the runner's zipapp; `key_pair`: certificate and key of the attempt;
        `deadline`: what the job file gives the runner. Raises SpecError for a template with a forbidden field."""
        orders = job_file(context, deadline).dump().encode()
        whole = replace(context, files=AttemptFiles(*key_pair, orders, program))
        return cls(whole, dask_cluster(whole), runner_pod(whole))

    def uncertain(self) -> tuple[UncertainPod, ...]:
        """The pods of which the cluster must say whether it knows all their fields: it would drop the others without a
        word, and whether it is newer than this release, only it can tell."""
        spec, cluster = self.context.spec, self.cluster["spec"]
        pods = (
            (spec.cluster.scheduler, "spec.cluster.scheduler", cluster["scheduler"]["spec"]),
            *(
                (group, path_of_group(key), worker_spec(self.context, key))
                for key, group in spec.cluster.groups.items()
            ),
            (spec.runner, "spec.runner", self.runner["spec"]),
        )
        found = (
            UncertainPod(pod, tuple(check_pod(pod, f"{path}.template.spec").unknown))
            for component, path, pod in pods
            if component.template.get("spec")
        )
        return tuple(each for each in found if each.unknown)

    def beside_cluster(self, cluster_uid: str) -> tuple[Manifest, ...]:
        """NetworkPolicy, Service and Secret, without which no container of the pods starts; further worker groups."""
        context = self.context
        policy = network_policy(context, cluster_uid)
        return (
            *((policy,) if policy is not None else ()),
            scheduler_service(context, cluster_uid),
            secret(context, cluster_uid),
            *worker_groups(context, cluster_uid),
        )

    def resolver(self) -> Manifest:
        """The pod that finds the commit of the code, of a source that moves. Raises AssertionError for another one."""
        fetch = self.context.fetch
        assert fetch is not None, "nothing is fetched"
        return resolver_pod(self.context, fetch, self.runner)

    @property
    def complete(self) -> bool:
        """Whether the pods know which code they are to fetch, if any."""
        fetch = self.context.fetch
        return fetch is None or not fetch.moves or self.context.attempt.commit is not None

    def report(self, runner_uid: str, deadline: RunnerDeadline | None = None) -> Manifest:
        """The report that the runner with this UID may write."""
        return report(self.context, runner_uid, deadline)
