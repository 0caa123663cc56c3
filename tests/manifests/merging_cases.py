"""Pods' specs, patches of them, and what must come out: for the pure tests, and for a real API server."""

from __future__ import annotations

from typing import Any

Spec = dict[str, Any]


def pod(container: Spec | None = None, **fields: Any) -> Spec:
    """A pod's spec that the API server takes, with one container; `fields`: further ones of the spec."""
    return {"containers": [{"name": "x", "image": "i", **(container or {})}], **fields}


def patch(container: Spec | None = None, **fields: Any) -> Spec:
    return {**({"containers": [{"name": "x", **container}]} if container is not None else {}), **fields}


SECRET = {"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
OTHER = {"valueFrom": {"secretKeyRef": {"name": "t", "key": "l", "optional": True}}}
FIELD = {"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
MOUNTS = [{"name": "a", "mountPath": "/a"}]
VOLUMES = [{"name": "a", "emptyDir": {}}, {"name": "b", "emptyDir": {}}]

#: What `kubectl patch` (strategic merge) makes of them, too.
AS_PATCHED: dict[str, tuple[Spec, Spec, Spec]] = {
    "nothing": (pod(), {}, pod()),
    "values are replaced": (pod(hostname="a"), {"hostname": "b"}, pod(hostname="b")),
    "null removes": (pod(hostname="a", subdomain="b"), {"hostname": None}, pod(subdomain="b")),
    "null of nothing": (pod(), {"hostname": None}, pod()),
    "null removes inside": (
        pod(securityContext={"runAsUser": 1, "runAsGroup": 2}),
        {"securityContext": {"runAsUser": None}},
        pod(securityContext={"runAsGroup": 2}),
    ),
    "objects are merged": (
        pod(securityContext={"runAsUser": 1}),
        {"securityContext": {"runAsGroup": 2}},
        pod(securityContext={"runAsUser": 1, "runAsGroup": 2}),
    ),
    "maps are merged": (
        pod({"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}),
        patch({"resources": {"limits": {"memory": "2Gi"}}}),
        pod({"resources": {"limits": {"cpu": "1", "memory": "2Gi"}}}),
    ),
    "containers join by name": (
        pod({"args": ["1"]}),
        {"containers": [{"name": "y", "image": "j"}, {"name": "x", "args": ["2"]}]},
        {"containers": [{"name": "x", "image": "i", "args": ["2"]}, {"name": "y", "image": "j"}]},
    ),
    "init containers join by name": (
        pod(initContainers=[{"name": "f", "image": "i"}]),
        {"initContainers": [{"name": "f", "image": "j", "restartPolicy": "Always"}]},
        pod(initContainers=[{"name": "f", "image": "j", "restartPolicy": "Always"}]),
    ),
    "variables join by name": (
        pod({"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]}),
        patch({"env": [{"name": "C", "value": "2"}, {"name": "A", "value": "2"}]}),
        pod({"env": [{"name": "A", "value": "2"}, {"name": "B", "value": "1"}, {"name": "C", "value": "2"}]}),
    ),
    "mounts join by path": (
        pod({"volumeMounts": MOUNTS}, volumes=VOLUMES),
        patch({"volumeMounts": [{"name": "b", "mountPath": "/a"}, {"name": "a", "mountPath": "/c"}]}),
        pod({"volumeMounts": [{"name": "b", "mountPath": "/a"}, {"name": "a", "mountPath": "/c"}]}, volumes=VOLUMES),
    ),
    "ports join by number": (
        pod({"ports": [{"containerPort": 1, "name": "a"}]}),
        patch({"ports": [{"containerPort": 1, "name": "b"}]}),
        pod({"ports": [{"containerPort": 1, "name": "b"}]}),
    ),
    "host aliases join by address": (
        pod(hostAliases=[{"ip": "10.0.0.1", "hostnames": ["a"]}]),
        {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["b"]}, {"ip": "10.0.0.2", "hostnames": ["c"]}]},
        pod(hostAliases=[{"ip": "10.0.0.1", "hostnames": ["b"]}, {"ip": "10.0.0.2", "hostnames": ["c"]}]),
    ),
    "pull secrets join by name": (
        pod(imagePullSecrets=[{"name": "a"}]),
        {"imagePullSecrets": [{"name": "b"}, {"name": "a"}]},
        pod(imagePullSecrets=[{"name": "a"}, {"name": "b"}]),
    ),
    "a volume's new source replaces the old one": (
        pod(volumes=[{"name": "a", "secret": {"secretName": "s", "defaultMode": 256}}, VOLUMES[1]]),
        {"volumes": [{"name": "a", "$retainKeys": ["name", "emptyDir"], "emptyDir": {"sizeLimit": "1Gi"}}]},
        pod(volumes=[{"name": "a", "emptyDir": {"sizeLimit": "1Gi"}}, VOLUMES[1]]),
    ),
    "a volume's source is merged": (
        pod(volumes=[{"name": "a", "secret": {"secretName": "s", "optional": True}}]),
        {"volumes": [{"name": "a", "$retainKeys": ["name", "secret"], "secret": {"secretName": "t"}}]},
        pod(volumes=[{"name": "a", "secret": {"secretName": "t", "optional": True}}]),
    ),
    "a claim's new source replaces the old one": (
        pod(resourceClaims=[{"name": "a", "resourceClaimName": "c"}]),
        {
            "resourceClaims": [
                {"name": "a", "$retainKeys": ["name", "resourceClaimTemplateName"], "resourceClaimTemplateName": "t"}
            ]
        },
        pod(resourceClaims=[{"name": "a", "resourceClaimTemplateName": "t"}]),
    ),
    "other lists are replaced": (pod({"args": ["a", "b"]}), patch({"args": ["c"]}), pod({"args": ["c"]})),
    "sources of variables are replaced": (
        pod({"envFrom": [{"secretRef": {"name": "a"}}]}),
        patch({"envFrom": [{"configMapRef": {"name": "b"}}]}),
        pod({"envFrom": [{"configMapRef": {"name": "b"}}]}),
    ),
    "capabilities are replaced": (
        pod({"securityContext": {"capabilities": {"drop": ["ALL"]}}}),
        patch({"securityContext": {"capabilities": {"drop": ["NET_RAW"]}}}),
        pod({"securityContext": {"capabilities": {"drop": ["NET_RAW"]}}}),
    ),
    "a list where there was none": (
        pod(),
        patch({"env": [{"name": "A", "value": "1"}]}),
        pod({"env": [{"name": "A", "value": "1"}]}),
    ),
}

#: What a patch alone leaves for the API server to refuse, or overwrites where it should add.
OTHERWISE: dict[str, tuple[Spec, Spec, Spec]] = {
    "valueFrom replaces value": (
        pod({"env": [{"name": "A", "value": "1"}]}),
        patch({"env": [{"name": "A", **SECRET}]}),
        pod({"env": [{"name": "A", **SECRET}]}),
    ),
    "value replaces valueFrom": (
        pod({"env": [{"name": "A", **SECRET}]}),
        patch({"env": [{"name": "A", "value": ""}]}),
        pod({"env": [{"name": "A", "value": ""}]}),
    ),
    "valueFrom replaces valueFrom": (
        pod({"env": [{"name": "A", **SECRET}]}),
        patch({"env": [{"name": "A", **FIELD}]}),
        pod({"env": [{"name": "A", **FIELD}]}),
    ),
    "a key of another Secret keeps nothing of the first": (
        pod({"env": [{"name": "A", **OTHER}]}),
        patch({"env": [{"name": "A", **SECRET}]}),
        pod({"env": [{"name": "A", **SECRET}]}),
    ),
    "a probe's new way replaces the old one": (
        pod({"livenessProbe": {"exec": {"command": ["a"]}, "periodSeconds": 3}}),
        patch({"livenessProbe": {"tcpSocket": {"port": 1}}}),
        pod({"livenessProbe": {"tcpSocket": {"port": 1}, "periodSeconds": 3}}),
    ),
    "what is done before the end is replaced": (
        pod({"lifecycle": {"preStop": {"exec": {"command": ["a"]}}}}),
        patch({"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}),
        pod({"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}),
    ),
    "another type of profile needs no file": (
        pod(securityContext={"seccompProfile": {"type": "Localhost", "localhostProfile": "a.json"}}),
        {"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}},
        pod(securityContext={"seccompProfile": {"type": "RuntimeDefault"}}),
    ),
    "ports of other protocols are others": (
        pod({"ports": [{"containerPort": 1, "name": "a"}]}),
        patch({"ports": [{"containerPort": 1, "protocol": "UDP", "name": "b"}]}),
        pod({"ports": [{"containerPort": 1, "name": "a"}, {"containerPort": 1, "protocol": "UDP", "name": "b"}]}),
    ),
    "a volume's source without directives": (
        pod(volumes=[{"name": "a", "emptyDir": {}}]),
        {"volumes": [{"name": "a", "persistentVolumeClaim": {"claimName": "c"}}]},
        pod(volumes=[{"name": "a", "persistentVolumeClaim": {"claimName": "c"}}]),
    ),
    "a volume that is only named stays": (
        pod(volumes=[{"name": "a", "emptyDir": {}}]),
        {"volumes": [{"name": "a"}]},
        pod(volumes=[{"name": "a", "emptyDir": {}}]),
    ),
    "tolerations are added": (
        pod(tolerations=[{"key": "a", "operator": "Exists"}]),
        {"tolerations": [{"key": "b", "operator": "Exists"}]},
        pod(tolerations=[{"key": "b", "operator": "Exists"}, {"key": "a", "operator": "Exists"}]),
    ),
    "a toleration replaces that of its key": (
        pod(tolerations=[{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}]),
        {"tolerations": [{"key": "a", "operator": "Exists"}]},
        pod(tolerations=[{"key": "a", "operator": "Exists"}]),
    ),
}


def without_directives(value: Any) -> Any:
    """A patch as a template has it: `kubectl apply` works the directives out, and so does `merge`."""
    if isinstance(value, list):
        return [without_directives(each) for each in value]
    if isinstance(value, dict):
        return {key: without_directives(each) for key, each in value.items() if not key.startswith("$")}
    return value


CASES = {
    name: (before, without_directives(change), after)
    for name, (before, change, after) in {**AS_PATCHED, **OTHERWISE}.items()
}
