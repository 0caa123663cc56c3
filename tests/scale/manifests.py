"""The jobs of the benchmarks. Pure."""

from __future__ import annotations

from typing import Any

Manifest = dict[str, Any]

#: Nothing pulls it: imitated nodes run any image.
IMAGE = "imitated/dask:1"
#: Workers of each job.
WORKERS = 2


def job(name: str, **spec: Any) -> Manifest:
    """A small job; `spec` has further fields of its spec."""
    graph = {
        "entrypoint": "squares:graph",
        "args": [500],
        "source": {"inline": "def graph(count):\n    return count\n"},
    }
    return {
        "apiVersion": "daskjob.io/v1alpha1",
        "kind": "DaskJob",
        "metadata": {"name": name},
        "spec": {"graph": graph, "cluster": {"image": IMAGE, "workers": {"replicas": WORKERS}}, **spec},
    }
