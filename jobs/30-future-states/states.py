"""What a future can say and do, from `pending` to `released`; gates keep tasks where the job wants to see them."""

import time
import traceback

from distributed import CancelledError, Event, as_completed, wait


def power(base, exponent):
    return base**exponent


def behind(gate, value):
    """The value, as soon as the gate is open."""
    Event(gate).wait()
    return value


def fetch(gate):
    """A service that does not answer before the gate is open."""
    if not Event(gate).is_set():
        raise ConnectionError("no answer yet")
    return "an answer"


def states(client):
    gate = Event("states")
    future = client.submit(behind, "states", 10)
    told = [future.status, future.done()]
    gate.set()
    wait(future)
    told += [future.status, future.done(), future.exception(), future.result()]
    return told


def errors(client):
    future = client.submit(power, 10, "0.5")
    error = future.exception()
    where = traceback.extract_tb(future.traceback())[-1]
    skipped = client.gather([client.submit(power, 3, 2), future], errors="skip")
    return [future.status, type(error).__name__, where.name, skipped]


def retry(client):
    future = client.submit(fetch, "service")
    wait(future)
    told = [future.status]
    Event("service").set()
    future.retry()
    return [*told, future.result(), future.status]


def cancel(client):
    """A task that waits for another one is cancelled before it has begun."""
    first = client.submit(behind, "cancel", 2)
    second = client.submit(power, first, 2)
    second.cancel()
    try:
        second.result()
    except CancelledError:
        told = [second.status, second.cancelled(), "no result"]
    Event("cancel").set()
    return [*told, first.result()]


def release(client):
    """Equal work has one key and runs once; its result goes with the last future of it."""
    futures = [client.submit(power, 10, 5) for _ in range(10)]
    key, value = futures[0].key, futures[0].result()
    told = [len({future.key for future in futures}), value, key in client.who_has()]
    for future in futures:
        future.release()
    while key in client.who_has():
        time.sleep(0.01)
    return [*told, key in client.futures]


def waiting(client):
    """The first of two to be done, and then both."""
    futures = [client.submit(behind, "waiting", 1), client.submit(power, 2, 10)]
    first = wait(futures, return_when="FIRST_COMPLETED")
    told = [[future.result() for future in first.done], len(first.not_done)]
    Event("waiting").set()
    both = wait(futures, return_when="ALL_COMPLETED")
    return [*told, len(both.done), len(both.not_done)]


def completed(client):
    """In the order in which they are done, which is not that in which they were submitted."""
    futures = [client.submit(behind, "completed", "submitted first"), client.submit(power, 3, 3)]
    told = []
    for _, value in as_completed(futures, with_results=True):
        told.append(value)
        Event("completed").set()
    return told


def main(client):
    parts = (states, errors, retry, cancel, release, waiting, completed)
    return {part.__name__: part(client) for part in parts}
