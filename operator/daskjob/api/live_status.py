"""What `DaskJob.status` shows of an attempt while it runs: the counts of tasks and workers."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class PrefixProgress:
    """Counts of the tasks with one prefix."""

    #: name of the prefix.
    name: str = ""
    #: total tasks known.
    total: int = 0
    #: done tasks.
    done: int = 0
    #: processing tasks, on a worker now.
    processing: int = 0
    #: erred tasks.
    erred: int = 0


@dataclass(frozen=True)
class Progress:
    """Counts of the graph's tasks."""

    #: total tasks known.
    total: int = 0
    #: done tasks.
    done: int = 0
    #: processing tasks, on a worker now.
    processing: int = 0
    #: erred tasks.
    erred: int = 0
    #: percent done of total, rounded down.
    percent: int = 0
    #: summary is done/total, e.g. 416/501.
    summary: str = ""
    #: lastChange is when the operator last observed a change of a count (see stallTimeoutSeconds).
    last_change: str | None = None
    #: prefixes are the same counts by task prefix (the function's name), the 50 largest.
    prefixes: tuple[PrefixProgress, ...] = ()


@dataclass(frozen=True)
class WorkerCounts:
    """Workers of the current cluster."""

    #: wanted workers; follows the load when adaptive.
    wanted: int = 0
    #: ready workers.
    ready: int = 0


@dataclass(frozen=True)
class GroupCounts:
    """Workers of one group."""

    #: name of the group.
    name: str = ""
    #: wanted workers; follows the load when adaptive.
    wanted: int = 0
    #: ready workers.
    ready: int = 0


@dataclass(frozen=True)
class ClusterStatus:
    """The Dask cluster of the current attempt."""

    #: name of the DaskCluster.
    name: str = ""
    #: workers counts the cluster's workers.
    workers: WorkerCounts = field(default_factory=WorkerCounts)
    #: groups are the same counts by worker group, that of spec.cluster.workers (default) first. Absent if the job has
    #: no workerGroups.
    groups: tuple[GroupCounts, ...] = ()
    #: summary is ready/wanted, e.g. 2/2.
    summary: str = ""
    #: dashboard is the kubectl command that makes Dask's dashboard reachable from here. Absent when off or gone.
    dashboard: str | None = None
