"""Tasks that `fire_and_forget` asked for: nobody waits for them, so the runner does."""

from __future__ import annotations

import functools
import sys
import threading
import time
from typing import Any

from distributed import Client

from daskjob.runner.scheduler import Scheduler

#: Seconds in which a request that a client has just sent reaches the scheduler: clients send a few times a second at
#: most, and the runner asks by a connection of its own.
UNDER_WAY = 0.2
#: Seconds between two questions whether all is done.
PAUSE = 0.5


class Forgotten:
    """Notices from its creation on whether this process calls `fire_and_forget`."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        owner: Any = Client
        send = owner._send_to_scheduler

        @functools.wraps(send)
        def send_and_note(client: Any, message: Any) -> Any:
            if isinstance(message, dict) and message.get("client") == "fire-and-forget":
                self._asked.set()
            return send(client, message)

        owner._send_to_scheduler = send_and_note

    def wait(self, scheduler: Scheduler, patience: float) -> int:
        """Waits until these tasks are finished, well or not, for at most `patience` seconds, and reports that it waits.
        Returns how many are not finished then."""
        deadline = time.monotonic() + patience
        # Tasks may have asked for others, too.
        asked = self._asked.is_set() or _has_pending_futures()
        sure = not asked and scheduler.observe() and not scheduler.has_nested_clients
        announced = False
        while not sure and time.monotonic() < deadline:
            time.sleep(UNDER_WAY)
            if not scheduler.observe():
                if scheduler.is_busy():
                    continue
                return 0
            if not scheduler.forgotten:
                break
            if not announced:
                announced = True
                words = _words(scheduler.forgotten, patience)
                scheduler.obstacles.has_value(words)
                print(f"daskjob: {words}", file=sys.stderr, flush=True)
            time.sleep(min(PAUSE, max(0.0, deadline - time.monotonic())))
        scheduler.obstacles.has_value("")
        return scheduler.forgotten if announced else 0


def _words(count: int, patience: float) -> str:
    tasks = "1 task" if count == 1 else f"{count} tasks"
    return f"the graph has its value; {tasks} of fire_and_forget may go on for at most {patience:g} s"


def _has_pending_futures() -> bool:
    clients: list[Any] = list(getattr(Client, "_instances", ()))
    return any(state.status == "pending" for each in clients for state in list(each.futures.values()))
