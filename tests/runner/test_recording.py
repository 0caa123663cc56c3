"""What the runner writes of the task stream, whoever asks for it at the same time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from daskjob.runner.recording import EVENTS, Recording


class Scheduler:
    """Runs functions as Dask's scheduler does, and answers a moment later."""

    def __init__(self) -> None:
        self.workers: dict[str, Any] = {}
        self.plugins: dict[str, Any] = {}

    def add_plugin(self, plugin: Any, name: str) -> None:
        self.plugins[name] = plugin

    async def ask(self, function: Callable[..., str], **keywords: Any) -> str:
        answer = function(self, **keywords)
        await asyncio.sleep(0)
        return answer

    async def get_task_stream(self, **_: Any) -> None: ...

    def finish(self, key: str) -> None:
        steps = [{"action": "compute", "start": 1.0, "stop": 2.0}]
        known = {"worker": "tcp://a:1", "thread": 1, "nbytes": 8, "startstops": steps}
        self.plugins["daskjob-task-stream"].transition(key, "processing", "memory", **known)


def test_two_who_ask_at_a_time_write_each_task_once(tmp_path: Path) -> None:
    recording, scheduler = Recording(str(tmp_path)), Scheduler()

    async def record() -> None:
        await recording.begin(scheduler.ask, scheduler)
        for number in range(6):
            scheduler.finish(f"step-{number}")
            # The runner's own look, and that of whoever waits for the end.
            await asyncio.gather(recording.follow(scheduler.ask), recording.follow(scheduler.ask))
        await recording.follow(scheduler.ask)

    with recording._file:
        asyncio.run(record())
    events = [json.loads(line) for line in (tmp_path / EVENTS).read_text().splitlines()]
    assert [each["args"]["key"] for each in events if each["ph"] == "X"] == [f"step-{number}" for number in range(6)]
