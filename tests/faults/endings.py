"""Jobs of every kind of ending: what happens to their runners, what their user does, and how they must end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..support.jobs import condition
from .api import Body
from .namespace_view import NamespaceView, is_finished

SOURCE = "import dask\ngraph = dask.delayed(sum)(range(10))\n"


def is_clean(job: Body) -> bool:
    return is_finished(job) and condition(job["status"], "CleanedUp").get("status") == "True"


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
    user: Callable[[NamespaceView, str], Awaitable[None]] | None = None
    #: Attempts that may have no runner: their job was stopped before, or cannot have one.
    bare: tuple[int, ...] = ()
    #: Seconds that its cluster is kept after the end.
    kept: float = 0.0
    #: Whether the job itself is gone in the end.
    vanishes: bool = False
    #: Whether its user deleted it before there was an outcome.
    abandoned: bool = False

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


async def _suspends_and_resumes(view: NamespaceView, name: str) -> None:
    await view.until(lambda: view.phase(name) == "Running")
    await _edit(view, name, suspend=True)
    await view.until(lambda: view.phase(name) == "Suspended")
    await view.pause("resume", 1.0)
    await _edit(view, name, suspend=False)


async def _resumes(view: NamespaceView, name: str) -> None:
    await view.until(lambda: view.phase(name) == "Suspended")
    await _edit(view, name, suspend=False)


async def _cancels(view: NamespaceView, name: str) -> None:
    await view.until(lambda: view.phase(name) == "Running")
    await _edit(view, name, cancel=True)


async def _cancels_early(view: NamespaceView, name: str) -> None:
    await view.until(lambda: view.phase(name) in ("Pending", "Starting"))
    await _edit(view, name, cancel=True)


async def _runs_anew(view: NamespaceView, name: str) -> None:
    await view.until(lambda: is_clean(view.job(name)))
    annotations = {"annotations": {"daskjob.io/rerun": "again"}}
    assert await view.api.merge(view.job(name), {"metadata": annotations}) is not None
    await view.until(lambda: view.job(name)["status"].get("run") == 2)


async def _edits(view: NamespaceView, name: str) -> None:
    await view.until(lambda: view.phase(name) == "Running")
    await _edit(view, name, graph={"args": [1]})
    await view.until(lambda: view.job(name)["status"].get("run") == 2)


async def _deletes(view: NamespaceView, name: str) -> None:
    await view.until(lambda: view.phase(name) == "Running")
    await view.api.delete(view.job(name))


async def _edit(view: NamespaceView, name: str, **spec: Any) -> None:
    assert await view.api.merge(view.job(name), {"spec": spec}) is not None


#: Pauses between attempts that a test can wait for.
SOON = {"backoff": {"initialSeconds": 1, "maximumSeconds": 1}}

ENDINGS = {
    each.name: each
    for each in (
        Ending("success", ("ok",)),
        Ending("second-try", ("raises", "ok"), ("Failed", "Succeeded"), spec={"backoffLimit": 1, **SOON}),
        Ending("fails-twice", ("raises",), ("Failed", "Failed"), "TaskFailed", spec={"backoffLimit": 1, **SOON}),
        Ending("preempted", ("preempted", "ok"), ("Failed", "Succeeded"), spec=SOON),
        Ending("scheduler-lost", ("scheduler-deleted", "ok"), ("Failed", "Succeeded"), spec=SOON),
        Ending("scheduler-lost-early", ("scheduler-deleted-early", "ok"), ("Failed", "Succeeded"), spec=SOON),
        Ending("worker-lost", ("worker-deleted",)),
        Ending(
            "infrastructure-fails",
            ("scheduler-restarts", "deleted"),
            ("Failed", "Failed"),
            "RunnerLost",
            spec={"infrastructureRetries": 1, **SOON},
        ),
        Ending("suspended", ("hangs", "ok"), ("Suspended", "Succeeded"), user=_suspends_and_resumes),
        Ending("begins-suspended", ("ok",), spec={"suspend": True}, user=_resumes),
        Ending("cancelled", ("hangs",), ("Failed",), "Cancelled", user=_cancels),
        Ending("cancelled-early", ("hangs",), ("Failed",), "Cancelled", user=_cancels_early, bare=(1,)),
        Ending("time-to-live", ("ok",), spec={"ttlSecondsAfterFinished": 1}, vanishes=True),
        Ending("kept", ("raises",), ("Failed",), "TaskFailed", spec={"cleanup": {"afterFailureSeconds": 3}}, kept=3),
        Ending("runs-anew", ("ok",), ("Succeeded", "Succeeded"), user=_runs_anew),
        Ending("edited", ("hangs", "ok"), ("Superseded", "Succeeded"), spec={"runPolicy": "OnChange"}, user=_edits),
        Ending("deleted", ("hangs",), user=_deletes, vanishes=True, abandoned=True),
        Ending("without-a-report", ("mute",)),
        Ending("exits-early", ("exits",), ("Failed",), "ExitedEarly"),
        Ending("runner-out-of-memory", ("out-of-memory",), ("Failed",), "RunnerOOMKilled"),
        Ending("worker-out-of-memory", ("worker-out-of-memory",), ("Failed",), "WorkerOOMKilled"),
        Ending("cluster-deleted", ("cluster-deleted",), ("Failed",), "ClusterLost", spec={"infrastructureRetries": 0}),
        Ending("no-image", ("no-image",), ("Failed",), "ImagePullFailed"),
        Ending("unschedulable", ("unschedulable",), ("Failed",), "Unschedulable", spec={"startupDeadlineSeconds": 10}),
        Ending("deadline", ("hangs",), ("Failed",), "DeadlineExceeded", spec={"activeDeadlineSeconds": 5}, bare=(1,)),
    )
}

#: These take more than a minute.
SLOW_ENDINGS = (Ending("node-lost", ("node-lost", "ok"), ("Failed", "Succeeded"), spec=SOON),)
