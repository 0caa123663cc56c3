"""What decisions rest on stays in the status, whatever the API server refuses and whichever release wrote it."""

from __future__ import annotations

from dataclasses import replace

from daskjob.api.constants import Reason
from daskjob.api.live_status import PrefixProgress, Progress
from daskjob.api.status import Markers, Timings
from daskjob.lifecycle.job.progress import markers_of
from daskjob.lifecycle.job.reduce import reduce

from .builders import Scene, a_job, ago, text

COUNTS = Progress(
    total=10, done=4, processing=2, percent=40, summary="4/10", last_change="2026-03-01T11:58:20Z",
    prefixes=(PrefixProgress("sum", 10, 4),),
)  # fmt: skip


def stalled() -> Scene:
    """The last count changed 100 s ago, and the job may stall for 60 s."""
    markers = Markers(connected=text(140), graph_started=text(138))
    scene = a_job().started().accepted(150).with_spec(stallTimeoutSeconds=60)
    return scene.with_status(progress=COUNTS, markers=markers).sees(last_report_at=ago(1)).live()


def test_a_reduced_status_keeps_what_decides() -> None:
    scene = stalled()
    reduced = reduce(scene.status, scene.status, "no")
    assert reduced.markers == scene.status.markers
    assert reduced.progress == replace(COUNTS, prefixes=())


def test_a_job_whose_status_was_reduced_stalls_nevertheless() -> None:
    scene = stalled()
    status = reduce(scene.status, scene.status, "no")
    for each in (scene, replace(scene, status=status)):
        failure = each.decide().status.failure
        assert failure is not None
        assert failure.reason == Reason.STALLED


def test_an_attempt_that_an_earlier_release_began_is_followed_by_its_timings() -> None:
    times = Timings(runner_started=text(50), connected=text(40), scheduler_started=text(50), graph_started=text(38))
    old = a_job().started().with_status(timings=times).status
    assert old.markers is None
    assert markers_of(old) == Markers(times.runner_started, times.connected, times.scheduler_started, text(38))


def test_a_runner_that_an_earlier_release_saw_start_is_not_made_again() -> None:
    scene = a_job().accepted().cluster().with_status(timings=Timings(runner_started=text(50))).live()
    failure = scene.decide().status.failure
    assert failure is not None
    assert failure.reason == Reason.RUNNER_LOST
