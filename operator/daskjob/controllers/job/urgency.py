"""How urgent a job's pass is, from what the cache has of the job, its runner and its report.

It reads the API server's JSON without giving it types, because it runs whenever a watch delivers a change.
"""

from __future__ import annotations

from daskjob.api import constants as c
from daskjob.api.constants import ConditionType
from daskjob.api.resource import CLUSTERS, PODS, REPORTS
from daskjob.controller.cache import Cache, Key
from daskjob.controller.fair_queue import Urgency
from daskjob.kube.client import Body
from daskjob.manifests.names import Names


def urgency_of(cache: Cache, key: Key) -> Urgency:
    """The class in which the job's key waits. A job with a status that cannot be read is one that goes on: its pass
    finds out, and only that fails."""
    try:
        return _by_state(cache, key)
    except (AttributeError, KeyError, TypeError):
        return Urgency.GOES_ON


def _by_state(cache: Cache, key: Key) -> Urgency:
    body = cache.root(key)
    if body is None or body["metadata"].get("deletionTimestamp"):
        return Urgency.ENDS
    status = body.get("status") or {}
    conditions = {each.get("type"): each.get("status") for each in status.get("conditions") or ()}
    if "True" in (conditions.get(ConditionType.COMPLETE), conditions.get(ConditionType.FAILED)):
        if _is_asked_for_more(body, status):
            return Urgency.BEGINS
        return Urgency.RESTS if conditions.get(ConditionType.CLEANED_UP) == "True" else Urgency.CLEANS_UP
    attempts = status.get("attempts") or ()
    if not attempts:
        return Urgency.BEGINS
    names = Names(key[0], attempts[-1].get("name") or "")
    if attempts[-1].get("completionTime"):
        # The next attempt waits for the last one's cluster to go.
        left = cache.find(CLUSTERS.kind, key[0], names.attempt)
        return Urgency.BEGINS if left is None else Urgency.CLEANS_UP
    spec = body.get("spec") or {}
    report, runner = cache.find(REPORTS.kind, key[0], names.attempt), cache.find(PODS.kind, key[0], names.runner)
    has_ended = _status(report).get("outcome") or _status(runner).get("phase") in ("Succeeded", "Failed")
    return Urgency.ENDS if has_ended or spec.get("cancel") or spec.get("suspend") else Urgency.GOES_ON


def _is_asked_for_more(body: Body, status: Body) -> bool:
    """Whether an annotation or an edit may ask an ended job for another run."""
    metadata = body["metadata"]
    asked = (metadata.get("annotations") or {}).get(c.RERUN_ANNOTATION)
    edited = metadata.get("generation") != status.get("observedGeneration")
    return edited or (bool(asked) and asked != status.get("rerun"))


def _status(body: Body | None) -> Body:
    return (body or {}).get("status") or {}
