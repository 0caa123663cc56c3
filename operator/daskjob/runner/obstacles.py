"""What keeps a graph from going on although all its processes run: told in seconds, for it looks healthy."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any, Iterable, Optional

from daskjob import wire

#: Seconds after which a task that asks for a resource that no worker ever had ends the job: user code may still give
#: it to its workers.
RESOURCE_GRACE = 5.0
#: Seconds after which it is told that all workers are paused, and that an import takes long.
PAUSED_GRACE = 3.0
IMPORT_GRACE = 10.0
#: Seconds after which workers that are all paused and execute nothing end the job: nothing frees their memory.
PAUSED_END = 60.0


class Obstacles:
    """Judges snapshots of the scheduler (`snapshot.counts`), and the import of the entry point's module."""

    def __init__(self, paused_end: float = PAUSED_END) -> None:
        self._paused_end = paused_end
        #: The most of each resource that a worker ever had; addresses and hosts of all workers that ever were.
        self._most: dict[str, float] = {}
        self._known: set[str] = set()
        self._since: dict[str, float] = {}
        self._module = ""
        self._folder = ""
        self._thread = 0
        self._remainder = ""

    def imports(self, module: str, folder: str) -> None:
        """This thread begins to import user code, from that folder."""
        self._thread, self._folder = threading.get_ident(), folder
        self._since["import"] = time.monotonic()
        self._module = module

    def has_imported(self) -> None:
        self._module = ""

    def has_value(self, remainder: str) -> None:
        """The graph has its value. `remainder`: what is still waited for; empty: nothing."""
        self._remainder = remainder

    def look(self, now: float, snapshot: dict[str, Any]) -> list[dict[str, str]]:
        """The report's `waiting`. `now`: monotonic seconds."""
        remainder = [_waiting("FireAndForget", self._remainder)] if self._remainder else []
        return [*self._paused(now, snapshot), *self._importing(now, snapshot), *remainder]

    def find_end(self, now: float, snapshot: dict[str, Any]) -> Optional[dict[str, Any]]:
        """The report's `failure` if the graph can never go on; None if it may."""
        for address in snapshot["workers"]:
            self._known |= {address, address.rpartition("://")[2].rpartition(":")[0].strip("[]")}
        return self._unschedulable(now, snapshot) or self._stuck(now, snapshot)

    def never_was(self, resources: dict[str, float], workers: Iterable[str], hosts: Iterable[str]) -> bool:
        """Whether a task's restrictions name a resource, or only workers or hosts, that never were there: a mistake. If
        they were, they are lost."""
        places = [set(workers), set(hosts)]
        return bool(self._lacks(resources)) or any(each and not each & self._known for each in places)

    def _unschedulable(self, now: float, snapshot: dict[str, Any]) -> Optional[dict[str, Any]]:
        """A task asks for a resource that none of the workers has or had."""
        for name, amount in snapshot["resources"].items():
            self._most[name] = max(amount, self._most.get(name, 0.0))
        if not any(usable for _, _, usable, *_ in snapshot["workers"].values()):
            return None
        known = {key: wanted for key, wanted in snapshot["stuck"] if self._lacks(wanted)}
        for each in [each for each in self._since if each.startswith("task ") and each[5:] not in known]:
            del self._since[each]
        for key, wanted in known.items():
            if now - self._since.setdefault(f"task {key}", now) >= RESOURCE_GRACE:
                return wire.failure("TaskUnschedulable", self._words(key, wanted), task_key=key)
        return None

    def _stuck(self, now: float, snapshot: dict[str, Any]) -> Optional[dict[str, Any]]:
        """All workers are paused, with work to do, and execute nothing."""
        if not _is_paused(snapshot) or any(executing for *_, executing in snapshot["workers"].values()):
            self._since.pop("stuck", None)
        elif now - self._since.setdefault("stuck", now) >= self._paused_end:
            return wire.failure("WorkersPaused", _paused_words(snapshot))
        return None

    def _lacks(self, wanted: dict[str, float]) -> list[str]:
        return [name for name, amount in wanted.items() if amount > self._most.get(name, 0.0)]

    def _words(self, key: str, wanted: dict[str, float]) -> str:
        lacking = self._lacks(wanted)
        asks = ", ".join(f"{name}: {wanted[name]:g}" for name in lacking)
        have = ", ".join(f"{name}: {amount:g}" for name, amount in sorted(self._most.items())) or "no resources"
        words = f"task {key} asks for {asks}, which no worker has: each has at most {have}"
        if any(name.lower() == other.lower() for name in lacking for other in self._most if name != other):
            words += " (capital and small letters differ)"
        return f"{words}. Give it to the workers with spec.cluster.workers.daskResources"

    def _paused(self, now: float, snapshot: dict[str, Any]) -> list[dict[str, str]]:
        if not _is_paused(snapshot):
            self._since.pop("paused", None)
            return []
        if now - self._since.setdefault("paused", now) < PAUSED_GRACE:
            return []
        return [_waiting("WorkersPaused", _paused_words(snapshot))]

    def _importing(self, now: float, snapshot: dict[str, Any]) -> list[dict[str, str]]:
        module = self._module
        if not module or now - self._since["import"] < IMPORT_GRACE:
            return []
        if any(row[2] for row in snapshot["prefixes"].values()):
            # It computes.
            return []
        where = self._place()
        return [_waiting("Importing", f"module {module} is still being imported{where and f', at {where}'}")]

    def _place(self) -> str:
        """The line of user code at which the import is."""
        frame = sys._current_frames().get(self._thread)
        while frame is not None:
            if frame.f_code.co_filename.startswith(self._folder):
                return f"{frame.f_code.co_filename[len(self._folder) :].lstrip('/')}:{frame.f_lineno}"
            frame = frame.f_back
        return ""


def _is_paused(snapshot: dict[str, Any]) -> bool:
    """Whether all workers are paused, and there is work."""
    workers = snapshot["workers"].values()
    unfinished = any(row[2] + row[3] for row in snapshot["prefixes"].values())
    return bool(workers) and unfinished and all(limit for _, _, _, limit, _ in workers)


def _paused_words(snapshot: dict[str, Any]) -> str:
    limits = [limit for _, _, _, limit, _ in snapshot["workers"].values()]
    return f"all {len(limits)} workers are paused: {full_memory(max(limits) / 2**20)}"


def full_memory(limit: float) -> str:
    """Why workers are paused. `limit`: of each worker, in MiB."""
    return (
        f"each uses most of its memory limit of {limit:.0f} MiB. Raise the workers' limit "
        "(spec.cluster.workers.resources.limits.memory), or work on smaller pieces"
    )


def _waiting(reason: str, message: str) -> dict[str, str]:
    return {"reason": reason, "message": message}
