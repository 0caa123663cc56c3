"""Entry points that fail, each in its own way."""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

from dask import delayed


class NeedsTwo(Exception):
    """Cannot be unpickled: its arguments are not those that it was made with."""

    def __init__(self, what, where):
        super().__init__(f"{what} in {where}")


class Cyclic(Exception):
    pass


def fails(x):
    raise ValueError(f"no good: {x}")


def fails_unpicklable(x):
    raise NeedsTwo("fault", x)


def exits(x):
    os._exit(7)


def good(x):
    return x


in_task = delayed(fails)(3)
in_deep_task = delayed(sum)([delayed(good)(1), delayed(fails)(5)])
unpicklable = delayed(fails_unpicklable)("here")
kills_workers = delayed(exits)(1)
not_json = object()
nothing = {"x": (good, 1)}


def outside():
    raise LookupError("not in a task\x1b[31m")


def from_future(client):
    return client.submit(fails, 9, key="fails-key").result()


def from_gather(client):
    return client.gather(client.map(fails, [1]))


async def from_coroutine(client):
    return await client.submit(fails, 9, key="fails-async")


def wraps(client):
    try:
        client.submit(fails, 9, key="fails-inner").result()
    except ValueError as error:
        raise RuntimeError("wrapped") from error


def unrelated(client):
    """A task fails and is handled; then something else fails outside."""
    assert client.submit(fails, 1).exception()
    raise RuntimeError("something else")


def long_message():
    raise ValueError("é" * 5000)


def deep(n=300):
    if n:
        return deep(n - 1)
    raise RecursionError("deep enough")


def bad_text():
    class Odd(Exception):
        def __str__(self):
            raise TypeError

    raise Odd


def cycle():
    value = []
    value.append({"a": value})
    return value


def wrong_type():
    return {"a": [1, 2, {"b c": object()}]}


def too_large(n):
    return "x" * n


def exit_zero():
    sys.exit(0)


def exit_three():
    sys.exit(3)


def exit_text():
    sys.exit("sorry")


def exit_hard(code):
    os._exit(code)


def segfault():
    ctypes.string_at(0)


def kills_itself():
    os.kill(os.getpid(), signal.SIGKILL)


def leaves_things(path):
    """A child in a session of its own, a fork that comes back from here, and a flood of output."""
    subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import os,sys,time; open(sys.argv[1],'w').write(str(os.getpid())); time.sleep(600)",
            path,
        ],
        start_new_session=True,
    )
    while not os.path.exists(path) or not os.path.getsize(path):
        time.sleep(0.01)
    for _ in range(2000):
        print("x" * 1000)
    os.fork()
    return "done"


def sleeps(client, seconds):
    return client.submit(time.sleep, seconds).result()


def ignores_everything():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(600)


async def sleeps_async(client, seconds):
    await asyncio.sleep(0)
    return await client.submit(time.sleep, seconds)


def waits_deaf():
    """Never asks the cluster for anything: only the runner itself can notice that it is gone."""
    time.sleep(600)


def closes_its_client(seconds, client):
    client.close()
    time.sleep(seconds)
    return "done"


def needs_two(first, connection):
    return first


def with_lock():
    lock = threading.Lock()
    return delayed(lambda: lock)()
