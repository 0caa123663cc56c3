"""The process' answers to probes: `/healthz` and `/readyz`.

`/healthz` fails when a watch receives neither data nor an error; kopf's own endpoint answers as long as the process
runs. It does not fail while the API server is down, because a restart would not help.
`/readyz` fails until both watches are up, and while the API server refuses one.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AsyncExitStack
from typing import Any

from daskjob.probes.server import probe, serving
from daskjob.probes.watch_health import Watches

PATH = "/apis/kubernetes.dask.org/v1"
#: Seconds without a heartbeat of a watch. Bookmarks come about once a minute; kopf asks anew after 70 s of silence.
SILENCE = 180.0


class Health:
    """Liveness and readiness of the Dask controller. `port` 0: it answers no probes."""

    def __init__(self, port: int, namespaces: Collection[str], resources: Collection[str]) -> None:
        self.watches = Watches()
        self._port = port
        places = [f"{PATH}/namespaces/{namespace}" for namespace in namespaces] or [PATH]
        self._paths = [f"{place}/{resource}" for place in places for resource in resources]
        self._stack = AsyncExitStack()
        self._begun = self._watching = False

    async def begin(self) -> None:
        """Answers probes from now on; a second call changes nothing. Raises OSError if the port is taken."""
        if not self._port or self._begun:
            return
        handlers = {"/healthz": probe(self._silent, self._details), "/readyz": probe(self._unready)}
        await self._stack.enter_async_context(serving(self._port, handlers))
        self._begun = True

    def expect_watches(self) -> None:
        """Expects kopf's watches from now on."""
        self._watching = True
        self.watches.expect(self._paths)

    async def end(self) -> None:
        await self._stack.aclose()

    def _silent(self) -> list[str]:
        return self.watches.silent(SILENCE)

    def _details(self) -> dict[str, Any]:
        return {"secondsSinceSignOfLife": {path: round(age, 1) for path, age in self.watches.ages().items()}}

    def _unready(self) -> list[str]:
        if not self._watching:
            return ["waits for the API server and the definitions of what it watches"]
        return [*self._silent(), *self.watches.unready()]
