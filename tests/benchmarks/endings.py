"""The jobs of the soak: one kind for each way to end, what is done to it on its way, and how it is to end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.growth import told
from support.jobs import GONE, KINDS, Job, apply, ended, manifest, remains
from support.kube import Kube, Manifest
from support.sources import FAILS_AT_FIRST, SLEEP
from support.waiting import wait_for

#: Seconds that a job may take to its end, and to each thing that is waited for on its way.
JOB_SECONDS, STEP_SECONDS = 150.0, 90.0
#: How long a cluster is kept by the jobs that keep theirs, in seconds: long enough to be seen on a busy machine.
KEPT = 10
#: What a job that no longer exists has ended as.
NO_MORE = "gone"

COUNT = """
    import time
    from dask import delayed

    def step(number):
        time.sleep(0.2)
        if number < 0:
            raise ValueError(f"{number} is negative")
        return number

    def main(first, count):
        return delayed(sum)([delayed(step)(first + number) for number in range(count)])
"""
EXIT = "import os\n\n\ndef main():\n    os._exit(7)\n"
RAISE = "def main():\n    raise RuntimeError('no graph today')\n"
#: Its first attempt computes one task, and then another one for ever; later ones are done at once.
ENDLESS_AT_FIRST = """
    import os
    import time
    from dask import delayed

    def step(number, seconds):
        time.sleep(seconds)
        return number

    def main():
        seconds = 600 if os.environ["DASKJOB_ATTEMPT"] == "1" else 0
        return delayed(step)(delayed(step)(3, 0), seconds)
