"""Who else acts on a model of the API server: kubelet, dask-kubernetes, garbage collector, runners."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from daskjob.api import constants as c
from daskjob.api.resource_json import from_dict
from daskjob.api.status import DaskJobStatus
from daskjob.api.times import to_seconds_text, to_text
from daskjob.kube.client import Body

from .git_model import GitModel
from .model import NAMESPACE, Rejected, Server
from .retention_invariants import REMOVER

if TYPE_CHECKING:
    from .operators import Operator

#: The jobs that there can be, and their namespaces.
JOBS = {"sum": NAMESPACE, "mean": NAMESPACE, "max": "others"}
#: The end of the UIDs of what strangers create.
OF_STRANGERS = "-stranger"


def labels_of(body: Body) -> dict[str, str]:
    labels: dict[str, str] = body["metadata"].get("labels") or {}
    return labels


def status_of(job: Body) -> DaskJobStatus:
    """The status of a DaskJob, read once."""
    status = job.get("status") or {}
    known = _statuses.get(id(status))
    if known is None or known[0] is not status:
        if len(_statuses) > 1000:
            _statuses.clear()
        known = _statuses[id(status)] = status, from_dict(DaskJobStatus, status)
    return known[1]


_statuses: dict[int, tuple[Body, DaskJobStatus]] = {}


def is_stranger(body: Body) -> bool:
    """Whether somebody created it who is none of the cluster's own."""
    return str(body["metadata"]["uid"]).endswith(OF_STRANGERS)


def component_of(pod: Body) -> str:
    labels = labels_of(pod)
    return labels.get(c.COMPONENT_LABEL) or labels.get(c.DASK_COMPONENT_LABEL) or ""


def is_ended(pod: Body) -> bool:
    """Whether it has ended, a runner's whatever its sidecar does."""
    states = {each["name"]: each["state"] for each in pod.get("status", {}).get("containerStatuses", ())}
    runner = component_of(pod) == "runner" and "terminated" in states.get("runner", ())
    return runner or all_ended(pod)


def all_ended(pod: Body) -> bool:
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def acts(pod: Body) -> bool:
    """Whether a pod has not ended and is not being deleted."""
    return not is_ended(pod) and "deletionTimestamp" not in pod["metadata"]


def is_running(pod: Body) -> bool:
    return pod.get("status", {}).get("phase") == "Running" and not is_ended(pod)


