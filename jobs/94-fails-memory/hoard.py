"""A task that takes more memory than its worker has."""

import time

from dask import delayed

MIB = 1024**2


def hoard(mebibytes):
    """Takes memory step by step and touches every page of it, so that it is really used."""
    taken = []
    for _ in range(0, mebibytes, 16):
        taken.append(bytearray(b"x") * (16 * MIB))
        time.sleep(0.02)
    return sum(len(each) for each in taken)


def graph(mebibytes):
    return delayed(hoard)(mebibytes)
