"""What keeps a graph from going on although all its processes run: told in seconds, for it looks healthy."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any, Mapping, Optional, Sequence

from daskjob import wire
from daskjob.runner.blocked_tasks import BlockedTasks
from daskjob.runner.idle_workers import IdleWorkers
from daskjob.wire.worker_groups import DEFAULT, GroupOrders, fits

#: Seconds after which a task that asks for what no worker has or will have ends the job: user code may still give it to
#: its workers.
RESOURCE_GRACE = 5.0
#: Names of workers in a message.
MOST_NAMES = 5
#: Seconds after which it is told that all workers are paused, and that an import takes long.
PAUSED_GRACE = 3.0
IMPORT_GRACE = 10.0
#: Seconds after which workers that are all paused and execute nothing end the job: nothing frees their memory.
PAUSED_END = 60.0
#: The same for tasks that are blocked: a worker that comes later may free them.
BLOCKED_END = 600.0


class Obstacles:
    """Judges snapshots of the scheduler (`snapshot.counts`), and the import of the entry point's module."""

    def __init__(
        self, paused_end: float = PAUSED_END, groups: Sequence[GroupOrders] = (), blocked_end: float = BLOCKED_END
    ) -> None:
        """`groups`: what workers offer, also those that are still to come; `blocked_end`: the seconds after which tasks
        that are blocked end the job."""
        self._paused_end, self._blocked_end = paused_end, blocked_end
        self.blocked, self.idle = BlockedTasks(), IdleWorkers()
        self._groups = groups
        #: What workers ever offered, as `snapshot.counts` has it; addresses, hosts and names of all that ever were.
        self._offers: list[dict[str, float]] = []
        self._known: set[str] = set()
        #: The names of the workers that there are.
        self._names: list[str] = []
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
        blocked = [_waiting("NoFreeThreads", self.blocked.words)] if self.blocked.words else []
        idle = [_waiting("WorkersIdle", self.idle.words)] if self.idle.words else []
        return [*self._paused(now, snapshot), *blocked, *idle, *self._importing(now, snapshot), *remainder]

    def find_end(self, now: float, snapshot: dict[str, Any]) -> Optional[dict[str, Any]]:
        """The report's `failure` if the graph can never go on; None if it may."""
        for address, row in snapshot["workers"].items():
            self._known |= {address, address.rpartition("://")[2].rpartition(":")[0].strip("[]"), row[0]}
        self._names = sorted(row[0] for row in snapshot["workers"].values())
        if self.blocked.lasted(now) >= self._blocked_end:
            return wire.failure("NoFreeThreads", self.blocked.words)
        return self._unschedulable(now, snapshot) or self._stuck(now, snapshot)

    def mistake_in(self, key: str, resources: dict[str, float], workers: Sequence[str], hosts: Sequence[str]) -> str:
        """What is wrong with a task's restrictions: they name resources, or only workers or hosts, that never were
        there. Empty: these were there, and are lost."""
        if self._lacks(resources):
            return self._words_on_resources(key, resources)
        never = [each for each in (workers, hosts) if each and self._known.isdisjoint(each)]
        return self._words_on_places(key, never[0]) if never else ""

    def _unschedulable(self, now: float, snapshot: dict[str, Any]) -> Optional[dict[str, Any]]:
        """A task asks for resources that none of the workers has, had, or will have, or for a worker that never was:
        nobody can know the name or the address of one that is yet to come."""
        self._offers += [each for each in snapshot["offers"] if each not in self._offers]
        if not any(row[2] for row in snapshot["workers"].values()):
            return None
        wanting = {key: wanted for key, wanted, _ in snapshot["stuck"] if self._lacks(wanted)}
        misplaced = {key: places for key, places in snapshot["placed"] if self._known.isdisjoint(places)}
        waiting = [*wanting, *misplaced]
        for each in [each for each in self._since if each.startswith("task ") and each[5:] not in waiting]:
            del self._since[each]
        for key in waiting:
            if now - self._since.setdefault(f"task {key}", now) >= RESOURCE_GRACE:
                words = self.mistake_in(key, wanting.get(key, {}), misplaced.get(key, ()), ())
                return wire.failure("NoSuitableWorkers", words, task_key=key)
        return None

    def _stuck(self, now: float, snapshot: dict[str, Any]) -> Optional[dict[str, Any]]:
        """All workers are paused, with work to do, and execute nothing."""
        if not _is_paused(snapshot) or any(row[4] for row in snapshot["workers"].values()):
            self._since.pop("stuck", None)
        elif now - self._since.setdefault("stuck", now) >= self._paused_end:
            return wire.failure("WorkersPaused", _paused_words(snapshot))
        return None

    def _lacks(self, wanted: dict[str, float]) -> bool:
        """Whether no worker offers, offered or will offer all of that at once."""
        offers = [*(each.resources for each in self._groups), *self._offers]
        return bool(wanted) and not any(fits(wanted, each) for each in offers)

    def _words_on_resources(self, key: str, wanted: dict[str, float]) -> str:
        """What a task asks for, and what workers offer instead."""
        offers = [(self._place_of(each), each.resources) for each in self._groups if each.resources]
        known = [resources for _, resources in offers]
        offers += [("workers", each) for each in self._offers if each and each not in known]
        names = {name for _, each in offers for name in each}
        offered = "; ".join(f"{who} offer {_amounts(each)}" for who, each in offers) or "the workers offer no resources"
        words = f"task {key} asks for {_amounts(wanted)}, which no worker offers: {offered}"
        if any(name.lower() == other.lower() and name != other for name in wanted for other in names):
            words += " (capital and small letters differ)"
        return f"{words}. Give it to workers with daskResources (spec.cluster.workers.daskResources)"

    def _words_on_places(self, key: str, places: Sequence[str]) -> str:
        """On which workers a task may run, and which there are instead."""
        more = f" and {len(self._names) - MOST_NAMES} more" if len(self._names) > MOST_NAMES else ""
        there = f": the workers are {', '.join(self._names[:MOST_NAMES])}{more}" if self._names else ""
        return (
            f"task {key} may run on {' or '.join(places[:MOST_NAMES])} alone, and there is no such worker{there}. "
            "Workers get other names in each attempt: read them from Client.scheduler_info(), or ask for a resource, "
            "which a group of workers has by its name"
        )

    def _place_of(self, group: GroupOrders) -> str:
        return f"workers of group {group.name}" if len(self._groups) > 1 or group.name != DEFAULT else "the workers"

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
    return bool(workers) and unfinished and all(row[3] for row in workers)


def _paused_words(snapshot: dict[str, Any]) -> str:
    limits = [row[3] for row in snapshot["workers"].values()]
    return f"all {len(limits)} workers are paused: {full_memory(max(limits) / 2**20)}"


def full_memory(limit: float) -> str:
    """Why workers are paused. `limit`: of each worker, in MiB."""
    return (
        f"each uses most of its memory limit of {limit:.0f} MiB. Raise the workers' limit "
        "(spec.cluster.workers.resources.limits.memory), or work on smaller pieces"
    )


def _amounts(resources: Mapping[str, float]) -> str:
    return ", ".join(f"{name}: {amount:g}" for name, amount in sorted(resources.items()))


def _waiting(reason: str, message: str) -> dict[str, str]:
    return {"reason": reason, "message": message}
