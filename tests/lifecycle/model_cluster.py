"""The base of the state machine: cluster on the model API server, two operators, a judge, and the end of faults."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine, invariant

from daskjob.api import constants as c
from daskjob.api.constants import ConditionType
from daskjob.api.status import DaskJobStatus
from daskjob.api.times import from_text
from daskjob.controller.cache import Key
from daskjob.controller.resync import INTERVAL
from daskjob.kube.client import Body
from daskjob.lifecycle.job.queueing import RunLimits

from .git_model import SOURCE
from .judge import Judge, attempt_of
from .operators import Operator
from .queue_invariants import wanted
from .retention_invariants import is_held
from .world import (
    JOBS,
    World,
    a_job,
    acts,
    all_ended,
    component_of,
    is_ended,
    is_running,
    is_stranger,
    labels_of,
    status_of,
)

#: With one of these in its spec, a job's graph never ends by itself.
PATIENCE = ("activeDeadlineSeconds", "attemptDeadlineSeconds", "stallTimeoutSeconds")
#: A runner that lives says so now and then, however little there is to say.
REPORTS_WITHIN = timedelta(seconds=15)
#: No job is looked at more often at one moment: it would never end.
LOOKS = 60


class ModelCluster(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.operators: list[Operator] = []

    def prepare(self, skew: int = 0, limits: RunLimits = RunLimits(), one_leader: bool = True) -> None:  # noqa: B008
        """`skew`: seconds by which the pods' clocks are ahead; `one_leader`: whether the Lease does its work."""
        self.world = World(skew)
        self.server = self.world.server
        self.server.judges.append(Judge(self.world, limits, one_leader))
        self.operators = [Operator(self.world, self.loop, limits) for _ in range(2)]
        self.one_leader, self.leader = one_leader, 0
        self.at_rest: object = None
        #: So many runners are still to be drained from their nodes.
        self.unlucky = 0
        #: When each runner, by its pod's UID, last said something.
        self.spoke: dict[str, datetime] = {}

    def operator(self, which: int) -> Operator:
        return self.operators[self.leader if self.one_leader else which]

    # What there is.

    def jobs(self) -> list[Body]:
        return self.server.all("DaskJob")

    def one(self, name: str) -> str:
        """That job, if it exists, else another."""
        found = self.server.find("DaskJob", name) or self.jobs()[0]
        return str(found["metadata"]["name"])

    def wake_operator(self, name: str, delivered: bool = True) -> None:
        """The watches deliver all changes to an operator, and it runs a pass over the job."""
        if delivered:
            self.operator(0).deliver_all()
            self.operator(0).look((JOBS[name], name))

    def status(self, name: str = "sum") -> DaskJobStatus | None:
        job = self.server.find("DaskJob", name)
        return status_of(job) if job is not None else None

    def runners(self) -> list[Body]:
        return [each for each in self.world.pods() if component_of(each) == "runner"]

    def running(self, name: str | None = None) -> list[Body]:
        """The runner pods that run, of that job or of all."""
        found = [each for each in self.runners() if is_running(each)]
        return [each for each in found if name is None or labels_of(each)[c.JOB_LABEL] == name]

    @invariant()
    def two_runners_never_run(self) -> None:
        alive = Counter(
            labels_of(each)[c.JOB_UID_LABEL] for each in self.running() if "deletionTimestamp" not in each["metadata"]
        )
        assert all(number == 1 for number in alive.values())
        assert not alive.keys() & self.world.removed, "a runner runs of a job whose results are deleted"

    # What runners do.

    def speak(self, runner: Body, stage: str, done: int, wanted: int = 1) -> None:
        reached = ["runnerStarted", "connected", "firstWorker", "graphStarted"]
        there = reached[: {"Starting": 1, "Connected": 2, "Running": 4, "Finished": 4}[stage]]
        cluster = runner["metadata"]["name"].removesuffix("-runner")
        spec = self.server.find("DaskJob", labels_of(runner)[c.JOB_LABEL])
        further = [each["name"] for each in spec["spec"]["cluster"].get("workerGroups", ())] if spec is not None else []
        workers = {group: self._workers(cluster, group) for group in ("default", *further)}
        # Of each group, all but so many are retired.
        retired = [name for names in workers.values() for name in names[wanted:]]
        groups = [{"name": name, "connected": len(names), "wanted": wanted} for name, names in workers.items()]
        said = {"groups": groups} if further else {"wanted": wanted}
        self.world.say(
            runner,
            stage=stage,
            timings={each: self.world.pod_time() for each in there},
            progress={"total": 9, "done": done},
            workers={"connected": 2, "retired": retired, **said},
        )

    def _workers(self, cluster: str, group: str) -> list[str]:
        """The names of the workers of a group that act."""
        names = [each["metadata"]["name"] for each in self.world.pods() if acts(each)]
        return [each for each in names if each.startswith(f"{cluster}-{group}-worker-")]

    def say_success(self, runner: Body, value: str, finished: bool = True) -> None:
        result = {"type": "str", "value": json.dumps(value), "size": len(value)}
        times = {"graphFinished": self.world.pod_time()} if finished else {}
        self.world.say(runner, outcome="Succeeded", result=result, stage="Finished", timings=times)

    def say_failure(self, runner: Body, reason: str, message: str) -> None:
        failure = {"reason": reason or "?", "message": message}
        self.world.say(runner, outcome="Failed", failure=failure)

    def run_runners(self) -> None:
        """Each goes one step towards its end, if it has workers; one that has time hangs until it is told to stop."""
        for runner in self.running():
            report = self.world.report_of(runner)
            if report is None or runner["metadata"]["uid"] in self.world.lost:
                continue
            job, said = self.server.find("DaskJob", labels_of(runner)[c.JOB_LABEL]), report.get("status", {})
            workers = any(
                component_of(each) == "worker" and is_running(each) and labels_of(each) == {**labels_of(each), **ours}
                for ours in [{c.JOB_UID_LABEL: labels_of(runner)[c.JOB_UID_LABEL]}]
                for each in self.world.pods()
            )
            started = "firstWorker" in said.get("timings", {})
            if started and self.unlucky and "deletionTimestamp" not in runner["metadata"]:
                self.unlucky -= 1
                self.world.evict(runner, disrupted=True)
                continue
            if said.get("outcome"):
                self.world.end(runner, 0, "Completed")
            elif report["spec"].get("cancel") and self.world.polite:
                self.say_failure(runner, "Cancelled", "told to stop")
            elif report["spec"].get("cancel"):
                self.world.end(runner, 137, "Error")
            elif started and not workers:
                self.say_failure(runner, "TaskFailed", "no worker came back")
            elif workers and not started:
                self.speak(runner, "Running", 1)
            elif started and not any((job or {}).get("spec", {}).get(each) for each in PATIENCE):
                self.say_success(runner, "done")
            elif (
                started and self.world.now >= self.spoke.get(runner["metadata"]["uid"], self.world.now) + REPORTS_WITHIN
            ):
                self.world.say(runner)
                self.spoke[runner["metadata"]["uid"]] = self.world.now
            self.spoke.setdefault(runner["metadata"]["uid"], self.world.now)

    def find_commit(self, pod: Body) -> bool:
        """Ends a pod that finds a commit as the git server has it; False if it goes on."""
        metadata = pod["metadata"]
        if component_of(pod) != SOURCE or not is_running(pod) or metadata["uid"] in self.world.lost:
            return False
        end = self.world.git.end_of(metadata["name"])
        if end is not None:
            self.world.end(pod, end[0], "Completed" if end[0] == 0 else "Error", end[1])
        return end is not None

    # The end of all faults.

    def settle(self) -> None:
        """Lets all but the operators and the runners act until there is nothing for them to do."""
        world, before = self.world, self.at_rest
        for _ in range(100):
            rest = (world.obstacle, world.full, len(world.lost), len(world.begun), world.git.answer)
            self.at_rest = (self.server.version, *rest)
            if self.at_rest == before:
                return
            acted = world.make_clusters() | world.collect()
            acted |= world.give_up_nodes() | world.remove_pods()
            for pod in world.pods():
                acted |= world.start(pod) or world.end_in_time(pod) or self.find_commit(pod)
                acted |= world.remove_results(pod)
            if not acted:
                return
        raise AssertionError("the model's cluster does not come to rest")

    def come_to_rest(self) -> None:
        """Time goes on, by what the operator itself asks for and by its resync, until there is nothing left to do."""
        operator = self.operator(0)
        due: dict[Key, datetime] = {self.key(each): self.world.now for each in self.jobs()}
        listing = self.world.now + timedelta(seconds=INTERVAL)
        looks: Counter[Key] = Counter()
        for _ in range(5000):
            self.settle()
            self.run_runners()
            self.settle()
            for key in operator.deliver_all() | operator.woken:
                due[key] = self.world.now
            operator.woken.clear()
            ready = [key for key, moment in due.items() if moment <= self.world.now]
            if ready:
                key = ready[0]
                again = operator.look(key)
                del due[key]
                if again is not None:
                    due[key] = self.world.now + timedelta(seconds=again)
                looks[key] += 1
                assert looks[key] <= LOOKS, f"{key} is looked at again and again: {self.status(key[1])}"
            elif self.is_over():
                return
            else:
                self.world.now = min([*due.values(), listing])
                operator.controller.kind.slots.tick()
                looks.clear()
                if self.world.now >= listing:
                    operator.resync()
                    due.update(dict.fromkeys(operator.cache.root_keys(), self.world.now))
                    listing = self.world.now + timedelta(seconds=INTERVAL)
        jobs = json.dumps([each.get("status") for each in self.jobs()])
        raise AssertionError(f"a job does not end, or is not cleaned up: {jobs}; left: {list(self.remains())}")

    def key(self, job: Body) -> Key:
        return job["metadata"]["namespace"], job["metadata"]["name"]

    def is_over(self) -> bool:
        return all(map(self.rests, self.jobs())) and (bool(self.world.lost) or not any(self.remains()))

    def rests(self, job: Body) -> bool:
        """Whether nothing is left to do about it, as things are."""
        spec, status = job["spec"], status_of(job)
        if spec.get("managedBy") or "deletionTimestamp" in job["metadata"]:
            return not is_held(job)
        if status.observed_generation != job["metadata"]["generation"]:
            return False
        if not status.finished:
            return bool(spec.get("suspend")) and status.is_true(ConditionType.SUSPENDED)
        if wanted(job):
            return False
        cleaned = status.is_true(ConditionType.CLEANED_UP) and "ttlSecondsAfterFinished" not in spec
        return cleaned or bool(self.world.lost)

    def remains(self) -> Iterator[str]:
        """What is left over that should not be."""
        attempts = {each["metadata"]["uid"]: status_of(each).attempt or 0 for each in self.jobs()}
        for (kind, name), body in self.server.objects.items():
            if is_stranger(body):
                continue
            last = attempts.get(labels_of(body).get(c.JOB_UID_LABEL, ""), 0)
            if kind == "DaskJobReport" and last == attempt_of(body):
                continue
            ended_runner = component_of(body) == "runner" and is_ended(body)
            if kind == "Pod" and ended_runner and last - 3 < attempt_of(body) <= last:
                continue
            if kind not in ("DaskJob", "Event", "ConfigMap", "ServiceAccount"):
                yield f"{kind} {name}"

    def teardown(self) -> None:
        try:
            if self.operators:
                self.come_to_rest()
                # Nodes come back, or are removed; jobs that were deleted go.
                self.world.lost.clear()
                for job in self.jobs():
                    if "deletionTimestamp" in job["metadata"]:
                        self.server.remove("DaskJob", job["metadata"]["name"])
                self.at_rest = None
                self.come_to_rest()
                self.judge_the_end()
                self.resume_all()
                self.delete_held()
        finally:
            self.loop.close()

    def resume_all(self) -> None:
        """What was suspended goes on, and ends too."""
        suspended = [each for each in self.jobs() if each["spec"].get("suspend") and not each["spec"].get("managedBy")]
        if suspended:
            for job in suspended:
                self.edit(job["metadata"]["name"], suspend=False)
            self.come_to_rest()
            self.judge_the_end()

    def delete_held(self) -> None:
        """What goes with its results, goes."""
        held = [each["metadata"]["name"] for each in self.jobs() if is_held(each)]
        for name in held:
            self.server.delete("DaskJob", name, self.world.text())
        self.come_to_rest()
        assert not set(held) & {each["metadata"]["name"] for each in self.jobs()}

    def judge_the_end(self) -> None:
        assert list(self.remains()) == []
        untold = [
            each for each in self.runners() if not all_ended(each) and "activeDeadlineSeconds" not in each["spec"]
        ]
        assert all(each["metadata"]["uid"] in self.world.lost for each in untold), "a sidecar outlives its runner"
        for job in self.jobs():
            status = status_of(job)
            if job["spec"].get("managedBy"):
                assert job["status"] == {"observedGeneration": -1}
            elif not job["spec"].get("suspend"):
                assert status.finished
                assert status.is_true(ConditionType.CLEANED_UP)
        # A job that has ended, or is suspended, costs nothing more.
        for operator in [self.operator(0)] if self.one_leader else self.operators:
            operator.resync()
            operator.client.writes = 0
            for job in self.jobs():
                operator.look(self.key(job))
            assert operator.client.writes == 0

    # What users do.

    def apply_job(self, name: str, spec: dict[str, Any]) -> None:
        assert name in JOBS
        self.server.create("DaskJob", a_job(spec, name), self.world.text())

    def edit(self, name: str, **fields: Any) -> None:
        """Changes fields of the spec; None: takes one away."""
        job = self.server.find("DaskJob", name)
        assert job is not None
        spec = {key: value for key, value in {**job["spec"], **fields}.items() if value is not None}
        if spec != job["spec"]:
            self.server.update("DaskJob", name, spec=spec)

    def ended_after(self, began: datetime, name: str = "sum") -> float:
        """Seconds until the end was recorded."""
        status = self.status(name)
        moment = from_text(status.timings.finished) if status is not None else None
        return (moment - began).total_seconds() if moment is not None else float("inf")
