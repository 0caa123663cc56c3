"""A cron job under random histories: clock, users, jobs that end, late watches, API faults, crashes after every write.

Kept: no time is run twice, and none is lost; what was asked for by annotation is made once; Forbid holds; nothing is
deleted before what it knew is recorded.
"""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from daskjob.api import constants as c
from daskjob.api.resource import DASK_CRON_JOBS, DASK_JOBS
from daskjob.api.times import from_text, to_seconds_text
from daskjob.controller.controller import Controller
from daskjob.controller.feed import Feed
from daskjob.controller.resync import resync
from daskjob.controllers.cron.kind import CronKind
from daskjob.errors import ApiError
from daskjob.kube.client import Body
from daskjob.manifests.context import Defaults

from .model import NAMESPACE, Crash, ModelClient, Server

NAME = "tick"
KEY = (NAMESPACE, NAME)
EVERY = timedelta(minutes=10)
START = datetime(2026, 5, 20, 10, 0, 30, tzinfo=UTC)
KINDS = (DASK_JOBS.kind, DASK_CRON_JOBS.kind)

FATES = st.lists(st.sampled_from(["ok", "ok", "crash", "transient", "timeout", "conflict", "forbidden"]), max_size=6)


class Ears:
    """What the watches have not told yet."""

    def __init__(self) -> None:
        self.events: deque[tuple[str, Body]] = deque()

    def add(self, kind: str, event: str, body: Body) -> None:
        if kind in KINDS:
            self.events.append((event, body))


