"""Scenes for decision tables: `a_job().with_deadline(5).accepted().cluster().runner()` reads as what was observed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from daskjob.api.constants import ConditionType, FailureClass, Outcome, Phase
from daskjob.api.resource_json import from_dict, to_dict
from daskjob.api.runner_report import RunnerReport
from daskjob.api.spec import parse_spec
from daskjob.api.status import Attempt, Condition, DaskJobStatus, Retries
from daskjob.api.times import to_seconds_text, to_text
from daskjob.lifecycle.blocker import Blocker
from daskjob.lifecycle.job.decide import decide
from daskjob.lifecycle.job.decision import Decision
from daskjob.lifecycle.job.observation import (
    AttemptObservation,
    Job,
    Observation,
    Owned,
    Report,
    WorkerGroup,
)
from daskjob.lifecycle.job.readiness import with_readiness
from daskjob.lifecycle.pods import Container, Pod, Termination
from daskjob.sources.config_map import ConfigMapCode
from daskjob.wire.runner_deadline import RunnerDeadline

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
UID = "3f2a9c10-0000-4000-8000-000000000001"
ATTEMPT = "sum-3f2a9-1"


#: Nothing is tried again: a table of endings says how an attempt ends, and the job with it.
SPEC = {"graph": {"entrypoint": "m:f"}, "cluster": {"image": "i"}, "infrastructureRetries": 0}


def content(status: dict[str, Any]) -> RunnerReport | None:
    """A report's content, whatever the runner may write or not."""
    return from_dict(RunnerReport, status) if status else None


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def text(seconds_ago: float = 0) -> str:
    """A time as reports have it."""
    return to_text(ago(seconds_ago))


def a_pod(component: str, number: int = 0, **changes: Any) -> Pod:
    """A pod without a node yet."""
    name = f"{ATTEMPT}-{component}" if number == 0 else f"{ATTEMPT}-{component}-{number}"
    pod = Pod(name, f"uid-{component}-{number}", component, attempt=1, phase="Pending", created=ago(60))
    return replace(pod, **changes)


def running(component: str, number: int = 0, since: float = 50, **changes: Any) -> Pod:
    """A pod whose container runs, and is ready unless said otherwise."""
    container = Container(component, ready=changes.pop("ready", True), running_since=ago(since))
    return a_pod(component, number, phase="Running", containers=(container,), **changes)


def ended(
    component: str,
    exit_code: int = 0,
    reason: str = "",
    message: str = "",
    finished: datetime | None = None,
    **changes: Any,
) -> Pod:
    """A pod whose only container ended, and stays so."""
    word = reason or ("Completed" if exit_code == 0 else "Error")
    container = Container(component, terminated=Termination(exit_code, word, message, finished=finished))
    phase = "Succeeded" if exit_code == 0 else "Failed"
    return a_pod(component, **{"phase": phase, "containers": (container,), **changes})


def waiting(component: str, reason: str, message: str = "", **changes: Any) -> Pod:
    """A pod whose container cannot start, in the kubelet's words."""
    return a_pod(component, containers=(Container(component, waiting=(reason, message)),), **changes)


def restarted(component: str, exit_code: int = 1, reason: str = "Error", message: str = "", **changes: Any) -> Pod:
    """A pod whose container ended and runs again."""
    last = Termination(exit_code, reason, message)
    container = Container(component, ready=True, restarts=1, running_since=ago(1), last_terminated=last)
    return a_pod(component, phase="Running", containers=(container,), **changes)


def looping(component: str, exit_code: int = 1, message: str = "", **changes: Any) -> Pod:
    """A pod whose container ends again and again, and waits for its next start."""
    last = Termination(exit_code, "Error", message)
    container = Container(component, restarts=4, waiting=("CrashLoopBackOff", "back-off"), last_terminated=last)
    return a_pod(component, phase="Running", containers=(container,), **changes)


