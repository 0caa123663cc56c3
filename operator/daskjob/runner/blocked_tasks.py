"""Tasks that wait for other tasks on the threads that these would need: nothing goes on, and it looks healthy."""

from __future__ import annotations

import re
from typing import Any, Iterable, Mapping, Sequence

#: Seconds for which the same tasks occupy all threads before their stacks are looked at, and until the next look.
GRACE = 10.0
#: Files of Dask and Python by which a call of a client waits, at the inner end of a stack.
_WAITING = re.compile(r'File "[^"]*(?:/threading|/distributed/utils|/distributed/compatibility)\.py"')
#: A client that waits, for its futures mostly. (What waits for a lock, an event or a queue may wait for anything.)
_CLIENT = re.compile(r'File "[^"]*/distributed/client\.py"')
_PLACE = re.compile(r'File "(?:[^"]*/)?([^"/]+)", line (\d+)')
#: Frames of Dask, and of what runs its tasks. (User code may be in a folder `dask`, such as a home.)
_DASK = re.compile(
    r'File "[^"]*/(?:(?:site|dist)-packages/(?:distributed|dask)/[^"]*|concurrent/futures/[^"/]*|threading\.py)"'
)


class BlockedTasks:
    """Judges snapshots of the scheduler (`snapshot.counts`), and the stacks of the tasks that occupy its workers."""

    def __init__(self) -> None:
        self._occupying: list[str] = []
        #: How many tasks have ended so far: those of another executor have threads of their own.
        self._ended = 0
        self._asked = 0.0
        self._blocked_since = 0.0
        #: What to say of tasks that are blocked; empty: none are.
        self.words = ""

    def wants_stacks(self, now: float, snapshot: Mapping[str, Any]) -> bool:
        """Whether to give `judge` the stacks of all tasks now. `now`: monotonic seconds."""
        occupying = sorted(snapshot.get("occupying", ()))
        ended = sum(row[1] + row[4] for row in snapshot["prefixes"].values())
        if (occupying, ended) != (self._occupying, self._ended) or not occupying:
            self._occupying, self._ended, self._asked, self.words = occupying, ended, now, ""
            return False
        return now - self._asked >= GRACE

    def judge(self, now: float, stacks: Mapping[str, Mapping[Any, Sequence[str]]]) -> None:
        """`stacks`: of each task that runs, its frames as texts, the outermost first, by address of worker and key."""
        self._asked = now
        found = {str(key): stack for tasks in stacks.values() for key, stack in tasks.items()}
        if not all(key in found and waits_for_tasks(found[key]) for key in self._occupying):
            self.words = ""
            return
        if not self.words:
            self._blocked_since = now
        key, number = self._occupying[0], len(self._occupying)
        where = place(found[key])
        who = f"task {key} waits{where}" if number == 1 else f"{number} tasks, such as {key}, wait{where}"
        self.words = (
            f"all threads of the workers are taken: {who} for other tasks, for which no thread is left. Let go of the "
            "thread while a task waits (`with worker_client() as client:`, or secede()), or let the entry point submit "
            "and gather the tasks"
        )

    def lasted(self, now: float) -> float:
        """For how many seconds tasks are known to be blocked."""
        return now - self._blocked_since if self.words else 0.0


def waits_for_tasks(stack: Iterable[str]) -> bool:
    """Whether a client waits at the inner end of the stack."""
    inner = next((each for each in reversed(list(stack)) if not _WAITING.search(each)), "")
    return bool(_CLIENT.search(inner))


def place(stack: Iterable[str]) -> str:
    """` at work.py:5`, the innermost line of user code; empty if there is none."""
    own = next((each for each in reversed(list(stack)) if not _DASK.search(each)), "")
    found = _PLACE.search(own)
    return f" at {found[1]}:{found[2]}" if found is not None else ""
