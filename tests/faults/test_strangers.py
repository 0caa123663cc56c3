"""Whatever object the API server takes costs only itself: random ones, through the whole operator.

Ordinary jobs run beside them and finish, also after a restart that lists them; the operator's process never ends by
itself; and a job that cannot be read is told so.

DASKJOB_STRANGERS_SECONDS: for how long to go on, 45 by default.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings

from ..apiserver.server import Server
from .api import path
from .endings import ENDINGS, is_clean, manifest
from .faults import Peace
from .namespace_view import NamespaceView
from .operators import Operator, warm_process
from .proxy import Proxy
from .strangers import MAKERS, NAME, NEIGHBOUR, Stranger, crowds, deep_jobs
from .world import World, running_world

SECONDS = float(os.environ.get("DASKJOB_STRANGERS_SECONDS", "45"))
#: Seconds for an ordinary job from its creation to its last trace, and for a hopeless one to be told so.
PATIENCE = 60.0
OK = ENDINGS["success"]

pytestmark = pytest.mark.timeout(SECONDS + 6 * PATIENCE)


class Meeting:
    """Ordinary jobs and strangers in one namespace, and an operator behind a proxy."""

    def __init__(self, world: World, view: NamespaceView, operator: Operator) -> None:
        self.world, self.view, self.operator = world, view, operator
        self.numbers = itertools.count()
        self.end = time.monotonic() + SECONDS
        self.problem = ""
        #: How many objects of each kind the API server took, and how many it refused.
        self.taken: Counter[str] = Counter()
        self.refused = self.told = 0

    async def hold(self, found: list[Stranger]) -> None:
        """Creates the strangers and an ordinary job side by side; then restarts the operator, for another job."""
        jobs = [f"sum-{next(self.numbers)}" for _ in range(2)]
        hopeless = await self._create(found[::2], jobs[0])
        await self._begin(jobs[0])
        hopeless += await self._create(found[1::2], jobs[0])
        await self._until(lambda: is_clean(self.view.job(jobs[0])), f"{jobs[0]} has not ended")
        for name in hopeless:
            await self._until(lambda name=name: self._reason(name) == "InvalidSpec", f"{name} was not told InvalidSpec")
        await self.operator.kill()
        await self._begin(jobs[1])
        await self._until(lambda: is_clean(self.view.job(jobs[1])), f"{jobs[1]} has not ended, after a restart")
        for name in jobs:
            status = self.view.job(name)["status"]
            assert status["phase"] == "Succeeded", f"{name}: {status}"
            assert status["result"]["value"] == "45"
            assert len(status["attempts"]) == 1
        assert len(self.view.computed) == len(set(self.view.computed))
        assert "Traceback" not in self.operator.log.read_text(), "the operator met what it did not expect"
        self.told += len(hopeless)

    async def leave(self) -> None:
        """Removes the strangers."""
        for kind in MAKERS:
            where = f"{path(kind, self.view.namespace)}?labelSelector=strangers.test/stranger"
            await self.world.api.request("DELETE", where, {"propagationPolicy": "Background"})

    async def _begin(self, name: str) -> None:
        assert await self.world.api.create(manifest(OK, self.view.namespace, name, 1)) is not None

    async def _create(self, found: list[Stranger], neighbour: str) -> list[str]:
        """Names of those that have to be told that they cannot be read."""
        answers = await asyncio.gather(*(self._create_one(each, neighbour) for each in found))
        return [name for name, each in zip(answers, found, strict=True) if name and each.is_hopeless]

    async def _create_one(self, stranger: Stranger, neighbour: str) -> str:
        """Its name; empty if the API server refused it."""
        name = f"stranger-{next(self.numbers)}"
        where = path(stranger.kind, self.view.namespace)
        texts = [each.replace(NAME, name).replace(NEIGHBOUR, neighbour) for each in (stranger.body, stranger.status)]
        if not await self._send("POST", where, texts[0], "application/json"):
            self.refused += 1
            return ""
        self.taken[stranger.kind] += 1
        if texts[1]:
            await self._send("PATCH", f"{where}/{name}/status", texts[1], "application/merge-patch+json")
        return name

    async def _send(self, method: str, where: str, text: str, kind: str) -> bool:
        session = self.world.api.session
        data = io.BytesIO(text.encode())
        async with session.request(method, where, data=data, headers={"Content-Type": kind}) as response:
            await response.read()
        return response.status < 400

    def _reason(self, name: str) -> str:
        status = self.view.job(name).get("status") or {}
        return str((status.get("failure") or {}).get("reason"))

    async def _until(self, found: Callable[[], object], words: str) -> None:
        def over() -> object:
            return found() or self.operator.own_ends or self.view.errors

        try:
            async with asyncio.timeout(PATIENCE):
                await self.view.until(over)
        except TimeoutError:
            pytest.fail(f"{words} within {PATIENCE:.0f} s")
        assert not self.operator.own_ends, "the operator's process ended"
        assert not self.view.errors, f"the test's world: {self.view.errors}"


@pytest.fixture
async def meeting(control_plane: Server, tmp_path: Path) -> AsyncIterator[Meeting]:
    async with running_world(control_plane) as world, warm_process() as starter:
        view = await world.settle("strangers")
        operator = Operator(starter.start, tmp_path, [view.namespace], "operator")
        async with Proxy(world.api, Peace(), operator.kill) as proxy:
            operator.configure(proxy)
            running = asyncio.create_task(operator.run())
            meeting = Meeting(world, view, operator)
            try:
                yield meeting
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
        world.leave(view)
    print(f"{dict(meeting.taken)} taken, {meeting.refused} refused, {meeting.told} told that they cannot be read")
    assert meeting.problem or meeting.refused < sum(meeting.taken.values()), "most were no objects for the API server"
    assert meeting.problem or meeting.told, "no job was too deep"


@settings(
    # As many as there is time for. Which part of a failure matters is not looked for: each try takes seconds.
    max_examples=max(10, int(SECONDS / 3)),
    phases=(Phase.explicit, Phase.generate),
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(crowds())
@example(deep_jobs())
async def test_they_cost_only_themselves(meeting: Meeting, found: list[Stranger]) -> None:
    # After a failure, hypothesis runs the same again.
    assert not meeting.problem, meeting.problem
    if time.monotonic() > meeting.end:
        return
    try:
        await meeting.hold(found)
        await meeting.leave()
    except BaseException as error:
        log = meeting.operator.log.read_text()[-10_000:] if meeting.operator.log.exists() else ""
        meeting.problem = f"{error}\n" + "\n".join(map(repr, found)) + f"\n{log}"
        raise
