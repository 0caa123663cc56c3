"""How a job ended, by its conditions. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from daskjob.api import constants as c

Body = Mapping[str, Any]


class End(Enum):
    """How a job ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DELETED = "deleted"


def end_of(job: Body) -> End | None:
    """How the job's last run ended; None while it has not, or while another run was asked for and has not begun."""
    if is_run_due(job):
        return None
    found = conditions(job)
    if is_true(found, "Complete"):
        return End.SUCCEEDED
    if is_true(found, "Failed"):
        return End.CANCELLED if found["Failed"].get("reason") == "Cancelled" else End.FAILED
    return None


def is_run_due(job: Body) -> bool:
    """Whether a new run was asked for that the operator has not recorded yet: the status is of the one before."""
    status = status_of(job)
    asked = (job["metadata"].get("annotations") or {}).get(c.RERUN_ANNOTATION) or ""
    asked = asked[: c.ANNOTATION_LENGTH]
    if asked and asked != status.get("rerun"):
        return True
    edited = job["metadata"].get("generation", 0) != status.get("observedGeneration")
    return edited and (job.get("spec") or {}).get("runPolicy") == c.RunPolicy.ON_CHANGE


def status_of(job: Body) -> Mapping[str, Any]:
    status = job.get("status")
    return status if isinstance(status, Mapping) else {}


def conditions(job: Body) -> dict[str, Mapping[str, Any]]:
    """The conditions of a job by their types."""
    return {str(each.get("type")): each for each in status_of(job).get("conditions") or ()}


def is_true(found: Mapping[str, Mapping[str, Any]], kind: str) -> bool:
    return found.get(kind, {}).get("status") == "True"
