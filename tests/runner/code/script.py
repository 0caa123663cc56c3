"""A script that nobody wrote for an import: it computes, and waits, while it is imported."""

import dataclasses
import functools
import os

import dask
from distributed import Client, get_client


def inc(number):
    return number + 1


@dask.delayed
def double(number):
    return 2 * inc(number)


class Counter:
    step = 1

    def __init__(self, start):
        self.value = start

    def add(self, number):
        return Counter(self.value + number * self.step)

    @staticmethod
    def of(number):
        return Counter(inc(number))


client = Client()
early = client.submit(sum, client.map(inc, range(5))).result()
late = client.submit(sum, client.map(inc, range(3)))


@dataclasses.dataclass
class Point:
    x: int

    def moved(self):
        return Point(inc(self.x))


def traced(function):
    @functools.wraps(function)
    def wrapper(number):
        return function(number)

    return wrapper


@traced
def wrapped(number):
    return inc(number)


computed = dask.compute(double(4), double(5))
counter = client.submit(Counter.of, 1).result()
counters = client.gather(client.map(counter.add, [1, 2], pure=False))
point = client.submit(Point.moved, Point(1)).result()


def on_a_worker(number):
    with Client() as own:
        assert own.scheduler.address == get_client().scheduler.address
        return own.submit(inc, number).result() + get_client().submit(inc, number).result(), own.id, os.getpid()


def main(number):
    total, name, pid = client.submit(on_a_worker, number).result()
    assert pid != os.getpid()
    assert isinstance(counter, Counter)
    assert isinstance(point, Point)
    return {
        "early": early,
        "late": late,
        "computed": computed,
        "counters": [each.value for each in counters],
        "point": point.x,
        "wrapped": client.submit(wrapped, 1).result(),
        "total": total,
        "name": name.startswith("Client-worker-"),
        "again": [client.submit(Point.moved, Point(number)).result().x, double(number).compute()],
        "own": client.map(inc, range(3)),
    }


if __name__ == "__main__":
    raise SystemExit("the runner must not take this for the script's own start")
