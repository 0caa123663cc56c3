"""`daskjob.connect`."""

from __future__ import annotations

import os
from typing import Literal, Unpack

from daskjob.futures.dask_job_client import DaskJobClient
from daskjob.futures.job_options import JobOptions


def connect(
    namespace: str | None = None,
    *,
    context: str | None = None,
    kubeconfig: str | os.PathLike[str] | None = None,
    backend: Literal["kubernetes", "local"] = "kubernetes",
    **options: Unpack[JobOptions],
) -> DaskJobClient:
    """The client of the jobs of a namespace. `context`, `kubeconfig`, `namespace`: default as kubectl has them, or as
    the pod has them in which this runs. `backend`: `local` runs jobs on this machine, without a cluster. `options`: of
    all its jobs (`JobOptions`).

    Raises ClusterUnreachable without a kubeconfig, ValueError for another backend, and TypeError for an option that
    there is not.
    """
    if backend == "local":
        from daskjob.futures.local_jobs import LocalJobs

        return DaskJobClient(LocalJobs(namespace or "default"), options)
    if backend != "kubernetes":
        raise ValueError(f"backend: {backend!r} is unknown; give kubernetes or local")
    from daskjob.client.credentials import Target
    from daskjob.futures.cluster_backend import ClusterBackend

    target = Target(context, os.fspath(kubeconfig) if kubeconfig is not None else None, namespace)
    return DaskJobClient(ClusterBackend(target), options)
