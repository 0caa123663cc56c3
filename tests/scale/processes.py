"""What the processes of operator and Dask controller take: memory now and at its peak, CPU, restarts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from ..support.containers import cpu_seconds, forget_peak, main_process, peak, resident, waiting_seconds
from .connection import Body, Connection

OPERATOR, DASK_CONTROLLER = "operator", "dask-controller"
#: Seconds between two looks.
INTERVAL = 0.5
MIB = 2**20


@dataclass
class Usage:
    """What one component took while it was watched. Memory in MiB, CPU in seconds, `waited` the seconds for which its
    first thread could have run and had no CPU.

    `cpu` is summed over all processes of the component, `peak` is that of the greatest, and `restarts` counts the
    containers that a kubelet started in place of one that had ended.
    """

    memory: float = 0.0
    peak: float = 0.0
    cpu: float = 0.0
    waited: float = 0.0
    restarts: int = 0


@dataclass
class Processes:
    """Watches the first process of each component until its task is cancelled. `selector` finds the pod of each."""

    connection: Connection
    namespace: str
    selectors: dict[str, str]
    usage: dict[str, Usage] = field(default_factory=dict)
    #: All are found.
    found: asyncio.Event = field(default_factory=asyncio.Event)

    def forget(self) -> None:
        self.usage, self.found = {}, asyncio.Event()

    async def watch(self) -> None:
        await asyncio.gather(*(self._watch(name, selector) for name, selector in self.selectors.items()))

    async def _watch(self, name: str, selector: str) -> None:
        usage, pods = Usage(), await self._pods(selector)
        before_all = {uid: count for uid, (count, _) in pods.items()}
        restarts: dict[str, int] = {}
        while True:
            for uid, (count, _) in pods.items():
                restarts[uid] = count - before_all.get(uid, 0)
            usage.restarts = sum(restarts.values())
            pid = next((pid for _, pid in pods.values() if pid is not None), None)
            if pid is None:
                await asyncio.sleep(INTERVAL)
                pods = await self._pods(selector)
                continue
            self.usage[name] = usage
            if self.usage.keys() == self.selectors.keys():
                self.found.set()
            forget_peak(pid)
            before, spent = (cpu_seconds(pid), waiting_seconds(pid)), (usage.cpu, usage.waited)
            while (now := cpu_seconds(pid)) is not None and before[0] is not None:
                usage.cpu = spent[0] + now - before[0]
                usage.waited = spent[1] + max(0.0, waiting_seconds(pid) - before[1])
                usage.memory = (resident(pid) or 0) / MIB
                usage.peak = max(usage.peak, (peak(pid) or 0) / MIB)
                await asyncio.sleep(INTERVAL)
            pods = await self._pods(selector)

    async def _pods(self, selector: str) -> dict[str, tuple[int, int | None]]:
        """By the UID of each pod that stays: how often its container was started again, and its first process; None
        if it does not run."""
        pods = await self.connection.items(f"/api/v1/namespaces/{self.namespace}/pods", labelSelector=selector)
        found: dict[str, tuple[int, int | None]] = {}
        for pod in pods:
            if "deletionTimestamp" in pod["metadata"]:
                continue
            for status in (pod.get("status") or {}).get("containerStatuses") or ():
                found[pod["metadata"]["uid"]] = status["restartCount"], _process(pod)
        return found


def _process(pod: Body) -> int | None:
    try:
        return main_process(pod)
    except AssertionError:
        return None