class CronMachine(RuleBasedStateMachine):
    @initialize(
        policy=st.sampled_from(["Allow", "Forbid", "Replace"]),
        deadline=st.sampled_from([None, 60, 900]),
        kept=st.sampled_from([0, 1, 3]),
    )
    def begin(self, policy: str, deadline: int | None, kept: int) -> None:
        self.now, self.policy, self.deadline = START, policy, deadline
        self.loop = asyncio.Runner()
        self.server, self.ears = Server(), Ears()
        self.server.watches.append(self.ears)  # type: ignore[arg-type]
        self.server.judges.append(self.judge)
        self.client = ModelClient(self.server, lambda: to_seconds_text(self.now))
        #: Every job that was ever made, with when.
        self.made: dict[str, datetime] = {}
        #: Texts of the annotation, in order, that the operator cannot have overlooked.
        self.asked: list[str] = []
        spec = {
            "schedule": "*/10 * * * *",
            "concurrencyPolicy": policy,
            "startingDeadlineSeconds": deadline,
            "successfulJobsHistoryLimit": kept,
            "failedJobsHistoryLimit": kept,
            "jobTemplate": {"spec": {"graph": {"entrypoint": "a:b"}}},
        }
        body = {"metadata": {"name": NAME}, "spec": {key: value for key, value in spec.items() if value is not None}}
        self.server.create(DASK_CRON_JOBS.kind, body, to_seconds_text(self.now))
        self.start()

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            try:
                self.settle()
            finally:
                self.loop.close()

    def start(self) -> None:
        """A new process, which lists everything first."""
        self.client.crashed = False
        self.client.plan.clear()
        self.ears.events.clear()
        client: Any = self.client
        self.controller = Controller(CronKind(client, lambda: self.now, Defaults()))
        self.crons = self.controller.kind.cache
        self.loop.run(resync(client, Feed((self.controller,)), ()))

    def judge(self, verb: str, kind: str, before: Body | None, after: Body | None) -> None:
        """What must hold before each write of the operator."""
        if kind == DASK_JOBS.kind and verb == "create":
            assert after is not None
            name = after["metadata"]["name"]
            assert name not in self.made, f"{name} is made twice"
            self.made[name] = self.now
            at = from_text(after["metadata"]["annotations"].get(c.SCHEDULED_AT_ANNOTATION))
            if at is not None:
                assert not self.cron()["spec"].get("suspend") or self.behind(), "suspended"
                assert START < at <= self.now
                assert self.deadline is None or at > self.now - timedelta(seconds=self.deadline)
                assert self.policy != "Forbid" or self.active() == [], "two at a time"
        if kind == DASK_JOBS.kind and verb == "delete":
            assert before is not None
            at = from_text(before["metadata"]["annotations"].get(c.SCHEDULED_AT_ANNOTATION))
            last = from_text(self.cron().get("status", {}).get("lastScheduleTime"))
            assert at is None or (last is not None and at <= last), "deleted before it was recorded"

    def behind(self) -> bool:
        """Whether the operator has yet to be told of something."""
        return bool(self.ears.events)

    def cron(self) -> Body:
        body = self.server.find(DASK_CRON_JOBS.kind, NAME)
        assert body is not None
        return body

    def active(self) -> list[str]:
        jobs = self.server.all(DASK_JOBS.kind)
        return [job["metadata"]["name"] for job in jobs if "conditions" not in job.get("status", {})]

    @rule(seconds=st.sampled_from([1, 59, 300, 599, 600, 3600]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(count=st.integers(1, 4))
    def told(self, count: int) -> None:
        for _ in range(min(count, len(self.ears.events))):
            event, body = self.ears.events.popleft()
            _ = self.crons.drop(body) if event == "DELETED" else self.crons.put(body)

    @rule(plan=FATES)
    def look(self, plan: list[str]) -> None:
        """One pass, with what befalls its requests."""
        self.client.plan = deque(plan)
        try:
            self.loop.run(self.controller.reconcile(KEY))
        except Crash:
            self.start()
        except ApiError:
            pass
        finally:
            self.client.plan.clear()

    @rule()
    def restart(self) -> None:
        self.start()

    @rule(which=st.integers(0, 5), kind=st.sampled_from(["Complete", "Failed"]))
    def a_job_ends(self, which: int, kind: str) -> None:
        active = self.active()
        if active:
            condition = {"type": kind, "status": "True"}
            status = {"conditions": [condition], "completionTime": to_seconds_text(self.now)}
            self.server.update(DASK_JOBS.kind, active[which % len(active)], status=status)

    @rule(value=st.booleans())
    def suspend(self, value: bool) -> None:
        self.server.update(DASK_CRON_JOBS.kind, NAME, spec={**self.cron()["spec"], "suspend": value})

    @rule(text=st.sampled_from("ab"))
    def ask(self, text: str) -> None:
        """Somebody asks for a run. Two texts in a row may be seen as one change, or none: so the first is awaited."""
        self.settle()
        metadata = self.cron()["metadata"]
        if (metadata.get("annotations") or {}).get(c.RUN_NOW_ANNOTATION) != text:
            self.asked.append(text)
        annotated = {**metadata, "annotations": {c.RUN_NOW_ANNOTATION: text}}
        self.server.update(DASK_CRON_JOBS.kind, NAME, metadata=annotated)

    @rule()
    def settle(self) -> None:
        """With time to do so, and no more faults, all is as it should be."""
        for _ in range(8):
            self.told(10_000)
            self.look([])
        self.told(10_000)
        status = self.cron()["status"]
        assert sorted(each["name"] for each in status.get("active", [])) == sorted(self.active())
        asked = [name for name in self.made if name.startswith(f"{NAME}-r")]
        assert len(asked) == len(self.asked)
        made = [int(name.rpartition("-")[2]) * 60 for name in self.made if name not in asked]
        last = from_text(status.get("lastScheduleTime"))
        assert (last.timestamp() if last else None) == max(made, default=None)
        if self.cron()["spec"].get("suspend"):
            return
        due = self.now.replace(minute=self.now.minute // 10 * 10, second=0, microsecond=0)
        late = self.deadline is not None and due <= self.now - timedelta(seconds=self.deadline)
        if due > START and not late and not (self.policy == "Forbid" and self.active()):
            assert int(due.timestamp()) in made, f"{due} was lost"

    @invariant()
    def the_status_claims_no_more_than_there_was(self) -> None:
        if not hasattr(self, "server"):
            return
        last = from_text(self.cron().get("status", {}).get("lastScheduleTime"))
        assert last is None or f"{NAME}-{int(last.timestamp()) // 60}" in self.made


TestCronMachine = CronMachine.TestCase
TestCronMachine.settings = settings(max_examples=150, stateful_step_count=40)
