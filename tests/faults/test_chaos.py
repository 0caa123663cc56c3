"""Jobs of every kind of ending while one request in ten of the operator goes wrong, reads, watches and writes alike.

DASKJOB_CHAOS_SECONDS and DASKJOB_CHAOS_JOBS: for how long jobs are made, and how many (default: 25, one of each ending
and some, in half a minute; a thorough look takes 50 in 600 s). The faults go on until the last of them has ended.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from ..apiserver.server import Server
from .endings import ENDINGS, SLOW_ENDINGS, Ending, is_clean, manifest
from .faults import Chaos
from .judge import judge, stale_objects
from .namespace_view import NamespaceView
from .operators import Operator, Programs
from .proxy import Proxy
from .world import World, running_world

SECONDS = float(os.environ.get("DASKJOB_CHAOS_SECONDS", "30"))
SEED = os.environ.get("DASKJOB_CHAOS_SEED", "1")
JOBS = int(os.environ.get("DASKJOB_CHAOS_JOBS", "25"))
SHARE = 0.1
NAMESPACES = 5
#: A limit that makes some wait for their turn, in all and in a namespace.
LIMITS = {"DASKJOB_MAX_RUNNING_JOBS": "12", "DASKJOB_MAX_RUNNING_JOBS_PER_NAMESPACE": "4"}
#: Seconds for a job to end. A request that gets no answer costs 30 of them, and a job makes about 30.
PATIENCE = 300.0
#: How often the operator may end by itself, to be started again: a lease lost, a watch that cannot be opened.
OWN_ENDS = 3 + SECONDS / 200

pytestmark = pytest.mark.timeout(SECONDS + 3 * PATIENCE)


@dataclass
class Case:
    view: NamespaceView
    name: str
    ending: Ending
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n  ".join([f"{self.name} in {self.view.namespace}: {self.seconds:.1f} s", *self.problems])


def cases(views: list[NamespaceView]) -> list[Case]:
    """Each ending about as often as any other, in an order that follows from the seed."""
    found = []
    endings = [*ENDINGS.values(), *(SLOW_ENDINGS if SECONDS >= 300 else ())]
    for number in range(JOBS):
        ending = endings[number % len(endings)]
        # What an operator that is held up must not take for a failure to start. Where that is the end, it must have
        # heard by then why: of some ten requests on the way, two may get no answer for 30 s each.
        is_the_end = "startupDeadlineSeconds" in ending.spec
        spec = {**ending.spec, "startupDeadlineSeconds": 90 if is_the_end else 200}
        # A cluster can be seen to be hopeless before its runner was made.
        bare = (1,) if is_the_end or ending.name == "no-image" else ending.bare
        ending = replace(ending, spec=spec, bare=bare)
        found.append(Case(views[number % len(views)], f"{ending.name}-{number}", ending))
    random.Random(SEED).shuffle(found)
    return found


async def test_all_converge(control_plane: Server, tmp_path: Path) -> None:
    """With the right reason, nothing left, and hardly a restart of the operator."""
    async with running_world(control_plane) as world:
        views = [await world.settle(f"chaos-{each}", f"{SEED}/{each}", slowness=2.0) for each in range(NAMESPACES)]
        operator = Operator(Programs().start, tmp_path, [view.namespace for view in views], "operator")
        operator.pause = 1.0
        plan = Chaos(SEED, SHARE)
        async with Proxy(world.api, plan, operator.kill) as proxy:
            operator.configure(proxy, **LIMITS)
            running = asyncio.create_task(operator.run())
            try:
                all_cases = cases(views)
                pause = SECONDS / len(all_cases)
                await asyncio.gather(*(play(world, case, number * pause) for number, case in enumerate(all_cases)))
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
        report(all_cases, plan, operator)
        log = operator.log.read_text()
    wrong = [case for case in all_cases if case.problems]
    assert not wrong, f"{len(wrong)} went wrong:\n" + "\n".join(map(str, wrong)) + f"\n{log[-20000:]}"
    assert not [error for view in views for error in view.errors]
    assert operator.own_ends <= OWN_ENDS, f"the operator ended by itself {operator.own_ends} times:\n{log[-20000:]}"
    assert "Traceback" not in log, f"the operator met what it did not expect:\n{log[-20000:]}"


async def play(world: World, case: Case, delay: float) -> None:
    """One job, from its creation to its last trace."""
    view, name, ending = case.view, case.name, case.ending
    view.scripts[name] = ending.scripts
    await asyncio.sleep(delay)
    began = time.monotonic()
    workers = random.Random(f"{SEED}/{name}").randint(1, 3)
    assert await world.api.create(manifest(ending, view.namespace, name, workers)) is not None
    try:
        async with asyncio.timeout(PATIENCE):
            await view.until(lambda: view.job(name))
            if ending.user is not None:
                await ending.user(view, name)
            await view.until(lambda: not view.job(name) if ending.vanishes else is_clean(view.job(name)))
    except TimeoutError:
        case.problems.append(f"no end after {PATIENCE:.0f} s")
    left = await stale_objects(world.api, view, name, ending)
    if left:
        case.problems.append(f"left behind: {', '.join(left)}")
    case.seconds = time.monotonic() - began
    case.problems += judge(view, name, ending)


def report(all_cases: list[Case], plan: Chaos, operator: Operator) -> None:
    times = sorted(case.seconds for case in all_cases)
    met: Counter[str] = Counter()
    for (_, fault), count in plan.met.items():
        met[fault.value] += count
    print(f"{len(all_cases)} jobs, {sum(plan.calls.values())} requests ({dict(plan.calls)})")
    print(f"{sum(met.values())} faults: {dict(met.most_common())}")
    print(f"jobs took {times[0]:.1f} to {times[-1]:.1f} s, half of them {times[len(times) // 2]:.1f} s or less")
    print(f"the operator was started {operator.starts} times and ended by itself {operator.own_ends} times")
