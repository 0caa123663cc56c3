"""The DaskJob operator: one job, one fresh Dask cluster, one result.

Public names, each imported when it is asked for: `decode` gives the Python value of a job's result; with the extra
`validate`, `load_crds` gives the definitions of the resources by kind, and `validate` the mistakes of a manifest.

The version stands here and nowhere else. This file is in the runner's program too: standard library only, Python 3.9.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from daskjob.results.codec import decode as decode
    from daskjob.schema import load_crds as load_crds
    from daskjob.schema import validate as validate

__version__ = "0.1.0"

__all__ = ["__version__", "decode", "load_crds", "validate"]

_HOMES = {"decode": "daskjob.results.codec", "load_crds": "daskjob.schema", "validate": "daskjob.schema"}


def __getattr__(name):  # type: ignore[no-untyped-def]
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__():  # type: ignore[no-untyped-def]
    return sorted(__all__)
