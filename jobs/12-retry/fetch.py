"""The sum of what a service answers; at first it does not answer."""

import os

from dask import delayed


def fetch(number):
    # Every process of a job is told which attempt it is part of. Here it stands for a service that comes up late.
    if os.environ["DASKJOB_ATTEMPT"] == "1":
        raise ConnectionError("connection reset by peer")
    return number * number


def graph():
    return delayed(sum)([delayed(fetch)(number) for number in range(10)])
