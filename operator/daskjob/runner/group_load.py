"""How many workers each of several groups has work for, from a snapshot of the scheduler.

Dask's own target is of all workers together. A task that asks for resources is work for the first group that offers
them; any other is work for the job's first group that has workers, whichever worker runs it.
"""

from __future__ import annotations

import math
from typing import Any, Dict, Iterable, List, Mapping, Sequence

from daskjob.wire.worker_groups import GroupOrders, fits, group_of, pod_of

#: Seconds that Dask takes a task to need that it knows nothing of.
UNKNOWN_TASK = 0.5
#: The part of their memory beyond which workers get as many again, as Dask does it.
FULL = 0.6


def by_group(snapshot: Mapping[str, Any], groups: Sequence[GroupOrders]) -> Dict[str, List[List[Any]]]:
    """The rows of usable processes of workers (`snapshot.counts`), by the name of their group."""
    rows: Dict[str, List[List[Any]]] = {each.name: [] for each in groups}
    for row in snapshot["workers"].values():
        name = group_of(row[0], groups)
        if row[2] and name in rows:
            rows[name].append(row)
    return rows


def by_pod(rows: Iterable[List[Any]], groups: Sequence[GroupOrders]) -> Dict[str, List[List[Any]]]:
    """The rows of processes, by the name of their worker: the pod in which they run."""
    pods: Dict[str, List[List[Any]]] = {}
    for row in rows:
        pods.setdefault(pod_of(row[0], groups), []).append(row)
    return pods


def joined(snapshot: Mapping[str, Any], groups: Sequence[GroupOrders]) -> Dict[str, int]:
    """How many workers of each group take tasks, by its name: those of which all processes do."""
    rows = by_group(snapshot, groups)
    return {
        each.name: sum(len(pod) >= each.processes for pod in by_pod(rows[each.name], groups).values())
        for each in groups
    }


def target(snapshot: Mapping[str, Any], groups: Sequence[GroupOrders], name: str, duration: float) -> int:
    """How many workers the group of that name should have, bounds aside. `duration`: seconds in which the workers are
    to get through their work."""
    rows = by_group(snapshot, groups)[name]
    pods = by_pod(rows, groups)
    processes = next(each.processes for each in groups if each.name == name)
    waiting = sum(count for _, wanted, count in snapshot["stuck"] if _first(wanted, groups) == name)
    takes_all = name == _first({}, groups)
    waiting += snapshot["free"] if takes_all else 0
    ready, seconds = waiting, UNKNOWN_TASK * waiting
    for _, _, _, _, _, processing, restricted, occupancy, _, _ in rows:
        counted = processing if takes_all else restricted
        ready += counted
        seconds += occupancy * counted / processing if processing else 0.0
    threads = sum(row[1] for row in rows) / len(rows) if rows else 1
    wanted = math.ceil(min(ready, math.ceil(seconds / duration)) / threads / processes)
    if waiting and not rows:
        wanted = max(1, wanted)
    limits = sum(row[9] for row in rows)
    if limits and sum(row[8] for row in rows) > FULL * limits:
        wanted = max(wanted, 2 * len(pods))
    # One that is at work is not retired.
    return int(max(wanted, sum(any(row[5] for row in pod) for pod in pods.values())))


def is_awaited(snapshot: Mapping[str, Any], group: GroupOrders, groups: Sequence[GroupOrders]) -> bool:
    """Whether tasks that no worker can run wait for what this group alone offers: without it, they never run."""
    others = [each.resources for each in groups if each is not group]
    return any(
        fits(wanted, group.resources) and not any(fits(wanted, each) for each in others)
        for _, wanted, _ in snapshot["stuck"]
    )


def idle(snapshot: Mapping[str, Any], groups: Sequence[GroupOrders], name: str) -> List[str]:
    """The names of the group's workers that have nothing to do, those with the least data first."""
    pods = by_pod(by_group(snapshot, groups)[name], groups)
    sizes = {pod: sum(row[8] for row in rows) for pod, rows in pods.items() if not any(row[5] for row in rows)}
    return sorted(sizes, key=lambda pod: (sizes[pod], pod))


def _first(wanted: Mapping[str, float], groups: Sequence[GroupOrders]) -> str:
    able = [each for each in groups if each.adaptive is not None or each.min_workers]
    return next((each.name for each in able if fits(wanted, each.resources)), "")
