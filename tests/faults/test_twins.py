"""Crash twins: for every write of an operator, a run in which it is killed just before it, and one just after.

A run without a fault comes first, for each kind of ending; it says which writes there are. Every run has a namespace
and an operator of its own (a real process, killed by SIGKILL and started again), and is judged alone.

DASKJOB_TWINS_SEEDS: how many seeds to sweep, 1 by default; a thorough look takes 20. With each, every kind of step of a
job's life is met once before and once after, in another of the endings that take it, and everybody's delays are others.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from ..apiserver.server import Server
from .endings import ENDINGS, Ending
from .faults import Fault
from .operators import WarmProcess, warm_process
from .scenario import Scenario, Twin, run_scenario
from .world import World, running_world
from .writes import Step, steps

SEEDS = int(os.environ.get("DASKJOB_TWINS_SEEDS", "1"))
#: Scenarios that run side by side. Most of their time is waiting.
WIDTH = int(os.environ.get("DASKJOB_TWINS_WIDTH", "12"))
KILLS = (Fault.KILL_BEFORE, Fault.KILL_AFTER)

pytestmark = pytest.mark.timeout(900 + 3600 * SEEDS)


class ScenarioRunner:
    """Runs scenarios side by side, in one control plane."""

    def __init__(self, world: World, starter: WarmProcess, folder: Path) -> None:
        self.world, self.starter, self.folder = world, starter, folder
        self.room = asyncio.Semaphore(WIDTH)

    async def run(self, twins: Iterable[Twin]) -> list[Scenario]:
        return await asyncio.gather(*(self._tell(twin) for twin in twins))

    async def _tell(self, twin: Twin) -> Scenario:
        async with self.room:
            scenario = await run_scenario(self.world, self.starter.start, self.folder, twin)
        if os.environ.get("DASKJOB_TWINS_PROGRESS") or scenario.problems:
            print(scenario, flush=True)
        return scenario


@pytest.fixture
async def scenario_runner(control_plane: Server, tmp_path: Path) -> AsyncIterator[ScenarioRunner]:
    async with running_world(control_plane) as world, warm_process() as starter:
        yield ScenarioRunner(world, starter, tmp_path)


async def test_every_write(scenario_runner: ScenarioRunner) -> None:
    """No job lost, none run twice, no orphan, each with the end that is its own."""
    plain = await scenario_runner.run(Twin(ending, 0) for ending in ENDINGS.values())
    check(plain)
    scenarios = await scenario_runner.run(twin for seed in range(SEEDS) for twin in sweep(plain, seed))
    check(scenarios)
    missed = [scenario.twin for scenario in scenarios if not scenario.met]
    longest = max(scenario.seconds for scenario in scenarios)
    print(f"{len(plain)} endings, {len(scenarios)} twins, {len(missed)} without their write, {longest:.0f} s at most")
    # Some writes are made only if somebody else is late (a group that is left over, a runner that still runs).
    assert len(missed) <= len(scenarios) / 10, f"never got to their write: {', '.join(map(str, missed))}"


def sweep(plain: Iterable[Scenario], seed: int) -> list[Twin]:
    """Twins of every kind of step, each in one of the endings that take it: with every seed in another one."""
    takers: dict[tuple[str, str], list[tuple[Ending, Step]]] = {}
    for scenario in plain:
        kinds = {step.kind: step for step in reversed(steps(scenario.writes))}
        for kind, step in kinds.items():
            takers.setdefault(kind, []).append((scenario.twin.ending, step))
    chosen = [found[seed % len(found)] for found in takers.values()]
    return [Twin(ending, seed, kill, step.write, step.occurrence) for ending, step in chosen for kill in KILLS]


def check(scenarios: Iterable[Scenario]) -> None:
    wrong = [scenario for scenario in scenarios if scenario.problems]
    assert not wrong, f"{len(wrong)} went wrong:\n" + "\n".join(map(str, wrong[:10]))
