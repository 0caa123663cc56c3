"""DaskCronJobs on the command line: what only shows when a schedule is read, and the one job that is run here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daskjob.schema import FieldError

KIND = "DaskCronJob"


def schedule_problems(manifest: Mapping[str, Any]) -> list[FieldError]:
    """What the operator would say, in the status, of schedule and time zone of a cron job that is valid otherwise."""
    # Only here: they take a moment to import.
    from daskjob.lifecycle.cron.schedule import Schedule, ScheduleError, find_zone
    from daskjob.schema import FieldError

    spec = manifest["spec"]
    try:
        zone = find_zone(spec.get("timeZone"))
    except ScheduleError as error:
        return [FieldError("spec.timeZone", str(error))]
    try:
        Schedule(spec["schedule"], zone)
    except ScheduleError as error:
        return [FieldError("spec.schedule", str(error))]
    return []


def job_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The DaskJob of a cron job's template, under the cron job's name."""
    template = manifest["spec"]["jobTemplate"]
    kept = {key: value for key, value in manifest["metadata"].items() if key in ("name", "generateName", "namespace")}
    return {
        "apiVersion": manifest["apiVersion"],
        "kind": "DaskJob",
        "metadata": {**(template.get("metadata") or {}), **kept},
        "spec": template["spec"],
    }
