"""What becomes of a pod, written into its status as the kubelet does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from .api import Body
from .namespace_view import NamespaceView


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def say(
    view: NamespaceView, pod: Body, phase: str, state: dict[str, Any], ready: bool = False, **more: Any
) -> Body | None:
    """The pod's status with its one container in that state; None if the pod is gone."""
    container = {
        "name": pod["spec"]["containers"][0]["name"],
        "image": pod["spec"]["containers"][0]["image"],
        "imageID": "",
        "ready": ready,
        "restartCount": 0,
        "state": state,
        **more.pop("container", {}),
    }
    conditions = [
        {"type": "PodScheduled", "status": "True"},
        {"type": "Ready", "status": "True" if ready else "False"},
        *more.pop("conditions", ()),
    ]
    status = {"phase": phase, "conditions": conditions, "containerStatuses": [container], **more}
    return await view.api.merge(pod, {"status": status}, "status")


async def restart(view: NamespaceView, pod: Body, exit_code: int, reason: str) -> None:
    """Its container ends and is started again."""
    view.broken.add(pod["metadata"]["uid"])
    again = {"restartCount": 1, "lastState": {"terminated": _ended(exit_code, reason)}}
    await say(view, pod, "Running", {"running": {"startedAt": now()}}, ready=True, container=again)


async def end(view: NamespaceView, pod: Body, exit_code: int, reason: str, message: str = "") -> None:
    """Its container ends for good."""
    terminated = {**_ended(exit_code, reason), "message": message}
    await say(view, pod, "Succeeded" if exit_code == 0 else "Failed", {"terminated": terminated})


async def preempt(view: NamespaceView, pod: Body) -> None:
    """It is ended for another's sake."""
    view.broken.add(pod["metadata"]["uid"])
    disrupted = [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]
    words = {"reason": "Preempted", "message": "preempted by a pod of higher priority"}
    await say(view, pod, "Failed", {"terminated": _ended(137, "Error")}, conditions=disrupted, **words)


async def kill(view: NamespaceView, pod: Body) -> None:
    """Somebody deletes it."""
    view.broken.add(pod["metadata"]["uid"])
    await view.api.delete(pod, gracePeriodSeconds=1)


async def cannot_be_scheduled(view: NamespaceView, pod: Body) -> None:
    words = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient cpu.",
    }
    await view.api.merge(pod, {"status": {"phase": "Pending", "conditions": [words]}}, "status")


async def cannot_be_pulled(view: NamespaceView, pod: Body) -> None:
    waiting = {"reason": "InvalidImageName", "message": "couldn't parse image name"}
    await say(view, pod, "Pending", {"waiting": waiting})


def _ended(exit_code: int, reason: str) -> dict[str, Any]:
    return {"exitCode": exit_code, "reason": reason, "startedAt": now(), "finishedAt": now()}
