"""A Kubernetes Event before the controller posts it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """A Kubernetes Event on a job or cron job. `reason`: one word; `warning`: of type Warning instead of Normal."""

    reason: str
    message: str
    warning: bool = False
