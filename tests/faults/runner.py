"""The runner of an attempt, played: what it reports, and what befalls it and its cluster.

A script is a word; `SCRIPTS` says what each does, and what its attempt must end with.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from daskjob import wire
from daskjob.api import constants as c

from . import pods
from .api import Body
from .namespace_view import NamespaceView, attempt_of, is_finished, is_ready, labels_of

TASKS = 10
#: How often a runner that only waits speaks, in seconds (the real one: 5).
QUIET = 0.3


class Cancelled(Exception):
    """The report asks the runner to stop."""


class Gone(Exception):
    """There is nothing left to report to."""


def script_of(view: NamespaceView, pod: Body) -> str:
    """What is to happen to the pod's attempt."""
    scripts = view.scripts.get(labels_of(pod).get(c.JOB_LABEL, ""), ("ok",))
    # Numbers start at 1; a job's last script is that of all attempts that follow.
    return scripts[min(attempt_of(pod), len(scripts)) - 1]


class Runner:
    def __init__(self, view: NamespaceView, pod: Body) -> None:
        self.view, self.pod = view, pod
        self.uid = pod["metadata"]["uid"]
        self.attempt = attempt_of(pod)
        self.name = pod["metadata"]["name"].removesuffix("-runner")
        self.job = labels_of(pod)[c.JOB_LABEL]
        self.sequence = 0

    async def run(self, script: str) -> None:
        """Until its pod ends, or is gone."""
        try:
            if script == "mute":
                await self.compute(speaks=False)
                await self.end({"outcome": "Succeeded", "result": RESULT}, reports=False)
                return
            await self.say(stage="Starting", timings={"runnerStarted": now()})
            if script != "scheduler-deleted-early":
                await self.compute()
            await SCRIPTS[script](self)
        except Cancelled:
            await self.end(failed("Cancelled", "cancelled as asked for by the report's spec.cancel"))
        except Gone:
            await self.end(failed("Cancelled", "the report is gone"), reports=False)

    async def compute(self, speaks: bool = True) -> None:
        """Until the graph is half done."""
        await self.attend(lambda: self.component("scheduler") and self.component("worker") and self.is_routed(), speaks)
        await self.view.pause(f"connect {self.attempt}")
        await self.view.gate(lambda: self.view.is_at(self.job, self.attempt, "Starting"))
        self.view.computed.append(self.uid)
        if not speaks:
            await self.view.pause(f"compute {self.attempt}")
            return
        timings = dict.fromkeys(("connected", "firstWorker", "graphStarted"), now())
        await self.say(stage="Running", timings=timings, progress={"total": TASKS, "done": 0}, workers=WORKERS)
        await self.view.pause(f"compute {self.attempt}", 0.5)
        await self.say(stage="Running", progress={"total": TASKS, "done": TASKS // 2}, workers=WORKERS)
        await self.view.gate(lambda: self.view.is_at(self.job, self.attempt, "Running"))

    def component(self, name: str) -> list[Body]:
        """Its cluster's pods of that kind that are ready."""
        return [pod for pod in self.view.all("Pod", cluster=self.name, dask_component=name) if is_ready(pod)]

    def is_routed(self) -> bool:
        """Whether its cluster's Service leads to the scheduler."""
        service = self.view.find("Service", f"{self.name}-scheduler")
        return service is not None and bool(service["spec"].get("selector"))

    # What it says.

    async def say(self, **parts: Any) -> None:
        """Patches its report. Raises Cancelled if the answer asks for it, Gone if there is no report."""
        report = await self.view.until(lambda: self.view.find("DaskJobReport", self.name))
        if report["spec"].get("runnerPodUID") != self.uid:
            raise Gone
        self.sequence += 1
        status = {"protocol": wire.PROTOCOL, "seq": self.sequence, "heartbeatTime": now(), **parts}
        answer = await self.view.api.merge(report, {"status": status}, "status")
        if answer is None:
            raise Gone
        if answer["spec"].get("cancel") and "outcome" not in parts:
            raise Cancelled

    async def attend(self, found: Callable[[], object], speaks: bool = True) -> None:
        """Waits for something, and speaks now and then."""
        while not found():
            try:
                await asyncio.wait_for(self.view.until(found), QUIET)
            except TimeoutError:
                if speaks:
                    await self.say()

    async def end(self, ending: Body, reports: bool = True) -> None:
        """Its last words, to its report and in its termination message, and its end."""
        if reports:
            # A report that is gone keeps nobody from ending.
            try:
                await self.say(stage="Finished", timings={"graphFinished": now()}, **ending)
            except Gone:
                reports = False
        await self.view.pause(f"exit {self.attempt}")
        message = wire.termination_message(ending["outcome"], ending.get("result"), ending.get("failure"))
        succeeded = ending["outcome"] == "Succeeded"
        code = (0 if succeeded else 1) if reports else 3
        await pods.end(self.view, self.pod, code, "Completed" if code == 0 else "Error", message)


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def failed(reason: str, message: str, **more: Any) -> Body:
    return {"outcome": "Failed", "failure": {"reason": reason, "message": message, **more}}


_VALUE = json.dumps(sum(range(TASKS)))
RESULT = {"type": "int", "value": _VALUE, "size": len(_VALUE)}
WORKERS = {"connected": 1, "threads": 1}


async def _succeeds(runner: Runner) -> None:
    await runner.say(stage="Running", progress={"total": TASKS, "done": TASKS})
    await runner.end({"outcome": "Succeeded", "result": RESULT})


async def _raises(runner: Runner) -> None:
    await runner.end(failed("TaskFailed", "division by zero", exceptionType="ZeroDivisionError", taskKey="inverse-0"))


async def _hangs(runner: Runner) -> None:
    """Until it is cancelled."""
    await runner.attend(lambda: False)


async def _is_preempted(runner: Runner) -> None:
    await pods.preempt(runner.view, runner.pod)


async def _is_deleted(runner: Runner) -> None:
    await pods.kill(runner.view, runner.pod)
    await runner.attend(lambda: False)


async def _loses_node(runner: Runner) -> None:
    """Its node answers no more: told to go, the pod stays until, after the end of all, the node is there again."""
    runner.view.lost.add(runner.uid)
    await pods.kill(runner.view, runner.pod)
    await runner.view.until(lambda: is_finished(runner.view.job(runner.job)))
    await runner.view.api.delete(runner.pod, gracePeriodSeconds=0)


async def _exceeds_memory(runner: Runner) -> None:
    await pods.end(runner.view, runner.pod, 137, "OOMKilled")


async def _exits(runner: Runner) -> None:
    await pods.end(runner.view, runner.pod, 0, "Completed")


async def _loses_scheduler(runner: Runner) -> None:
    """Its container ends; the runner notices a little later."""
    for pod in runner.component("scheduler"):
        await pods.restart(runner.view, pod, 139, "Error")
    await runner.view.pause(f"notice {runner.attempt}", 1.0)
    await runner.end(failed("SchedulerLost", "the connection to the scheduler was lost"))


async def _loses_scheduler_pod(runner: Runner) -> None:
    """The pod is deleted, and nobody makes another."""
    for pod in runner.component("scheduler"):
        await pods.kill(runner.view, pod)
    await runner.view.pause(f"notice {runner.attempt}", 1.0)
    await runner.end(failed("SchedulerLost", "the connection to the scheduler was lost"))


async def _never_connects(runner: Runner) -> None:
    """The scheduler's pod is deleted before the runner has reached it."""
    await runner.attend(lambda: runner.component("scheduler"))
    await runner.view.gate(lambda: runner.view.is_at(runner.job, runner.attempt, "Starting"))
    for pod in runner.component("scheduler"):
        await pods.kill(runner.view, pod)
    await runner.attend(lambda: False)


async def _loses_cluster(runner: Runner) -> None:
    """Somebody deletes the DaskCluster."""
    cluster = runner.view.find("DaskCluster", runner.name)
    if cluster is not None:
        runner.view.broken.add(cluster["metadata"]["uid"])
        await runner.view.api.delete(cluster)
    await runner.attend(lambda: False)


async def _loses_worker(runner: Runner) -> None:
    """A worker's pod is deleted; the graph goes on when another one is there."""
    group = runner.view.find("DaskWorkerGroup", f"{runner.name}-default")
    assert group is not None
    lost = runner.component("worker")[0]
    await pods.kill(runner.view, lost)

    def others() -> list[Body]:
        return [each for each in runner.component("worker") if each["metadata"]["uid"] != lost["metadata"]["uid"]]

    await runner.attend(lambda: len(others()) == group["spec"]["worker"]["replicas"])
    await _succeeds(runner)


async def _worker_exceeds_memory(runner: Runner) -> None:
    for pod in runner.component("worker")[:1]:
        await pods.restart(runner.view, pod, 137, "OOMKilled")
    await runner.end(failed("WorkersKilled", "a task was on 4 workers that died"))


SCRIPTS: dict[str, Callable[[Runner], Awaitable[None]]] = {
    "ok": _succeeds,
    "mute": _succeeds,
    "raises": _raises,
    "hangs": _hangs,
    "preempted": _is_preempted,
    "deleted": _is_deleted,
    "node-lost": _loses_node,
    "out-of-memory": _exceeds_memory,
    "exits": _exits,
    "scheduler-restarts": _loses_scheduler,
    "scheduler-deleted": _loses_scheduler_pod,
    "scheduler-deleted-early": _never_connects,
    "cluster-deleted": _loses_cluster,
    "worker-deleted": _loses_worker,
    "worker-out-of-memory": _worker_exceeds_memory,
}
