"""Pi by throwing darts; the seed of each thrower makes the result the same every time."""

import random

from dask import delayed


def throw(seed, darts):
    generator = random.Random(seed)
    return sum(generator.random() ** 2 + generator.random() ** 2 < 1 for _ in range(darts))


def graph(throwers, darts):
    hits = delayed(sum)([delayed(throw)(seed, darts) for seed in range(throwers)])
    return hits * 4 / (throwers * darts)
