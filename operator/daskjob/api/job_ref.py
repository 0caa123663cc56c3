"""Which job an object belongs to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class JobRef:
    """A DaskJob by name and identity: `uid` tells it from a namesake that was created after it."""

    namespace: str
    name: str
    uid: str
