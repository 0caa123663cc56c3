"""What cannot run says so in its status within 15 s, in the words of whoever refused it; the operator goes on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from ..conftest import make_namespace
from ..support.jobs import Job, apply, condition, ended, manifest, result_of
from ..support.kube import Kube, KubectlFailed, Manifest
from ..support.platform import SYSTEM, Release
from ..support.sources import ADD
from ..support.waiting import wait_for

#: Seconds within which a mistake must be told: 15 on a machine that has nothing else to do, which one that runs all
#: tests is not.
SOON = 45
SLEEP = "import time\n\n\ndef main():\n    time.sleep(60)\n"


@pytest.fixture(autouse=True)
def operator_survives(release: Release) -> Iterator[None]:
    """Whatever a test throws at the operator, it is the same process afterwards."""

    def processes() -> list[tuple[str, int]]:
        pods = release.pods("operator") + release.pods("dask-controller")
        return [(pod["metadata"]["name"], pod["status"]["containerStatuses"][0]["restartCount"]) for pod in pods]

    before = processes()
    yield
    assert processes() == before


def says(job: Job, reason: str, words: str) -> dict[str, object]:
    """Waits until the status gives that reason, and a message in which the pattern `words` is found."""

    def told(status: dict[str, object]) -> bool:
        for each in (condition(status, "ClusterReady"), condition(status, "Failed")):
            if each.get("reason") == reason and re.search(words, each.get("message", "")):
                return True
        return False

    return wait_for(f"{job.name} to say {reason}, {words!r}", job.status, told, SOON)


def test_image_that_cannot_be_pulled(kube: Kube) -> None:
    job = apply(kube, manifest("pull", ADD, cluster={"image": "localhost/daskjob/no-such-image:1"}))
    says(job, "ImagePullFailed", r"(ErrImagePull|ImagePullBackOff).*localhost/daskjob/no-such-image:1")


def test_image_with_an_impossible_name(kube: Kube) -> None:
    job = apply(kube, manifest("name", ADD, cluster={"image": "localhost/UPPER:1"}))
    status = says(job, "ImagePullFailed", "InvalidImageName")
    assert ended(job.end(SOON)), status
    job.is_clean()


def test_unschedulable(kube: Kube) -> None:
    workers = {"resources": {"requests": {"cpu": "900"}}}
    job = apply(kube, manifest("huge", ADD, cluster={"workers": workers}, startupDeadlineSeconds=20))
    says(job, "Unschedulable", r"worker.*Insufficient cpu")
    status = job.end(40)
    assert status["failure"]["reason"] == "Unschedulable"
    job.is_clean()


def test_quota_on_workers(kube: Kube) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "two-pods"},
        "spec": {"hard": {"pods": "2"}},
    }
    kube.apply(quota)
    wait_for("the quota to count", lambda: kube.get("resourcequota", "two-pods"), lambda it: it.get("status"), 20)
    job = apply(kube, manifest("quota", ADD, cluster={"workers": {"replicas": 3}}))
    says(job, "QuotaExceeded", "exceeded quota: two-pods")


def test_quota_on_everything(kube: Kube) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    kube.apply(quota)
    wait_for("the quota to count", lambda: kube.get("resourcequota", "none"), lambda it: it.get("status"), 20)
    job = apply(kube, manifest("quota", ADD, startupDeadlineSeconds=20))
    says(job, "QuotaExceeded", "exceeded quota: none")
    assert job.end(40)["failure"]["reason"] == "QuotaExceeded"
    job.is_clean()


@pytest.fixture
def restricted(request: pytest.FixtureRequest, release: Release) -> Iterator[Kube]:
    """A namespace that enforces the restricted pod security standard."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kube = request.node.namespace = make_namespace(release.kube, request.node.originalname, labels)
    yield kube
    kube.delete("namespace", kube.namespace)


def test_restricted_namespace_takes_ordinary_jobs(restricted: Kube) -> None:
    job = apply(restricted, manifest("ordinary", ADD, [41]))
    assert result_of(job.end()) == 42
    job.is_clean()


@pytest.mark.parametrize("component", ["scheduler", "workers", "runner"])
def test_restricted_namespace_is_not_asked_for_what_it_refuses(restricted: Kube, component: str) -> None:
    """The operator judges by the same standard, and names the field."""
    template = {"template": {"spec": {"securityContext": {"runAsNonRoot": False, "runAsUser": 0}}}}
    changes = {"runner": template} if component == "runner" else {"cluster": {component: template}}
    job = apply(restricted, manifest("refused", ADD, **changes))
    part = "runner" if component == "runner" else f"cluster.{component}"
    path = f"spec.{part}.template.spec.securityContext.runAsUser"
    says(job, "InvalidSpec", re.escape(f'{path}: must not be 0 (pod security level "restricted")'))
    job.is_clean()


def test_config_map_missing(kube: Kube) -> None:
    job = manifest("missing", ADD)
    job["spec"]["graph"]["source"] = {"configMap": {"name": "no-such-code"}}
    says(apply(kube, job), "ConfigMapNotFound", r"spec\.graph\.source\.configMap\.name.*'no-such-code'")


def test_config_map_that_comes_late(kube: Kube) -> None:
    """Applying the job before its ConfigMap, as a tool that applies in any order does, is no mistake."""
    late = manifest("late", ADD, [1])
    late["spec"]["graph"]["source"] = {"configMap": {"name": "late-code"}}
    job = apply(kube, late)
    says(job, "ConfigMapNotFound", "late-code")
    code = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late-code"}, "data": {"job.py": ADD}}
    kube.apply(code)
    assert result_of(job.end()) == 2


