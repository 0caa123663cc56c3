"""The futures API in one function: submit, map, gather, scatter, as_completed, and tasks that start tasks."""

from distributed import as_completed, worker_client


def power(base, exponent):
    return base**exponent


def add(left, right):
    return left + right


def fibonacci(number):
    """A task that waits for tasks of its own; while it waits, its worker's thread is free for them."""
    if number < 2:
        return number
    with worker_client() as client:
        return sum(client.gather(client.map(fibonacci, [number - 1, number - 2])))


def main(client):
    future = client.submit(power, 10, 10)
    squares = client.map(power, range(1, 6), [2] * 5)
    numbers = client.scatter([1, 2, 3, 4, 5, 6, 7, 8])
    pairs = [client.submit(add, *numbers[n : n + 2]) for n in range(0, 8, 2)]
    cubes = client.map(power, range(1, 31), [3] * 30)
    return {
        "submit": future.result(),
        "map": client.gather(squares),
        "scatter": client.gather(pairs),
        "as_completed": sum(cube for _, cube in as_completed(cubes, with_results=True)),
        "tasks within tasks": client.submit(fibonacci, 7).result(),
        "a future in the result": client.submit(add, future, 1),
    }
