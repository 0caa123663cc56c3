"""Objects that a process cannot read: each version is reported once, however often lists and watches bring it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from daskjob.streams.bounded_dict import BoundedDict

#: Objects that are remembered; of more than that, some are reported again.
MOST_OBJECTS = 10_000

Report = Callable[[str, str, str], None]
"""The reader calls it with the resource's plural, namespace and name of the object, and what is wrong with it."""


class UnreadableObjects:
    """Reports what cannot be read, once a version of an object."""

    def __init__(self, report: Report) -> None:
        self._report = report
        #: The resource version of each object by its resource and UID.
        self._versions: BoundedDict[tuple[str, str], str] = BoundedDict(MOST_OBJECTS)

    def note(self, plural: str, body: dict[str, Any], problem: str) -> None:
        """Reports the problem of that object, unless it did so for this version. `plural`: of its resource."""
        metadata = body.get("metadata") or {}
        identity, version = (plural, str(metadata.get("uid", ""))), str(metadata.get("resourceVersion", ""))
        if self._versions.get(identity) != version:
            self._report(plural, f"{metadata.get('namespace', '')}/{metadata.get('name', '')}", problem)
        self._versions[identity] = version
