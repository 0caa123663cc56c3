"""`spec.cluster`: the Dask cluster of a job, its scheduler and its worker groups."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from daskjob.api.constants import WorkerCommand
from daskjob.wire.worker_groups import DEFAULT, AdaptiveBounds, GroupOrders

#: The key of the worker group that `cluster.workers` describes.
DEFAULT_GROUP = DEFAULT


@dataclass(frozen=True)
class Component:
    """What scheduler, workers and runner have in common."""

    #: resources of the component's container. Default none, which lets the namespace's LimitRange decide.
    resources: Mapping[str, Any] = field(default_factory=dict)
    #: template is merged strategically over the operator's own pod, for what no field here covers. The pod that comes
    #: of it must fit the installation's pod security level (restricted by default), keep the operator's own settings,
    #: and have no field, label or annotation that the installation does not allow or Kubernetes does not have
    #: (InvalidSpec).
    template: Mapping[str, Any] = field(default_factory=dict)


def _preload_options(modules: Sequence[str]) -> list[str]:
    return [part for each in modules for part in ("--preload", each)]


@dataclass(frozen=True)
class Scheduler(Component):
    """The scheduler's pod, and how it hands out tasks."""

    #: workerSaturation is Dask's distributed.scheduler.worker-saturation: the root tasks that a worker holds at a time,
    #: for each of its threads, as a number of at least 1 ("1.5", 10) or inf. More lets hundreds of short tasks run up
    #: to three times as fast, and costs memory where root tasks are large, for more of their results wait on workers.
    #: Default: that of the image's Dask (1.1).
    worker_saturation: int | str | None = None

    #: preload are Python modules, of the job's source or the image, that each process of the component imports at its
    #: start, Dask's preload: dask_setup(worker) or dask_setup(scheduler) in it is called, and dask_teardown at the end.
    #: One that fails ends the attempt (PreloadFailed). Default none.
    preload: tuple[str, ...] = ()

    @property
    def dask_options(self) -> Sequence[str]:
        """Options of Dask's command that starts a scheduler."""
        return _preload_options(self.preload)

    @property
    def environment(self) -> Mapping[str, str]:
        """Dask's settings, as environment variables of the scheduler's process."""
        if self.worker_saturation is None:
            return {}
        return {"DASK_DISTRIBUTED__SCHEDULER__WORKER_SATURATION": str(self.worker_saturation)}


@dataclass(frozen=True)
class Adaptive:
    """Bounds of a number of workers that follows the load."""

    #: minimum number of workers. Default 1.
    minimum: int = 1
    #: maximum number of workers.
    maximum: int = 1


@dataclass(frozen=True)
class Workers(Component):
    """How many workers there are, and how large they are."""

    #: replicas is the fixed number of workers; 0 only beside workerGroups. Default 1 when adaptive is not given either.
    replicas: int | None = None
    #: adaptive lets the number of workers follow the load.
    adaptive: Adaptive | None = None
    #: threads are the tasks that each process of a worker runs at a time. Default 1.
    threads: int = 1
    #: processes of Dask that each worker has in its pod, where tasks hold Python's lock or have a device each; they
    #: share the pod's memory limit in equal parts. replicas, minWorkers and all other counts are of pods. Default 1.
    processes: int = 1
    #: command of Dask that starts a worker: worker, or cuda for that of dask-cuda, which the image must have
    #: (DaskCudaMissing). It starts a process for each GPU of the pod: give processes that number (else WrongGpuCount).
    #: Default worker.
    command: WorkerCommand = WorkerCommand.WORKER
    #: daskResources are Dask's resources of each worker, by name as tasks ask for them (GPU: 1, for client.submit(...,
    #: resources={"GPU": 1})); capital and small letters differ. They count tasks only, and bring no device. Default
    #: none.
    dask_resources: Mapping[str, int | str] = field(default_factory=dict)
    #: minWorkers is how many workers must be connected before the graph starts; the rest join while it runs. Default 1.
    min_workers: int = 1
    #: preload are Python modules, of the job's source or the image, that each process of the component imports at its
    #: start, Dask's preload: dask_setup(worker) or dask_setup(scheduler) in it is called, and dask_teardown at the end.
    #: One that fails ends the attempt (PreloadFailed). Default none.
    preload: tuple[str, ...] = ()

    @property
    def dask_options(self) -> Sequence[str]:
        """Options of Dask's command that starts a worker."""
        amounts = " ".join(f"{name}={amount}" for name, amount in self.dask_resources.items())
        return [
            "--nthreads",
            str(self.threads),
            *(["--resources", amounts] if amounts else []),
            *_preload_options(self.preload),
        ]

    def orders(self, key: str, prefix: str) -> GroupOrders:
        """What the job file says of the group. `key`: its name; `prefix`: how the names of its workers begin."""
        bounds = AdaptiveBounds(self.adaptive.minimum, self.adaptive.maximum) if self.adaptive is not None else None
        resources = {name: float(amount) for name, amount in self.dask_resources.items()}
        return GroupOrders(key, prefix, self.least, bounds, resources, self.processes)

    @property
    def initial(self) -> int:
        """How many workers a cluster starts with."""
        if self.adaptive is not None:
            return self.adaptive.minimum
        return 1 if self.replicas is None else self.replicas

    @property
    def least(self) -> int:
        """How many workers must be connected before the graph starts."""
        return min(self.min_workers, self.initial)

    @property
    def most(self) -> int:
        """The most workers that the cluster may come to have."""
        return self.adaptive.maximum if self.adaptive is not None else self.initial


