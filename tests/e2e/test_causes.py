"""What ends or holds up a job is told where it was made, in seconds, as what it is; other containers beside ours are no
cause."""

from __future__ import annotations

from typing import Any

import pytest

from ..support.jobs import Job, apply, condition, ended, manifest, result_of
from ..support.kube import Kube
from ..support.settings import image
from ..support.sources import ADD, COUNT
from ..support.waiting import wait_for

#: Seconds within which a cause must be told: 15 on a machine that has nothing else to do.
SOON = 45
#: Seconds within which a container that ends again and again ends the job: the kubelet waits 10 s before the third try.
REPEATED = 75
#: Long enough that no deadline ends a job of these tests before its cause does.
LONG = 300
PARTS = {"scheduler": "scheduler", "workers": "worker", "runner": "runner"}
SAFE = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def container(name: str, code: str, **fields: Any) -> dict[str, Any]:
    """A container of the tests' image that runs this Python code."""
    command = ["python3", "-c", code]
    policy = {"imagePullPolicy": "Never", "terminationMessagePolicy": "FallbackToLogsOnError"}
    return {"name": name, "image": image("dask-new"), "command": command, "securityContext": SAFE, **policy, **fields}


def in_part(part: str, **pod: Any) -> dict[str, Any]:
    """Fields of a job's spec that give the pods of that part this spec."""
    template = {"template": {"spec": pod}}
    return {"runner": template} if part == "runner" else {"cluster": {part: template}}


def in_all(**pod: Any) -> dict[str, Any]:
    template = {"template": {"spec": pod}}
    return {"cluster": {"scheduler": template, "workers": template}, "runner": template}


def told(job: Job, *words: str) -> dict[str, Any]:
    """Waits until condition ClusterReady or Failed has all these words."""

    def says(status: dict[str, Any]) -> bool:
        messages = [condition(status, kind).get("message", "") for kind in ("ClusterReady", "Failed")]
        return any(all(word in message for word in words) for message in messages)

    return wait_for(f"{job.name} to say {words}", job.status, says, SOON)


def fails(job: Job, reason: str, *words: str, seconds: float = SOON) -> dict[str, Any]:
    """The failure of a job that ends in its first attempt, by a mistake of its author."""
    status = job.end(seconds)
    failure: dict[str, Any] = status["failure"]
    assert (failure["reason"], failure["class"]) == (reason, "Application"), failure
    assert [word for word in words if word not in failure["message"]] == [], failure["message"]
    assert len(status["attempts"]) == 1
    return failure


# Containers beside ours.


@pytest.mark.parametrize("part", ["scheduler", "workers"])
def test_a_sidecar_that_ends_now_and_then_ends_nothing(kube: Kube, part: str) -> None:
    sidecar = container("uploader", "import time; time.sleep(3); raise SystemExit(9)")
    job = apply(kube, manifest("beside", COUNT, [12], **in_part(part, containers=[sidecar])))
    status = job.end()
    assert result_of(status) == sum(range(12))
    assert len(status["attempts"]) == 1
    job.is_clean()
    assert [pod["status"]["phase"] for pod in job.pods("runner")] == ["Succeeded"]


def states(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod["status"].get("initContainerStatuses", ()), *pod["status"]["containerStatuses"]]


def test_a_native_sidecar_works_in_all_pods(kube: Kube) -> None:
    sidecar = container("proxy", "import time; time.sleep(100000)", restartPolicy="Always")
    job = apply(kube, manifest("native", COUNT, [2], **in_all(initContainers=[sidecar])))
    assert result_of(job.end()) == 1
    job.is_clean()
    assert [pod["status"].get("reason") for pod in job.pods("runner")] == [None]


