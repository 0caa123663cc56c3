"""Pod templates: what they may not ask for, and what is no field of a pod."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daskjob.errors import SpecError
from daskjob.manifests.context import Defaults
from daskjob.schema.pod_fields import POD, pod_types

from .builders import container, pod_specs, with_template

COMPONENTS = ["scheduler", "worker", "runner"]

OURS = "main"


def with_container(**fields: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": OURS, **fields}]}}


def with_volume(**fields: Any) -> dict[str, Any]:
    return {"spec": {"volumes": [{"name": "v", **fields}]}}


REFUSED: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "host network": ({"spec": {"hostNetwork": True}}, "spec.hostNetwork", "hostNamespaces"),
    "host PIDs": ({"spec": {"hostPID": True}}, "spec.hostPID", "hostNamespaces"),
    "host IPC": ({"spec": {"hostIPC": True}}, "spec.hostIPC", "hostNamespaces"),
    "host users": ({"spec": {"hostUsers": True}}, "spec.hostUsers", "hostNamespaces"),
    "host port": (
        with_container(ports=[{"containerPort": 1, "hostPort": 1}]),
        "spec.containers[main].ports[1].hostPort",
        "hostNamespaces",
    ),
    "host path": (with_volume(hostPath={"path": "/"}), "spec.volumes[v].hostPath", "hostPath"),
    "privileged": (
        with_container(securityContext={"privileged": True}),
        "spec.containers[main].securityContext.privileged",
        "privileged",
    ),
    "escalation": (
        with_container(securityContext={"allowPrivilegeEscalation": True}),
        "spec.containers[main].securityContext.allowPrivilegeEscalation",
        "privileged",
    ),
    "escalation by default": (
        with_container(securityContext={"allowPrivilegeEscalation": None}),
        "spec.containers[main].securityContext.allowPrivilegeEscalation",
        "privileged",
    ),
    "no security at all": (
        with_container(securityContext=None),
        "spec.containers[main].securityContext.allowPrivilegeEscalation",
        None,
    ),
    "capabilities": (
        with_container(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}}),
        "spec.containers[main].securityContext.capabilities.add[0]",
        "privileged",
    ),
    "/proc": (
        with_container(securityContext={"procMount": "Unmasked"}),
        "spec.containers[main].securityContext.procMount",
        "privileged",
    ),
    "privileged at first": (
        {"spec": {"initContainers": [{"name": "i", "image": "i", "securityContext": {"privileged": True}}]}},
        "spec.initContainers[i].securityContext.privileged",
        "privileged",
    ),
    "processes in one": ({"spec": {"shareProcessNamespace": True}}, "spec.shareProcessNamespace", None),
    "restarts": ({"spec": {"restartPolicy": "Always"}}, "spec.restartPolicy", None),
    "our label": ({"metadata": {"labels": {"daskjob.io/job": "x"}}}, "metadata.labels[daskjob.io/job]", None),
    "the manager": (
        {"metadata": {"labels": {"app.kubernetes.io/managed-by": "x"}}},
        "metadata.labels[app.kubernetes.io/managed-by]",
        None,
    ),
    "Dask's label": (
        {"metadata": {"labels": {"dask.org/component": "job-runner"}}},
        "metadata.labels[dask.org/component]",
        None,
    ),
    "our annotation": ({"metadata": {"annotations": {"daskjob.io/x": ""}}}, "metadata.annotations[daskjob.io/x]", None),
    "no object": ({"spec": ["x"]}, "spec", None),
    "containers without names": ({"spec": {"containers": [{"image": "i"}]}}, "spec.containers", None),
    "no containers": ({"spec": {"containers": None}}, "spec.containers", None),
    "volumes without names": ({"spec": {"volumes": [{}]}}, "spec.volumes", None),
    "variables without names": (with_container(env=[{"value": "x"}]), "spec.containers[main].env", None),
    "variables as text": (with_container(env="A=B"), "spec.containers[main].env", None),
    "no variables": (with_container(env=None), "spec.containers[main].env", None),
    "tolerations as an object": ({"spec": {"tolerations": {"key": "x"}}}, "spec.tolerations", None),
}


def named(template: dict[str, Any], component: str) -> dict[str, Any]:
    """With `main` for the component's own container."""
    text = copy.deepcopy(template)
    for each in (text.get("spec") or {}).get("containers") or () if isinstance(text.get("spec"), dict) else ():
        if each.get("name") == OURS:
            each["name"] = component
    return text


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize(("template", "field", "word"), REFUSED.values(), ids=REFUSED)
def test_the_forbidden_field_is_named(template: dict[str, Any], field: str, word: str | None, component: str) -> None:
    where = {"scheduler": "cluster.scheduler", "worker": "cluster.workers", "runner": "runner"}[component]
    made = with_template(component, named(template, component))
    with pytest.raises(SpecError) as caught:
        pod_specs(made)
    assert caught.value.path == f"spec.{where}.template.{field.replace(OURS, component)}"
    if word is not None:
        assert f"`{word}`" in caught.value.message
        pod_specs(made, Defaults(image="localhost/i", allowed=(word,)))


