"""Operators as processes of their own, started again whenever they end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from .proxy import Proxy

Start = Callable[[Mapping[str, str], Path], Awaitable[int]]
"""Starts an operator with that environment and log; returns its process ID."""


class WarmProcess:
    """Starts operators by forks of a process that has imported everything: 0.06 s of CPU each, not 1.5 s."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._turn = asyncio.Lock()

    async def start(self, environment: Mapping[str, str], log: Path) -> int:
        order = json.dumps({"environment": dict(environment), "log": str(log)})
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        async with self._turn:
            stdin.write(order.encode() + b"\n")
            await stdin.drain()
            return int(await stdout.readline())


@asynccontextmanager
async def warm_process() -> AsyncIterator[WarmProcess]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("warm_process.py")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield WarmProcess(process)
    finally:
        process.kill()
        await process.wait()


class Programs:
    """Starts operators as users do, by `python -m daskjob`."""

    def __init__(self) -> None:
        self._processes: list[asyncio.subprocess.Process] = []

    async def start(self, environment: Mapping[str, str], log: Path) -> int:
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "daskjob"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **environment},
            )
        # Kept, so that it is waited for when it ends.
        self._processes.append(process)
        return process.pid


class Operator:
    """One operator at a time, for one namespace or several, behind a proxy."""

    def __init__(self, start: Start, folder: Path, namespaces: list[str], name: str) -> None:
        self._start = start
        self._home = namespaces[0]
        self.log = folder / f"{name}.log"
        self._kubeconfig = folder / f"{name}.kubeconfig"
        self._environment = {
            "KUBECONFIG": str(self._kubeconfig),
            "DASKJOB_NAMESPACES": ",".join(namespaces),
            "DASKJOB_OPERATOR_NAMESPACE": namespaces[0],
            "DASKJOB_LEASE_NAME": "daskjob-operator",
            # A container that is started again is in the same pod.
            "DASKJOB_POD_NAME": "daskjob-operator-0",
            "DASKJOB_HEALTH_PORT": "0",
            "DASKJOB_METRICS_PORT": "0",
            "DASKJOB_DEFAULT_IMAGE": "localhost/dask:test",
            # Odd templates come as far as they can.
            "DASKJOB_ALLOW": "unknownFields",
        }
        self._handle: int | None = None
        self._ended = asyncio.Event()
        #: How often it was started; killed by us; and ended by itself.
        self.starts = self.kills = self.own_ends = 0
        #: Seconds from an end to the next start.
        self.pause = 0.0

    def configure(self, proxy: Proxy, **environment: str) -> None:
        """Before it is started."""
        self._environment |= environment
        self._kubeconfig.write_text(_kubeconfig(proxy.url))

    async def run(self) -> None:
        """Until cancelled; then the process is killed."""
        try:
            while True:
                before = self.kills
                await self._begin()
                await self._ended.wait()
                self._forget()
                if self.kills == before:
                    self.own_ends += 1
                await asyncio.sleep(self.pause)
        finally:
            self._signal()
            self._forget()

    async def kill(self) -> None:
        """SIGKILL; returns when it is dead."""
        if self._handle is None:
            return
        self.kills += 1
        self._signal()
        await self._ended.wait()

    def _signal(self) -> None:
        if self._handle is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    async def _begin(self) -> None:
        self._ended.clear()
        starting = asyncio.ensure_future(self._start(self._environment, self.log))
        try:
            pid = await asyncio.shield(starting)
        except asyncio.CancelledError:
            # On its way already; `run` kills it.
            self._take(await starting)
            raise
        self._take(pid)

    def _take(self, pid: int) -> None:
        self.starts += 1
        try:
            self._handle = os.pidfd_open(pid)
        except ProcessLookupError:
            self._ended.set()
            return
        asyncio.get_running_loop().add_reader(self._handle, self._ended.set)

    def _forget(self) -> None:
        if self._handle is not None:
            asyncio.get_running_loop().remove_reader(self._handle)
            os.close(self._handle)
            self._handle = None


def _kubeconfig(url: str) -> str:
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": url}}],
            "users": [{"name": "test", "user": {"token": "none"}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        }
    )
