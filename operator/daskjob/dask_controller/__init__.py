"""Runs dask-kubernetes' own controller, unchanged, with only the handlers that a DaskJob's cluster needs.

`python3 -m daskjob.dask_controller` is a process of its own: the operator never imports Dask. It imports the installed
`dask_kubernetes.operator.controller` and gives kopf a registry with a few of its handlers (`registry.py`), and settings
that save requests to the API server (`behaviour.py`, `essence.py`, `connection.py`).
"""
