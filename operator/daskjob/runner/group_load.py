"""How many workers each of several groups has work for, from a snapshot of the scheduler.

Dask's own target is of all workers together. A task that asks for resources is work for the first group that offers
them; any other is work for the job's first group that has workers, whichever worker runs it.
"""

from __future__ import annotations

import math
from typing import Any, Dict, List, Mapping, Sequence

from daskjob.wire.worker_groups import GroupOrders, fits, group_of

#: Seconds that Dask takes a task to need that it knows nothing of.
UNKNOWN_TASK = 0.5
#: The part of their memory beyond which workers get as many again, as Dask does it.
FULL = 0.6


def by_group(snapshot: Mapping[str, Any], groups: Sequence[GroupOrders]) -> Dict[str, List[List[Any]]]:
    """The rows of usable workers (`snapshot.counts`), by the name of their group."""
    rows: Dict[str, List[List[Any]]] = {each.name: [] for each in groups}
    for row in snapshot["workers"].values():
        name = group_of(row[0], groups)
        if row[2] and name in rows:
            rows[name].append(row)
    return rows


def target(snapshot: Mapping[str, Any], groups: Sequence[GroupOrders], name: str, duration: float) -> int:
    """How many workers the group of that name should have, bounds aside. `duration`: seconds in which the workers are
    to get through their work."""
    rows = by_group(snapshot, groups)[name]
    waiting = sum(count for _, wanted, count in snapshot["stuck"] if _first(wanted, groups) == name)
    takes_all = name == _first({}, groups)
    waiting += snapshot["free"] if takes_all else 0
    ready, seconds, busy = waiting, UNKNOWN_TASK * waiting, 0
    for _, _, _, _, _, processing, restricted, occupancy, _, _ in rows:
        counted = processing if takes_all else restricted
        ready += counted
        seconds += occupancy * counted / processing if processing else 0.0
        busy += bool(processing)
    threads = sum(row[1] for row in rows) / len(rows) if rows else 1
    wanted = math.ceil(min(ready, math.ceil(seconds / duration)) / threads)
    if waiting and not rows:
        wanted = max(1, wanted)
    limits = sum(row[9] for row in rows)
    if limits and sum(row[8] for row in rows) > FULL * limits:
        wanted = max(wanted, 2 * len(rows))
    # One that is at work is not retired.
    return int(max(wanted, busy))


def idle(snapshot: Mapping[str, Any], groups: Sequence[GroupOrders], name: str) -> List[str]:
    """The names of the group's workers that have nothing to do, those with the least data first."""
    rows = [row for row in by_group(snapshot, groups)[name] if not row[5]]
    return [row[0] for row in sorted(rows, key=lambda row: (row[8], row[0]))]


def _first(wanted: Mapping[str, float], groups: Sequence[GroupOrders]) -> str:
    able = [each for each in groups if each.adaptive is not None or each.min_workers]
    return next((each.name for each in able if fits(wanted, each.resources)), "")
