"""What must be true of limits and queues at every status write, while one operator runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from daskjob.api.constants import MANAGED_BY, RERUN_ANNOTATION
from daskjob.api.spec import parse_spec
from daskjob.api.status import DaskJobStatus
from daskjob.api.times import from_text
from daskjob.controller.cache import Cache
from daskjob.kube.client import Body
from daskjob.lifecycle.job.queueing import RunLimits

from .status_invariants import Change
from .world import status_of


def check_places(before: Body, new: DaskJobStatus, jobs: Sequence[Body], cache: Cache, limits: RunLimits) -> None:
    """`jobs`: all that there are; `cache`: those that the operator had heard of when it decided."""
    old = status_of(before)
    if not holds(new) or holds(old):
        return
    others = [each for each in jobs if each["metadata"]["uid"] != before["metadata"]["uid"] and not is_deleted(each)]
    running = [each for each in others if holds(status_of(each))]
    near = [each for each in running if space(each) == space(before)]
    assert not limits.total or len(running) < limits.total, "more jobs run than may"
    assert not limits.per_namespace or len(near) < limits.per_namespace, "more jobs run in a namespace than may"
    # Those who come first get the room that there is; it has to be among them.
    total, spaces = len(running), Counter(map(space, running))
    first = [body for _, body in cache.roots() if waits(body) and order(body) < order(before)]
    for each in sorted(first, key=order):
        if not limits.per_namespace or spaces[space(each)] < limits.per_namespace:
            total += 1
            spaces[space(each)] += 1
    overtaken = f"it overtakes one of {[name(each) for each in first]}"
    assert not limits.per_namespace or spaces[space(before)] < limits.per_namespace, overtaken
    assert not limits.total or total < limits.total, overtaken


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


def order(body: Body) -> tuple[int, datetime | None, str, str]:
    made = from_text(body["metadata"]["creationTimestamp"])
    return -parse_spec(body["spec"]).priority, made, space(body), name(body)


def space(body: Body) -> str:
    return str(body["metadata"]["namespace"])


def name(body: Body) -> str:
    return str(body["metadata"]["name"])
