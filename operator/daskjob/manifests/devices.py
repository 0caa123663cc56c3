"""GPUs: only workers have them, and dask-cuda starts a process for each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from daskjob.errors import SpecError

#: Resources of Kubernetes that are GPUs, or parts of one, by the names that device plugins give them.
_GPU = re.compile(r"gpu|^nvidia\.com/", re.IGNORECASE)
#: The GPUs that dask-cuda counts.
_CUDA = "nvidia.com/gpu"


def check_no_gpus(spec: Mapping[str, Any], resources: Mapping[str, Any], path: str) -> None:
    """Raises SpecError for a GPU that a container of a merged pod asks for. `resources`: those of its component's
    field; `path`: the component."""
    for kind in ("containers", "initContainers"):
        for container in spec.get(kind) or ():
            for part in ("limits", "requests"):
                for name in (container.get("resources") or {}).get(part) or ():
                    if _GPU.search(name):
                        own = name in (resources.get(part) or {})
                        place = path if own else f"{path}.template.spec.{kind}[{container['name']}]"
                        raise SpecError(
                            f"{place}.resources.{part}[{name}]",
                            "is for workers, which run the tasks: give it to spec.cluster.workers or one of "
                            "spec.cluster.workerGroups, and remove it here",
                        )


def check_gpus_of(spec: Mapping[str, Any], processes: int, path: str) -> None:
    """Raises SpecError if the workers of a merged pod, which dask-cuda starts, are not as many as its GPUs. `path`: the
    worker group."""
    (worker,) = (each for each in spec["containers"] if each["name"] == "worker")
    count = ((worker.get("resources") or {}).get("limits") or {}).get(_CUDA)
    if count is not None and str(count) != str(processes):
        raise SpecError(
            f"{path}.processes", f"must be {count}, as {_CUDA} is: with command: cuda there is a process for each GPU"
        )
