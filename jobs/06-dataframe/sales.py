"""A year of sales, made up a month a partition, reduced to a few numbers."""

import dask.dataframe as dd
import pandas as pd


def sales(month):
    numbers = range(1000)
    return pd.DataFrame(
        {
            "shop": [("north", "south", "west")[n % 3] for n in numbers],
            "amount": [(n * 37 + month * 11) % 500 for n in numbers],
        }
    )


def report():
    frame = dd.from_map(sales, range(1, 13))
    by_shop = frame.groupby("shop").amount.sum().compute()
    return {
        "rows": len(frame),
        "total": int(by_shop.sum()),
        "largest": int(frame.amount.max().compute()),
        "by shop": {str(shop): int(amount) for shop, amount in by_shop.sort_index().items()},
    }
