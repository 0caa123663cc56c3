"""The operator against a model of Kubernetes in which all goes wrong that can: the promises hold after every step.

Two operators (one should lead, but the promises must not rest on it) run the real passes (`Reconciler`, `Performer`,
`observe`, `decide`) over a model API server. Their watches lag and lose events, their requests fail before and after
they took effect, and they die after any request. At the end the faults stop, time goes on, and every job must end.
"""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from daskjob.api import constants as c
from daskjob.api.codec import from_dict
from daskjob.api.constants import ConditionType
from daskjob.api.status import DaskJobStatus
from daskjob.api.times import from_text
from daskjob.control.client import BY_KIND, Body
from daskjob.control.resync import INTERVAL

from .judge import Judge
from .operators import Operator
from .strategies import FATES, LAST_WORDS, OBSTACLES, REASONS, examples, operators, specs, watched
from .world import World, a_job, component_of, is_ended, is_running, labels_of


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        #: By job UID: what was recorded as its end.
        self.ends: dict[str, Body] = {}

    @initialize(skew=st.sampled_from([0, 600, -600]), spec=specs(), ahead=st.integers(0, 3))
    def begin(self, skew: int, spec: dict[str, Any], ahead: int) -> None:
        self.world = World(skew)
        self.server = self.world.server
        self.server.judges.append(Judge(self.world))
        self.operators = [Operator(self.world, self.loop) for _ in range(2)]
        self.server.create("DaskJob", a_job(spec), self.world.text())
        if ahead:
            self.deliver_all(0)
            self.go_on(0)
        if ahead > 1:
            self.say("Running", 2)
            self.deliver_all(0)

    @invariant()
    def an_end_stays(self) -> None:
        job = self.server.find("DaskJob", "sum")
        if job is not None and from_dict(DaskJobStatus, job.get("status")).finished:
            parts = ("phase", "result", "failure", "completionTime")
            end = {part: job["status"].get(part) for part in parts}
            assert self.ends.setdefault(job["metadata"]["uid"], end) == end

    @invariant()
    def two_runners_never_overlap(self) -> None:
        job = self.server.find("DaskJob", "sum")
        uid = job["metadata"]["uid"] if job is not None else None
        mine = [each for each in self.runners() if labels_of(each).get(c.JOB_UID_LABEL) == uid]
        assert len(mine) <= 1

    def runners(self) -> list[Body]:
        return [each for each in self.world.pods() if component_of(each) == "runner"]

    def running(self) -> list[Body]:
        return [each for each in self.runners() if is_running(each)]

    # The user.

    @precondition(lambda self: self.server.find("DaskJob", "sum") is None)
    @rule(spec=specs())
    def apply(self, spec: dict[str, Any]) -> None:
        self.server.create("DaskJob", a_job(spec), self.world.text())

    @precondition(lambda self: self.server.find("DaskJob", "sum") is not None)
    @rule(whim=st.integers(0, 5))
    def delete_job(self, whim: int) -> None:
        if whim == 5:
            self.server.remove("DaskJob", "sum")

    @precondition(lambda self: self.server.find("ConfigMap", "code") is None)
    @rule()
    def bring_code(self) -> None:
        self.server.create("ConfigMap", {"metadata": {"name": "code"}}, self.world.text())

    @rule(kind=st.sampled_from(["DaskCluster", "Pod", "DaskJobReport"]), whim=st.integers(0, 3), data=st.data())
    def delete_something(self, kind: str, whim: int, data: st.DataObject) -> None:
        bodies = self.server.all(kind)
        if bodies and whim == 3:
            self.server.delete(kind, data.draw(st.sampled_from(bodies))["metadata"]["name"], self.world.text())

    # The operators.

    @rule(which=operators, plan=st.lists(st.sampled_from(FATES), max_size=12))
    def look(self, which: int, plan: list[str]) -> None:
        self.operators[which].look(plan)

    @rule(which=operators, after=st.integers(0, 12))
    def look_and_crash(self, which: int, after: int) -> None:
        self.operators[which].look([*["ok"] * after, "crash"])

    @rule(which=operators)
    def restart(self, which: int) -> None:
        self.operators[which].begin()

    @rule(which=operators, kind=watched, count=st.integers(1, 5))
    def deliver(self, which: int, kind: str, count: int) -> None:
        self.operators[which].deliver(kind, count)

    @rule(which=operators)
    def deliver_all(self, which: int) -> None:
        for kind in sorted(BY_KIND):
            self.operators[which].deliver(kind, 1000)

    @rule(which=operators, kinds=st.sets(watched))
    def hear_some(self, which: int, kinds: set[str]) -> None:
        """One watch is ahead of another."""
        for kind in sorted(kinds):
            self.operators[which].deliver(kind, 1000)
        self.operators[which].look()

    @rule(which=operators, kind=watched)
    def lose(self, which: int, kind: str) -> None:
        events = self.operators[which].watch.events[kind]
        if events:
            events.popleft()

    @rule(which=operators)
    def resync(self, which: int) -> None:
        self.operators[which].resync()

    # The cluster.

    @rule(seconds=st.sampled_from([1, 4, 11, 31, 70, 130, 700]))
    def wait(self, seconds: int) -> None:
        self.world.now += timedelta(seconds=seconds)

    @rule(times=st.integers(1, 6))
    def run_controllers(self, times: int) -> None:
        for _ in range(times):
            self.world.make_clusters()
            self.world.make_pods()
            self.world.collect()

    @rule()
    def run_kubelet(self) -> None:
        self.world.remove_pods()
        for pod in self.world.pods():
            self.world.start(pod)

    @rule()
    def run_all(self) -> None:
        self.settle()

    @rule(which=operators)
    def go_on(self, which: int) -> None:
        """For a while all is well."""
        self.operators[which].look()
        self.settle()
        self.deliver_all(which)
        self.operators[which].look()

    @rule(obstacle=st.sampled_from([None] * 6 + OBSTACLES))
    def obstruct(self, obstacle: tuple[str, str] | None) -> None:
        self.world.obstacle = obstacle

    @rule(full=st.sampled_from([False, False, True]))
    def fill_quota(self, full: bool) -> None:
        self.world.full = full
        for operator in self.operators:
            operator.client.full = {"Pod"} if full else set()

    @precondition(lambda self: any(map(is_running, self.world.pods())))
    @rule(data=st.data(), how=st.sampled_from(["oom", "crash", "evict", "drain", "lose node"]))
    def harm_a_pod(self, data: st.DataObject, how: str) -> None:
        pod = data.draw(st.sampled_from([each for each in self.world.pods() if is_running(each)]))
        if how == "oom":
            self.world.end(pod, 137, "OOMKilled")
        elif how == "crash":
            self.world.end(pod, 1, "Error")
        elif how == "lose node":
            self.world.lost.add(pod["metadata"]["uid"])
            self.server.delete("Pod", pod["metadata"]["name"], self.world.text())
        else:
            self.world.evict(pod, disrupted=how == "drain")

    # The runner.

    @precondition(lambda self: self.running())
    @rule(stage=st.sampled_from(["Starting", "Connected", "Running", "Finished"]), wanted=st.integers(0, 5))
    def say(self, stage: str, wanted: int) -> None:
        reached = ["runnerStarted", "connected", "firstWorker", "graphStarted"]
        there = reached[: {"Starting": 1, "Connected": 2, "Running": 4, "Finished": 4}[stage]]
        workers = [each["metadata"]["name"] for each in self.server.all("Deployment") if "-worker-" in str(each)]
        for runner in self.running():
            self.world.say(
                runner,
                stage=stage,
                timings={each: self.world.pod_time() for each in there},
                progress={"total": 9, "done": wanted},
                workers={"connected": 2, "wanted": wanted, "retired": workers[wanted:]},
            )

    @precondition(lambda self: self.running())
    @rule(value=st.text(max_size=70), finished=st.booleans())
    def succeed(self, value: str, finished: bool) -> None:
        for runner in self.running():
            result = {"type": "str", "value": json.dumps(value), "size": len(value)}
            times = {"graphFinished": self.world.pod_time()} if finished else {}
            self.world.say(runner, outcome="Succeeded", result=result, stage="Finished", timings=times)

    @precondition(lambda self: self.running())
    @rule(reason=st.sampled_from(REASONS), message=st.sampled_from(["boom", "x" * 32768, "\u0000 \u202e"]))
    def fail(self, reason: str, message: str) -> None:
        for runner in self.running():
            failure = {"reason": reason or "?", "message": message}
            self.world.say(runner, outcome="Failed", failure=failure, timings={"graphFinished": self.world.pod_time()})

    @precondition(lambda self: self.running())
    @rule(exit_code=st.sampled_from([0, 1, 3, 139]), last_words=st.sampled_from(LAST_WORDS))
    def exit(self, exit_code: int, last_words: str) -> None:
        for runner in self.running():
            self.world.end(runner, exit_code, "Completed" if exit_code == 0 else "Error", last_words)

    @precondition(lambda self: self.running())
    @rule(succeed=st.booleans())
    def finish(self, succeed: bool) -> None:
        """As most do."""
        if succeed:
            self.succeed("done", True)
        else:
            self.fail("TaskFailed", "boom")
        self.exit(0 if succeed else 1, "")

    # The end of all faults.

    def settle(self) -> None:
        """Lets all but the operator and the runners act until there is nothing for them to do."""
        for _ in range(100):
            acted = self.world.make_clusters()
            acted |= self.world.make_pods() | self.world.collect() | self.world.remove_pods()
            for pod in self.world.pods():
                acted |= self.world.start(pod)
            if not acted:
                return
        raise AssertionError("the model's cluster does not come to rest")

    def run_runners(self) -> None:
        """Each goes one step towards its end, if it has workers; one with a deadline hangs until it is told to stop."""
        workers = [each for each in self.world.pods() if component_of(each) == "worker" and is_running(each)]
        job = self.server.find("DaskJob", "sum") or {}
        for runner in self.running():
            report = self.world.report_of(runner)
            if report is None or runner["metadata"]["uid"] in self.world.lost:
                continue
            if report.get("status", {}).get("outcome"):
                self.world.end(runner, 0, "Completed")
            elif report["spec"].get("cancel"):
                self.world.say(runner, outcome="Failed", failure={"reason": "Cancelled", "message": "told to stop"})
            elif not job.get("spec", {}).get("activeDeadlineSeconds"):
                started = "firstWorker" in report.get("status", {}).get("timings", {})
                if started and not workers:
                    self.fail("TaskFailed", "no worker came back")
                elif started:
                    self.succeed("done", True)
                elif workers:
                    self.say("Running", 1)

    def come_to_an_end(self) -> None:
        """Time goes on, by what the operator itself asks for and by its resync."""
        operator = self.operators[0]
        due, listing = self.world.now, self.world.now + timedelta(seconds=INTERVAL)
        for _ in range(200):
            self.settle()
            self.run_runners()
            self.settle()
            if any(operator.watch.events.values()):
                self.deliver_all(0)
                due = self.world.now
            if due <= self.world.now:
                again = operator.look()
                due = self.world.now + timedelta(seconds=INTERVAL if again is None else again)
                self.an_end_stays()
            elif self.is_over():
                return
            else:
                self.world.now = min(due, listing)
                if self.world.now >= listing:
                    operator.resync()
                    due, listing = self.world.now, self.world.now + timedelta(seconds=INTERVAL)
        job = self.server.find("DaskJob", "sum")
        raise AssertionError(f"the job does not end, or is not cleaned up: {json.dumps(job and job.get('status'))}")

    def status(self) -> DaskJobStatus | None:
        job = self.server.find("DaskJob", "sum")
        return from_dict(DaskJobStatus, job.get("status")) if job is not None else None

    def ended_after(self, began: datetime) -> float:
        """Seconds until the end was recorded."""
        status = self.status()
        moment = from_text(status.timings.finished) if status is not None else None
        return (moment - began).total_seconds() if moment is not None else float("inf")

    def is_over(self) -> bool:
        status = self.status()
        clean = status is None or bool(self.world.lost) or status.is_true(ConditionType.CLEANED_UP)
        if status is not None and not (status.finished and clean):
            return False
        return bool(self.world.lost) or not self.remains()

    def remains(self) -> list[str]:
        """What is left over that should not be."""
        job = self.server.find("DaskJob", "sum")
        uid = job["metadata"]["uid"] if job is not None else None
        kept = {"DaskJob", "Event", "ConfigMap"}
        return [
            f"{kind} {name}"
            for (kind, name), body in self.server.objects.items()
            if (kind == "ConfigMap" and name.endswith("-code"))
            or (kind not in kept and not (self.is_kept(kind, body) and labels_of(body).get(c.JOB_UID_LABEL) == uid))
        ]

    def is_kept(self, kind: str, body: Body) -> bool:
        return kind == "DaskJobReport" or is_ended(body)

    def teardown(self) -> None:
        if not hasattr(self, "operators"):
            self.loop.close()
            return
        try:
            self.come_to_an_end()
            # Nodes come back, or are removed.
            self.world.lost.clear()
            self.come_to_an_end()
            self.judge_the_end()
        finally:
            self.loop.close()

    def judge_the_end(self) -> None:
        assert self.remains() == []
        status = self.status()
        if status is not None:
            failed = status.condition(ConditionType.FAILED)
            assert status.is_true(ConditionType.COMPLETE) or (failed is not None and failed.reason)
            assert status.is_true(ConditionType.CLEANED_UP)
        # A job that has ended costs nothing more.
        for operator in self.operators:
            operator.resync()
            operator.client.writes = 0
            operator.look()
            assert operator.client.writes == 0


Machine.TestCase.settings = settings(
    max_examples=examples,
    stateful_step_count=40,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
TestMachine = Machine.TestCase
