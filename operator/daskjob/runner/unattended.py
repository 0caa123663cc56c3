"""When a scheduler or worker leaves by itself: if no operator runs, nobody deletes the cluster of a job that is over.

A scheduler ends its process when for some time no client was connected and no runner asked for counts of tasks, and a
worker when it had no scheduler for so long; before the first contact, another number of seconds counts. (Clients that
tasks open on workers do not count.) The kubelet starts the container again, with pauses of up to five minutes. Then a
file in /tmp, which lives as long as the pod, tells the new process that the time is over, and it ends before it imports
Dask; a worker first looks whether somebody listens at its scheduler's address, because the pauses of a worker that
crashes may be longer than the time. The times are of the node's monotonic clock: no two clocks have to agree, and the
time in which a process was frozen or blocked hardly counts.
"""

from __future__ import annotations

import asyncio
import functools
import os
import sys
import time
from typing import Any, Callable


class Unattended:
    """The time that is left to this process, kept in the pod's file, too.

    `first`, `later`: seconds without a contact before and after the first one; `kind`: the name of Dask's class of
    which this process has instances, `Scheduler`, `Worker` or `Nanny`.
    """

    def __init__(self, first: float, later: float, kind: str) -> None:
        self._first, self._later, self._kind = first, later, kind
        folder = os.environ.get("DASKJOB_RECORD_FOLDER", "/tmp")
        self._record = os.path.join(folder, f".daskjob-{os.uname().nodename}")

    def check(self, listens: Callable[[], bool]) -> None:
        """Ends the process if its time was over before it began. `listens`: whether a worker's scheduler may be there
        all the same."""
        if self._left() <= 0:
            if self._kind == "Scheduler" or not listens():
                self._leave()
            self._write(self._later)

    async def watch_or_wait(self) -> None:
        """Takes the place of what each of Dask's processes awaits until a signal comes. It does not return."""
        try:
            await self._watch()
        except Exception as error:
            print(f"daskjob: this process cannot leave by itself: {error!r}", file=sys.stderr, flush=True)
            # A signal that comes just before the loop falls asleep does not wake it: so it never sleeps for long.
            while True:  # noqa: ASYNC110
                await asyncio.sleep(1)

    async def _watch(self) -> None:
        import distributed

        left, step = self._left(), min(15, self._later / 4)
        asked: list[bool] = []
        self._write(left)
        servers: list[Any] = list(getattr(distributed, self._kind)._instances)
        if self._kind == "Scheduler":
            for each in servers:
                _note_requests(each, asked)
        while left > 0:
            before = time.monotonic()
            await asyncio.sleep(step)
            attended = any(map(self._is_attended, servers)) or bool(asked)
            asked.clear()
            left = self._later if attended else left - min(time.monotonic() - before, 2 * step)
            self._write(left)
        self._leave()

    def _is_attended(self, server: Any) -> bool:
        if self._kind == "Nanny":
            # It starts a process when it has reached the scheduler, and ends with one that has lost it.
            return bool(server.is_alive())
        if self._kind == "Worker":
            return server.status.name in ("running", "paused")
        clients = {name for name in server.clients if "Client-worker-" not in name}
        return bool(clients - {"fire-and-forget"})

    def _leave(self) -> None:
        missed = "served neither a runner nor a client" if self._kind == "Scheduler" else "found no scheduler"
        words = f"this process {missed} for {self._later:g} s and leaves; if its pod stays, no operator runs"
        print(f"daskjob: {words}", file=sys.stderr, flush=True)
        os._exit(0)

    def _left(self) -> float:
        try:
            with open(self._record) as file:
                left = float(file.read()) - time.monotonic()
        except (OSError, ValueError):
            return self._first
        # After a restart of the node, its clock begins anew.
        return left if left <= max(self._first, self._later) else self._first

    def _write(self, left: float) -> None:
        try:
            with open(self._record, "w") as file:
                file.write(str(time.monotonic() + left))
        except OSError:
            pass


def _note_requests(scheduler: Any, asked: list[bool]) -> None:
    """Has a scheduler note the requests that only a runner sends."""

    def noting(handler: Any) -> Any:
        @functools.wraps(handler)
        def noted(*args: Any, **kwargs: Any) -> Any:
            asked.append(True)
            return handler(*args, **kwargs)

        return noted

    for name in ("run_function", "adaptive_target"):
        scheduler.handlers[name] = noting(scheduler.handlers[name])
