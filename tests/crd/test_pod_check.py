"""Fields of pod templates that Kubernetes does not have, and values that it cannot read, without a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from daskjob.schema import validate
from daskjob.schema.pod_check import check_pod
from daskjob.schema.pod_fields import LIST, MAP, PLAIN, POD, misspelt, pod_types

from .cases import a_job

TEMPLATES = {
    "spec.cluster.scheduler.template.spec": "scheduler",
    "spec.cluster.workers.template.spec": "worker",
    "spec.runner.template.spec": "runner",
}


def with_pod(path: str, pod: Any) -> dict[str, Any]:
    """A job with a pod's spec at the path."""
    manifest = a_job("{}")
    at = manifest
    *steps, last = path.split(".")
    for step in steps:
        at = at.setdefault(step, {})
    at[last] = pod
    return manifest


def own(pod: Any, name: str) -> Any:
    """The spec with `name` for the operator's own container, `main`."""
    if isinstance(pod, dict):
        return {key: name if (key, value) == ("name", "main") else own(value, name) for key, value in pod.items()}
    return [own(each, name) for each in pod] if isinstance(pod, list) else pod


def container(**fields: Any) -> dict[str, Any]:
    return {"containers": [{"name": "main", **fields}]}


#: A pod's spec, the field that is refused, and what must be among the words.
REFUSED: dict[str, tuple[Any, str, str]] = {
    "a letter too many": ({"nodeSelectors": {"a": "b"}}, "nodeSelectors", "did you mean {path}.nodeSelector?"),
    "a letter too few": ({"toleration": []}, "toleration", "did you mean {path}.tolerations?"),
    "another letter": ({"schedulerNane": "x"}, "schedulerNane", "did you mean {path}.schedulerName?"),
    "two slips": ({"terminatonGracePeriodSecond": 1}, "terminatonGracePeriodSecond", "terminationGracePeriodSeconds?"),
    "swapped in a container": (
        container(resuorces={}),
        "containers[main].resuorces",
        "did you mean {path}.containers[main].resources?",
    ),
    "a short one": (container(evn=[]), "containers[main].evn", "did you mean {path}.containers[main].env?"),
    "in another case": (container(volumemounts=[]), "containers[main].volumemounts", "volumeMounts?"),
    "as Python writes it": ({"node_selector": {}}, "node_selector", "did you mean {path}.nodeSelector?"),
    "in a list's item": (
        container(env=[{"name": "A", "valeu": "x"}]),
        "containers[main].env[A].valeu",
        "did you mean {path}.containers[main].env[A].value?",
    ),
    "deep inside": (
        {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecutions": {}}}},
        "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecutions",
        "requiredDuringSchedulingIgnoredDuringExecution?",
    ),
    "in an init container": (
        {"initContainers": [{"name": "a", "image": "i", "comand": []}]},
        "initContainers[a].comand",
        "initContainers[a].command?",
    ),
    "of a volume": (
        {"volumes": [{"name": "a", "configmap": {"name": "b"}}]},
        "volumes[a].configmap",
        "did you mean {path}.volumes[a].configMap?",
    ),
    "a number for a text": (
        container(env=[{"name": "A", "value": 1}]),
        "containers[main].env[A].value",
        'must be text, not the number 1: put it in quotes, "1"',
    ),
    "a text for a number": ({"priority": "5"}, "priority", "must be a whole number, not the text"),
    "a text for yes or no": ({"hostNetwork": "true"}, "hostNetwork", "write true without quotes"),
    "a text for a list": (container(args="a"), "containers[main].args", 'must be a list, not the text "a"'),
    "a list for a mapping": ({"nodeSelector": ["a"]}, "nodeSelector", "must be a mapping, not a list"),
    "yes for a text": ({"nodeSelector": {"a": True}}, "nodeSelector[a]", "must be text, not true"),
    "empty in a list": (container(args=["a", None]), "containers[main].args[1]", "must be text, not empty"),
    "a fraction": ({"priority": 0.5}, "priority", "must be a whole number"),
    "a port as a text": (
        container(ports=[{"containerPort": "80"}]),
        "containers[main].ports[80].containerPort",
        "write 80 without quotes",
    ),
    "a unit that there is not": (
        container(resources={"limits": {"memory": "1Gib"}}),
        "containers[main].resources.limits[memory]",
        "must be a quantity",
    ),
    "less than nothing": (
        container(resources={"requests": {"cpu": "-1"}}),
        "containers[main].resources.requests[cpu]",
        "that is not negative",
    ),
    "less than nothing, as a number": (
        container(resources={"requests": {"cpu": -1}}),
        "containers[main].resources.requests[cpu]",
        "that is not negative",
    ),
    "a size in words": (
        {"volumes": [{"name": "a", "emptyDir": {"sizeLimit": "large"}}]},
        "volumes[a].emptyDir.sizeLimit",
        "must be a quantity",
    ),
    "no name": ({"volumes": [{"emptyDir": {}}]}, "volumes", "each item needs a name"),
    "no image": (
        {"containers": [{"name": "side"}]},
        "containers[side]",
        "has no image, and none of the operator's has this name: the operator's container is named {own}",
    ),
    "no image at first": ({"initContainers": [{"name": "a"}]}, "initContainers[a]", "has no image"),
    "another operator's name": (
        {"containers": [{"name": "dask-scheduler", "image": "localhost/other"}]},
        "containers[dask-scheduler]",
        "the operator's container is named {own}",
    ),
    "the job's image, and nothing to do": (
        {"containers": [{"name": "app", "image": "localhost/i"}]},
        "containers[app]",
        "the operator's container is named {own}",
    ),
}


@pytest.mark.parametrize("path", TEMPLATES)
@pytest.mark.parametrize(("pod", "field", "words"), REFUSED.values(), ids=REFUSED)
def test_refused_with_the_field_named(pod: Any, field: str, words: str, path: str) -> None:
    manifest = with_pod(path, own(pod, TEMPLATES[path]))
    manifest["spec"].setdefault("cluster", {})["image"] = "localhost/i"
    [problem] = validate(manifest)
    name = TEMPLATES[path]
    assert problem.path == f"{path}.{field.replace('main', name)}"
    assert words.format(path=path, own=name).replace("[main]", f"[{name}]") in problem.message


ACCEPTED: dict[str, Any] = {
    "fields of today": {
        "hostUsers": False,
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "a", "whenUnsatisfiable": "ScheduleAnyway", "nodeTaintsPolicy": "Honor"}
        ],
        "initContainers": [{"name": "side", "image": "i", "restartPolicy": "Always"}],
        **container(
            resizePolicy=[{"resourceName": "memory", "restartPolicy": "NotRequired"}],
            securityContext={"appArmorProfile": {"type": "RuntimeDefault"}},
        ),
    },
    "fields of tomorrow": {
        "brandNewField": {"anything": [1]},
        **container(restartPolicyRulesets=[], resourcesPolicy="x"),
    },
    "null removes": {"nodeSelector": None, **container(image=None, resources={"limits": {"cpu": None}})},
    "quantities": container(resources={"limits": {"cpu": 0.5, "memory": "1Gi"}, "requests": {"cpu": 2}}),
    "a port by number and by name": container(
        livenessProbe={"httpGet": {"port": 1}}, readinessProbe={"httpGet": {"port": "http"}}
    ),
    "whole floats": {"priority": 5.0},
    "labels of any name": {"nodeSelector": {"nodeSelectors": "x"}},
    "a sidecar": {"containers": [{"name": "side", "image": "localhost/side"}]},
    "the job's image with a command": {"containers": [{"name": "app", "image": "localhost/i", "command": ["a"]}]},
    "a proxy": {"containers": [{"name": "scheduler-proxy", "image": "localhost/side"}]},
    "nothing": None,
}