class World:
    """The cluster around the operator. Each method is one step of one actor."""

    def __init__(self, skew: int) -> None:
        self.server, self.git = Server(), GitModel()
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)
        #: How far the clock in the pods is ahead of the operator's.
        self.skew = timedelta(seconds=skew)
        #: Whether a quota leaves no room for the pods of schedulers and workers.
        self.full = False
        #: Whether a mesh puts a sidecar, which never ends by itself, into the pods of runners.
        self.mesh = False
        self.drawn = 0
        #: What keeps new pods from starting: (reason, message), or None.
        self.obstacle: tuple[str, str] | None = None
        #: UIDs of pods on nodes that no longer answer.
        self.lost: set[str] = set()
        #: Clusters that dask-kubernetes has begun to serve, and will, whether they are still there or not.
        self.begun: list[Body] = []
        #: Whether a runner that is told to stop says so before it does.
        self.polite = False
        #: The operator whose pass it is.
        self.acting: Operator | None = None
        #: Attempts whose runner said, in its report or its last words, that it succeeded.
        self.succeeded: set[str] = set()
        #: UIDs of jobs whose results were deleted from their store; and whether that is to fail from now on.
        self.removed: set[str] = set()
        self.store_refuses = False
        #: Requests for workers that the quota refused, by the group's UID, and when: they are tried again in time.
        self.refused: dict[str, tuple[Body, datetime]] = {}

    def random(self, length: int) -> bytes:
        """The same in each run, and never twice."""
        self.drawn += 1
        return hashlib.sha256(str(self.drawn).encode()).digest()[:length]

    def text(self) -> str:
        return to_seconds_text(self.now)

    def pods(self) -> list[Body]:
        """All but those of strangers, whose pods do whatever they like."""
        return self.all("Pod")

    def all(self, kind: str) -> list[Body]:
        return [each for each in self.server.all(kind) if not is_stranger(each)]

    def pod_time(self) -> str:
        return to_text(self.now + self.skew)

    # Users.

    def ask_to_rerun(self, name: str, text: str) -> None:
        metadata = self.server.objects["DaskJob", name]["metadata"]
        self.server.update("DaskJob", name, metadata={**metadata, "annotations": {c.RERUN_ANNOTATION: text}})

    # The garbage collector.

    def collect(self) -> bool:
        """Deletes one object without an owner; False if there is none."""
        for kind, name in self.server.orphans():
            if "deletionTimestamp" not in self.server.objects[kind, name]["metadata"]:
                self.server.delete(kind, name, self.text())
                return True
        return False

    # dask-kubernetes, whose worker groups get their owner only after they were made.

    def make_clusters(self) -> bool:
        """One step for each cluster and group that needs one; False if none does."""
        acted = False
        for group in self.all("DaskWorkerGroup"):
            acted |= self._serve(group)
        # It reads a cluster, and then makes what that needs, whether it is still there or not.
        begun = self.begun
        for cluster in begun:
            acted |= self._make(cluster)
        self.begun = [
            each
            for each in self.all("DaskCluster")
            if self.server.find("DaskWorkerGroup", f"{each['metadata']['name']}-default") is None
        ]
        known = [each["metadata"]["uid"] for each in begun]
        return acted or any(each["metadata"]["uid"] not in known for each in self.begun)

    def _make(self, cluster: Body) -> bool:
        """The scheduler's pod, and then the worker group; False if the pod was refused."""
        name, labels = cluster["metadata"]["name"], labels_of(cluster)
        if not self._pod(f"{name}-scheduler", "DaskCluster", cluster, {**labels, c.DASK_COMPONENT_LABEL: "scheduler"}):
            return False
        taken = self.server.find("DaskWorkerGroup", f"{name}-default")
        if taken is not None and is_stranger(taken):
            return self._refuse("DaskCluster", cluster, 409, f'daskworkergroups "{name}-default" already exists')
        if taken is None:
            group = {
                "metadata": {
                    "name": f"{name}-default",
                    "namespace": cluster["metadata"]["namespace"],
                    "labels": {**labels, c.DASK_COMPONENT_LABEL: "workergroup"},
                    # dask-kubernetes copies them, too.
                    "annotations": cluster["metadata"].get("annotations", {}),
                },
                "spec": {"cluster": name, "worker": cluster["spec"]["worker"]},
            }
            self.server.create("DaskWorkerGroup", group, self.text())
        return True

    def _serve(self, group: Body) -> bool:
        name, cluster = group["metadata"]["name"], self.server.find("DaskCluster", group["spec"]["cluster"])
        if cluster is None:
            return False
        if "ownerReferences" not in group["metadata"]:
            owner = _reference("DaskCluster", cluster)
            self.server.update("DaskWorkerGroup", name, metadata={**group["metadata"], "ownerReferences": [owner]})
            return True
        wanted = group["spec"]["worker"]["replicas"]
        # It acts on a change of the number, and when it is asked; by itself only after a refusal, after a pause.
        asked = group["metadata"].get("annotations", {}).get(c.REPLACE_ANNOTATION)
        request = {"replicas": wanted, "asked": asked}
        if group.get("status", {}).get("handled") == request:
            return False
        tried = request, self.now
        if self.full and self.refused.get(group["metadata"]["uid"]) == tried:
            return False
        there = [each for each in self.pods() if _owned_by(each, group) and acts(each)]
        labels = {**labels_of(group), c.DASK_COMPONENT_LABEL: "worker"}
        for _ in range(wanted - len(there)):
            self.server.made += 1
            if not self._pod(f"{name}-worker-{self.server.made:010x}", "DaskWorkerGroup", group, labels):
                self.refused[group["metadata"]["uid"]] = tried
                return True
        for each in there[wanted:]:
            self.server.delete("Pod", each["metadata"]["name"], self.text())
        self.server.update("DaskWorkerGroup", name, status={"handled": request})
        return True

    def _pod(self, name: str, kind: str, owner: Body, labels: dict[str, str]) -> bool:
        """Makes a pod, unless there is one of that name; False if it is refused, which its owner is told."""
        taken = self.server.find("Pod", name)
        if taken is not None and is_stranger(taken):
            return self._refuse(kind, owner, 409, f'pods "{name}" already exists')
        if taken is not None:
            return True
        if self.full:
            words = f'pods "{name}" is forbidden: exceeded quota: team, requested: pods=1'
            return self._refuse(kind, owner, 403, words)
        place = {"name": name, "namespace": owner["metadata"]["namespace"]}
        metadata = {**place, "labels": labels, "ownerReferences": [_reference(kind, owner)]}
        spec = {"containers": [{"name": labels[c.DASK_COMPONENT_LABEL]}]}
        self.server.create("Pod", {"metadata": metadata, "spec": spec}, self.text())
        return True

    def _refuse(self, kind: str, owner: Body, status: int, words: str) -> bool:
        """Tells the owner of an object why that was refused."""
        refused = json.dumps({"status": status, "message": words})
        current = self.server.find(kind, owner["metadata"]["name"])
        if current is not None and current["metadata"]["uid"] == owner["metadata"]["uid"]:
            metadata = current["metadata"]
            annotations = metadata.get("annotations", {})
            if annotations.get(c.REFUSED_ANNOTATION) != refused:
                annotations = {**annotations, c.REFUSED_ANNOTATION: refused}
                self.server.update(kind, metadata["name"], metadata={**metadata, "annotations": annotations})
        return False

    # The kubelet.

    def start(self, pod: Body) -> bool:
        """Runs a pod, or says why it cannot; False if nothing changes."""
        status = pod.get("status", {})
        if status.get("phase", "Pending") != "Pending" or "deletionTimestamp" in pod["metadata"]:
            return False
        container = pod["spec"]["containers"][0]["name"]
        if self.obstacle is not None and self.obstacle[0] == "Unschedulable":
            words = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": self.obstacle[1]}
            return self._say(pod, {"phase": "Pending", "conditions": [words]})
        reason, message = self.obstacle or self._missing_volume(pod) or ("", "")
        if reason:
            state = {"name": container, "state": {"waiting": {"reason": reason, "message": message}}}
            return self._say(pod, {"phase": "Pending", "containerStatuses": [state]})
        running = {"ready": True, "state": {"running": {"startedAt": self.pod_time()}}}
        states = [{"name": container, **running}]
        if self.mesh and component_of(pod) == "runner":
            states = [{"name": "mesh", **running}, *states]
            spec = {**pod["spec"], "containers": [*pod["spec"]["containers"], {"name": "mesh"}]}
            pod = self.server.update("Pod", pod["metadata"]["name"], spec=spec)
        return self._say(pod, {"phase": "Running", "podIP": "198.18.1.1", "containerStatuses": states})

    def _missing_volume(self, pod: Body) -> tuple[str, str] | None:
        """A pod waits, without a word in its status, for what it mounts."""
        for volume in pod["spec"].get("volumes", ()):
            name = volume.get("configMap", {}).get("name")
            secret = volume.get("secret", {}).get("secretName")
            if name and self.server.find("ConfigMap", name) is None:
                return "ContainerCreating", ""
            if secret and self.server.find("Secret", secret) is None:
                return "ContainerCreating", ""
        return None

    def end(self, pod: Body, exit_code: int, reason: str, message: str = "") -> None:
        """A container ends: one whose pod is never restarted for good, another one to start again."""
        status = pod["status"]
        container = status["containerStatuses"][-1]
        ended = {"exitCode": exit_code, "reason": reason, "message": message, "finishedAt": self.pod_time()}
        if pod["spec"].get("restartPolicy") == "Never":
            if component_of(pod) == REMOVER and exit_code == 0:
                self.removed.add(labels_of(pod)[c.JOB_UID_LABEL])
            if '"Succeeded"' in message:
                self.succeeded.add(pod["metadata"]["name"].removesuffix("-runner"))
            state = {"name": container["name"], "state": {"terminated": ended}}
            beside = status["containerStatuses"][:-1]
            phase = "Running" if beside else "Succeeded" if exit_code == 0 else "Failed"
            self._say(pod, {"phase": phase, "containerStatuses": [*beside, state]})
            return
        again = {
            "name": container["name"],
            "ready": True,
            "restartCount": container.get("restartCount", 0) + 1,
            "state": {"running": {"startedAt": self.pod_time()}},
            "lastState": {"terminated": ended},
        }
        self._say(pod, {"phase": "Running", "containerStatuses": [again]})

    def end_in_time(self, pod: Body) -> bool:
        """Ends all of a pod that has run for as long as it may; False if it has not."""
        if "activeDeadlineSeconds" not in pod["spec"] or pod.get("status", {}).get("phase") != "Running":
            return False
        return self._say(pod, {**pod["status"], "phase": "Failed", "reason": "DeadlineExceeded"})

    def remove_results(self, pod: Body) -> bool:
        """Ends a pod that deletes a job's results; False if it is another one, or does not run."""
        if component_of(pod) != REMOVER or not is_running(pod) or pod["metadata"]["uid"] in self.lost:
            return False
        self.end(pod, *((1, "Error") if self.store_refuses else (0, "Completed")))
        return True

    def evict(self, pod: Body, disrupted: bool) -> None:
        conditions = [{"type": "DisruptionTarget", "status": "True"}] if disrupted else []
        self._say(pod, {"phase": "Failed", "reason": "Evicted", "message": "low on memory", "conditions": conditions})

    def remove_pods(self) -> bool:
        """Ends pods that are to be deleted; a runner that ends so may have left no word. False if there are none."""
        acted = False
        for pod in self.server.all("Pod"):
            metadata = pod["metadata"]
            if "deletionTimestamp" in metadata and "finalizers" not in metadata and metadata["uid"] not in self.lost:
                if self.polite and component_of(pod) == "runner" and is_running(pod) and not is_stranger(pod):
                    failure = {"reason": "Cancelled", "message": "told to stop"}
                    self.say(pod, outcome="Failed", failure=failure)
                self.server.remove("Pod", metadata["name"])
                acted = True
        return acted

    def give_up_nodes(self) -> bool:
        """Deletes the pods on nodes that do not answer, which then stay for as long as the node does. False if all
        are."""
        acted = False
        for pod in self.pods():
            if pod["metadata"]["uid"] in self.lost and "deletionTimestamp" not in pod["metadata"]:
                self.server.delete("Pod", pod["metadata"]["name"], self.text())
                acted = True
        return acted

    def _say(self, pod: Body, status: dict[str, Any]) -> bool:
        if pod.get("status") == status:
            return False
        self.server.update("Pod", pod["metadata"]["name"], status=status)
        return True

    # Runners.

    def report_of(self, runner: Body) -> Body | None:
        """The report that this runner, and no other, can write to."""
        name = runner["metadata"]["name"].removesuffix("-runner")
        report = self.server.find("DaskJobReport", name)
        if report is None or report["spec"]["runnerPodUID"] != runner["metadata"]["uid"]:
            return None
        return report

    def say(self, runner: Body, **parts: Any) -> bool:
        """Patches the report as the runner does; False if there is none, or it is sealed, or the API refuses."""
        report = self.report_of(runner)
        if report is None or report.get("status", {}).get("outcome"):
            return False
        before = report.get("status", {})
        status = {**before, **parts, "protocol": 1, "seq": before.get("seq", 0) + 1, "heartbeatTime": self.pod_time()}
        status["timings"] = {**before.get("timings", {}), **parts.get("timings", {})}
        status = json.loads(json.dumps(status))
        try:
            self.server.check_status("DaskJobReport", status)
        except Rejected:
            return False
        if status.get("outcome") == "Succeeded":
            self.succeeded.add(report["metadata"]["name"])
        self.server.update("DaskJobReport", report["metadata"]["name"], status=status)
        return True


def a_job(spec: dict[str, Any], name: str = "sum") -> Body:
    return {
        "apiVersion": c.API_VERSION,
        "kind": "DaskJob",
        "metadata": {"name": name, "namespace": JOBS.get(name, NAMESPACE)},
        "spec": spec,
    }


def _reference(kind: str, owner: Body) -> dict[str, Any]:
    metadata = owner["metadata"]
    name, uid = metadata["name"], metadata["uid"]
    return {"apiVersion": c.DASK_API_VERSION, "kind": kind, "name": name, "uid": uid, "controller": True}


def _owned_by(body: Body, owner: Body) -> bool:
    return any(each["uid"] == owner["metadata"]["uid"] for each in body["metadata"].get("ownerReferences", ()))
