"""Scheduler and kubelet of every pod, played: bound, started when what it mounts is there, ended, removed."""

from __future__ import annotations

from . import pods, runner
from .api import Body, path
from .place import Place, attempt_of, component_of

#: How long a pod takes to stop at most, in seconds.
STOPPING = 0.4


async def run(place: Place, pod: Body) -> None:
    """The life of a pod; cancelled when it is gone."""
    name, namespace, uid = (pod["metadata"][key] for key in ("name", "namespace", "uid"))
    role = f"{component_of(pod)} {attempt_of(pod)}"
    script = runner.script_of(place, pod)
    place.spawn(uid, _stop(place, pod, role))
    await place.pause(f"schedule {role}")
    if script == "unschedulable":
        await pods.cannot_be_scheduled(place, pod)
        return
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": name, "namespace": namespace, "uid": uid},
        "target": {"apiVersion": "v1", "kind": "Node", "name": "node1"},
    }
    await place.api.request("POST", path("Pod", namespace, name, "binding"), binding)
    await place.until(lambda: _mounted(place, pod))
    await place.pause(f"start {role}")
    if script == "no-image":
        await pods.cannot_be_pulled(place, pod)
        return
    if await pods.say(place, pod, "Running", {"running": {"startedAt": pods.now()}}, ready=True) is None:
        return
    if component_of(pod) == "runner":
        await runner.Runner(place, pod).run(script)


async def _stop(place: Place, pod: Body, role: str) -> None:
    """Removes a pod that is to be deleted, when it has stopped."""
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]

    def told() -> bool:
        body = place.find("Pod", name)
        return body is not None and body["metadata"]["uid"] == uid and "deletionTimestamp" in body["metadata"]

    await place.until(told)
    await place.pause(f"stop {role}", STOPPING)
    if uid not in place.lost:
        await place.api.delete(pod, gracePeriodSeconds=0)


def _mounted(place: Place, pod: Body) -> bool:
    """Whether all is there that the pod mounts."""
    for volume in pod["spec"].get("volumes", ()):
        config_map = volume.get("configMap", {}).get("name")
        secret = volume.get("secret", {}).get("secretName")
        if config_map and place.find("ConfigMap", config_map) is None:
            return False
        if secret and place.find("Secret", secret) is None:
            return False
    return True
