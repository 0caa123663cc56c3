"""Which DaskClusters and DaskWorkerGroups the Dask controller takes in.

Anybody who may create one can give it the operator's label. The handlers and kopf copy and compare an object by
recursion, so one that no job has is left alone: to the process it does not exist. Nor does one in a namespace that is
not served.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any

from daskjob.schema.json_walk import walk
from daskjob.streams.depth import MOST_LEVELS, TOO_DEEP, UNREADABLE
from daskjob.streams.unreadable_objects import UnreadableObjects

#: The most values in an object, and characters in its texts; those of the largest job that the operator takes have
#: a tenth of them.
MOST_VALUES, MOST_CHARACTERS = 50_000, 2_000_000

logger = logging.getLogger(__name__)


class Readable:
    """Chooses among the objects of a resource; logs each version that it leaves out once."""

    def __init__(self, plural: str, excluded: Collection[str] = ()) -> None:
        """`excluded`: namespaces that are not served."""
        self._plural = plural
        self._excluded = excluded
        self._left_out = UnreadableObjects(_log)

    def __call__(self, body: dict[str, Any]) -> dict[str, Any] | None:
        """The object as it is; None if it is too deep or too large, or in an excluded namespace."""
        namespace = body["metadata"].get("namespace")
        problem = f"is in namespace {namespace}, which is not served" if namespace in self._excluded else _problem(body)
        if problem is None:
            return body
        self._left_out.note(self._plural, body, problem)
        return None


def _log(plural: str, name: str, problem: str) -> None:
    logger.warning("%s %s is left alone: it %s", plural, name, problem)


def _problem(body: dict[str, Any]) -> str | None:
    if UNREADABLE in body:
        return str(body[UNREADABLE])
    characters = 0
    for number, (steps, value) in enumerate(walk(body)):
        if len(steps) > MOST_LEVELS:
            return TOO_DEEP
        characters += len(value) if isinstance(value, str) else 0
        if number > MOST_VALUES or characters > MOST_CHARACTERS:
            return f"has more than {MOST_VALUES} values or {MOST_CHARACTERS} characters"
    return None
