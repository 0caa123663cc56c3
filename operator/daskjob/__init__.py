"""The DaskJob operator: one job, one fresh Dask cluster, one result."""

__version__ = "0.1.0"
