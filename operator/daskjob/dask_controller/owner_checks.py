"""When the Dask controller asks whether the owner of the pods that it creates still exists.

dask-kubernetes creates all workers of a group in one go. Of a group of thousands that takes minutes, in which the job
may be deleted: Kubernetes takes pods of an owner that is gone, and its garbage collector deletes them, one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daskjob.streams.bounded_dict import BoundedDict

#: So many pods of one owner are created between two questions: what a garbage collector deletes in a second or two.
PODS = 25
#: How many owners are counted; the eldest of more begins anew.
MOST_OWNERS = 10_000


class OwnerChecks:
    """How many pods were created for each owner, by its UID."""

    def __init__(self) -> None:
        self._created: BoundedDict[str, int] = BoundedDict(MOST_OWNERS)

    def is_due(self, uid: str) -> bool:
        """Counts a pod that is about to be created. Whether it is time to ask for the owner before."""
        count = self._created[uid] = self._created.get(uid, 0) + 1
        return count % PODS == 0


def stays(owner: Mapping[str, Any], found: Mapping[str, Any] | None) -> bool:
    """Whether the owner that a reference names is there to stay. `found`: the object of its name; None: there is
    none."""
    metadata = (found or {}).get("metadata") or {}
    return metadata.get("uid") == owner.get("uid") and not metadata.get("deletionTimestamp")
