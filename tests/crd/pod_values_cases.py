"""Pods whose fields and types are right, and that the API server refuses all the same."""

from __future__ import annotations

from typing import Any

VOLUME = {"name": "data", "emptyDir": {}}


def own(**fields: Any) -> dict[str, Any]:
    """A pod with one container."""
    return {"containers": [{"name": "main", "image": "i", **fields}]}


def env(**fields: Any) -> dict[str, Any]:
    return own(env=[{"name": "A", **fields}])


def asks(requests: Any = None, limits: Any = None) -> dict[str, Any]:
    return own(resources={"requests": requests or {}, "limits": limits or {}})


def mounts(**mount: Any) -> dict[str, Any]:
    return {**own(volumeMounts=[mount]), "volumes": [VOLUME]}


TERM = {"key": "a", "operator": "Is", "values": ["b"]}
AFFINITY = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [TERM]}]}
    }
}
#: The pod, the field, and words about it.
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "a mount that is not declared": (
        own(volumeMounts=[{"name": "data", "mountPath": "/data"}]),
        "spec.containers[main].volumeMounts[/data].name",
        'there is no volume "data": add it to volumes',
    ),
    "a mount that is misspelt": (
        mounts(name="date", mountPath="/data"),
        "spec.containers[main].volumeMounts[/data].name",
        "did you mean data?",
    ),
    "a mount without a volume": (
        mounts(mountPath="/data"),
        "spec.containers[main].volumeMounts[/data].name",
        "is missing",
    ),
    "an init container's mount": (
        {
            **own(),
            "initContainers": [{"name": "first", "image": "i", "volumeMounts": [{"name": "x", "mountPath": "/x"}]}],
        },
        "spec.initContainers[first].volumeMounts[/x].name",
        "there is no volume",
    ),
    "a folder of a volume by an absolute path": (
        mounts(name="data", mountPath="/data", subPath="/x"),
        "spec.containers[main].volumeMounts[/data].subPath",
        "must be a relative path",
    ),
    "a folder of a volume, said twice": (
        mounts(name="data", mountPath="/data", subPath="x", subPathExpr="y"),
        "spec.containers[main].volumeMounts[/data]",
        "not both",
    ),
    "a probe that asks twice": (
        own(livenessProbe={"exec": {"command": ["true"]}, "tcpSocket": {"port": 1}}),
        "spec.containers[main].livenessProbe",
        "give exactly one of exec",
    ),
    "a probe that asks nothing": (
        own(startupProbe={"periodSeconds": 1}),
        "spec.containers[main].startupProbe",
        "give exactly one of exec",
    ),
    "a probe of what ends": (
        {**own(), "initContainers": [{"name": "first", "image": "i", "readinessProbe": {"tcpSocket": {"port": 1}}}]},
        "spec.initContainers[first].readinessProbe",
        "only with restartPolicy: Always",
    ),
    "a volume with two": (
        {**own(), "volumes": [{**VOLUME, "configMap": {"name": "c"}}]},
        "spec.volumes[data]",
        "has 2 sources, emptyDir and configMap",
    ),
    "a volume twice": ({**own(), "volumes": [VOLUME, VOLUME]}, "spec.volumes[data]", "is the name of two"),
    "a claim without its name": (
        {**own(), "volumes": [{"name": "data", "persistentVolumeClaim": {}}]},
        "spec.volumes[data].persistentVolumeClaim.claimName",
        "is missing",
    ),
    "a container twice": (
        {"containers": [{"name": "main", "image": "i"}, {"name": "main", "image": "j"}]},
        "spec.containers[main]",
        "is the name of two",
    ),
    "an init container of the same name": (
        {**own(), "initContainers": [{"name": "main", "image": "i"}]},
        "spec.containers[main]",
        "is the name of two",
    ),
    "a variable from nowhere": (env(valueFrom={}), "spec.containers[main].env[A].valueFrom", "exactly one"),
    "a variable from two places": (
        env(valueFrom={"secretKeyRef": {"name": "s", "key": "k"}, "configMapKeyRef": {"name": "c", "key": "k"}}),
        "spec.containers[main].env[A].valueFrom",
        "exactly one",
    ),
    "a variable with a value beside": (
        env(value="x", valueFrom={"secretKeyRef": {"name": "s", "key": "k"}}),
        "spec.containers[main].env[A]",
        "value or valueFrom, not both",
    ),
    "a variable without the key": (
        env(valueFrom={"secretKeyRef": {"name": "s"}}),
        "spec.containers[main].env[A].valueFrom.secretKeyRef.key",
        "is missing",
    ),
    "a variable with its value in its name": (
        own(env=[{"name": "A=B"}]),
        "spec.containers[main].env[A=B]",
        "without '='",
    ),
    "a request beyond its limit": (
        asks({"memory": "4Gi"}, {"memory": "2Gi"}),
        "spec.containers[main].resources.requests[memory]",
        'is larger than the limit, "2Gi"',
    ),
    "a resource that is misspelt": (
        asks(limits={"mem": "2Gi"}),
        "spec.containers[main].resources.limits[mem]",
        "did you mean memory?",
    ),
    "a resource without its domain": (
        asks(limits={"gpu": "1"}),
        "spec.containers[main].resources.limits[gpu]",
        "nvidia.com/gpu",
    ),
    "a device that is only requested": (
        asks({"nvidia.com/gpu": "1"}),
        "spec.containers[main].resources.requests[nvidia.com/gpu]",
        "give the limit only",
    ),
    "half a device": (
        asks(limits={"nvidia.com/gpu": "500m"}),
        "spec.containers[main].resources.limits[nvidia.com/gpu]",
        "must be a whole number",
    ),
    "a toleration's effect": (
        {**own(), "tolerations": [{"key": "gpu", "effect": "NoScheduling"}]},
        "spec.tolerations[0].effect",
        "did you mean NoSchedule?",
    ),
    "a toleration's operator": (
        {**own(), "tolerations": [{"key": "gpu", "operator": "Equals"}]},
        "spec.tolerations[0].operator",
        "did you mean Equal?",
    ),
    "an operator of affinity": (
        {**own(), "affinity": AFFINITY},
        "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]"
        ".matchExpressions[0].operator",
        "must be one of DoesNotExist, Exists, Gt, In, Lt, NotIn",
    ),
    "a pull policy": (
        own(imagePullPolicy="IfNotpresent"),
        "spec.containers[main].imagePullPolicy",
        "did you mean IfNotPresent?",
    ),
    "a DNS policy": ({**own(), "dnsPolicy": "Cluster"}, "spec.dnsPolicy", "must be one of ClusterFirst"),
    "a file of a ConfigMap without its path": (
        {**own(), "volumes": [{"name": "data", "configMap": {"name": "c", "items": [{"key": "a"}]}}]},
        "spec.volumes[data].configMap.items[0].path",
        "is missing",
    ),
}
#: What is right.
TAKEN: dict[str, dict[str, Any]] = {
    "a mount": mounts(name="data", mountPath="/data"),
    "a volume without a source, which is an empty one": {**own(), "volumes": [{"name": "data"}]},
    "resources": asks({"cpu": "500m", "memory": "1Gi", "nvidia.com/gpu": 1}, {"memory": "1Gi", "nvidia.com/gpu": "1"}),
    "a device": asks(limits={"nvidia.com/gpu": 2}),
    "disk": asks({"ephemeral-storage": "1Gi"}, {"ephemeral-storage": "2Gi"}),
    "a variable": env(valueFrom={"secretKeyRef": {"name": "s", "key": "k", "optional": True}}, value=None),
    "an empty value beside a source": env(valueFrom={"fieldRef": {"fieldPath": "metadata.name"}}, value=""),
    "a toleration": {**own(), "tolerations": [{"key": "gpu", "operator": "Exists", "effect": None}]},
    "null, which is not given": {**own(imagePullPolicy=None), "volumes": [{**VOLUME, "configMap": None}]},
}
