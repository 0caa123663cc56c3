"""A loop over two lists, written for `concurrent.futures`: it runs on threads, and unchanged on the job's cluster."""

from concurrent.futures import ThreadPoolExecutor, as_completed, wait


def f(x, y):
    return x * y


def g(x, y):
    return x - y


def in_sequence(first, second):
    return [f(x, y) if x < y else g(x, y) for x in first for y in second]


def sweep(executor, first, second):
    futures = []
    for x in first:
        for y in second:
            function = f if x < y else g
            futures.append(executor.submit(function, x, y))
    assert not wait(futures).not_done
    assert len(list(as_completed(futures))) == len(futures)
    return [future.result() for future in futures]


def main(client, size):
    first, second = range(size), range(0, 2 * size, 2)
    with client.get_executor() as cluster, ThreadPoolExecutor(2) as threads:
        results = {
            "in sequence": in_sequence(first, second),
            "threads": sweep(threads, first, second),
            "cluster": sweep(cluster, first, second),
            "map": list(cluster.map(g, first, second)),
        }
    return {name: sum(values) for name, values in results.items()}
