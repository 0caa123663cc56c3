"""Runs dask-kubernetes' own controller, unchanged, with only the handlers that a DaskJob's cluster needs.

`python3 -m daskjob.dask_controller` is a process of its own: the operator never imports Dask. It takes
`dask_kubernetes.operator.controller` as installed and gives kopf a registry that holds a few of its handlers
(`registry.py`), with settings that spare the API server (`behaviour.py`, `essence.py`, `connection.py`).
"""
