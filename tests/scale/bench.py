"""What every benchmark has: imitated nodes, the chart with its own limits on the real node, a namespace, and what the
processes take."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..support.kube import Kube
from ..support.platform import SYSTEM, Release, merged
from ..support.waiting import wait_for
from .connection import Connection, connect
from .nodes import HOSTNAME, TOLERATION
from .processes import DASK_CONTROLLER, OPERATOR, Processes, Usage

#: Seconds between two lines that say how far a benchmark is.
TELL_SECONDS = 15.0


@dataclass
class Bench:
    """An installed release on a cluster of imitated nodes."""

    kube: Kube
    release: Release
    real_node: str
    connection: Connection
    processes: Processes
    #: Those that `tell` tells of.
    measuring: Processes = field(init=False)
    _began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.measuring = self.processes

    def install(self, changes: Mapping[str, Any] | None = None) -> None:
        """The chart with its own values, but for these changes and the node that its pods run on."""
        pod = {"nodeSelector": {HOSTNAME: self.real_node}, "tolerations": [TOLERATION]}
        self.release.install(merged({"operator": pod, "daskController": pod}, changes or {}))

    def restart(self, *components: str) -> None:
        """New processes, which lead when this returns. Default: both."""
        for name in components or (OPERATOR, DASK_CONTROLLER):
            self.scale(name, 0)
            self.scale(name, 1)

    def scale(self, component: str, replicas: int, seconds: float = 180) -> None:
        """So many pods of the component. Waits until they are ready, or gone; raises AssertionError after `seconds`."""
        system = self.kube.within(SYSTEM)
        [deployment] = system.list("deployments", _selector(component))
        name = deployment["metadata"]["name"]
        system.kubectl("scale", "deployment", name, f"--replicas={replicas}")
        if replicas:
            system.kubectl("rollout", "status", f"deployment/{name}", f"--timeout={seconds:g}s", timeout=seconds + 20)
        else:
            wait_for(f"no pod of {name}", lambda: system.list("pods", _selector(component)), lambda pods: not pods, 60)

    def memory_limit(self, component: str) -> float:
        """MiB that the chart lets a process of the component have."""
        [deployment] = self.kube.within(SYSTEM).list("deployments", _selector(component))
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        return float(container["resources"]["limits"]["memory"].removesuffix("Mi"))

    @asynccontextmanager
    async def namespace(self, name: str) -> AsyncIterator[str]:
        """A new namespace, deleted at the end with all that is in it."""
        await self.connection.create("/api/v1/namespaces", {"metadata": {"name": name}})
        path = f"/api/v1/namespaces/{name}/serviceaccounts"
        async for change, _ in self.connection.watch(path, True, fieldSelector="metadata.name=default"):
            if change == "ADDED":
                break
        try:
            yield name
        finally:
            self.tell(f"deleting namespace {name}")
            await asyncio.to_thread(self.kube.kubectl, "delete", "namespace", name, "--timeout=580s", timeout=600)

    @asynccontextmanager
    async def measured(self, processes: Processes | None = None) -> AsyncIterator[dict[str, Usage]]:
        """What the processes (default: ours) take meanwhile, by component."""
        self.measuring = processes or self.processes
        self.measuring.forget()
        async with running(self.measuring.watch()):
            await self.measuring.found.wait()
            yield self.measuring.usage

    def tell(self, words: str) -> None:
        usage = ", ".join(
            f"{name} {each.memory:.0f} MiB (peak {each.peak:.0f}) {each.cpu:.1f} s CPU"
            + (f" {each.restarts} restarts" if each.restarts else "")
            for name, each in self.measuring.usage.items()
        )
        print(f"{time.monotonic() - self._began:6.1f} s  {words}  {usage}".rstrip(), file=sys.stderr, flush=True)


@asynccontextmanager
async def bench(kube: Kube, release: Release, real_node: str) -> AsyncIterator[Bench]:
    """Installs the chart, which stays. `real_node`: where its pods run, beside imitated nodes."""
    async with connect(kube.kubeconfig) as connection:
        selectors = {name: _selector(name) for name in (OPERATOR, DASK_CONTROLLER)}
        made = Bench(kube, release, real_node, connection, Processes(connection, SYSTEM, selectors))
        made.install()
        yield made


@asynccontextmanager
async def running(*parts: Any) -> AsyncIterator[None]:
    """Runs the coroutines beside what is within; raises the first error of one."""
    inside = asyncio.current_task()
    tasks = [asyncio.create_task(part) for part in parts]

    def stop(task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and task.exception() is not None and inside is not None:
            inside.cancel()

    for task in tasks:
        task.add_done_callback(stop)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


def audit_log(kube: Kube) -> Path:
    """Where tests/cluster keeps a line for each request."""
    return Path(kube.kubeconfig).parent / "logs" / "audit.log"


def _selector(component: str) -> str:
    return f"app.kubernetes.io/component={component},app.kubernetes.io/part-of=daskjob"
