"""Functions that the runner sends to the scheduler, which runs them.

The scheduler cannot import our code, so every function imports what it needs itself, and returns JSON text.
"""

from __future__ import annotations

from typing import Any


def counts(dask_scheduler: Any, whole: bool = True) -> str:
    """What a runner wants to know, as a JSON object; without `prefixes` unless `whole`:

    `workers`: by address `[name, threads, usable, memory limit if it is paused, else 0, tasks in execution, tasks that
    it has, those of them that ask for resources, seconds that they take, bytes of results, memory limit]`;
    `prefixes`: by name `[total, ever done, processing, pending, ever erred, erred now]`, the first thousand, and the
    sums of all others under an empty name; `spent`: the seconds that it took; `forgotten`: the number of unfinished
    tasks that `fire_and_forget` asked for; `nested`: whether tasks have clients; `stuck`: `[key, resources, count]` of
    the tasks that no worker can run and that ask for resources, the first of those that ask for the same, and how many
    these are; `free`: the number of other tasks that wait for a worker; `placed`: `[key, places]` of those among them
    that may run on certain workers or hosts only, the first of those that name the same; `offers`: the resources that
    workers have, each combination once; `occupying`: the keys of the tasks on all threads, if there are such and a
    task's client waits for another one; [] if a thread is free.

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
            len(worker.processing),
            sum(bool(task.resource_restrictions) for task in worker.processing) if dask_scheduler.resources else 0,
            getattr(worker, "occupancy", 0),
            worker.nbytes,
            worker.memory_limit or 0,
        ]
        for address, worker in dask_scheduler.workers.items()
    }
    nobody = dask_scheduler.clients.get("fire-and-forget")
    forgotten = len(nobody.wants_what) if nobody is not None else 0
    nested = any("Client-worker-" in name for name in dask_scheduler.clients)
    occupying: list[str] = []
    if nested:
        # A task that secedes, as in `worker_client()`, has no thread of those that are counted.
        running = {
            worker: [task for task in worker.executing if task not in getattr(worker, "long_running", ())]
            for worker in dask_scheduler.workers.values()
        }
        occupied = {task for tasks in running.values() for task in tasks}
        full = all(len(tasks) >= worker.nthreads for worker, tasks in running.items())
        # Tasks may want very many others.
        if full and any(
            task not in occupied and task.state in ("waiting", "queued", "no-worker", "processing")
            for name, client in dask_scheduler.clients.items()
            if "Client-worker-" in name
            for task in client.wants_what
        ):
            # A longer list would be sent twice a second.
            occupying = [str(task.key) for task in occupied] if len(occupied) <= 1000 else []
    found = {"id": dask_scheduler.id, "workers": workers, "occupying": occupying}
    if whole:
        found["prefixes"] = prefixes
    stuck: dict[str, list[Any]] = {}
    placed: dict[str, list[Any]] = {}
    free = len(getattr(dask_scheduler, "queued", ()))
    for task in dask_scheduler.unrunnable:
        if not task.resource_restrictions:
            free += 1
            places = sorted({*(task.worker_restrictions or ()), *(task.host_restrictions or ())})
            # A longer list was read from the scheduler.
            if 0 < len(places) <= 50 and not task.loose_restrictions and len(placed) < 50:
                placed.setdefault(json.dumps(places), [str(task.key), places])
        else:
            wanted = dict(task.resource_restrictions)
            row = stuck.setdefault(json.dumps(wanted, sort_keys=True), [str(task.key), wanted, 0])
            row[2] += 1
    offers = {json.dumps(each.resources, sort_keys=True) for each in dask_scheduler.workers.values()}
    found.update({"forgotten": forgotten, "nested": nested, "stuck": list(stuck.values())[:50], "free": free})
    found["placed"] = list(placed.values())
    found["offers"] = [json.loads(each) for each in sorted(offers)[:50]]
    found["spent"] = time.perf_counter() - began
    return json.dumps(found)


def erred(dask_scheduler: Any) -> str:
    """`[[key, exception, traceback], …]` of the tasks that erred last, newest first, forgotten ones included."""
    import json

    tasks = list(getattr(dask_scheduler, "erred_tasks", ()))[:20]
    return json.dumps([[str(task.key), task.exception_text[:4096], task.traceback_text[-8192:]] for task in tasks])