def test_a_sidecar_that_outlives_the_runner_costs_neither_time_nor_log(kube: Kube) -> None:
    sidecar = container("istio-proxy", "import time; time.sleep(100000)")
    source = 'def main():\n    print("seen in the log")\n    return 1\n'
    job = apply(kube, manifest("mesh", source, **in_part("runner", containers=[sidecar])))
    assert result_of(job.end()) == 1
    job.says_that_it_is_clean(15)
    job.is_clean()
    [pod] = job.pods("runner")
    log = kube.kubectl("logs", pod["metadata"]["name"], "--container=runner")
    assert "seen in the log" in log
    assert all("terminated" in each["state"] for each in states(pod))


@pytest.mark.parametrize("part", PARTS)
def test_an_init_container_that_fails(kube: Kube, part: str) -> None:
    migrate = container("migrate", "import sys; print('no such bucket: inputs'); sys.exit(42)")
    spec = {**in_part(part, initContainers=[migrate]), "startupDeadlineSeconds": LONG}
    job = apply(kube, manifest("init", ADD, **spec))
    words = (f"({PARTS[part]}), init container migrate", "exit code 42", "no such bucket: inputs")
    told(job, *words)
    fails(job, "InitContainerFailed", *words, seconds=REPEATED)
    job.is_clean()


# What was known is not forgotten.


@pytest.mark.parametrize("part", ["scheduler", "workers"])
def test_a_container_that_keeps_ending_is_told_with_its_last_words(kube: Kube, part: str) -> None:
    """As with an option of another Dask: the words are the reason, while it waits and in the end."""
    wrong = {"name": PARTS[part], "args": ["--no-such-option"]}
    spec = {**in_part(part, containers=[wrong]), "startupDeadlineSeconds": LONG}
    job = apply(kube, manifest("usage", ADD, **spec))
    words = (f"({PARTS[part]})", "exit code 2", "no-such-option")
    told(job, *words)
    seen: set[str] = set()

    def reason() -> dict[str, Any]:
        status = job.status()
        seen.add(condition(status, "ClusterReady").get("reason", ""))
        return status

    wait_for("the end", reason, ended, REPEATED)
    assert seen <= {"ContainerStartFailed", "CleaningUp"}, "what was known was forgotten between two tries"
    fails(job, "ContainerStartFailed", *words)
    job.is_clean()


def test_a_module_named_like_one_of_the_standard_library(kube: Kube) -> None:
    job = manifest("queue", ADD, startupDeadlineSeconds=LONG)
    job["spec"]["graph"] = {"entrypoint": "queue:main", "source": {"inline": ADD}}
    status = apply(kube, job).end(REPEATED)
    assert status["failure"]["class"] == "Application"
    assert "queue" in status["failure"]["message"]
    assert len(status["attempts"]) == 1


def test_too_little_memory_to_start_with(kube: Kube) -> None:
    workers = {"resources": {"limits": {"memory": "20Mi"}}}
    spec = {"cluster": {"workers": workers}, "startupDeadlineSeconds": LONG}
    job = apply(kube, manifest("small", ADD, **spec))
    fails(job, "WorkerOOMKilled", "spec.cluster.workers.resources.limits.memory", seconds=REPEATED)


@pytest.mark.parametrize("part", PARTS)
def test_a_secret_that_is_missing(kube: Kube, part: str) -> None:
    """Only Kubernetes' events have it: told while the pod is silent, and in the end."""
    pod = {
        "volumes": [{"name": "keys", "secret": {"secretName": "not-there"}}],
        "containers": [{"name": PARTS[part], "volumeMounts": [{"name": "keys", "mountPath": "/keys"}]}],
    }
    spec = {**in_part(part, **pod), "startupDeadlineSeconds": 40}
    job = apply(kube, manifest("secret", ADD, **spec))
    told(job, "FailedMount", "not-there")
    fails(job, "VolumeMountFailed", "FailedMount", "not-there", seconds=70)


# Causes by evidence.


