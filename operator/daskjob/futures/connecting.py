"""`daskjob.connect`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal, Unpack, cast

from daskjob.futures.configuration import configured
from daskjob.futures.dask_job_client import DaskJobClient
from daskjob.futures.job_options import JobOptions

_last: DaskJobClient | None = None


def default_client() -> DaskJobClient:
    """The client of decorated functions that name none: that of the last `connect` in this process."""
    return _last or connect()


def connect(
    namespace: str | None = None,
    *,
    context: str | None = None,
    kubeconfig: str | os.PathLike[str] | None = None,
    backend: Literal["kubernetes", "local"] | None = None,
    storage_options: Mapping[str, Any] | None = None,
    **options: Unpack[JobOptions],
) -> DaskJobClient:
    """The client of the jobs of a namespace. `context`, `kubeconfig`, `namespace`: default as kubectl has them, or as
    the pod has them in which this runs. `backend`: `local` runs jobs on this machine, without a cluster; default
    `kubernetes`. `storage_options`: arguments of fsspec's driver, with which results and logs are read from stores
    here, over those of the jobs, such as `endpoint_url` or `profile`. `options`: of all its jobs (`JobOptions`).

    What is not given is taken from `daskjob` in Dask's configuration, if it is there: from variables such as
    `DASK_DASKJOB__NAMESPACE` and `DASK_DASKJOB__IMAGE`, and from Dask's YAML files. Functions of `daskjob.job` without
    a client of their own use the one that was connected last.

    Raises ClusterUnreachable without a kubeconfig, ValueError for another backend, and TypeError for an option that
    there is not.
    """
    global _last
    given = {"namespace": namespace, "context": context, "kubeconfig": kubeconfig, "backend": backend}
    _last = _connected({**given, "storage_options": storage_options}, options)
    return _last


def _connected(given: Mapping[str, Any], options: JobOptions) -> DaskJobClient:
    """The client of these arguments of `connect`, by name."""
    found = configured()
    configured_ones = {name: found.pop(name, None) for name in given}
    chosen = {name: configured_ones[name] if value is None else value for name, value in given.items()}
    jobs = cast(JobOptions, {**found, **options})
    reading = chosen["storage_options"] or {}
    if not isinstance(reading, Mapping):
        raise TypeError(
            f"storage_options: arguments of fsspec's driver by name were expected, not {type(reading).__name__}"
        )
    if chosen["backend"] == "local":
        from daskjob.futures.local_jobs import LocalJobs

        return DaskJobClient(LocalJobs(chosen["namespace"] or "default", storage_options=reading), jobs)
    if chosen["backend"] not in (None, "kubernetes"):
        raise ValueError(f"backend: {chosen['backend']!r} is unknown; give kubernetes or local")
    from daskjob.client.credentials import Target
    from daskjob.futures.cluster_backend import ClusterBackend

    file = None if chosen["kubeconfig"] is None else os.path.expanduser(os.fspath(chosen["kubeconfig"]))
    target = Target(chosen["context"], file, chosen["namespace"])
    return DaskJobClient(ClusterBackend(target, storage_options=reading), jobs)
