"""The operator's own settings hold whatever a template makes of a pod."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from daskjob.api.constants import FETCHING
from daskjob.errors import SpecError
from daskjob.manifests.context import Defaults
from daskjob.schema.pod_fields import POD, pod_types
from daskjob.schema.pod_security import Level, violations

from .builders import DEFAULTS, INLINE, container, job, pod_specs, with_template

COMPONENTS = ("scheduler", "worker", "runner")
#: Of the operator's container: users may set others as they like.
VARIABLES = ("DASKJOB_", "DASK_DISTRIBUTED__COMM__REQUIRE", "DASK_DISTRIBUTED__COMM__TLS")
PLAIN = pod_specs(job(**INLINE))


def built(component: str, spec: Any, defaults: Defaults | None = None) -> dict[str, Any]:
    """The component's pod, of a job that brings its code, with that spec in its template."""
    of = with_template(component, {"spec": spec})
    of = replace(of, spec=replace(of.spec, graph=job(**INLINE).spec.graph))
    found: dict[str, Any] = pod_specs(of, defaults or DEFAULTS)[component]
    return found


def holds(spec: dict[str, Any], component: str) -> None:
    """Everything that is the operator's is in the pod as in one without a template."""
    before = PLAIN[component]
    for name in ("automountServiceAccountToken", "restartPolicy"):
        assert spec.get(name) == before.get(name)
    assert spec["terminationGracePeriodSeconds"] <= 300
    assert [each for each in before["volumes"] if each not in spec["volumes"] and each["name"] != "tmp"] == []
    own, ours = container(spec, component), container(before, component)
    for name in ("command", "terminationMessagePolicy", "terminationMessagePath"):
        assert own.get(name) == ours.get(name)
    assert [each for each in ours["volumeMounts"] if each not in own["volumeMounts"]] == []
    assert [each for each in ours["env"] if each["name"].startswith(VARIABLES) and each not in own["env"]] == []
    assert list(violations(spec, Level.RESTRICTED, "spec")) == []


def patches(value: Any, kind: str = POD) -> Iterator[Any]:
    """For each field of a pod, at any depth, a template that takes it away."""
    known = pod_types().get(kind)
    for name, each in value.items():
        yield {name: None}
        inner = known.fields.get(name, "").removeprefix("map[string]") if known else ""
        if isinstance(each, dict):
            yield from ({name: below} for below in patches(each, inner))
        elif isinstance(each, list) and known and name in known.keys:
            for item in each:
                keys = {key: item[key] for key in known.keys[name] if key in item}
                kept = {key: each for key, each in item.items() if key not in keys}
                for below in patches(kept, inner.removeprefix("[]")):
                    yield {name: [{**below, **keys}]}


NULLS = [(component, each) for component in COMPONENTS for each in patches(PLAIN[component])]


@pytest.mark.parametrize(("component", "patch"), NULLS, ids=str)
def test_no_null_takes_anything_away(component: str, patch: Any) -> None:
    """It is put back, or the template is refused."""
    before = copy.deepcopy(patch)
    outcome = pod_or_refusal(component, patch)
    if isinstance(outcome, SpecError):
        # What the level asks for, variables that are not the user's, and lists that Kubernetes merges.
        assert re.search(r"securityContext|env\[DASK|must be a list", str(outcome))
    else:
        holds(outcome, component)
    assert patch == before


def pod_or_refusal(component: str, patch: Any) -> dict[str, Any] | SpecError:
    try:
        return built(component, patch)
    except SpecError as refused:
        return refused


#: What null takes away and is put back, of each component.
RESTORED: dict[str, Any] = {
    "no token": {"automountServiceAccountToken": None},
    "restarts": {"restartPolicy": None},
    "grace": {"terminationGracePeriodSeconds": None},
    "links of services": {"enableServiceLinks": None},
    "the command": {"containers": [{"name": "main", "command": None}]},
    "the image": {"containers": [{"name": "main", "image": None}]},
    "last words": {"containers": [{"name": "main", "terminationMessagePolicy": None}]},
    "the key": {"volumes": [{"name": "tls", "secret": None}]},
    "files of the key": {"volumes": [{"name": "tls", "secret": {"items": None, "defaultMode": None}}]},
    "the code": {"volumes": [{"name": "code", "secret": {"secretName": None}}]},
    "a mount's volume": {"containers": [{"name": "main", "volumeMounts": [{"mountPath": "/tmp", "name": None}]}]},
    "a mount that is read": {
        "containers": [{"name": "main", "volumeMounts": [{"mountPath": "/opt/daskjob/tls", "readOnly": None}]}]
    },
}