@pytest.mark.parametrize("path", TEMPLATES)
@pytest.mark.parametrize("pod", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(pod: Any, path: str) -> None:
    manifest = with_pod(path, own(pod, TEMPLATES[path]))
    manifest["spec"].setdefault("cluster", {})["image"] = "localhost/i"
    assert validate(manifest) == []


def test_of_a_cron_job_too() -> None:
    job = with_pod("spec.runner.template.spec", {"nodeSelectors": {}})
    spec = {"schedule": "* * * * *", "jobTemplate": {"spec": job["spec"]}}
    [problem] = validate(job | {"kind": "DaskCronJob", "spec": spec})
    assert problem.path == "spec.jobTemplate.spec.runner.template.spec.nodeSelectors"


def test_no_field_is_another_one_misspelt() -> None:
    """Else the next release of Kubernetes would bring a field that is refused."""
    taken = {
        frozenset((name, found))
        for kind in pod_types().values()
        for name in kind.fields
        if (found := misspelt(name, set(kind.fields) - {name}))
    }
    assert taken == {frozenset(("nodeAffinity", "podAffinity"))}


@pytest.mark.parametrize("kind", pod_types())
def test_each_slip_of_each_field_is_found(kind: str) -> None:
    fields = pod_types()[kind].fields
    for name in (each for each in fields if len(each) > 3):
        swapped = [f"{name[:i]}{name[i + 1]}{name[i]}{name[i + 2 :]}" for i in range(len(name) - 1)]
        for slip in {name[:-1], f"{name}s", f"{name[0]}x{name[1:]}", name.upper(), *swapped} - {*fields}:
            assert misspelt(slip, fields), f"{slip} of {name}"


def test_every_type_is_known() -> None:
    named = {
        each.removeprefix(LIST).removeprefix(MAP) for kind in pod_types().values() for each in kind.fields.values()
    }
    assert named - {"any"} <= pod_types().keys() | PLAIN.keys()
    assert POD in pod_types()


def test_a_long_name_of_any_letters_is_cut() -> None:
    check = check_pod({"\x1b[31m\u202e" + "x" * 70_000: 1}, "spec")
    [unknown] = check.unknown
    assert len(unknown.path) < 120
    assert unknown.path.isprintable()


#: Fields that a newer Kubernetes may have, and what is suggested beside.
SUGGESTED = {
    "a name under its other name": (
        {"volumes": [{"name": "a", "secret": {"name": "b"}}]},
        "did you mean spec.volumes[a].secret.secretName?",
    ),
    "a name with too much in it": (
        {"volumes": [{"name": "a", "configMap": {"configMapName": "b"}}]},
        "did you mean spec.volumes[a].configMap.name?",
    ),
    "a container's field in the pod": ({"workingDirectory": "/", "args": []}, "did you mean spec.containers[].args?"),
    "a pod's field in a container": ({"containers": [{"name": "c", "volumes": []}]}, "did you mean spec.volumes?"),
    "a container's field in the pod, near to another": ({"volumeMounts": []}, "mean spec.containers[].volumeMounts?"),
    "what security says of a pod, in a container": (
        {"containers": [{"name": "c", "securityContext": {"fsGroup": 1}}]},
        "did you mean spec.securityContext.fsGroup?",
    ),
    "what security says of a container, in the pod": (
        {"securityContext": {"readOnlyRootFilesystem": True}},
        "did you mean spec.containers[].securityContext.readOnlyRootFilesystem?",
    ),
    "a container's field in another object": (
        {"securityContext": {"command": ["a"]}},
        "unknown field of a pod in Kubernetes: remove it",
    ),
}


@pytest.mark.parametrize(("pod", "words"), SUGGESTED.values(), ids=SUGGESTED)
def test_what_is_suggested_is_of_the_same_object_or_surely_meant(pod: Any, words: str) -> None:
    assert words in check_pod(pod, "spec").unknown[-1].error().message
