"""Scheduler and kubelet of every pod, played: bound, started when what it mounts is there, ended, removed."""

from __future__ import annotations

from . import pods, runner
from .api import Body, path
from .namespace_view import NamespaceView, attempt_of, component_of

#: How long a pod takes to stop at most, in seconds.
STOPPING = 0.4


async def run(view: NamespaceView, pod: Body) -> None:
    """The life of a pod; cancelled when it is gone."""
    name, namespace, uid = (pod["metadata"][key] for key in ("name", "namespace", "uid"))
    role = f"{component_of(pod)} {attempt_of(pod)}"
    script = runner.script_of(view, pod)
    view.spawn(uid, _stop(view, pod, role))
    await view.pause(f"schedule {role}")
    if script == "unschedulable":
        await pods.cannot_be_scheduled(view, pod)
        return
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": name, "namespace": namespace, "uid": uid},
        "target": {"apiVersion": "v1", "kind": "Node", "name": "node1"},
    }
    await view.api.request("POST", path("Pod", namespace, name, "binding"), binding)
    await view.until(lambda: _mounted(view, pod))
    await view.pause(f"start {role}")
    if script == "no-image":
        await pods.cannot_be_pulled(view, pod)
        return
    running = {"running": {"startedAt": pods.now()}}
    if await pods.say(view, pod, "Running", running, ready=True, podIP="198.18.1.1") is None:
        return
    if component_of(pod) == "runner":
        await runner.Runner(view, pod).run(script)


async def _stop(view: NamespaceView, pod: Body, role: str) -> None:
    """Removes a pod that is to be deleted, when it has stopped."""
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]

    def told() -> bool:
        body = view.find("Pod", name)
        return body is not None and body["metadata"]["uid"] == uid and "deletionTimestamp" in body["metadata"]

    await view.until(told)
    await view.pause(f"stop {role}", STOPPING)
    if uid not in view.lost:
        await view.api.delete(pod, gracePeriodSeconds=0)


def _mounted(view: NamespaceView, pod: Body) -> bool:
    """Whether all is there that the pod mounts."""
    for volume in pod["spec"].get("volumes", ()):
        config_map = volume.get("configMap", {}).get("name")
        secret = volume.get("secret", {}).get("secretName")
        if config_map and view.find("ConfigMap", config_map) is None:
            return False
        if secret and view.find("Secret", secret) is None:
            return False
    return True