def test_a_worker_that_dies_of_a_segmentation_fault(kube: Kube) -> None:
    source = """
        import ctypes
        from dask import delayed

        def crash(number):
            return ctypes.string_at(0)

        def main():
            return delayed(crash)(1)
    """
    once = [{"name": "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "value": "1"}]
    job = apply(kube, manifest("segfault", source, cluster={"env": once, "workers": {"replicas": 2}}))
    failure = fails(job, "WorkersKilled", "crash", "SIGSEGV", seconds=90)
    assert failure["exitCode"] == 139
    assert "memory" not in failure["message"].split("SIGSEGV")[0]


@pytest.mark.parametrize("part", PARTS)
def test_python_that_is_not_in_the_path(kube: Kube, part: str) -> None:
    own = {"name": PARTS[part], "env": [{"name": "PATH", "value": "/usr/sbin"}]}
    spec = {**in_part(part, containers=[own]), "startupDeadlineSeconds": LONG}
    job = apply(kube, manifest("path", ADD, **spec))
    told(job, "python3", "executable file not found")
    fails(job, "ContainerStartFailed", "python3", "executable file not found", seconds=REPEATED)


FORGE = """
    import json, os, socket, ssl, urllib.request

    def main(reason):
        folder = "/var/run/secrets/daskjob"
        context = ssl.create_default_context(cafile=f"{{folder}}/ca.crt")
        context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        me = socket.gethostname().removesuffix("-runner")
        host = os.environ["KUBERNETES_SERVICE_HOST"]
        url = f"https://{{host}}/apis/daskjob.io/v1alpha1/namespaces/{namespace}/daskjobreports/{{me}}/status"
        failure = {{"reason": reason, "message": "I say so"}}
        # As if every scheduler had come later.
        timings = {{"connected": "2020-01-01T00:00:00Z"}}
        body = {{"status": {{"protocol": 1, "outcome": "Failed", "failure": failure, "timings": timings}}}}
        token = open(f"{{folder}}/token").read()
        headers = {{"Authorization": "Bearer " + token, "Content-Type": "application/merge-patch+json"}}
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="PATCH")
        urllib.request.urlopen(request, context=context)
        os._exit(1)
"""


@pytest.mark.parametrize("reason", ["NoWorkers", "SchedulerUnreachable", "SchedulerLost"])
def test_user_code_that_blames_the_infrastructure(kube: Kube, reason: str) -> None:
    source = FORGE.format(namespace=kube.namespace)
    job = apply(kube, manifest("farm", source, [reason], backoff={"initialSeconds": 1, "maximumSeconds": 1}))
    fails(job, reason, "I say so")


END_THE_SCHEDULER = """
    import os, time

    def main(client):
        code = 137 if os.environ["DASKJOB_ATTEMPT"] == "1" else 143
        try:
            client.run_on_scheduler(os._exit, code)
        finally:
            time.sleep(300)
"""


def test_user_code_that_ends_its_scheduler_as_if_somebody_had_killed_it(kube: Kube) -> None:
    """A scheduler may crash once; exit codes prove nothing, so the second time is the job's own doing."""
    retries = {"infrastructureRetries": 5, "backoff": {"initialSeconds": 1, "maximumSeconds": 1}}
    status = apply(kube, manifest("pretends", END_THE_SCHEDULER, **retries)).end()
    ends = [(each["reason"], each["class"]) for each in status["attempts"]]
    assert ends == [("SchedulerLost", "Infrastructure"), ("SchedulerLost", "Application")], status


# Pods that Kubernetes refuses.


@pytest.mark.parametrize("part", PARTS)
def test_a_pod_that_mounts_what_is_not_declared(kube: Kube, part: str) -> None:
    own = {"name": PARTS[part], "volumeMounts": [{"name": "datasets", "mountPath": "/data"}]}
    spec = {**in_part(part, containers=[own]), "startupDeadlineSeconds": LONG}
    job = apply(kube, manifest("mount", ADD, **spec))
    fails(job, "PodRejected", "volumeMounts", "datasets")
    job.is_clean()
