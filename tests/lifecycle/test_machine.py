"""The operator against a model of Kubernetes in which all goes wrong that can: the promises hold after every step.

Two operators (one should lead, but only what concerns several jobs rests on it) run the real passes (`Reconciler`,
`Performer`, `observe`, `decide`) over a model API server. Their watches lag and lose events, their requests fail before
and after they took effect, and they die after any request. At the end the faults stop, time goes on, and every job
must end that nobody has suspended.

`users` has what users do, `judge`, `promises` and `places` what is checked at every write, `stage` the end.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from daskjob.api import constants as c
from daskjob.controllers.job.watched import BY_KIND
from daskjob.lifecycle.job.queueing import RunLimits

from .git_model import FINDS, SILENT, WORDS
from .git_model import REASONS as NOT_FOUND
from .strategies import (
    FAULTS,
    LAST_WORDS,
    LIMITS,
    OBSTACLES,
    REASONS,
    a_past,
    examples,
    indexes,
    just_jobs,
    names,
    operators,
    plans,
    specs,
    watched,
)
from .users import Users
from .world import JOBS, component_of, is_running, labels_of

pytestmark = pytest.mark.timeout(300 + examples)


class Machine(Users):
    @initialize(
        skew=st.sampled_from([0, 600, -600]),
        limits=st.sampled_from(LIMITS),
        one_leader=st.sampled_from([True, True, False]),
        applied=st.lists(specs(), min_size=1, max_size=3),
        veteran=st.sampled_from([False, False, False, True]),
        ahead=st.integers(0, 4),
        unlucky=st.sampled_from([0, 0, 1, 3]),
        mesh=st.sampled_from([False, False, True]),
    )
    def begin(
        self,
        skew: int,
        limits: RunLimits,
        one_leader: bool,
        applied: list[dict[str, Any]],
        veteran: bool,
        ahead: int,
        unlucky: int,
        mesh: bool,
    ) -> None:
        """`veteran`: the first job has a past, and runs anew; `ahead`: how far all jobs are on their way; `unlucky`:
        how many runners are drained from their nodes at the end."""
        self.prepare(skew, limits, one_leader)
        self.unlucky = unlucky
        self.world.mesh = mesh
        for name, spec in zip(JOBS, applied, strict=False):
            self.apply_job(name, spec)
        if veteran and "managedBy" not in applied[0]:
            self.server.update("DaskJob", "sum", status=a_past())
            self.world.ask_to_rerun("sum", "once more")
        self.operator(0).deliver_all()
        if ahead:
            self.go_on(which=0, seconds=0)
        if ahead > 1:
            self.say(stage="Running", wanted=2, whose=None)
            self.operator(0).deliver_all()
        if ahead > 2:
            self.finish(succeed=ahead == 3, whose=None)
            self.go_on(which=0, seconds=0)

    # The operators.

    @rule(which=operators, name=names, plan=plans)
    def look(self, which: int, name: str, plan: list[str]) -> None:
        self.operator(which).look((JOBS[name], name), plan)

    @rule(which=operators, name=names, after=st.integers(0, 12), fate=st.sampled_from(FAULTS))
    def look_once(self, which: int, name: str, after: int, fate: str) -> None:
        """One thing happens, at one request."""
        self.operator(which).look((JOBS[name], name), [*["ok"] * after, fate])

    @rule(which=operators, anew=st.booleans())
    def restart(self, which: int, anew: bool) -> None:
        """A process begins, and leads if one does; or one that is there lists everything."""
        if anew:
            self.leader = which
            self.operators[which].begin()
        else:
            self.operator(which).resync()

    @rule(which=operators, seconds=st.sampled_from([0, 90, -90]))
    def set_clock(self, which: int, seconds: int) -> None:
        self.operators[which].skew = timedelta(seconds=seconds)

    @rule(which=operators, kind=watched, count=st.integers(1, 5), lost=st.booleans())
    def deliver(self, which: int, kind: str, count: int, lost: bool) -> None:
        operator = self.operator(which)
        if lost and operator.watch.events[kind]:
            operator.watch.events[kind].popleft()
        operator.deliver(kind, count)

    @rule(which=operators, kinds=st.sets(watched) | watched.map(lambda late: set(BY_KIND) - {late}) | just_jobs)
    def hear_some(self, which: int, kinds: set[str]) -> None:
        """One watch is ahead of another."""
        operator = self.operator(which)
        for key in sorted({key for kind in sorted(kinds) for key in operator.deliver(kind, 1000)}):
            operator.look(key)

    @rule(which=operators, seconds=st.sampled_from([0, 12, 70]))
    def go_on(self, which: int, seconds: int) -> None:
        """For a while all is well."""
        operator = self.operator(which)
        self.world.now += timedelta(seconds=seconds)
        operator.deliver_all()
        for _ in range(2):
            for key in sorted(operator.cache.root_keys()):
                # Several workers look at several jobs.
                operator.look(key, ["aside"])
            self.settle()
            operator.deliver_all()

    # The cluster.

    @rule(seconds=st.sampled_from([1, 4, 11, 31, 70, 130, 700]))
    def wait(self, seconds: int) -> None:
        self.world.now += timedelta(seconds=seconds)

    @rule(who=st.sampled_from(["controllers", "kubelet", "all"]), polite=st.booleans())
    def act(self, who: str, polite: bool) -> None:
        """`polite`: runners that are told to stop say so from now on."""
        self.world.polite = polite
        if who == "all":
            self.settle()
        elif who == "kubelet":
            self.world.remove_pods()
            for pod in self.world.pods():
                self.world.start(pod)
        else:
            self.world.make_clusters()
            self.world.collect()

    @rule(obstacle=st.sampled_from([None] * 6 + OBSTACLES), full=st.sampled_from([False, False, False, True]))
    def obstruct(self, obstacle: tuple[str, str] | None, full: bool) -> None:
        """`obstacle`: to pods that are to start; `full`: the quota."""
        self.world.obstacle = obstacle
        self.world.full = full
        for operator in self.operators:
            operator.client.full = {"Pod"} if full else set()

    @rule(answer=st.sampled_from([FINDS] * 4 + [SILENT, SILENT, *NOT_FOUND, *WORDS]), pushed=st.booleans())
    def answer_git(self, answer: str, pushed: bool) -> None:
        """From now on the git server answers so. `pushed`: the branch has moved."""
        self.world.git.answer = answer
        if pushed:
            self.world.git.push()

    @rule(refuses=st.booleans())
    def answer_of_store(self, refuses: bool) -> None:
        """From now on a store lets nobody delete anything, or does."""
        self.world.store_refuses = refuses

    @precondition(lambda self: any(map(is_running, self.world.pods())))
    @rule(
        which=st.sampled_from(["runner", "scheduler", "source", "worker", "remove"]),
        index=indexes,
        how=st.sampled_from(["oom", "crash", "evict", "drain"]),
        delivered=st.booleans(),
    )
    def harm_a_pod(self, which: str, index: int, how: str, delivered: bool) -> None:
        running = [each for each in self.world.pods() if is_running(each)]
        pods = [each for each in running if component_of(each) == which] or running
        pod = pods[index % len(pods)]
        if how == "oom":
            self.world.end(pod, 137, "OOMKilled")
        elif how == "crash":
            self.world.end(pod, 1, "Error")
        else:
            self.world.evict(pod, disrupted=how == "drain")
        self.wake_operator(labels_of(pod)[c.JOB_LABEL], delivered)

    @precondition(lambda self: any(map(is_running, self.world.pods())))
    @rule(chosen=st.sets(indexes, min_size=1, max_size=3), noticed=st.booleans())
    def lose_a_node(self, chosen: set[int], noticed: bool) -> None:
        pods = [each for each in self.world.pods() if is_running(each)]
        self.world.lost |= {pods[index % len(pods)]["metadata"]["uid"] for index in chosen}
        if noticed:
            self.world.give_up_nodes()

    # The runners: those of one job, or of all.

    @precondition(lambda self: self.running())
    @rule(
        stage=st.sampled_from(["Starting", "Connected", "Running", "Finished"]),
        wanted=st.integers(0, 5),
        whose=st.none() | names,
    )
    def say(self, stage: str, wanted: int, whose: str | None) -> None:
        for runner in self.running(whose):
            self.speak(runner, stage, wanted, wanted)

    @precondition(lambda self: self.running())
    @rule(value=st.text(max_size=70) | st.just("y" * 2000), finished=st.booleans(), whose=st.none() | names)
    def succeed(self, value: str, finished: bool, whose: str | None) -> None:
        for runner in self.running(whose):
            self.say_success(runner, value, finished)

    @precondition(lambda self: self.running())
    @rule(
        reason=st.sampled_from(REASONS),
        message=st.sampled_from(["boom", "x" * 32768, "\u0000 \u202e"]),
        whose=st.none() | names,
    )
    def fail(self, reason: str, message: str, whose: str | None) -> None:
        for runner in self.running(whose):
            self.say_failure(runner, reason, message)

    @precondition(lambda self: self.running())
    @rule(exit_code=st.sampled_from([0, 1, 3, 139]), last_words=st.sampled_from(LAST_WORDS), whose=st.none() | names)
    def exit(self, exit_code: int, last_words: str, whose: str | None) -> None:
        for runner in self.running(whose):
            self.world.end(runner, exit_code, "Completed" if exit_code == 0 else "Error", last_words)

    @precondition(lambda self: self.running())
    @rule(succeed=st.booleans(), whose=st.none() | names)
    def finish(self, succeed: bool, whose: str | None) -> None:
        """As most do."""
        for runner in self.running(whose):
            if succeed:
                self.say_success(runner, "done")
            else:
                self.say_failure(runner, "TaskFailed", "boom")
            self.world.end(runner, 0 if succeed else 1, "Completed" if succeed else "Error")
        self.operator(0).deliver_all()


Machine.TestCase.settings = settings(
    max_examples=examples,
    stateful_step_count=40,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
TestMachine = Machine.TestCase
