"""The DaskJob operator: one job, one fresh Dask cluster, one result.

Public names, each imported when it is asked for: `connect` gives the client whose futures are jobs, of a cluster (extra
`client`) or of this machine (extra `local`), and `job` makes a function one; the client's types and errors are here,
too. `decode` gives the Python value of a job's result; with the extra `validate`, `load_crds` gives the definitions of
the resources by kind, and `validate` the mistakes of a manifest.

The version stands here and nowhere else. This file is in the runner's program too: standard library only, Python 3.9.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from daskjob.api.live_status import Progress as Progress
    from daskjob.client.problems import ClientError as ClientError
    from daskjob.client.problems import ClusterUnreachable as ClusterUnreachable
    from daskjob.client.problems import Forbidden as Forbidden
    from daskjob.client.problems import InvalidJob as InvalidJob
    from daskjob.client.problems import JobDeleted as JobDeleted
    from daskjob.client.problems import JobNotFound as JobNotFound
    from daskjob.errors import DaskJobError as DaskJobError
    from daskjob.futures.async_client import AsyncDaskJobClient as AsyncDaskJobClient
    from daskjob.futures.connecting import connect as connect
    from daskjob.futures.dask_job_client import DaskJobClient as DaskJobClient
    from daskjob.futures.decorator import JobFunction as JobFunction
    from daskjob.futures.decorator import job as job
    from daskjob.futures.future_errors import JobCancelled as JobCancelled
    from daskjob.futures.future_errors import JobFailed as JobFailed
    from daskjob.futures.future_errors import NotPicklable as NotPicklable
    from daskjob.futures.future_errors import PayloadTooLarge as PayloadTooLarge
    from daskjob.futures.future_errors import RemoteError as RemoteError
    from daskjob.futures.future_errors import ResultGone as ResultGone
    from daskjob.futures.future_errors import UntrustedResult as UntrustedResult
    from daskjob.futures.future_errors import VersionMismatch as VersionMismatch
    from daskjob.futures.job_future import JobFuture as JobFuture
    from daskjob.futures.job_future import JobStatus as JobStatus
    from daskjob.futures.job_future import ResultRef as ResultRef
    from daskjob.futures.job_options import JobOptions as JobOptions
    from daskjob.results.codec import decode as decode
    from daskjob.schema import load_crds as load_crds
    from daskjob.schema import validate as validate

__version__ = "0.1.0"

_NAMES = {
    "daskjob.api.live_status": ("Progress",),
    "daskjob.client.problems": (
        "ClientError",
        "ClusterUnreachable",
        "Forbidden",
        "InvalidJob",
        "JobDeleted",
        "JobNotFound",
    ),
    "daskjob.errors": ("DaskJobError",),
    "daskjob.futures.async_client": ("AsyncDaskJobClient",),
    "daskjob.futures.connecting": ("connect",),
    "daskjob.futures.decorator": ("JobFunction", "job"),
    "daskjob.futures.dask_job_client": ("DaskJobClient",),
    "daskjob.futures.future_errors": (
        "JobCancelled",
        "JobFailed",
        "NotPicklable",
        "PayloadTooLarge",
        "RemoteError",
        "ResultGone",
        "UntrustedResult",
        "VersionMismatch",
    ),
    "daskjob.futures.job_future": ("JobFuture", "JobStatus", "ResultRef"),
    "daskjob.futures.job_options": ("JobOptions",),
    "daskjob.results.codec": ("decode",),
    "daskjob.schema": ("load_crds", "validate"),
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names}

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name):  # type: ignore[no-untyped-def]
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    try:
        home = importlib.import_module(_HOMES[name])
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("daskjob."):
            raise
        words = (
            f"daskjob.{name}: a job's runner has only its own part of daskjob, under the same name: submit jobs from "
        )
        words += "outside of jobs, or in a task on a worker whose image has daskjob"
        raise ModuleNotFoundError(words, name=error.name) from None
    return getattr(home, name)


def __dir__():  # type: ignore[no-untyped-def]
    return sorted(__all__)
