"""Jobs of every kind of ending: what happens to their runners, what their user does, and how they must end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .api import Body
from .place import Place

SOURCE = "import dask\ngraph = dask.delayed(sum)(range(10))\n"


@dataclass(frozen=True)
class Ending:
    name: str
    #: What happens to the runner of each attempt, in order (see `runner.SCRIPTS`); the last for all that follow.
    scripts: tuple[str, ...]
    #: The outcome of each attempt, as `status.attempts` must have them in the end.
    outcomes: tuple[str, ...] = ("Succeeded",)
    #: Why the job failed; empty for one that succeeded.
    reason: str = ""
    spec: Mapping[str, Any] = field(default_factory=dict)
    #: What its user does meanwhile.
    user: Callable[[Place, str], Awaitable[None]] | None = None
    #: Attempts that may have no runner: their job was stopped before, or cannot have one.
    bare: tuple[int, ...] = ()
    #: Whether the job itself is gone in the end.
    vanishes: bool = False

    @property
    def phase(self) -> str:
        return "Failed" if self.reason else "Succeeded"


def manifest(ending: Ending, namespace: str, name: str, workers: int) -> Body:
    spec: dict[str, Any] = {
        "graph": {"entrypoint": "square:graph", "source": {"inline": SOURCE}},
        "cluster": {"workers": {"replicas": workers}},
        **ending.spec,
    }
    return {
        "apiVersion": "daskjob.io/v1alpha1",
        "kind": "DaskJob",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


ENDINGS = {
    each.name: each
    for each in (
        Ending("success", ("ok",)),
        Ending("without-a-report", ("mute",)),
        Ending("task-fails", ("raises",), ("Failed",), "TaskFailed"),
        Ending("exits-early", ("exits",), ("Failed",), "ExitedEarly"),
        Ending("runner-out-of-memory", ("out-of-memory",), ("Failed",), "RunnerOOMKilled"),
        Ending("worker-out-of-memory", ("worker-out-of-memory",), ("Failed",), "WorkerOOMKilled"),
        Ending("no-image", ("no-image",), ("Failed",), "ImagePullFailed"),
        Ending(
            "unschedulable", ("unschedulable",), ("Failed",), "Unschedulable", spec={"startupDeadlineSeconds": 3}
        ),
        Ending("scheduler-restarts", ("scheduler-restarts",), ("Failed",), "SchedulerLost"),
        Ending("scheduler-deleted", ("scheduler-deleted",), ("Failed",), "SchedulerLost"),
        Ending("runner-preempted", ("preempted",), ("Failed",), "RunnerDisrupted"),
        Ending("runner-deleted", ("deleted",), ("Failed",), "RunnerLost"),
        Ending("cluster-deleted", ("cluster-deleted",), ("Failed",), "ClusterLost"),
        Ending("deadline", ("hangs",), ("Failed",), "DeadlineExceeded", spec={"activeDeadlineSeconds": 3}),
    )
}
