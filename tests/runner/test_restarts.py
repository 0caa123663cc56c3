"""Workers whose scheduler restarts them start again in their container, as often as one likes."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from .conftest import PYTHON
from .dask_pods import a_scheduler, a_worker

#: Restarts the workers so many times, each time while a task runs that would take long, and prints what their processes
#: are like before and after.
RESTARTS = """\
import json, sys, time, distributed

def look():
    import builtins, os
    kept = getattr(builtins, "kept", False)
    builtins.kept = True
    return os.getpid(), kept, os.getcwd(), dict(os.environ)

with distributed.Client(sys.argv[1]) as client:
    client.wait_for_workers(1)
    found = [list(client.run(look).values())]
    for _ in range(int(sys.argv[2])):
        busy = client.submit(time.sleep, 600, pure=False)
        while not any(client.processing().values()):
            time.sleep(0.05)
        client.restart(timeout=30)
        found.append(list(client.run(look).values()))
    assert client.submit(sum, [1, 2]).result() == 3
    print(json.dumps(found))
"""
RETIRES = """\
import sys, distributed
with distributed.Client(sys.argv[1]) as client:
    client.wait_for_workers(1)
    client.retire_workers(list(client.scheduler_info()["workers"]), close_workers=True)
"""
SHUTS_DOWN = """\
import sys, distributed
client = distributed.Client(sys.argv[1])
client.wait_for_workers(1)
client.shutdown()
"""


def output_of(program: str, *arguments: str) -> str:
    done = subprocess.run([PYTHON, "-c", program, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_client_restart_works_as_often_as_one_likes(launched: Any) -> None:
    """The kubelet, which sees a container that goes on, has no reason to pause."""
    _, address = a_scheduler(launched)
    worker = a_worker(launched, address)
    before, *after = json.loads(output_of(RESTARTS, address, "5"))
    assert len(after) == 5
    [(pid, kept, folder, environment)] = before
    assert (pid, kept) == (worker.process.pid, False)
    for each in after:
        assert each == [[pid, False, folder, environment]], "a new process, as the container starts it"
    assert worker.process.poll() is None


@pytest.mark.parametrize("program", [RETIRES, SHUTS_DOWN])
def test_a_worker_that_is_not_needed_any_more_ends(launched: Any, program: str) -> None:
    _, address = a_scheduler(launched)
    worker = a_worker(launched, address)
    output_of(program, address)
    assert worker.process.wait(60) == 0, worker.log.read_text()
