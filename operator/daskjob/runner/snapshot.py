"""Functions that the runner sends to the scheduler, which runs them.

The scheduler cannot import our code, so every function imports what it needs itself, and returns JSON text.
"""

from __future__ import annotations

from typing import Any


def counts(dask_scheduler: Any, whole: bool = True) -> str:
    """What a runner wants to know, as a JSON object; without `prefixes` unless `whole`:

    `workers`: by address `[name, threads, usable, memory limit if it is paused, else 0, tasks in execution]`;
    `prefixes`: by name `[total, ever done, processing, pending, ever erred, erred now]`, the first thousand, and the
    sums of all others under an empty name; `spent`: the seconds that it took; `forgotten`: the number of unfinished
    tasks that `fire_and_forget` asked for; `nested`: whether tasks have clients; `stuck`: `[key, resources]` of the
    first tasks that no worker can run and that ask for resources; `resources`: by name the most that a worker has.

    Dask counts for a prefix how often its tasks entered a state, forgotten tasks included, so the counts stay when Dask
    forgets a computation. A task that Dask computes twice counts as done twice; `task_counts` corrects that.
    """
    import json
    import time

    began = time.perf_counter()
    prefixes: dict[str, list[int]] = {}
    others = [0, 0, 0, 0, 0, 0]
    # Users' keys may each be a prefix of its own. The scheduler does nothing else in this loop.
    for prefix in list(dask_scheduler.task_prefixes.values()) if whole else ():
        now, ever = prefix.states, prefix.state_counts
        total = sum(now.values()) - now.get("forgotten", 0) + ever.get("forgotten", 0)
        if not total:
            continue
        pending = now.get("waiting", 0) + now.get("queued", 0) + now.get("no-worker", 0)
        done, erred = ever.get("memory", 0), ever.get("erred", 0)
        row = [total, done, now.get("processing", 0), pending, erred, now.get("erred", 0)]
        if len(prefixes) < 1000:
            prefixes[prefix.name] = row
        else:
            others = [others[place] + row[place] for place in range(6)]
    if others[0]:
        prefixes[""] = others
    workers = {
        address: [
            str(worker.name),
            worker.nthreads,
            worker.status.name in ("running", "paused"),
            (worker.memory_limit or 1) if worker.status.name == "paused" else 0,
            len(worker.executing),
        ]
        for address, worker in dask_scheduler.workers.items()
    }
    nobody = dask_scheduler.clients.get("fire-and-forget")
    forgotten = len(nobody.wants_what) if nobody is not None else 0
    nested = any("Client-worker-" in name for name in dask_scheduler.clients)
    found = {"id": dask_scheduler.id, "workers": workers}
    if whole:
        found["prefixes"] = prefixes
    wanting = [task for task in dask_scheduler.unrunnable if task.resource_restrictions]
    stuck = [[str(task.key), dict(task.resource_restrictions)] for task in wanting[:20]]
    resources = {name: max(each.values()) for name, each in dask_scheduler.resources.items() if each}
    found.update({"forgotten": forgotten, "nested": nested, "stuck": stuck, "resources": resources})
    found["spent"] = time.perf_counter() - began
    return json.dumps(found)


def erred(dask_scheduler: Any) -> str:
    """`[[key, exception, traceback], …]` of the tasks that erred last, newest first, forgotten ones included."""
    import json

    tasks = list(getattr(dask_scheduler, "erred_tasks", ()))[:20]
    return json.dumps([[str(task.key), task.exception_text[:4096], task.traceback_text[-8192:]] for task in tasks])
