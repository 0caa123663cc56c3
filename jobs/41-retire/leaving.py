"""A worker is retired in the middle of a job: what it holds moves to the others."""

from distributed import wait


def table(number):
    return [number] * 1000


def total(tables):
    return sum(map(sum, tables))


def main(client):
    tables = client.map(table, range(16))
    wait(tables)
    leaving = sorted(client.nthreads())[0]
    client.retire_workers([leaving])
    holders = {worker for workers in client.who_has(tables).values() for worker in workers}
    return {
        "left": leaving not in holders,
        "all kept": len(client.who_has(tables)) == 16,
        "total": client.submit(total, tables),
    }
