"""What the job file says of a job's worker groups: their sizes, and what their workers offer to tasks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, Mapping, Optional

#: Seconds: an adaptive group retires workers only when so long fewer were enough.
COOLDOWN = 15.0
#: The group that `cluster.workers` describes.
DEFAULT = "default"


@dataclass(frozen=True)
class AdaptiveBounds:
    """The least and most workers of an adaptive group; `cooldown` in seconds."""

    minimum: int
    maximum: int
    cooldown: float = COOLDOWN

    def shape(self) -> Dict[str, Any]:
        """The JSON object in the file; without the cooldown if that is the default."""
        shape: Dict[str, Any] = {"minimum": self.minimum, "maximum": self.maximum}
        return shape if self.cooldown == COOLDOWN else {**shape, "cooldownSeconds": self.cooldown}


@dataclass(frozen=True)
class GroupOrders:
    """One group."""

    name: str = DEFAULT
    #: How the names of its workers begin. A worker belongs to the group with the longest beginning that fits.
    prefix: str = ""
    #: The runner starts the graph when so many of its workers are connected.
    min_workers: int = 1
    #: Bounds of an adaptive group; None: its size is fixed.
    adaptive: Optional[AdaptiveBounds] = None
    #: Dask's resources of each process of a worker, by name.
    resources: Dict[str, float] = field(default_factory=dict)
    #: Processes of Dask in each worker's pod. Of several, each has the pod's name and a number.
    processes: int = 1

    def shape(self) -> Dict[str, Any]:
        """The JSON object in the file."""
        return {
            "name": self.name,
            "prefix": self.prefix,
            "minWorkers": self.min_workers,
            "adaptive": self.adaptive.shape() if self.adaptive is not None else None,
            "resources": self.resources,
            "processes": self.processes,
        }


def group_of(worker: str, groups: Iterable[GroupOrders]) -> str:
    """The name of the group of the worker with that name; empty if it is in none."""
    found = _orders_of(worker, groups)
    return found.name if found is not None else ""


def pod_of(process: str, groups: Iterable[GroupOrders]) -> str:
    """The name of the worker, which is that of its pod, whose process Dask knows by that name."""
    found = _orders_of(process, groups)
    return process.rpartition("-")[0] if found is not None and found.processes > 1 else process


def _orders_of(worker: str, groups: Iterable[GroupOrders]) -> Optional[GroupOrders]:
    fitting = [each for each in groups if worker.startswith(each.prefix)]
    return max(fitting, key=lambda each: len(each.prefix), default=None)


def fits(wanted: Mapping[str, float], offered: Mapping[str, float]) -> bool:
    """Whether a worker that offers these resources can run a task that wants those."""
    return all(amount <= offered.get(name, 0.0) for name, amount in wanted.items())
