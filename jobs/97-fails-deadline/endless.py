"""A task that never ends."""

import time

from dask import delayed


def wait():
    while True:
        time.sleep(1)


def graph():
    return delayed(wait)()
