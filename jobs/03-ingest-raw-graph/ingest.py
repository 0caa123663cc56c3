"""Files and a table in, the closest pair out: a graph that no collection fits, written as a plain dict."""

import csv
import os
import random
import sqlite3
import tempfile

FILES, WINDOW, COMPARISONS, STATIONS = 100, 3, 200, 10


def load(number):
    """Writes the file `number`, as no disk is shared here, and loads it: [(station, reading)]."""
    generator = random.Random(number)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, f"readings-{number}.csv")
        with open(path, "w", newline="") as file:
            csv.writer(file).writerows((row % STATIONS, generator.randrange(1000)) for row in range(500))
        with open(path, newline="") as file:
            return [(int(station), int(reading)) for station, reading in csv.reader(file)]


def load_references():
    """Offset and scale of each station, from SQL."""
    with tempfile.TemporaryDirectory() as folder:
        database = sqlite3.connect(os.path.join(folder, "references.db"))
        database.execute("create table stations (id integer primary key, offset integer, scale integer)")
        rows = [(station, 10 * station, 1 + station % 3) for station in range(STATIONS)]
        database.executemany("insert into stations values (?, ?, ?)", rows)
        found = database.execute("select id, offset, scale from stations order by id").fetchall()
        database.close()
    return {station: (offset, scale) for station, offset, scale in found}


def process(readings, references):
    """The normalized readings of a file, added up by station."""
    sums = [0] * STATIONS
    for station, reading in readings:
        offset, scale = references[station]
        sums[station] += (reading - offset) * scale
    return sums


def roll(*window):
    """One of three neighbours."""
    return [sum(values) for values in zip(*window, strict=True)]


def compare(left, right, pair):
    """How far apart two are, and which they were."""
    return sum((a - b) ** 2 for a, b in zip(left, right, strict=True)), pair


def reduction(compared):
    distance, pair = min(compared)
    return {"distance": distance, "pair": list(pair)}


def random_pairs():
    generator = random.Random(0)
    return [tuple(generator.sample(range(FILES - WINDOW + 1), 2)) for _ in range(COMPARISONS)]


graph = {"references": (load_references,)}
for n in range(FILES):
    graph["loaded", n] = (load, n)
    graph["processed", n] = (process, ("loaded", n), "references")
for n in range(FILES - WINDOW + 1):
    graph["rolled", n] = (roll, ("processed", n), ("processed", n + 1), ("processed", n + 2))
for n, (a, b) in enumerate(random_pairs()):
    graph["compared", n] = (compare, ("rolled", a), ("rolled", b), [a, b])
graph["best"] = (reduction, [("compared", n) for n in range(COMPARISONS)])
