"""What kopf stores of an object, to detect changes: only the fields that a handler waits for."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import kopf

PHASE = ("status", "phase")
#: The one phase that a handler waits for.
AWAITED_PHASE = "Created"
#: Of how many worker groups the process remembers what it handled. One that it forgot is handled as a new one.
MOST_GROUPS = 10_000


class HandledFields(kopf.AnnotationsDiffBaseStorage):
    """Stores only the fields that handlers name; kopf would store the whole spec.

    The whole spec would double the object, could exceed an annotation's 256 KiB, and would make kopf write after every
    change of a label. Every phase but `Created` counts as none, so that kopf does not record the write of `Pending`
    with one more patch.

    Of a worker group it stores nothing on the API server: this process remembers it. What handles a new group compares
    its Deployments with the number that it wants, and does no harm to one that has them. So a process that starts asks
    for the Deployments of each group once, instead of one patch for each group of each job.
    """

    def __init__(self) -> None:
        super().__init__()
        #: What was handled of worker groups, as JSON, by their UIDs, the latest last.
        self._groups: OrderedDict[str, str] = OrderedDict()

    def fetch(self, *, body: Any) -> Any:
        """What was handled of the object; None: nothing yet, as far as this process knows."""
        if not _is_group(body):
            return super().fetch(body=body)
        known = self._groups.get(body["metadata"]["uid"])
        return None if known is None else json.loads(known)

    def build(self, *, body: Any, extra_fields: Iterable[Any] | None = None) -> Any:
        """The fields of `body` that `extra_fields` (tuples of keys) name, nested as in `body`."""
        essence: dict[str, Any] = {}
        for field in extra_fields or ():
            value: Any = body
            for key in field:
                value = value.get(key) if hasattr(value, "get") else None
            if value is None or (tuple(field) == PHASE and value != AWAITED_PHASE):
                continue
            place = essence
            for key in field[:-1]:
                place = place.setdefault(key, {})
            place[field[-1]] = value
        return essence

    def store(self, *, body: Any, patch: Any, essence: Any) -> None:
        """Stores `essence` as it is after `patch`."""
        if _is_group(body):
            uid = body["metadata"]["uid"]
            self._groups[uid] = json.dumps(essence)
            self._groups.move_to_end(uid)
            while len(self._groups) > MOST_GROUPS:
                self._groups.popitem(last=False)
            return
        phase = (patch.get("status") or {}).get("phase")
        if phase is not None and phase != AWAITED_PHASE:
            essence = {key: value for key, value in essence.items() if key != "status"}
        super().store(body=body, patch=patch, essence=essence)


def _is_group(body: Any) -> bool:
    return bool(body.get("kind") == "DaskWorkerGroup")
