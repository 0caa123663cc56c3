"""One job from its creation to its last trace, with a fault or without."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .endings import Ending, is_clean, manifest
from .faults import Fault, Once, Peace, Plan
from .judge import judge, stale_objects
from .namespace_view import NamespaceView, eventually
from .operators import Operator, Start
from .proxy import Proxy, Write
from .world import World
from .writes import sign

JOB = "sum"
#: Seconds within which a job must have ended, and its last trace be gone; many times what it takes.
PATIENCE = 180.0
#: How long a killed operator stays away at most, in seconds.
ABSENCE = 2.0
#: How long an operator that was started again after the end is looked at, in seconds.
LAST_LOOK = 0.5
#: The kinds whose watches an operator opens.
STREAMS = ("daskjobs", "daskjobreports", "daskclusters", "daskworkergroups", "pods")


@dataclass
class Twin:
    """What is to happen: `fault` at that occurrence of `write`; without one, nothing."""

    ending: Ending
    seed: int
    fault: Fault = Fault.NONE
    write: str = ""
    occurrence: int = 1

    def __str__(self) -> str:
        if self.fault is Fault.NONE:
            return f"{self.ending.name}, seed {self.seed}, undisturbed"
        times = f" ({self.occurrence}. time)" if self.occurrence > 1 else ""
        return f"{self.ending.name}, seed {self.seed}, {self.fault.value} «{self.write}»{times}"


@dataclass
class Scenario:
    """What happened."""

    twin: Twin
    problems: list[str] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    #: Whether the fault befell its write.
    met: bool = False
    seconds: float = 0.0
    log: str = ""

    def __str__(self) -> str:
        return "\n  ".join([f"{self.twin}: {self.seconds:.1f} s", *self.problems, *self.log.splitlines()[-40:]])


async def run_scenario(world: World, start: Start, folder: Path, twin: Twin) -> Scenario:
    """Runs the twin's scenario in a namespace of its own, with an operator of its own."""
    began = time.monotonic()
    seed = f"{twin.ending.name}/{twin.seed}"
    chance = random.Random(f"{seed}/{twin.fault.value}/{twin.write}/{twin.occurrence}")
    view = await world.settle(f"t-{twin.ending.name}"[:50].strip("-"), seed, free=False)
    view.scripts[JOB] = twin.ending.scripts
    operator = Operator(start, folder, [view.namespace], view.namespace)
    operator.pause = chance.choice((0.0, chance.uniform(0, ABSENCE)))

    async def kill() -> None:
        # From here on nobody waits for the operator.
        view.free = True
        view.notify()
        await operator.kill()

    plan: Plan = Peace() if twin.fault is Fault.NONE else Once(twin.fault, twin.write, twin.occurrence, sign)
    scenario = Scenario(twin)
    async with Proxy(world.api, plan, kill) as proxy:
        operator.configure(proxy)
        running = asyncio.create_task(operator.run())
        try:
            await _play(world, view, twin, chance.randint(1, 2))
            await _finish(operator, proxy, view)
        except TimeoutError:
            scenario.problems.append(f"no end after {PATIENCE:.0f} s")
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    await _conclude(world, view, operator, scenario)
    # Those of a run that is met by a fault are not looked at, and there are many.
    scenario.writes, scenario.met = [] if proxy.met else proxy.writes, bool(proxy.met)
    scenario.seconds = time.monotonic() - began
    if scenario.problems and operator.log.exists():
        scenario.log = operator.log.read_text()
    world.leave(view)
    return scenario


async def _play(world: World, view: NamespaceView, twin: Twin, workers: int) -> None:
    """Until the job has ended and is cleaned up, or is gone."""
    ending = twin.ending
    job = await world.api.create(manifest(ending, view.namespace, JOB, workers))
    assert job is not None
    async with asyncio.timeout(PATIENCE):
        await view.until(lambda: view.job(JOB))
        if ending.user is not None:
            await ending.user(view, JOB)
        await _until(view, lambda: not view.job(JOB) if ending.vanishes else is_clean(view.job(JOB)))


async def _finish(operator: Operator, proxy: Proxy, view: NamespaceView) -> None:
    """An operator that was killed last of all has to find that there is nothing to do."""

    def watches() -> bool:
        return operator.kills < operator.starts and all(proxy.watches.get(each) for each in STREAMS)

    await eventually(watches, PATIENCE)
    await asyncio.sleep(LAST_LOOK)


async def _until(view: NamespaceView, found: Callable[[], object]) -> None:
    """Or until somebody of the world has failed."""
    await view.until(lambda: found() or view.errors)


async def _conclude(world: World, view: NamespaceView, operator: Operator, scenario: Scenario) -> None:
    ending = scenario.twin.ending
    if left := await stale_objects(world.api, view, JOB, ending):
        scenario.problems.append(f"left behind: {', '.join(left)}")
    scenario.problems += judge(view, JOB, ending)
    scenario.problems += [f"the world: {error!r}" for error in view.errors]
    if operator.own_ends:
        scenario.problems.append(f"the operator ended by itself {operator.own_ends} times")