def named(patch: Any, component: str) -> Any:
    text = copy.deepcopy(patch)
    for each in text.get("containers") or ():
        each["name"] = each["name"].replace("main", component)
    return text


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("patch", RESTORED.values(), ids=RESTORED)
def test_what_null_takes_away_is_put_back(patch: Any, component: str) -> None:
    assert built(component, named(patch, component)) == PLAIN[component]


def mounted(path: str, name: str = "v") -> Any:
    return {
        "volumes": [{"name": "v", "emptyDir": {}}],
        "containers": [{"name": "main", "volumeMounts": [{"name": name, "mountPath": path}]}],
    }


def variable(name: str, **value: Any) -> Any:
    return {"containers": [{"name": "main", "env": [{"name": name, **(value or {"value": "x"})}]}]}


#: What a template sets otherwise, and the field that is named.
REFUSED: dict[str, tuple[Any, str]] = {
    "restarts": ({"restartPolicy": "OnFailure"}, "restartPolicy"),
    "a deadline": ({"activeDeadlineSeconds": 60}, "activeDeadlineSeconds"),
    "a long grace": ({"terminationGracePeriodSeconds": 301}, "terminationGracePeriodSeconds"),
    "a long grace of a probe": (
        {
            "containers": [
                {"name": "main", "livenessProbe": {"exec": {"command": ["a"]}, "terminationGracePeriodSeconds": 400}}
            ]
        },
        "containers[main].livenessProbe.terminationGracePeriodSeconds",
    ),
    "the command": ({"containers": [{"name": "main", "command": ["sh"]}]}, "containers[main].command"),
    "no command": ({"containers": [{"name": "main", "command": []}]}, "containers[main].command"),
    "restarts of the container": (
        {"containers": [{"name": "main", "restartPolicy": "Always"}]},
        "containers[main].restartPolicy",
    ),
    "restarts of a sidecar": (
        {"containers": [{"name": "side", "image": "j", "restartPolicy": "Always"}]},
        "containers[side].restartPolicy",
    ),
    "restarts by rules": (
        {"containers": [{"name": "main", "restartPolicyRules": [{"action": "RestartAllContainers", "exitCodes": {}}]}]},
        "containers[main].restartPolicyRules",
    ),
    "a first container that begins anew": (
        {"initContainers": [{"name": "a", "image": "j", "restartPolicy": "OnFailure"}]},
        "initContainers[a].restartPolicy",
    ),
    **{
        f"the name {name}, of what fetches": (
            {"initContainers": [{"name": name, "image": "j"}]},
            f"initContainers[{name}]",
        )
        for name in FETCHING
    },
    "last words": (
        {"containers": [{"name": "main", "terminationMessagePath": "/opt/x"}]},
        "containers[main].terminationMessagePath",
    ),
    "another key": ({"volumes": [{"name": "tls", "secret": {"secretName": "mine"}}]}, "volumes[tls].secret.secretName"),
    "another source of the key": ({"volumes": [{"name": "tls", "emptyDir": {}}]}, "volumes[tls].emptyDir"),
    "an optional key": ({"volumes": [{"name": "tls", "secret": {"optional": True}}]}, "volumes[tls].secret.optional"),
    "other code": ({"volumes": [{"name": "code", "configMap": {"name": "mine"}}]}, "volumes[code].configMap"),
    "scratch that cannot be written": ({"volumes": [{"name": "tmp", "secret": {}}]}, "volumes[tmp].secret"),
    "another volume at a mount": (
        mounted("/opt/daskjob/tls"),
        "containers[main].volumeMounts[/opt/daskjob/tls]",
    ),
    "another part of a volume": (
        {
            "containers": [
                {"name": "main", "volumeMounts": [{"mountPath": "/tmp", "name": "tmp", "subPath": "a"}]},
            ]
        },
        "containers[main].volumeMounts[/tmp].subPath",
    ),
    **{
        f"a mount at {path}": (mounted(path), f"containers[main].volumeMounts[{path}]")
        for path in (
            "/tmp",
            "/opt/daskjob/tls/",
            "//opt//daskjob/tls",
            "opt/daskjob/tls",
            "/opt/x/../daskjob/tls",
            "/opt/daskjob/tls/ca.crt",
            "/opt/daskjob/tls/deep/below",
            "/opt/daskjob",
            "/opt/daskjob/more",
            "/opt",
            "/",
            "/tmp/",
            "/dev/termination-log",
            "/dev",
        )
    },
    "a device": (
        {
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}],
            "containers": [{"name": "main", "volumeDevices": [{"name": "v", "devicePath": "/opt/daskjob/code"}]}],
        },
        "containers[main].volumeDevices[/opt/daskjob/code]",
    ),
    **{
        f"the variable {name}": (variable(name), f"containers[main].env[{name}]")
        for name in (
            "DASKJOB_REPORT",
            "DASKJOB_JOB_FILE",
            "DASKJOB_ATTEMPT",
            "DASKJOB_ANYTHING",
            "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION",
            "DASK_distributed__comm__require-encryption",
            "DASK_DISTRIBUTED.COMM.REQUIRE_ENCRYPTION",
            "DASK_DISTRIBUTED__COMM__TLS__CIPHERS",
            "DASK_DISTRIBUTED__COMM__TLS__WORKER__KEY",
            "DASK_DISTRIBUTED__COMM__TLS",
            "DASK_DISTRIBUTED__COMM",
            "DASK_DISTRIBUTED",
            "DASK_INTERNAL_INHERIT_CONFIG",
        )
    },
    "a variable by null": (
        variable("DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION", value=None),
        "containers[main].env[DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION]",
    ),
    "a variable from elsewhere": (
        variable("DASKJOB_REPORT", valueFrom={"fieldRef": {"fieldPath": "metadata.name"}}),
        "containers[main].env[DASKJOB_REPORT]",
    ),
}


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize(("patch", "field"), REFUSED.values(), ids=REFUSED)
def test_what_is_set_otherwise_is_refused(patch: Any, field: str, component: str) -> None:
    part = {"scheduler": "cluster.scheduler", "worker": "cluster.workers", "runner": "runner"}[component]
    with pytest.raises(SpecError) as refused:
        built(component, named(patch, component))
    assert refused.value.path == f"spec.{part}.template.spec.{field.replace('main', component)}"


