"""Cron jobs on real pods: a job each minute, once; policies, history, runs asked for, an operator that is away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from ..conftest import make_namespace
from ..support.cron import KIND, CronJob, apply_cron, cron_manifest, name_of
from ..support.jobs import Job, condition, manifest, remains, result_of
from ..support.kube import Kube, KubectlFailed
from ..support.platform import SYSTEM, Release
from ..support.waiting import wait_for

QUICK = manifest("any", "def main():\n    return 42\n")
LONG = manifest("any", "import time\n\n\ndef main():\n    time.sleep(600)\n")
FAILING = manifest("any", "def main():\n    raise ValueError('as intended')\n")
#: A schedule whose time does not come during a test.
RARELY = "0 0 1 1 *"


def minute_of(job: str) -> int:
    """Of 1970, in the name of a job that was made by schedule."""
    return int(job.rpartition("-")[2])


def wait_for_second(second: int) -> int:
    """Until that second of a minute. Returns the minute, counted from 1970."""
    wait_for(f"second {second} of a minute", lambda: time.time() % 60, lambda now: second <= now < second + 2, 65)
    return int(time.time() // 60)


@dataclass(frozen=True)
class Ticks:
    """Several cron jobs. As the fixture `ticks`: they have gone through two ticks."""

    kube: Kube
    each: CronJob
    quiet: CronJob
    forbid: CronJob
    replace: CronJob
    never: CronJob


@pytest.fixture(scope="module")
def ticking(release: Release) -> Iterator[Ticks]:
    """Their ticks take two to three minutes: other tests of this file that leave the operator alone run meanwhile."""
    kube = make_namespace(release.kube, "cron-ticks")

    def cron(name: str, job: dict[str, object], schedule: str = "* * * * *", **spec: object) -> CronJob:
        return apply_cron(kube, cron_manifest(name, job, schedule, **spec))

    try:
        yield Ticks(
            kube,
            cron("each", QUICK, successfulJobsHistoryLimit=10),
            cron("quiet", QUICK, suspend=True),
            cron("forbid", LONG, concurrencyPolicy="Forbid"),
            cron("replace", LONG, concurrencyPolicy="Replace"),
            cron("never", QUICK, "0 0 31 2 *"),
        )
    finally:
        kube.delete("namespace", kube.namespace)


@pytest.fixture(scope="module")
def ticks(ticking: Ticks) -> Ticks:
    wait_for("two ticks", ticking.each.jobs, lambda jobs: len(jobs) >= 2, 150)
    wait_for("one job to replace another", ticking.replace.ever, lambda names: len(names) >= 2, 90)
    wait_for("a tick without a job", ticking.forbid.reasons, lambda found: "JobAlreadyActive" in found, 90)
    for each in (ticking.each, ticking.forbid, ticking.replace):
        each.edit(suspend=True)
    return ticking


@pytest.mark.usefixtures("ticking")
def test_run_now_and_history(kube: Kube) -> None:
    """Suspended, with a schedule far away: jobs all the same, one a text, of which so many are kept as was said."""
    cron = apply_cron(
        kube,
        cron_manifest("asked", QUICK, RARELY, suspend=True, successfulJobsHistoryLimit=1, failedJobsHistoryLimit=0),
    )
    first = cron.run_now("1")
    assert result_of(first.end()) == 42
    uid = first.body()["metadata"]["uid"]
    second = cron.run_now("2")
    assert result_of(second.end()) == 42
    wait_for("the first to go", lambda: [name_of(each) for each in cron.jobs()], lambda it: it == [second.name], 30)
    wait_for("all of it to go", lambda: remains(kube, first.name, uid), lambda left: not left, 30)
    cron.edit(jobTemplate={"spec": FAILING["spec"]})
    third = cron.run_now("3")
    wait_for(
        "the failed one to go", lambda: [name_of(each) for each in cron.jobs()], lambda it: third.name not in it, 60
    )
    assert len(cron.ever()) == 3
    status = cron.status()
    assert (status["runNow"], status["runNowCount"], status["activeCount"]) == ("3", 3, 0)


@pytest.mark.usefixtures("ticking")
def test_jobs_go_with_their_cron_job(kube: Kube) -> None:
    cron = apply_cron(kube, cron_manifest("owner", LONG, RARELY))
    job = cron.run_now("1")
    job.reaches("it to run", lambda status: status.get("phase") == "Running", 60)
    uid = job.body()["metadata"]["uid"]
    kube.delete(KIND, cron.name, wait=True)
    wait_for("its job to go", cron.jobs, lambda jobs: not jobs, 30)
    wait_for("its pods to go", lambda: remains(kube, job.name, uid), lambda left: not left, 60)


def test_each_minute_once(ticks: Ticks) -> None:
    names = sorted(ticks.each.ever())
    minutes = [minute_of(name) for name in names]
    assert minutes == list(range(minutes[0], minutes[0] + len(minutes)))
    for name in names:
        job = Job(ticks.kube, name)
        assert result_of(job.end(120)) == 42
        assert len(job.status()["attempts"]) == 1
        metadata = job.body()["metadata"]
        at = datetime.fromtimestamp(60 * minute_of(name), UTC)
        assert metadata["annotations"]["daskjob.io/scheduled-at"] == at.isoformat()
        late = datetime.fromisoformat(metadata["creationTimestamp"]) - at
        assert 0 <= late.total_seconds() < 15, "on time"
        job.is_clean()
    status = wait_for("all ends to be seen", ticks.each.status, lambda status: status["activeCount"] == 0, 20)
    assert "lastSuccessfulTime" in status
    assert condition(status, "Ready")["reason"] == "Suspended"
    assert {"SuccessfulCreate", "SawCompletedJob"} <= ticks.each.reasons()


def test_suspended_from_the_start(ticks: Ticks) -> None:
    """While others had their ticks, it had none."""
    assert ticks.quiet.jobs() == []
    assert ticks.quiet.ever() == set()
    assert "nextScheduleTime" not in ticks.quiet.status()


def test_forbid(ticks: Ticks) -> None:
    [job] = ticks.forbid.jobs()
    assert ticks.forbid.ever() == {name_of(job)}
    assert ticks.forbid.status()["active"] == [{"name": name_of(job), "uid": job["metadata"]["uid"]}]


def test_replace(ticks: Ticks) -> None:
    names = sorted(ticks.replace.ever())
    [left] = ticks.replace.jobs()
    assert name_of(left) == names[-1]
    assert "SuccessfulDelete" in ticks.replace.reasons()
    label = f"daskjob.io/job={names[0]}"
    wait_for("the pods of the first to go", lambda: ticks.kube.list("pods", label), lambda pods: not pods, 60)


def test_a_schedule_that_never_comes(ticks: Ticks) -> None:
    status = ticks.never.status()
    assert condition(status, "Stalled")["reason"] == "InvalidSchedule"
    assert "never comes" in condition(status, "Ready")["message"]
    assert ticks.never.jobs() == []


def test_what_kubectl_shows_of_cron_jobs(ticks: Ticks) -> None:
    lines = ticks.kube.kubectl("get", "dcj", "forbid").splitlines()
    assert lines[0].split() == ["NAME", "SCHEDULE", "TIMEZONE", "SUSPEND", "ACTIVE", "LAST", "SCHEDULE", "AGE"]
    assert lines[1].split()[:1] == ["forbid"]
    assert lines[1].split()[-4:-2] == ["true", "1"]
    with pytest.raises(KubectlFailed, match="use at most 31 characters"):
        ticks.kube.apply(cron_manifest("n" * 32, QUICK, RARELY))


def test_operator_killed_across_a_tick(release: Release, kube: Kube) -> None:
    """Just before the minute; the next one to lead makes the job, once."""
    cron = apply_cron(kube, cron_manifest("killed", QUICK))
    minute = wait_for_second(56) + 1
    names = [name_of(pod) for pod in release.pods("operator")]
    release.kube.within(SYSTEM).delete("pod", *names, now=True)
    name = f"killed-{minute}"
    wait_for("the job of that minute", cron.jobs, lambda jobs: name in map(name_of, jobs), 55)
    cron.edit(suspend=True)
    assert result_of(Job(kube, name).end(120)) == 42
    made = [each for each in kube.list("pods", "daskjob.io/component=runner") if name_of(each).startswith(f"{name}-")]
    assert len(made) == 1


def test_a_tick_without_an_operator_is_made_up_for(release: Release, kube: Kube) -> None:
    """Of several only the last."""
    cron = apply_cron(kube, cron_manifest("away", QUICK))
    wait_for("the operator to see it", cron.status, lambda status: status.get("observedGeneration", -1) > 0, 20)
    deployment = "deployment/daskjob-operator"
    system = release.kube.within(SYSTEM)
    system.kubectl("scale", deployment, "--replicas=0")
    try:
        left = "app.kubernetes.io/component=operator"
        wait_for("no operator", lambda: system.list("pods", left), lambda pods: not pods, 40)
        before = cron.ever()
        first = wait_for_second(1)
        wait_for("another minute", lambda: time.time() // 60, lambda now: now > first, 65)
    finally:
        system.kubectl("scale", deployment, "--replicas=1")
    system.kubectl("rollout", "status", deployment, "--timeout=90s")
    wait_for("the job that was missed", cron.ever, lambda names: len(names - before) > 0, 40)
    cron.edit(suspend=True)
    made = sorted(minute_of(name) for name in cron.ever() - before)
    assert made[0] > first, "not the first of the two"
    assert made == sorted(set(made))