@dataclass(frozen=True)
class Scene:
    """What is observed of one job; every method gives another scene."""

    spec: dict[str, Any] = field(default_factory=lambda: dict(SPEC))
    status: DaskJobStatus = field(default_factory=DaskJobStatus)
    seen: dict[str, Any] = field(default_factory=dict)
    job: dict[str, Any] = field(default_factory=dict)

    def with_spec(self, **fields: Any) -> Self:
        return replace(self, spec={**self.spec, **fields})

    def with_deadline(self, seconds: int) -> Self:
        return self.with_spec(activeDeadlineSeconds=seconds)

    def with_workers(self, **fields: Any) -> Self:
        return self.with_spec(cluster={**self.spec["cluster"], "workers": fields})

    def with_config_map(self, name: str, found: bool) -> Self:
        graph = {**self.spec["graph"], "source": {"configMap": {"name": name}}}
        missing = () if found else ConfigMapCode(name).references()
        return self.with_spec(graph=graph).sees(missing_references=missing)

    def that_is(self, **fields: Any) -> Self:
        """Fields of the job itself: `deleting`, `spec_problem`, `generation`…"""
        return replace(self, job={**self.job, **fields})

    def with_status(self, **fields: Any) -> Self:
        return replace(self, status=replace(self.status, **fields))

    def with_condition(self, kind: ConditionType, status: str, reason: str, seconds_ago: float) -> Self:
        condition = Condition(kind, status, reason, "", to_seconds_text(ago(seconds_ago)), 1)
        return self.with_status(conditions=(*self.status.conditions, condition))

    def accepted(self, seconds_ago: float = 60) -> Self:
        """The first attempt is recorded."""
        began = to_seconds_text(ago(seconds_ago))
        return self.with_status(
            phase=Phase.PENDING,
            observed_generation=1,
            start_time=began,
            attempt=1,
            attempts=(Attempt(1, ATTEMPT, start_time=began),),
        )

    def closed(self, outcome: Outcome = Outcome.FAILED, seconds_ago: float = 5) -> Self:
        """The attempt has ended, but not the job."""
        *before, last = self.status.attempts
        end = replace(last, completion_time=to_seconds_text(ago(seconds_ago)), outcome=outcome)
        return self.with_status(attempts=(*before, end))

    def retrying(self, due_in: float = 5, **counts: int) -> Self:
        """It failed, and another one is due in so many seconds."""
        due = to_seconds_text(NOW + timedelta(seconds=due_in))
        retries = Retries(**counts or {"infrastructure": 1})
        return self.closed().with_status(phase=Phase.RETRYING, next_attempt_time=due, retries=retries)

    def gone(self) -> Self:
        """Nothing is left of the attempt."""
        return self.sees(cluster=None, groups={}, schedulers=(), workers=(), runner=None, report=None)

    def finished(self, kind: ConditionType = ConditionType.COMPLETE, seconds_ago: float = 5) -> Self:
        """An outcome is recorded."""
        phase = Phase.SUCCEEDED if kind is ConditionType.COMPLETE else Phase.FAILED
        end = to_seconds_text(ago(seconds_ago))
        attempts = tuple(replace(each, completion_time=end) for each in self.status.attempts)
        done = self.with_status(phase=phase, completion_time=end, attempts=attempts)
        done = done.with_condition(kind, "True", "Succeeded", seconds_ago)
        return replace(done, status=with_readiness(done.status, 1, ago(seconds_ago)))

    def sees(self, **fields: Any) -> Self:
        """Fields of the observation, or of what it has of the attempt."""
        return replace(self, seen={**self.seen, **fields})

    def live(self) -> Self:
        return self.sees(live=True)

    def cluster(self, deleting: bool = False) -> Self:
        return self.sees(cluster=Owned("DaskCluster", ATTEMPT, "uid-cluster", 1, deleting))

    def schedulers(self, *pods: Pod) -> Self:
        return self.sees(schedulers=pods)

    def workers(self, *pods: Pod) -> Self:
        return self.sees(workers=pods)

    def group(self, replicas: int, **fields: Any) -> Self:
        fields = {"created": ago(1), **fields}
        return self.sees(groups={"default": WorkerGroup(f"{ATTEMPT}-default", "uid-group", replicas, **fields)})

    def runner(self, pod: Pod | None = None) -> Self:
        return self.sees(runner=pod or running("runner"))

    def report(self, runner_uid: str = "uid-runner-0", cancel: bool = False, **status: Any) -> Self:
        return self.sees(report=Report(ATTEMPT, "uid-report", runner_uid, cancel, content(status)))

    def knows(self, deadline: RunnerDeadline | None) -> Self:
        """The report gives the runner this deadline."""
        return self.sees(report=replace(self.seen["report"], deadline=deadline))

    def refused(self, problem: Blocker) -> Self:
        return self.sees(refusal=problem)

    def started(self) -> Self:
        """Cluster, scheduler, two workers and runner run, and the runner says that it computes."""
        return (
            self.accepted()
            .cluster()
            .schedulers(running("scheduler"))
            .workers(running("worker", 1), running("worker", 2))
            .runner()
            .report(
                stage="Running",
                seq=3,
                timings={"connected": text(40), "firstWorker": text(39), "graphStarted": text(38)},
                workers={"connected": 2},
                progress={"total": 10, "done": 4, "processing": 2, "erred": 0},
            )
        )

    def says(self, **status: Any) -> Self:
        """The report, with more in it."""
        report = self.seen["report"]
        return self.sees(report=replace(report, content=content({**to_dict(report.content), **status})))

    def observe(self) -> Observation:
        spec = parse_spec(self.spec)
        job = replace(Job("team", "sum", UID, 1, ago(61), False, spec, self.status), **self.job)
        of_attempt = {each.name for each in fields(AttemptObservation)}
        attempt = AttemptObservation(**{name: value for name, value in self.seen.items() if name in of_attempt})
        others = {name: value for name, value in self.seen.items() if name not in of_attempt}
        return Observation(**{"now": NOW, **others}, job=job, attempt=attempt)

    def decide(self) -> Decision:
        return decide(self.observe())


def a_job() -> Scene:
    return Scene()


def sealed(outcome: str = "Succeeded", **more: Any) -> Scene:
    return a_job().started().says(outcome=outcome, **more).live()


def failed_with(reason: str, message: str = "boom", **more: Any) -> Scene:
    return sealed("Failed", failure={"reason": reason, "message": message}, **more)


def end_of(scene: Scene) -> tuple[str, FailureClass | None]:
    """(reason, class) of the end that a scene leads to; "" if it is not the end."""
    status = scene.decide().status
    if not status.finished:
        return "", None
    return status.failure.reason if status.failure else "Succeeded", status.failure and status.failure.failure_class


def message(outcome: str, **more: Any) -> str:
    """A termination message with that outcome."""
    return json.dumps({"protocol": 1, "outcome": outcome, **more})