@pytest.mark.parametrize("path", ["/var/run/secrets", "/run/secrets/daskjob", "/var/run/secrets/daskjob/token"])
def test_nothing_is_mounted_in_the_way_of_the_token(path: str) -> None:
    with pytest.raises(SpecError, match="/var/run/secrets/daskjob, which is the operator's"):
        built("runner", named(mounted(path), "runner"))
    assert built("worker", named(mounted(path), "worker")), "a worker has none"


@pytest.mark.parametrize("name", ["DASKJOB_REPORT", "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"])
def test_variables_of_all_pods_are_the_operators_too(name: str) -> None:
    with pytest.raises(SpecError) as refused:
        pod_specs(job(cluster={"image": "i", "env": [{"name": name, "value": "false"}]}))
    assert refused.value.path == f"spec.cluster.env[{name}]"


#: What stays the user's.
TAKEN: dict[str, Any] = {
    "as the operator has it": {
        "automountServiceAccountToken": False,
        "volumes": [{"name": "tmp", "emptyDir": {}}],
        "containers": [{"name": "main", "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]}],
    },
    "a long grace": {"terminationGracePeriodSeconds": 300},
    "scratch in memory": {"volumes": [{"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}]},
    "scratch on a claim": {"volumes": [{"name": "tmp", "persistentVolumeClaim": {"claimName": "fast"}}]},
    "a mount below /tmp": mounted("/tmp/cache"),
    "a mount elsewhere": mounted("/optional/daskjob"),
    "memory for processes": mounted("/dev/shm"),
    "an own file at the key's place in a sidecar": {
        "containers": [{"name": "side", "image": "j", "volumeMounts": [{"name": "tls", "mountPath": "/opt"}]}]
    },
    "Dask's settings": variable("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"),
    "variables of a sidecar": {
        "containers": [{"name": "side", "image": "j", "env": [{"name": "DASKJOB_REPORT", "value": "x"}]}]
    },
    "arguments": {"containers": [{"name": "main", "args": ["--nthreads", "2"]}]},
}


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("patch", TAKEN.values(), ids=TAKEN)
def test_what_stays_the_users(patch: Any, component: str) -> None:
    spec = built(component, named(patch, component))
    holds(spec, component)
