"""Conditions of kstatus, by which tools that know no DaskJob (Flux, Argo CD, `kubectl`) tell how far a job is.

`Ready` is True once the job has succeeded. `Reconciling` exists, and is True, until the job has ended. `Stalled`
exists, and is True, once the job has failed for good.
"""

from __future__ import annotations

from datetime import datetime

from daskjob.api.constants import ConditionType, Phase, Reason
from daskjob.api.status import DaskJobStatus
from daskjob.api.times import to_seconds_text

#: Before the end, the first of these that is True gives reason and message.
_TELLING = (ConditionType.SUSPENDED, ConditionType.QUEUED)


def with_readiness(status: DaskJobStatus, generation: int, now: datetime) -> DaskJobStatus:
    time = to_seconds_text(now)
    complete, failed = status.condition(ConditionType.COMPLETE), status.condition(ConditionType.FAILED)
    if complete is not None and complete.status == "True":
        status = status.without(ConditionType.RECONCILING, ConditionType.STALLED)
        return status.with_condition(ConditionType.READY, True, complete.reason, complete.message, time, generation)
    if failed is not None and failed.status == "True":
        status = status.without(ConditionType.RECONCILING)
        for kind, value in ((ConditionType.READY, False), (ConditionType.STALLED, True)):
            status = status.with_condition(kind, value, failed.reason, failed.message, time, generation)
        return status
    reason, message = _where(status)
    status = status.without(ConditionType.STALLED)
    status = status.with_condition(ConditionType.READY, False, reason, message, time, generation)
    if status.is_true(ConditionType.SUSPENDED):
        return status.without(ConditionType.RECONCILING)
    return status.with_condition(ConditionType.RECONCILING, True, reason, message, time, generation)


def _where(status: DaskJobStatus) -> tuple[str, str]:
    for kind in _TELLING:
        condition = status.condition(kind)
        if condition is not None and condition.status == "True":
            return condition.reason, condition.message
    cluster = status.condition(ConditionType.CLUSTER_READY)
    usual = (Reason.WAITING, Reason.WORKERS_READY, Reason.CLEANING_UP)
    if cluster is not None and cluster.reason not in usual:
        return cluster.reason, cluster.message
    phase = status.phase or Phase.PENDING
    return str(phase), f"attempt {status.attempt}: {phase.lower()}" if status.attempt else str(phase)
