"""How each contender's job is started, seen to end, and taken away."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .manifests import PEER_NAMESPACE, PEER_SYSTEM, RESULT, bare_objects, our_job, peer_job
from .report import BARE, COMPUTED, DOCUMENTED, FAST, OURS
from .watching import OURS as OUR_JOBS
from .watching import PEERS as PEER_JOBS
from .watching import Api, Body, Key

Objects = Mapping[Key, Body]

OUR_NAMESPACE, BARE_NAMESPACE = "benchmark-ours", "benchmark-bare"
OUR_SYSTEM = "daskjob-system"


@dataclass(frozen=True)
class Contender:
    """Who runs the job, and how, given the job's name.

    `start`     creates it
    `ended`     whether it succeeded; None: it still runs
    `finish`    what is left to a person at its end: nothing, where an operator does it
    `remove`    takes away what was kept
    `accounts`  the namespaces whose service accounts work for it
    """

    name: str
    namespace: str
    start: Callable[[Api, str], None]
    ended: Callable[[Objects, str], bool | None]
    remove: Callable[[Api, str], None]
    finish: Callable[[Api, str], None] = lambda api, name: None
    accounts: frozenset[str] = field(default_factory=frozenset)


def ours() -> Contender:
    def ended(objects: Objects, name: str) -> bool | None:
        conditions = _status(objects, "daskjobs", name).get("conditions") or ()
        found = {each["type"] for each in conditions if each["status"] == "True"}
        return True if "Complete" in found else False if "Failed" in found else None

    return Contender(
        OURS,
        OUR_NAMESPACE,
        start=lambda api, name: _create(api, our_job(name, OUR_NAMESPACE), "daskjobs"),
        ended=ended,
        remove=lambda api, name: api.delete(OUR_JOBS[1], OUR_NAMESPACE, "daskjobs", name),
        accounts=frozenset({OUR_SYSTEM, OUR_NAMESPACE}),
    )


def peer(*, fast: bool) -> Contender:
    def ended(objects: Objects, name: str) -> bool | None:
        return {"Successful": True, "Failed": False}.get(_status(objects, "daskjobs", name).get("jobStatus", ""))

    return Contender(
        FAST if fast else DOCUMENTED,
        PEER_NAMESPACE,
        start=lambda api, name: _create(api, peer_job(name, PEER_NAMESPACE, fast=fast), "daskjobs"),
        ended=ended,
        remove=lambda api, name: api.delete(PEER_JOBS[1], PEER_NAMESPACE, "daskjobs", name),
        accounts=frozenset({PEER_SYSTEM, PEER_NAMESPACE}),
    )


def bare() -> Contender:
    def start(api: Api, name: str) -> None:
        for body in bare_objects(name, BARE_NAMESPACE):
            _create(api, body, "services" if body["kind"] == "Service" else "pods")

    def ended(objects: Objects, name: str) -> bool | None:
        return {"Succeeded": True, "Failed": False}.get(_status(objects, "pods", f"{name}-runner").get("phase", ""))

    def finish(api: Api, name: str) -> None:
        for body in bare_objects(name, BARE_NAMESPACE):
            plural = "services" if body["kind"] == "Service" else "pods"
            if body["metadata"]["name"] != f"{name}-runner":
                api.delete("/api/v1", BARE_NAMESPACE, plural, body["metadata"]["name"])

    def remove(api: Api, name: str) -> None:
        finish(api, name)
        api.delete("/api/v1", BARE_NAMESPACE, "pods", f"{name}-runner")

    return Contender(BARE, BARE_NAMESPACE, start, ended, remove, finish)


def stale_objects(objects: Objects, *, runner_may_stay: bool) -> list[Key]:
    """What a job consists of and is still there: all but (if it may stay) its completed runner."""
    return [key for key, body in objects.items() if not _stays(key, body, runner_may_stay)]


def _stays(key: Key, body: Body, runner_may_stay: bool) -> bool:
    plural, name = key
    if plural == "configmaps":
        # Every namespace has the one; the other is our runner's program, one for all jobs of a namespace.
        return name == "kube-root-ca.crt" or name.startswith("daskjob-runner-")
    if not runner_may_stay:
        return False
    phase = (body.get("status") or {}).get("phase")
    return plural == "daskjobs" or (plural == "pods" and name.endswith("-runner") and phase in ("Succeeded", "Failed"))


def printed(api: Api, contender: Contender, name: str, began: float) -> dict[str, float]:
    """Seconds from `began` (time.time) until the script had its result, as it said itself; {} if it did not."""
    log = api.text(f"/api/v1/namespaces/{contender.namespace}/pods/{name}-runner/log")
    found = re.search(rf"^{RESULT} ([0-9.]+)$", log, re.MULTILINE)
    return {COMPUTED: round(float(found[1]) - began, 3)} if found else {}


def stages(objects: Objects, name: str, began: float) -> dict[str, float]:
    """Seconds from `began` (time.time) to each of our stages."""
    timings: Mapping[str, Any] = _status(objects, "daskjobs", name).get("timings") or {}
    return {stage: round(datetime.fromisoformat(text).timestamp() - began, 3) for stage, text in timings.items()}


def _status(objects: Objects, plural: str, name: str) -> Mapping[str, Any]:
    return objects.get((plural, name), {}).get("status") or {}


def _create(api: Api, body: Body, plural: str) -> None:
    api.create(body, plural)
