"""That operators are started, killed and started again as they should be."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from .namespace_view import eventually
from .operators import Operator

#: Seconds for a process to start.
PATIENCE = 30.0


class Sleepers:
    """Starts processes that do nothing; slowly."""

    def __init__(self) -> None:
        self.started: list[asyncio.subprocess.Process] = []

    async def start(self, environment: Mapping[str, str], log: Path) -> int:
        await asyncio.sleep(0.05)
        self.started.append(await asyncio.create_subprocess_exec("sleep", "60"))
        return self.started[-1].pid


@pytest.fixture
def sleepers() -> Sleepers:
    return Sleepers()


@pytest.fixture
def operator(sleepers: Sleepers, tmp_path: Path) -> Operator:
    return Operator(sleepers.start, tmp_path, ["team"], "operator")


async def stop(running: asyncio.Task[None]) -> None:
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_killed_and_started_again(operator: Operator, sleepers: Sleepers) -> None:
    running = asyncio.create_task(operator.run())
    await eventually(lambda: operator.starts == 1, PATIENCE)
    await operator.kill()
    await eventually(lambda: operator.starts == 2, PATIENCE)
    await stop(running)
    assert (operator.kills, operator.own_ends) == (1, 0)
    assert [await each.wait() for each in sleepers.started] == [-signal.SIGKILL] * 2


async def test_one_that_ends_by_itself_is_counted(operator: Operator, sleepers: Sleepers) -> None:
    running = asyncio.create_task(operator.run())
    await eventually(lambda: operator.starts == 1, PATIENCE)
    os.kill(sleepers.started[0].pid, signal.SIGTERM)
    await eventually(lambda: operator.starts == 2, PATIENCE)
    await stop(running)
    assert (operator.kills, operator.own_ends) == (0, 1)
    assert [await each.wait() for each in sleepers.started] == [-signal.SIGTERM, -signal.SIGKILL]


async def test_none_is_left_that_was_just_being_started(operator: Operator, sleepers: Sleepers) -> None:
    running = asyncio.create_task(operator.run())
    await asyncio.sleep(0)
    await stop(running)
    assert [await each.wait() for each in sleepers.started] == [-signal.SIGKILL]