def test_module_not_found(kube: Kube) -> None:
    job = manifest("module", ADD)
    job["spec"]["graph"] = {"entrypoint": "no_such_module:main"}
    says(apply(kube, job), "ModuleNotFound", "no_such_module")


def test_attribute_not_found(kube: Kube) -> None:
    job = manifest("attribute", ADD)
    job["spec"]["graph"]["entrypoint"] = "job:mian"
    says(apply(kube, job), "EntrypointNotFound", r"mian.*main")


def test_exception_while_the_graph_is_built(kube: Kube) -> None:
    source = "def main():\n    raise LookupError('no input named orders')\n"
    status = says(apply(kube, manifest("build", source)), "EntrypointFailed", "no input named orders")
    assert status["failure"]["exceptionType"].endswith("LookupError")
    assert "job.py" in status["failure"]["traceback"]


REFUSED = {
    "an unknown field": ({"cluster": {"wrokers": {}}}, "wrokers"),
    "two sources": ({"graph": {"source": {"files": {"job.py": ADD}}}}, "exactly one"),
    "no entry point": ({"graph": {"entrypoint": None}}, "entrypoint"),
    "a negative number": ({"cluster": {"workers": {"replicas": -1}}}, "replicas"),
    "two sizes": ({"cluster": {"workers": {"adaptive": {"minimum": 1, "maximum": 2}}}}, "adaptive"),
    "a range upside down": (
        {"cluster": {"workers": {"replicas": None, "adaptive": {"minimum": 3, "maximum": 2}}}},
        "minimum",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_at_apply(kube: Kube, what: str) -> None:
    change, word = REFUSED[what]
    with pytest.raises(KubectlFailed, match=word):
        kube.apply(manifest("refused", ADD, **change))
    assert kube.get("daskjobs.daskjob.io", "refused") is None


def test_template_that_asks_for_the_host(kube: Kube) -> None:
    """What the chart's values do not allow is refused, with the field named."""
    spec: Manifest = {"volumes": [{"name": "host", "hostPath": {"path": "/"}}]}
    job = apply(kube, manifest("host", ADD, cluster={"workers": {"template": {"spec": spec}}}))
    says(job, "InvalidSpec", r"spec\.cluster\.workers\.template.*hostPath")
    job.is_clean()


GARBAGE = [
    {"outcome": "Failed", "failure": {"reason": "RunnerOOMKilled", "message": "it was not me"}},
    {"outcome": "Succeeded"},
    {"outcome": "Succeeded", "result": {"type": "int", "value": "not JSON at all {"}},
    {"progress": {"total": -5, "done": 7, "processing": 0, "erred": 0}},
    {"seq": 2**53, "heartbeatTime": "yesterday"},
    {"outcome": "Failed", "failure": {"message": "\x00\x1b[31m" + "x" * 70_000}},
    {"workers": {"connected": 10**9, "threads": 1, "retired": ["../../etc", "a" * 300]}},
    {"unknown": {"deep": [1, {"er": None}]}},
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda each: json.dumps(each)[:40])
def test_garbage_in_the_report(kube: Kube, garbage: Manifest) -> None:
    """An administrator may write anything into a report: the API server refuses it, or the job ends, with a reason."""
    job = apply(kube, manifest("garbage", SLEEP.replace("60", "8"), activeDeadlineSeconds=60))
    job.pod("runner")
    report = job.status()["attempts"][0]["name"]
    # The operator creates it a moment after the runner's pod.
    wait_for("the report", lambda: kube.get("daskjobreports.daskjob.io", report), bool, 20)
    words = ""
    try:
        kube.patch("daskjobreports.daskjob.io", report, {"status": garbage}, subresource="status")
    except KubectlFailed as refusal:
        words = refusal.words
    assert not words or "invalid" in words.lower(), words
    status = job.end()
    assert status["phase"] in ("Succeeded", "Failed")
    assert status.get("failure", {}).get("class") != "Infrastructure", "a report may not blame the infrastructure"
    # The runner goes on, as if the outcome were forged, until the operator deletes its pod: after 30 s, and its grace.
    job.is_clean(60)


TERMINATION_MESSAGES = [
    "",
    "not JSON",
    "[]",
    '{"protocol": 1, "outcome": "Succeeded"',
    '{"outcome": 7}',
    "\x00\xff" * 9,
]


@pytest.mark.parametrize("message", TERMINATION_MESSAGES, ids=repr)
def test_garbage_in_the_termination_message(kube: Kube, message: str) -> None:
    """User code that ends the supervisor and writes what it likes in its place still gets a failure of its own."""
    source = f"""
        import os, signal

        def main():
            with open("/dev/termination-log", "wb") as file:
                file.write({message.encode("latin-1")!r})
            os.kill(1, signal.SIGKILL)
            os.kill(1, signal.SIGTERM)
            os._exit(9)
    """
    job = apply(kube, manifest("floor", source, activeDeadlineSeconds=60))
    status = job.end()
    assert status["phase"] == "Failed"
    assert status["failure"]["reason"]
    job.is_clean(45)


def test_operator_still_works(release: Release, kube: Kube) -> None:
    """Last: after all of the above an ordinary job runs, and nothing was unforeseen to the operator."""
    assert result_of(apply(kube, manifest("after", ADD, [1])).end()) == 2
    [pod] = release.pods("operator")
    log = release.kube.within(SYSTEM).kubectl("logs", pod["metadata"]["name"])
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert lines
    errors = [line for line in lines if line.get("severity") in ("error", "critical") or "exc_info" in line]
    # kopf's word on a request that it repeats: a definition that was made just now is not served yet.
    errors = [line for line in errors if not line["message"].startswith("Request attempt #")]
    assert errors == []
