"""What must be true of limits and queues at every status write, while one operator runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from daskjob.api.constants import MANAGED_BY, RERUN_ANNOTATION, ConditionType
from daskjob.api.spec import parse_spec
from daskjob.api.status import DaskJobStatus
from daskjob.api.times import from_text
from daskjob.kube.client import Body
from daskjob.lifecycle.job.proof import Proof
from daskjob.lifecycle.job.queueing import RunLimits

from .status_invariants import Change
from .world import status_of

if TYPE_CHECKING:
    from .operators import Operator


def check_places(
    before: Body, new: DaskJobStatus, jobs: Sequence[Body], operator: Operator | None, limits: RunLimits
) -> None:
    """`jobs`: all that there are; `operator`: the one that decided; None: it has heard of changes since it decided."""
    old = status_of(before)
    if not holds(new) or holds(old):
        return
    others = [each for each in jobs if each["metadata"]["uid"] != before["metadata"]["uid"] and not is_deleted(each)]
    running = [each for each in others if holds(status_of(each)) or is_left(each, operator)]
    near = [each for each in running if space(each) == space(before)]
    workers = sum(map(most_workers, near)) + most_workers(before)
    assert not limits.total or len(running) < limits.total, "more jobs run than may"
    assert not limits.per_namespace or len(near) < limits.per_namespace, "more jobs run in a namespace than may"
    assert not limits.workers_per_namespace or workers <= limits.workers_per_namespace, "more workers than may"
    if operator is None:
        return
    # Those of the namespace who come first get the room that there is; it has to be among them.
    total, in_space = len(running), len(near)
    first = [
        body
        for key, body in operator.cache.roots()
        if space(body) == space(before) and waits(body) and operator.stands_in_line(key) and order(body) < order(before)
    ]
    overtaken = f"it overtakes one of {[name(each) for each in first]}"
    assert not limits.per_namespace or in_space + len(first) < limits.per_namespace, overtaken
    assert not limits.total or total + len(first) < limits.total, overtaken
    workers += sum(map(most_workers, first))
    assert not limits.workers_per_namespace or workers <= limits.workers_per_namespace, overtaken


def is_left(job: Body, operator: Operator | None) -> bool:
    """Whether the operator knows that a cluster of the job's last attempt is not gone."""
    status, metadata = status_of(job), job["metadata"]
    key = metadata["namespace"], metadata["name"]
    if operator is None or not status.attempt or status.is_true(ConditionType.CLEANED_UP):
        return False
    ours = Proof(status, operator.cache.owned(key)).objects
    return key in operator.looked_at and any(each.body["kind"] == "DaskCluster" for each in ours)


def most_workers(job: Body) -> int:
    return parse_spec(job["spec"]).cluster.workers.most


def holds(status: DaskJobStatus) -> bool:
    """Whether a job runs, or is between two attempts of a run."""
    return status.open is not None or status.next_attempt_time is not None


def waits(body: Body) -> bool:
    spec, status = parse_spec(body["spec"]), status_of(body)
    if spec.managed_by != MANAGED_BY or is_deleted(body) or holds(status):
        return False
    if status.finished:
        return wanted(body)
    return not (spec.suspend or spec.cancel)


def is_deleted(body: Body) -> bool:
    return "deletionTimestamp" in body["metadata"]


def wanted(body: Body) -> bool:
    """Whether a job that has ended is to run once more."""
    metadata, status = body["metadata"], status_of(body)
    asked = (metadata.get("annotations") or {}).get(RERUN_ANNOTATION) or None
    now = datetime.fromtimestamp(0)
    spec = parse_spec(body["spec"])
    return Change(metadata["name"], metadata["uid"], 0, spec, asked, status, status, now, body.get("digest", "")).wanted


def order(body: Body) -> tuple[int, datetime | None, str]:
    made = from_text(body["metadata"]["creationTimestamp"])
    return -parse_spec(body["spec"]).priority, made, name(body)


def space(body: Body) -> str:
    return str(body["metadata"]["namespace"])


def name(body: Body) -> str:
    return str(body["metadata"]["name"])