ALLOWED: dict[str, dict[str, Any]] = {
    "a sidecar": {"spec": {"containers": [{"name": "side", "image": "localhost/side"}]}},
    "resources": with_container(resources={"limits": {"memory": "1Gi"}}),
    "labels": {
        "metadata": {
            "labels": {"team": "a", "cost-center": "b", "sidecar.istio.io/inject": "true"},
            "annotations": {"note": "z", "app": "c", "prometheus.io/scrape": "true"},
        }
    },
    "a node": {"spec": {"nodeSelector": {"pool": "big"}, "tolerations": [{"key": "big"}], "priorityClassName": "high"}},
    "a volume": with_volume(persistentVolumeClaim={"claimName": "data"}),
    "less": with_container(securityContext={"readOnlyRootFilesystem": True}),
    "off is off": {"spec": {"hostNetwork": False, "automountServiceAccountToken": False}},
}


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("template", ALLOWED.values(), ids=ALLOWED)
def test_what_is_allowed(template: dict[str, Any], component: str) -> None:
    spec = pod_specs(with_template(component, named(template, component)))[component]
    assert container(spec, component)["command"][0] == "python3"


def test_a_template_reaches_its_component_and_no_other() -> None:
    specs = pod_specs(with_template("worker", {"spec": {"nodeSelector": {"gpu": "yes"}}}))
    assert {name: spec.get("nodeSelector") for name, spec in specs.items()} == {
        "scheduler": None,
        "worker": {"gpu": "yes"},
        "runner": None,
    }


LISTS = sorted({name for kind in (POD, "Container") for name in pod_types()[kind].keys})
junk = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "x", "runner", "worker"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from([*LISTS, "tolerations", "name", "securityContext", "capabilities", "add", "resources"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
junk_containers = st.lists(
    st.dictionaries(st.sampled_from(["env", "ports", "securityContext", "command"]), junk).map(
        lambda each: {"name": "runner", **each}
    ),
    max_size=2,
)


@given(
    st.dictionaries(st.sampled_from(["containers", "volumes", "tolerations", "securityContext"]), junk)
    | st.fixed_dictionaries({"containers": junk_containers})
)
@example({"containers": [{"name": "runner", "securityContext": {"containers": [None]}}] * 2})
def test_no_template_is_too_odd(spec: Any) -> None:
    """It is refused with the field named, or the API server gets to see it."""
    with contextlib.suppress(SpecError):
        pod_specs(with_template("runner", {"spec": spec}))


@pytest.mark.parametrize(
    "args", [["dask-worker", "--name", "x"], ["dask", "worker"], ["dask-scheduler"], ["dask", "cuda", "worker"]]
)
@pytest.mark.parametrize("component", ["scheduler", "worker"])
def test_arguments_of_a_dask_cluster_are_told(component: str, args: list[str]) -> None:
    template = {"spec": {"containers": [{"name": component, "args": args}]}}
    with pytest.raises(SpecError) as refused:
        pod_specs(with_template(component, template))
    part = {"scheduler": "scheduler", "worker": "workers"}[component]
    assert refused.value.path == f"spec.cluster.{part}.template.spec.containers[{component}].args"
    assert refused.value.message.startswith("are added to the operator's command: leave out 'dask")


def test_other_arguments_come_after_the_command() -> None:
    template = {"spec": {"containers": [{"name": "worker", "args": ["--nthreads", "4", "dask"]}]}}
    assert container(pod_specs(with_template("worker", template))["worker"], "worker")["args"] == [
        "--nthreads",
        "4",
        "dask",
    ]


TWICE: dict[str, tuple[dict[str, Any], str]] = {
    "a volume": (
        {"volumes": [{"name": "a", "emptyDir": {}}, {"name": "a", "secret": {"secretName": "s"}}]},
        "volumes[a]",
    ),
    "a mount": (
        {
            "volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "emptyDir": {}}],
            "containers": [
                {
                    "name": "runner",
                    "volumeMounts": [{"name": "a", "mountPath": "/d"}, {"name": "b", "mountPath": "/d"}],
                }
            ],
        },
        "containers[runner].volumeMounts[/d]",
    ),
}


@pytest.mark.parametrize(("spec", "field"), TWICE.values(), ids=TWICE)
def test_what_is_given_twice_is_told_and_not_merged(spec: dict[str, Any], field: str) -> None:
    with pytest.raises(SpecError, match="give each its own") as refused:
        pod_specs(with_template("runner", {"spec": spec}))
    assert refused.value.path == f"spec.runner.template.spec.{field}"