@dataclass(frozen=True)
class GroupAdaptive(Adaptive):
    """Bounds of a worker group's size, which may be none."""

    #: minimum number of workers. Default 0.
    minimum: int = 0
    #: maximum number of workers.
    maximum: int = 1


@dataclass(frozen=True)
class WorkerGroup(Workers):
    """A further group of workers."""

    #: name of the group, of its Dask resource, and a part of its pods' names; at most 15 characters, lower-case
    #: letters, digits and '-', beginning with a letter.
    name: str = ""
    #: replicas is the fixed number of the group's workers. Default 1 when adaptive is not given either.
    replicas: int | None = None
    #: adaptive lets the number of the group's workers follow the work for it: the tasks that ask for what it offers and
    #: no group before it does, workers first.
    adaptive: GroupAdaptive | None = None
    #: minWorkers is how many of the group's workers must be connected before the graph starts. Default 1, or 0 for a
    #: group that starts with none.
    min_workers: int = 1
    #: env are environment variables of the group's workers, over those of cluster.env. Default none.
    env: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Cluster:
    """The Dask cluster of the job."""

    #: image for scheduler, workers and runner: any image with dask and distributed. Default: the operator's default
    #: image; when it has none the job fails with InvalidSpec.
    image: str | None = None
    #: imagePullPolicy of all pods. Default: Always for the tag latest, else IfNotPresent.
    image_pull_policy: str | None = None
    #: imagePullSecrets are the Secrets, in the job's namespace, for pulling the image. Default none.
    image_pull_secrets: tuple[Any, ...] = ()
    #: env are environment variables of scheduler, workers and runner. Default none; DASKJOB_ATTEMPT, the number of the
    #: attempt, is there anyway.
    env: tuple[Any, ...] = ()
    #: dashboard: true runs Dask's dashboard on the loopback of the scheduler's pod; status.cluster.dashboard is the
    #: kubectl port-forward that reaches it. Default true.
    dashboard: bool = True
    #: scheduler has the details of the scheduler's pod, and how it hands out tasks.
    scheduler: Scheduler = field(default_factory=Scheduler)
    #: workers says how many workers there are and how large they are. With neither replicas nor adaptive there is one.
    workers: Workers = field(default_factory=Workers)

    #: workerGroups are further groups of workers, of another size or kind, such as those with a GPU; at most 8. Each
    #: worker of a group has a Dask resource with the group's name, as many as it has threads, and so have those of
    #: workers, by the name default: dask.annotate(resources={"gpu": 1}) leads tasks to group gpu. A task that asks for
    #: no resource may run on any worker. Default none.
    worker_groups: tuple[WorkerGroup, ...] = ()

    @cached_property
    def groups(self) -> Mapping[str, Workers]:
        """All worker groups by key, that of `workers` first. Of several, each has the Dask resource of its name."""
        if not self.worker_groups:
            return {DEFAULT_GROUP: self.workers}
        groups: Mapping[str, Workers] = {
            DEFAULT_GROUP: self.workers,
            **{each.name: each for each in self.worker_groups},
        }
        return {
            key: dataclasses.replace(each, dask_resources={key: each.threads, **each.dask_resources})
            for key, each in groups.items()
        }

    @property
    def most_workers(self) -> int:
        """The most workers that all groups together may come to have."""
        return sum(each.most for each in self.groups.values())

    @property
    def least_workers(self) -> int:
        """How many workers must be connected before the graph starts."""
        return sum(each.least for each in self.groups.values())


def path_of_group(key: str) -> str:
    """Where the spec has the worker group with that key."""
    return "spec.cluster.workers" if key == DEFAULT_GROUP else f"spec.cluster.workerGroups[{key}]"
