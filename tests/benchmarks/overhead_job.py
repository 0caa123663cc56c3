"""The job of overhead.py: the same tasks of no work through the job's client, and by a plain process beside it.

The plain process stops the runner's child, its parent, while it computes: no progress is asked for then.
"""

import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import time

from distributed import Client

#: Tasks of a run that is not measured: both clients and all workers have begun then.
WARM_UP = 5000


def nothing(number):
    return number


def cpu_of_scheduler(dask_scheduler):
    return time.process_time()


def tasks_of_scheduler(dask_scheduler):
    return len(dask_scheduler.tasks)


def cpu_seconds(client):
    """Of this process, the scheduler, and all workers together."""
    workers = sum(client.run(time.process_time).values())
    return {
        "client": time.process_time(),
        "scheduler": client.run_on_scheduler(cpu_of_scheduler),
        "workers": workers,
    }


def measure(client, tasks):
    """Seconds and CPU seconds of so many tasks, from their submission to all results."""
    while client.run_on_scheduler(tasks_of_scheduler):
        time.sleep(0.1)
    gc.collect()
    cpu, began = cpu_seconds(client), time.monotonic()
    values = client.gather(client.map(nothing, range(tasks), pure=False))
    seconds = time.monotonic() - began
    assert values == list(range(tasks))
    after = cpu_seconds(client)
    parts = {name: after[name] - cpu[name] for name in after}
    return {"seconds": seconds, "cpu": sum(parts.values()), "parts": parts}


@contextlib.contextmanager
def stopped(process):
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def plain(address, tasks):
    """What a process of `distributed` alone measures; it prints it."""
    with Client(address) as client, stopped(os.getppid()):
        measure(client, WARM_UP)
        print(json.dumps(measure(client, tasks)))


def run_plain(address, tasks):
    code = f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r}); import overhead_job as job; "
    command = [sys.executable, "-c", f"{code}job.plain({address!r}, {tasks})"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def through_job(client, tasks):
    measure(client, WARM_UP)
    return measure(client, tasks)


def main(client, tasks, plain_first):
    """One pair."""
    client.wait_for_workers(2)
    address = client.scheduler.address
    kinds = {"job": lambda: through_job(client, tasks), "plain": lambda: run_plain(address, tasks)}
    names = sorted(kinds, reverse=plain_first)
    measured = {name: kinds[name]() for name in names}
    return {**measured, "load": os.getloadavg()[0]}
