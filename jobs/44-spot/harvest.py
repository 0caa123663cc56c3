"""Work on machines that may go at any time; what must stay is kept on one that does not."""

import os
import time

from distributed import as_completed


def work(part):
    time.sleep(0.1)
    return sum(range(part * 1000, part * 1000 + 1000))


def main(client):
    parts = client.map(work, range(24), resources={"spot": 1}, retries=3)
    # What a cloud does to a machine at any time: here, to the one that has the first result.
    first = next(as_completed(parts))
    (places,) = client.who_has(first).values()
    client.run(os._exit, 1, workers=[places[0]], on_error="ignore")
    # Dask computes anew what went with it, on the workers that are left or come back.
    return client.submit(sum, parts, resources={"default": 1})