"""
BACKOFF = {"initialSeconds": 1, "maximumSeconds": 5}


def nothing(job: Job) -> None:
    """Lets the job go its way."""


@dataclass(frozen=True)
class Ending:
    """A kind of job. `steer` is what is done to it once it is applied; `ended` what `told` says of it then.

    `every`  in every so manyth round only: for those that take long
    """

    name: str
    source: str
    ended: str
    args: list[Any] = field(default_factory=list)
    spec: Mapping[str, Any] = field(default_factory=dict)
    steer: Callable[[Job], None] = nothing
    run: int = 1
    every: int = 1

    def manifest(self, name: str) -> Manifest:
        return manifest(name, self.source, list(self.args), **self.spec)

    def live(self, kube: Kube, name: str) -> str:
        """Runs such a job, to the last thing that is to go, and says how it ended.

        Raises AssertionError for something that never came or never went.
        """
        job = apply(kube, self.manifest(name))
        uid = job.body()["metadata"]["uid"]
        self.steer(job)
        if self.ended == NO_MORE:
            return _vanished(job, uid)
        status = wait_for(f"{name} to end", job.status, lambda status: _over(status, self.run), JOB_SECONDS)
        if "ttlSecondsAfterFinished" in self.spec:
            return f"{told(status)}, {_vanished(job, uid)}"
        kept = self.spec.get("cleanup", {}).get("afterFailureSeconds")
        if kept:
            assert job.pods("scheduler"), "the cluster was to be kept and is gone"
        job.is_clean(GONE + (kept or 0))
        return told(status)


def _over(status: Mapping[str, Any], run: int) -> bool:
    return ended(dict(status)) and (status.get("run") or 1) >= run


def _vanished(job: Job, uid: str) -> str:
    """Waits until nothing at all is left of it."""

    def left() -> list[str]:
        labelled = [f"{each['kind']} {each['metadata']['name']}" for each in _of(job, uid)]
        itself = job.kube.list("daskjobs.daskjob.io")
        labelled += [each["metadata"]["name"] for each in itself if each["metadata"]["uid"] == uid]
        return sorted({*labelled, *remains(job.kube, job.name, uid)})

    wait_for(f"{job.name} to vanish", left, lambda found: not found, STEP_SECONDS)
    return NO_MORE


def _of(job: Job, uid: str) -> list[Manifest]:
    return job.kube.list(KINDS, f"daskjob.io/job-uid={uid}")


def _computes(job: Job) -> None:
    job.reaches("a task done", lambda status: bool((status.get("progress") or {}).get("done")), STEP_SECONDS)


def _runs(job: Job) -> None:
    job.reaches("Running", lambda status: status.get("phase") == "Running", STEP_SECONDS)


def _patch(job: Job, **spec: Any) -> None:
    job.kube.patch("daskjobs.daskjob.io", job.name, {"spec": spec})


def _kill(component: str) -> Callable[[Job], None]:
    """Deletes the pod as a node that dies does, with no time to say goodbye."""

    def steer(job: Job) -> None:
        _computes(job)
        job.kube.delete("pod", job.pod(component)["metadata"]["name"], now=True)

    return steer


def _cancel(job: Job) -> None:
    _runs(job)
    _patch(job, cancel=True)


def _suspend_and_resume(job: Job) -> None:
    _computes(job)
    _patch(job, suspend=True)
    job.reaches("Suspended", lambda status: status.get("phase") == "Suspended", STEP_SECONDS)
    job.is_clean(GONE + 30)
    _patch(job, suspend=False)


def _delete(job: Job) -> None:
    _runs(job)
    job.kube.delete("daskjobs.daskjob.io", job.name)


def _edit(job: Job) -> None:
    _runs(job)
    _patch(job, graph={"args": [0]})


def _run_again(job: Job) -> None:
    job.end(JOB_SECONDS)
    job.kube.kubectl("annotate", "daskjobs.daskjob.io", job.name, "daskjob.io/rerun=once more")


ENDINGS = (
    Ending("succeeds", COUNT, "Succeeded", [0, 5]),
    Ending("task fails", COUNT, "TaskFailed", [-3, 5]),
    Ending("no graph", RAISE, "EntrypointFailed"),
    Ending("no entrypoint", RAISE, "EntrypointNotFound", spec={"graph": {"entrypoint": "job:elsewhere"}}),
    Ending("exits", EXIT, "ExitCode"),
    Ending(
        "fails at first",
        FAILS_AT_FIRST,
        "Succeeded, attempt 2, 1 application",
        spec={"backoffLimit": 1, "backoff": BACKOFF},
    ),
    Ending(
        "fails again",
        RAISE,
        "EntrypointFailed, attempt 2, 1 application",
        spec={"backoffLimit": 1, "backoff": BACKOFF},
    ),
    Ending(
        "scheduler lost",
        ENDLESS_AT_FIRST,
        "Succeeded, attempt 2, 1 infrastructure",
        spec={"backoff": BACKOFF},
        steer=_kill("scheduler"),
    ),
    Ending(
        "runner lost",
        ENDLESS_AT_FIRST,
        "Succeeded, attempt 2, 1 infrastructure",
        spec={"backoff": BACKOFF},
        steer=_kill("runner"),
    ),
    Ending("worker lost", COUNT, "Succeeded", [0, 40], steer=_kill("worker")),
    Ending("cancelled", SLEEP, "Cancelled", [600], steer=_cancel),
    Ending("suspended and resumed", ENDLESS_AT_FIRST, "Succeeded, attempt 2", steer=_suspend_and_resume),
    Ending("past its deadline", SLEEP, "DeadlineExceeded", [600], {"activeDeadlineSeconds": 12}),
    Ending("attempt past its deadline", SLEEP, "AttemptDeadlineExceeded", [600], {"attemptDeadlineSeconds": 12}),
    Ending("stalled", SLEEP, "Stalled", [600], {"stallTimeoutSeconds": 30}, every=2),
    Ending("deleted midway", SLEEP, NO_MORE, [600], steer=_delete),
    Ending("ttl", COUNT, f"Succeeded, {NO_MORE}", [0, 5], {"ttlSecondsAfterFinished": 10}),
    Ending(
        "edited midway",
        SLEEP,
        "Succeeded, attempt 2, run 2 after Superseded",
        [600],
        {"runPolicy": "OnChange"},
        steer=_edit,
        run=2,
    ),
    Ending("run again", COUNT, "Succeeded, attempt 2, run 2 after Succeeded", [0, 5], steer=_run_again, run=2),
    Ending("kept for a look", COUNT, "TaskFailed", [-3, 5], {"cleanup": {"afterFailureSeconds": KEPT}}),
)
