"""Runs dask-kubernetes' own controller, with only the handlers that a DaskJob's cluster needs.

`python3 -m daskjob.dask_controller` is a process of its own: the operator never imports Dask. It imports the installed
`dask_kubernetes.operator.controller` and gives kopf a registry with a few of its handlers (`registry.py`). Around the
handlers, which stay as they are, it saves requests to the API server: by kopf's settings (`behaviour.py`,
`essence.py`), by what it answers of itself (`connection.py`), and by worker groups that have their owner from the start
(`adoption.py`).
"""
