"""What the status says while a job runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daskjob.api.constants import ConditionType, Phase, Reason
from daskjob.api.live_status import Progress
from daskjob.api.status import Timings
from daskjob.lifecycle.pods import Container

from .builders import Scene, a_job, a_pod, ago, running, text

PHASES = {
    "accepted": (a_job().accepted(), Phase.PENDING),
    "the cluster is made": (a_job().accepted().cluster(), Phase.STARTING),
    "the runner starts": (a_job().accepted().cluster().runner().report(stage="Starting"), Phase.STARTING),
    "the runner is connected": (a_job().accepted().cluster().runner().report(stage="Connected"), Phase.STARTING),
    "the graph runs": (a_job().started(), Phase.RUNNING),
    "the graph is done, no outcome yet": (a_job().started().says(stage="Finished"), Phase.RUNNING),
    "an unheard-of stage": (a_job().started().says(stage="Dreaming"), Phase.STARTING),
}


@pytest.mark.parametrize(("scene", "phase"), PHASES.values(), ids=PHASES)
def test_phase(scene: Scene, phase: Phase) -> None:
    assert scene.live().decide().status.phase == phase


def test_progress_is_counted_in_percent_rounded_down() -> None:
    status = a_job().started().says(progress={"total": 3, "done": 2, "processing": 1, "erred": 0}).decide().status
    seen = "2026-03-01T12:00:00Z"
    assert status.progress == Progress(total=3, done=2, processing=1, percent=66, summary="2/3", last_change=seen)


@pytest.mark.parametrize(
    ("total", "done", "summary", "percent"), [(0, 0, "0/0", 0), (0, 5, "0/0", 0), (2, 5, "2/2", 100)]
)
def test_progress_never_goes_over_all(total: int, done: int, summary: str, percent: int) -> None:
    progress = a_job().started().says(progress={"total": total, "done": done}).decide().status.progress
    assert progress is not None
    assert (progress.summary, progress.percent) == (summary, percent)


def test_progress_stays_when_a_report_has_none() -> None:
    scene = a_job().started()
    known = scene.decide().status
    assert scene.with_status(**vars(known)).says(progress=None).decide().status.progress == known.progress


def test_workers_are_counted_by_the_runner_once_it_speaks() -> None:
    pods = (running("worker", 1), running("worker", 2, ready=False), a_pod("worker", 3))
    scene = a_job().with_workers(replicas=3).accepted().cluster().workers(*pods).live()
    served = scene.schedulers(running("scheduler"))
    crashes = scene.schedulers(running("scheduler", ready=False))
    assert counts_of(scene) == counts_of(crashes) == ("0/3", "waiting for 3 workers: 0 ready"), (
        "nobody can be connected"
    )
    assert counts_of(served) == ("1/3", "waiting for 3 workers: 1 ready")
    speaks = served.runner().report(workers={"connected": 2})
    assert counts_of(speaks) == ("2/3", "waiting for 3 workers: 2 connected")


def test_a_container_that_a_worker_waits_for_is_named() -> None:
    own = Container("worker", waiting=("PodInitializing", ""))
    runs = Container("migrate", initial=True, running_since=ago(9))
    mesh = replace(runs, name="mesh", sidecar=True)
    for first, words in ((runs, "init container migrate"), (mesh, "sidecar mesh")):
        pod = a_pod("worker", 3, containers=(first, own))
        scene = a_job().accepted().cluster().schedulers(running("scheduler")).workers(pod).live()
        message = counts_of(scene)[1]
        assert message == f"waiting for 1 worker: 0 ready; pod {pod.name} (worker) waits for its {words}"
        late = a_job().accepted(700).cluster().group(1).schedulers(running("scheduler")).runner().report()
        failure = late.workers(pod).live().decide().status.failure
        assert failure is not None
        assert f"waited for its {words} (kubectl logs {pod.name} -c {first.name})" in (failure.message or "")
        assert failure.failure_class == "Application"
    ready = replace(mesh, ready=True)
    quiet = a_job().accepted().cluster().workers(a_pod("worker", 3, containers=(ready, own))).live()
    assert counts_of(quiet)[1] == "waiting for 1 worker: 0 ready"


def test_no_worker_is_called_connected_before_the_runner_could_say_so() -> None:
    scene = a_job().accepted().cluster().schedulers(running("scheduler")).workers(running("worker", 1)).live()
    young = scene.runner(running("runner", since=3))
    assert counts_of(young)[1] == "waiting for 1 worker: 1 ready"
    old = scene.runner(running("runner", since=31))
    assert counts_of(old)[1] == "all 1 workers are connected", "it may not be able to report"


def counts_of(scene: Scene) -> tuple[str, str]:
    """The count of workers, and what condition ClusterReady says."""
    status = scene.decide().status
    condition = status.condition(ConditionType.CLUSTER_READY)
    assert status.cluster is not None
    assert condition is not None
    return status.cluster.summary or "", condition.message


def test_an_adaptive_cluster_wants_what_its_group_has() -> None:
    scene = a_job().with_workers(adaptive={"minimum": 1, "maximum": 9}).started()
    assert scene.decide().status.cluster.workers.wanted == 1  # type: ignore[union-attr]
    assert scene.group(4).decide().status.cluster.workers.wanted == 4  # type: ignore[union-attr]


def test_the_dashboard_is_a_command_to_type_while_there_is_one() -> None:
    command = "kubectl -n team port-forward pod/sum-3f2a9-1-scheduler 8787:8787"
    assert a_job().started().decide().status.cluster.dashboard == command  # type: ignore[union-attr]
    off = a_job().with_spec(cluster={"image": "i", "dashboard": False}).started()
    assert off.decide().status.cluster.dashboard is None  # type: ignore[union-attr]
    assert a_job().accepted().cluster().live().decide().status.cluster.dashboard is None  # type: ignore[union-attr]


READINESS = {
    "all there": (a_job().with_workers(replicas=2).started(), "True", Reason.WORKERS_READY),
    "one is missing": (a_job().with_workers(replicas=3).started(), "False", Reason.WAITING),
    "one has no node": (
        a_job().with_workers(replicas=3).started().workers(a_pod("worker", unschedulable="0/1 nodes")),
        "False",
        Reason.UNSCHEDULABLE,
    ),
}


@pytest.mark.parametrize(("scene", "status", "reason"), READINESS.values(), ids=READINESS)
def test_cluster_ready(scene: Scene, status: str, reason: Reason) -> None:
    condition = scene.decide().status.condition(ConditionType.CLUSTER_READY)
    assert condition is not None
    assert (condition.status, condition.reason) == (status, reason)


def test_a_condition_keeps_the_time_of_its_last_change_of_status() -> None:
    same = a_job().with_workers(replicas=3).started().with_condition(ConditionType.CLUSTER_READY, "False", "Other", 30)
    changed = (
        a_job().with_workers(replicas=2).started().with_condition(ConditionType.CLUSTER_READY, "False", "Other", 30)
    )
    times = [
        scene.decide().status.condition(ConditionType.CLUSTER_READY).last_transition_time  # type: ignore[union-attr]
        for scene in (same, changed)
    ]
    assert times == ["2026-03-01T11:59:30Z", "2026-03-01T12:00:00Z"]


def test_a_time_that_was_seen_stays() -> None:
    first = a_job().started().decide().status.timings
    assert first.connected == text(40)
    assert first.first_worker == text(39)
    assert first.graph_started == text(38)
    assert first.scheduler_started == "2026-03-01T11:59:10Z"
    later = a_job().started().with_status(timings=first).says(timings={"connected": text(1), "graphFinished": text(1)})
    assert later.decide().status.timings == Timings(**{**vars(first), "graph_finished": text(1)})


def test_the_kubelet_tells_when_a_silent_runner_started() -> None:
    assert a_job().accepted().cluster().runner().live().decide().status.timings.runner_started == "2026-03-01T11:59:10Z"
    assert a_job().accepted().cluster().runner().report(stage="Starting").decide().status.timings.runner_started is None


WAITS = {
    "WorkersPaused": [{"reason": "WorkersPaused", "message": "all 2 workers are paused"}],
    "Importing": [{"reason": "Importing", "message": "at job.py:2"}, {"reason": "Importing", "message": "and on"}],
}


def test_a_job_that_waits_for_what_its_graph_left_behind_says_so_and_is_well() -> None:
    words = "the graph has its value; 3 tasks of fire_and_forget may go on for at most 600 s"
    scene = a_job().started().says(waiting=[{"reason": "FireAndForget", "message": words}], stage="Running")
    decision = scene.decide()
    found = {kind: decision.status.condition(kind) for kind in (ConditionType.CLUSTER_READY, ConditionType.READY)}
    told = {kind: (each.status, each.reason, each.message) for kind, each in found.items() if each is not None}
    assert told == {
        ConditionType.CLUSTER_READY: ("True", "FireAndForget", words),
        ConditionType.READY: ("False", "FireAndForget", words),
    }
    assert [(each.reason, each.message, each.warning) for each in decision.events] == [("FireAndForget", words, False)]
    assert not replace(scene, status=decision.status).decide().events


@pytest.mark.parametrize("reason", WAITS)
def test_a_graph_that_waits_does_not_look_healthy(reason: str) -> None:
    scene = a_job().started().says(waiting=WAITS[reason], stage="Running" if reason == "WorkersPaused" else "Connected")
    decision = scene.decide()
    message = "; ".join(each["message"] for each in WAITS[reason])
    for kind in (ConditionType.CLUSTER_READY, ConditionType.READY):
        condition = decision.status.condition(kind)
        assert condition is not None
        assert (condition.status, condition.reason, condition.message) == ("False", reason, message)
    assert [(each.reason, each.warning) for each in decision.events] == [(reason, True)]
    # It goes on, and what was told is taken back.
    over = (
        replace(scene, status=decision.status).says(waiting=[]).decide().status.condition(ConditionType.CLUSTER_READY)
    )
    assert over is not None
    assert (over.status, over.reason) == ("True", "WorkersReady")
