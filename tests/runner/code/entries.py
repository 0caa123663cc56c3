"""Entry points of every kind, as users write them; each gives the square sum of its numbers."""

import asyncio
import os
import sys
import time

import dask
import dask.bag
from dask import delayed
from distributed import Client, get_client


def square(x):
    return x * x


def slow_square(x):
    time.sleep(0.05)
    return x * x


one = delayed(sum)([delayed(square)(x) for x in range(10)])
bag = dask.bag.from_sequence(range(10), npartitions=2).map(square)
several = [one, bag.sum()]
nested = {"sum": one, "list": [one, 1], "tuple": (bag.sum(), "text"), "plain": {"a": None}}
raw = {"x": (square, 2), ("y", 0): (square, "x"), "z": (sum, [("y", 0), "x"])}
plain = {"answer": 42}
number = 12345678901234567890


def returns_delayed(n):
    return delayed(sum)([delayed(square)(x) for x in range(n)])


def returns_raw(n):
    return {**raw, "n": n}


def returns_value(n, *, factor=1):
    return sum(x * x for x in range(n)) * factor


def returns_nothing():
    pass


def with_client(client, n):
    assert isinstance(client, Client)
    return sum(client.gather(client.map(square, range(n))))


def with_client_last(n, client=None):
    assert client is get_client()
    return client.submit(sum, client.map(square, range(n)))


def with_client_keyword(n, *, client):
    return [client.submit(square, n), {"two": client.submit(square, 2)}, (client.submit(square, 3),)]


def with_dask_compute(n):
    return dask.compute(returns_delayed(n), one)


def module_of_square():
    return square.__module__


def where_defined(client):
    return [square.__module__, client.submit(module_of_square)]


def with_own_client(n):
    return Client().submit(square, n).result()


async def coroutine(n):
    await asyncio.sleep(0)
    return returns_delayed(n)


async def coroutine_that_computes(n):
    return returns_delayed(n).compute()


async def coroutine_with_client(client, n):
    assert client.asynchronous
    assert client is get_client()
    futures = client.map(square, range(n))
    return [sum(await client.gather(futures)), client.submit(square, 3), await client.compute(one)]


def returns_coroutine(n):
    return coroutine(n)


class Jobs:
    @staticmethod
    def method(n):
        return returns_value(n)

    async def __call__(self, client, n):
        return await client.submit(square, n)


instance = Jobs()


def twice(client):
    first = [client.submit(square, x, key=f"first-{x}") for x in range(20)]
    client.gather(first)
    del first
    second = [client.submit(slow_square, x, key=f"second-{x}") for x in range(20)]
    return sum(client.gather(second))


def writes():
    print("to stdout, without a line end", end="")
    print("to stderr", file=sys.stderr)
    return sys.path[0]


def touches(path):
    with open(path, "w"):
        pass


def waits_for_file(path):
    while not os.path.exists(path):
        time.sleep(0.01)
    return "done"


def how_many(client):
    return len(client.nthreads())


def busy_then_idle(client, path):
    """Keeps more tasks than one worker can do until the file is there, then none."""
    futures = client.map(waits, [path] * 8, range(8))
    client.gather(futures)
    del futures
    waits_for_file(os.path.join(os.path.dirname(path), "end"))
    return "done"


def waits(path, number):
    waits_for_file(path)
    return number
