"""Scheduler and workers of a job leave by themselves when nobody talks to them, as their containers start them."""

from __future__ import annotations

import signal
import time
from typing import Any

from .conftest import wait_for
from .dask_pods import FIRST, LATER, a_client, a_scheduler, a_worker

#: A client that works on the scheduler for so many seconds and leaves.
CLIENT = "import sys, time, distributed\nwith distributed.Client(sys.argv[1]): time.sleep(float(sys.argv[2]))"
#: A client of a task, on a worker.
CLIENT_OF_A_TASK = """\
import sys, time, distributed

def task():
    with distributed.worker_client() as client:
        client.submit(sum, [1]).result()
        time.sleep(600)

with distributed.Client(sys.argv[1]) as client:
    distributed.fire_and_forget(client.submit(task))
    while "Client-worker" not in str(client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.clients))):
        time.sleep(0.05)
"""


def test_a_scheduler_that_nobody_ever_reaches_leaves_and_does_not_come_back(launched: Any) -> None:
    """The runner never started. A worker is no reason to stay."""
    scheduler, address = a_scheduler(launched, first=8)
    a_worker(launched, address)
    assert scheduler.leaves() >= 8
    before = scheduler.log.read_text()
    scheduler.starts()
    scheduler.leaves()
    assert "distributed" in before
    assert "distributed" not in scheduler.log.read_text().removeprefix(before), "it ends before it imports Dask"


def test_a_scheduler_stays_while_a_client_is_connected_and_leaves_afterwards(launched: Any) -> None:
    scheduler, address = a_scheduler(launched)
    a_client(CLIENT, address, str(2 * LATER))
    assert scheduler.process.poll() is None
    # Long before the time is over that counts before the first contact.
    scheduler.leaves(FIRST / 2)


def test_the_runner_alone_keeps_the_scheduler(launched: Any, start: Any) -> None:
    """User code may close its client and go on by itself."""
    scheduler, address = a_scheduler(launched, later=4.0)
    a_worker(launched, address)
    running = start("failing:closes_its_client", 10, address=address)
    assert running.wait().value == "done"
    assert scheduler.process.poll() is None
    scheduler.leaves()


def test_a_client_of_a_task_does_not_keep_the_scheduler(launched: Any) -> None:
    scheduler, address = a_scheduler(launched)
    a_worker(launched, address)
    a_client(CLIENT_OF_A_TASK, address)
    scheduler.leaves(30)


def test_a_worker_stays_with_its_scheduler_and_leaves_after_it(launched: Any) -> None:
    scheduler, address = a_scheduler(launched)
    worker = a_worker(launched, address)
    a_client(CLIENT, address, str(2 * LATER))
    scheduler.leaves()
    # Dask ends a worker that has lost its scheduler; the kubelet starts it again.
    worker.process.wait(30)
    while "leaves" not in worker.log.read_text():
        worker.starts()
        worker.process.wait(60)
    before = worker.log.read_text()
    worker.starts()
    worker.leaves()
    assert "distributed" in before
    assert "distributed" not in worker.log.read_text().removeprefix(before), "it ends before it imports Dask"


def test_a_worker_that_is_late_joins_a_scheduler_that_listens(launched: Any) -> None:
    """It was not there for longer than it may be without a scheduler: the kubelet's pauses are long."""
    _, address = a_scheduler(launched)
    # Not so short that a busy machine's imports take longer.
    worker = a_worker(launched, address, later=60.0)
    wait_for("the worker", lambda: "Registered to" in worker.log.read_text())
    worker.process.kill()
    worker.process.wait()
    [record] = worker.folder.glob(".daskjob-*")
    record.write_text(str(time.monotonic() - 100))
    before = worker.log.read_text().count("Registered to")
    worker.starts()
    wait_for("the worker, again", lambda: worker.log.read_text().count("Registered to") > before)


def test_a_record_of_another_clock_does_not_count(launched: Any) -> None:
    """The node was started again: its clock began anew."""
    scheduler, _ = a_scheduler(launched)
    scheduler.process.kill()
    scheduler.process.wait()
    [record] = scheduler.folder.glob(".daskjob-*")
    record.write_text(str(time.monotonic() + 1e6))
    scheduler.starts()
    wait_for("a new record", lambda: float(record.read_text() or "inf") < time.monotonic() + FIRST + 1)


def test_a_process_that_was_frozen_does_not_leave_for_that(launched: Any) -> None:
    scheduler, address = a_scheduler(launched, later=8.0)
    a_client(CLIENT, address, "0")
    [record] = scheduler.folder.glob(".daskjob-*")
    scheduler.process.send_signal(signal.SIGSTOP)
    before = record.read_text()
    time.sleep(9)
    scheduler.process.send_signal(signal.SIGCONT)
    wait_for("its next look", lambda: record.read_text() not in ("", before) or scheduler.process.poll() is not None)
    assert scheduler.process.poll() is None
