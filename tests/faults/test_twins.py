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
from .operators import Zygote, zygote
from .story import Story, Twin, tell
from .world import World, running_world
from .writes import Step, steps

SEEDS = int(os.environ.get("DASKJOB_TWINS_SEEDS", "1"))
#: Stories that are told side by side. Most of their time is waiting.
WIDTH = int(os.environ.get("DASKJOB_TWINS_WIDTH", "12"))
KILLS = (Fault.KILL_BEFORE, Fault.KILL_AFTER)

pytestmark = pytest.mark.timeout(900 + 3600 * SEEDS)


class Stage:
    """Where stories are told."""

    def __init__(self, world: World, starter: Zygote, folder: Path) -> None:
        self.world, self.starter, self.folder = world, starter, folder
        self.room = asyncio.Semaphore(WIDTH)

    async def tell(self, twins: Iterable[Twin]) -> list[Story]:
        return await asyncio.gather(*(self._tell(twin) for twin in twins))

    async def _tell(self, twin: Twin) -> Story:
        async with self.room:
            story = await tell(self.world, self.starter.start, self.folder, twin)
        if os.environ.get("DASKJOB_TWINS_PROGRESS") or story.problems:
            print(story, flush=True)
        return story


@pytest.fixture
async def stage(plane: Server, tmp_path: Path) -> AsyncIterator[Stage]:
    async with running_world(plane) as world, zygote() as starter:
        yield Stage(world, starter, tmp_path)


async def test_every_write(stage: Stage) -> None:
    """No job lost, none run twice, no orphan, each with the end that is its own."""
    plain = await stage.tell(Twin(ending, 0) for ending in ENDINGS.values())
    check(plain)
    stories = await stage.tell(twin for seed in range(SEEDS) for twin in sweep(plain, seed))
    check(stories)
    missed = [story.twin for story in stories if not story.met]
    longest = max(story.seconds for story in stories)
    print(f"{len(plain)} endings, {len(stories)} twins, {len(missed)} without their write, {longest:.0f} s at most")
    # Some writes are made only if somebody else is late (a group that is left over, a runner that still runs).
    assert len(missed) <= len(stories) / 10, f"never got to their write: {', '.join(map(str, missed))}"


def sweep(plain: Iterable[Story], seed: int) -> list[Twin]:
    """Twins of every kind of step, each in one of the endings that take it: with every seed in another one."""
    takers: dict[tuple[str, str], list[tuple[Ending, Step]]] = {}
    for story in plain:
        kinds = {step.kind: step for step in reversed(steps(story.writes))}
        for kind, step in kinds.items():
            takers.setdefault(kind, []).append((story.twin.ending, step))
    chosen = [found[seed % len(found)] for found in takers.values()]
    return [Twin(ending, seed, kill, step.write, step.occurrence) for ending, step in chosen for kill in KILLS]


def check(stories: Iterable[Story]) -> None:
    wrong = [story for story in stories if story.problems]
    assert not wrong, f"{len(wrong)} went wrong:\n" + "\n".join(map(str, wrong[:10]))
