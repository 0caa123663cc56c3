"""What kopf stores of an object, to detect changes: only the fields that a handler waits for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import kopf

PHASE = ("status", "phase")
#: The one phase that a handler waits for.
AWAITED_PHASE = "Created"


class HandledFields(kopf.AnnotationsDiffBaseStorage):
    """Stores only the fields that handlers name; kopf would store the whole spec.

    The whole spec would double the object, could exceed an annotation's 256 KiB, and would make kopf write after every
    change of a label. Every phase but `Created` counts as none, so that kopf does not record the write of `Pending`
    with one more patch.
    """

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
        phase = (patch.get("status") or {}).get("phase")
        if phase is not None and phase != AWAITED_PHASE:
            essence = {key: value for key, value in essence.items() if key != "status"}
        super().store(body=body, patch=patch, essence=essence)
