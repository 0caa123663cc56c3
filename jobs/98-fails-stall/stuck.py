"""Nine of ten tasks are done soon; one waits for what never comes."""

import threading

from dask import delayed


def work(number):
    if number == 0:
        threading.Event().wait()
    return number


def graph():
    return delayed(sum)([delayed(work)(number) for number in range(10)])
