"""Functions that the runner sends to the scheduler, and that keep there what tasks did until the runner fetches it.

As those of `snapshot`, each imports what it needs itself, and returns JSON text. `TraceFile` (`trace`) writes what they
return.
"""

from __future__ import annotations

from typing import Any


def collect(dask_scheduler: Any) -> str:
    """Begins to keep, at each task's end, where and when its steps ran. Returns "true" if that had not begun yet.

    Rows that nobody fetches are kept up to a million, and further ones only counted. The rows of a scheduler's own
    task stream would be lost beyond 100,000.
    """
    from distributed.diagnostics.plugin import SchedulerPlugin

    class TaskStream(SchedulerPlugin):
        name = "daskjob-task-stream"

        def __init__(self) -> None:
            self.finished = 0
            self.rows: list[Any] = []
            #: How many rows have gone, because somebody has them.
            self.gone = 0

        def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
            if start == "processing" and finish in ("memory", "erred"):
                self.finished += 1
                if len(self.rows) < 1_000_000:
                    self.rows.append((key, finish, kwargs))

    if TaskStream.name in dask_scheduler.plugins:
        return "false"
    dask_scheduler.add_plugin(TaskStream(), name=TaskStream.name)
    return "true"


def fetch(dask_scheduler: Any, have: int = 0) -> str:
    """Gives the oldest rows, at most 5,000, as a JSON object. They stay with the scheduler until somebody asks who has
    them: a process that ends meanwhile loses none. `have`: how many rows, from the first, the asker has written.

    `finished`: how many tasks have ended so far, kept or not; `left`: how many rows are left; `rows`: of each task
    `[key, whether it erred, worker's address, thread, bytes of the result, [[action, start, stop], …]]`, with seconds
    since 1970 by the scheduler's clock, to the microsecond; `names`: by address, the name of each worker in `rows`
    that is still there.
    """
    import json

    stream = dask_scheduler.plugins["daskjob-task-stream"]
    written = max(0, have - stream.gone)
    del stream.rows[:written]
    stream.gone += written
    rows = []
    for key, finish, known in stream.rows[:5000]:
        steps = [
            [each["action"], round(each["start"], 6), round(each["stop"], 6)] for each in known["startstops"] or ()
        ]
        thread, size = known.get("thread"), known.get("nbytes")
        rows.append([str(key), finish == "erred", str(known.get("worker")), thread, size, steps])
    workers = {address: dask_scheduler.workers.get(address) for address in {row[2] for row in rows}}
    names = {address: str(worker.name) for address, worker in workers.items() if worker is not None}
    left = len(stream.rows) - len(rows)
    return json.dumps({"finished": stream.finished, "left": left, "names": names, "rows": rows})
