"""Every night: the orders that nobody has paid, found in several parts at a time."""

from dask import delayed


@delayed
def unpaid(part, parts):
    """In place of a query: every 35th order is open."""
    return [order for order in range(part, 10_000, parts) if order % 35 == 10]


@delayed
def summary(lists):
    found = sorted(order for each in lists for order in each)
    return {"unpaid": len(found), "first": found[:3]}


def report(parts):
    return summary([unpaid(part, parts) for part in range(parts)])
