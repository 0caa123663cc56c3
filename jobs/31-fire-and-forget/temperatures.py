"""A month of temperatures, a file for each day; nobody waits for the files, and yet each is written."""

import csv
import os
import random
import tempfile
import time

from distributed import fire_and_forget


def readings(day):
    """A day's temperatures, one for each hour."""
    generator = random.Random(day)
    return [generator.randint(1, 50) for _ in range(24)]


def save(day, temperatures):
    # As slow as a disk far away, and yet a worker's own: a real job writes to a store or volume that workers share.
    time.sleep(0.1)
    path = os.path.join(tempfile.mkdtemp(), f"day-{day}.csv")
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(enumerate(temperatures))


def main(client, days):
    warmest = 0
    for day in range(1, days + 1):
        temperatures = client.submit(readings, day)
        fire_and_forget(client.submit(save, day, temperatures))
        warmest = max(warmest, *temperatures.result())
    return warmest
