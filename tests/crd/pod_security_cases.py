"""Pods, and the strictest level of the Pod Security Standards that takes each: for the pure tests, and for a real API
server."""

from __future__ import annotations

from typing import Any

from daskjob.manifests.merging import merge
from daskjob.schema.pod_security import (
    APPARMOR,
    CAPABILITIES,
    SELINUX_TYPES,
    SYSCTLS,
    VOLUMES,
    Level,
)

Spec = dict[str, Any]
RESTRICTED, BASELINE, PRIVILEGED = Level.RESTRICTED, Level.BASELINE, Level.PRIVILEGED

#: Fits every level.
FITTING: Spec = {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "main",
            "image": "i",
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
    ],
}
OWN = FITTING["containers"][0]["securityContext"]


def pod(**security: Any) -> Spec:
    return {"securityContext": security}


def main(**fields: Any) -> Spec:
    return {"containers": [{"name": "main", **fields}]}


def secured(**security: Any) -> Spec:
    return main(securityContext=security)


def first(**security: Any) -> Spec:
    """An init container with that security context over a fitting one."""
    return {"initContainers": [{"name": "first", "image": "i", "securityContext": merge(OWN, security)}]}


def volume(**source: Any) -> Spec:
    return {"volumes": [{"name": "v", **source}]}


#: A source that the API server takes, of each kind of volume that it knows.
SOURCES: dict[str, Any] = {
    "awsElasticBlockStore": {"volumeID": "a"},
    "azureDisk": {"diskName": "a", "diskURI": "/subscriptions/a", "kind": "Managed"},
    "azureFile": {"secretName": "a", "shareName": "a"},
    "cephfs": {"monitors": ["a"]},
    "cinder": {"volumeID": "a"},
    "configMap": {"name": "a"},
    "csi": {"driver": "a.example"},
    "downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.name"}}]},
    "emptyDir": {},
    "ephemeral": {
        "volumeClaimTemplate": {
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        }
    },
    "fc": {"wwids": ["a"]},
    "flexVolume": {"driver": "a/b"},
    "flocker": {"datasetName": "a"},
    "gcePersistentDisk": {"pdName": "a"},
    "gitRepo": {"repository": "a"},
    "glusterfs": {"endpoints": "a", "path": "a"},
    "hostPath": {"path": "/"},
    "image": {"reference": "a"},
    "iscsi": {"targetPortal": "192.0.2.1", "iqn": "iqn.2026-01.example:a", "lun": 0},
    "nfs": {"server": "192.0.2.1", "path": "/"},
    "persistentVolumeClaim": {"claimName": "a"},
    "photonPersistentDisk": {"pdID": "a"},
    "portworxVolume": {"volumeID": "a"},
    "projected": {"sources": [{"configMap": {"name": "a"}}]},
    "quobyte": {"registry": "a:1", "volume": "a"},
    "rbd": {"monitors": ["a"], "image": "a"},
    "scaleIO": {"gateway": "https://192.0.2.1", "system": "a", "volumeName": "a", "secretRef": {"name": "a"}},
    "secret": {"secretName": "a"},
    "storageos": {"volumeName": "a"},
    "vsphereVolume": {"volumePath": "a"},
}
Cases = dict[str, tuple[Spec, Level, str]]
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_ASKED = {"httpGet": {"port": 1, "host": "192.0.2.1"}, "tcpSocket": {"port": 1, "host": "192.0.2.1"}}


def _bounded(name: str, taken: tuple[str, ...], not_taken: tuple[str, ...], field: str, built: Any) -> Cases:
    """A field with values that all levels take, and others that only `privileged` does."""
    good: Cases = {f"{name} {value or 'empty'}": (built(value), RESTRICTED, "") for value in taken}
    return good | {f"{name} {value}": (built(value), PRIVILEGED, field) for value in not_taken}


#: A patch of the fitting pod, the strictest level that takes it, and the field that the others refuse.
CASES: Cases = {
    "fits": ({}, RESTRICTED, ""),
    "a sidecar": ({"containers": [{"name": "side", "image": "j", "securityContext": OWN}]}, RESTRICTED, ""),
    # The host.
    "the host's network": ({"hostNetwork": True}, PRIVILEGED, "hostNetwork"),
    "the host's processes": ({"hostPID": True}, PRIVILEGED, "hostPID"),
    "the host's IPC": ({"hostIPC": True}, PRIVILEGED, "hostIPC"),
    "none of the host": ({"hostNetwork": False, "hostPID": False, "hostIPC": False}, RESTRICTED, ""),
    "a port of the host": (
        main(ports=[{"containerPort": 1, "hostPort": 1}]),
        PRIVILEGED,
        "containers[main].ports[1].hostPort",
    ),
    "a port": (main(ports=[{"containerPort": 1, "hostPort": 0}]), RESTRICTED, ""),
    "a process of a Windows host": (
        {**pod(windowsOptions={"hostProcess": True}), "hostNetwork": True},
        PRIVILEGED,
        "hostNetwork",
    ),
    "no process of a Windows host": (pod(windowsOptions={"hostProcess": False}), RESTRICTED, ""),
    **{
        f"a host in {probe} {kind}": (
            main(**{probe: {kind: _ASKED[kind]}}),
            PRIVILEGED,
            f"containers[main].{probe}.{kind}.host",
        )
        for probe in _PROBES
        for kind in _ASKED
    },
    **{
        f"a host in {hook} {kind}": (
            main(lifecycle={hook: {kind: _ASKED[kind]}}),
            PRIVILEGED,
            f"containers[main].lifecycle.{hook}.{kind}.host",
        )
        for hook in ("postStart", "preStop")
        for kind in _ASKED
    },
    "a probe of the pod itself": (main(livenessProbe={"httpGet": {"port": 1, "host": ""}}), RESTRICTED, ""),
    "a probe of the loopback": (
        main(livenessProbe={"httpGet": {"port": 1, "host": "127.0.0.1"}}),
        PRIVILEGED,
        "containers[main].livenessProbe.httpGet.host",
    ),
    # Privilege.
    "privileged": (
        secured(privileged=True, allowPrivilegeEscalation=None),
        PRIVILEGED,
        "containers[main].securityContext.privileged",
    ),
    "not privileged": (secured(privileged=False), RESTRICTED, ""),
    "privileged at first": (
        first(privileged=True, allowPrivilegeEscalation=None),
        PRIVILEGED,
        "initContainers[first].securityContext.privileged",
    ),
    "escalation": (
        secured(allowPrivilegeEscalation=True),
        BASELINE,
        "containers[main].securityContext.allowPrivilegeEscalation",
    ),
    "escalation by default": (
        secured(allowPrivilegeEscalation=None),
        BASELINE,
        "containers[main].securityContext.allowPrivilegeEscalation",
    ),
    "escalation at first": (
        first(allowPrivilegeEscalation=None),
        BASELINE,
        "initContainers[first].securityContext.allowPrivilegeEscalation",
    ),
    "no security context": (
        main(securityContext=None),
        BASELINE,
        "containers[main].securityContext.allowPrivilegeEscalation",
    ),
    "a sidecar without a security context": (
        {"containers": [{"name": "side", "image": "i"}]},
        BASELINE,
        "containers[side].securityContext.allowPrivilegeEscalation",
    ),
    "nothing dropped": (
        secured(capabilities={"drop": []}),
        BASELINE,
        "containers[main].securityContext.capabilities.drop",
    ),
    "some dropped": (
        secured(capabilities={"drop": ["NET_RAW"]}),
        BASELINE,
        "containers[main].securityContext.capabilities.drop",
    ),
    "all dropped, and more": (secured(capabilities={"drop": ["NET_RAW", "ALL"]}), RESTRICTED, ""),
    "all dropped, in small letters": (
        secured(capabilities={"drop": ["all"]}),
        BASELINE,
        "containers[main].securityContext.capabilities.drop",
    ),
    **{
        f"added: {name}": (
            secured(capabilities={"add": [name]}),
            RESTRICTED if name == "NET_BIND_SERVICE" else BASELINE,
            "" if name == "NET_BIND_SERVICE" else "containers[main].securityContext.capabilities.add[0]",
        )
        for name in CAPABILITIES
    },
    **{
        f"added: {name}": (
            secured(capabilities={"add": ["NET_BIND_SERVICE", name]}),
            PRIVILEGED,
            "containers[main].securityContext.capabilities.add[1]",
        )
        for name in ("SYS_ADMIN", "NET_RAW", "NET_ADMIN", "SYS_PTRACE", "CAP_CHOWN", "ALL")
    },
    **_bounded(
        "/proc",
        ("Default",),
        ("Unmasked",),
        "containers[main].securityContext.procMount",
        lambda value: {**secured(procMount=value), "hostUsers": False},
    ),
    # Users.
    "root": (secured(runAsUser=0), BASELINE, "containers[main].securityContext.runAsUser"),
    "root in the pod": (pod(runAsUser=0), BASELINE, "securityContext.runAsUser"),
    "root at first": (first(runAsUser=0), BASELINE, "initContainers[first].securityContext.runAsUser"),
    "a user": (pod(runAsUser=1000), RESTRICTED, ""),
    "perhaps root": (pod(runAsNonRoot=None), BASELINE, "containers[main].securityContext.runAsNonRoot"),
    "root is allowed": (secured(runAsNonRoot=False), BASELINE, "containers[main].securityContext.runAsNonRoot"),
    "root is allowed in the pod, in no container": (
        {**pod(runAsNonRoot=False), **secured(runAsNonRoot=True)},
        BASELINE,
        "securityContext.runAsNonRoot",
    ),
    "each container says it": ({**pod(runAsNonRoot=None), **secured(runAsNonRoot=True)}, RESTRICTED, ""),
    "root in a namespace of users": (
        {**secured(runAsUser=0), "hostUsers": False},
        BASELINE,
        "containers[main].securityContext.runAsUser",
    ),
    "perhaps root in a namespace of users": (
        {**pod(runAsNonRoot=None), "hostUsers": False},
        BASELINE,
        "containers[main].securityContext.runAsNonRoot",
    ),
    "groups of root": (pod(runAsGroup=0, fsGroup=0, supplementalGroups=[0]), RESTRICTED, ""),
    # Profiles.
    **_bounded(
        "seccomp",
        (),
        ("Unconfined",),
        "securityContext.seccompProfile.type",
        lambda value: pod(seccompProfile={"type": value}),
    ),
    "a seccomp profile of the node": (
        pod(seccompProfile={"type": "Localhost", "localhostProfile": "a.json"}),
        RESTRICTED,
        "",
    ),
    "seccomp off in a container": (
        secured(seccompProfile={"type": "Unconfined"}),
        PRIVILEGED,
        "containers[main].securityContext.seccompProfile.type",
    ),
    "no seccomp": (pod(seccompProfile=None), BASELINE, "containers[main].securityContext.seccompProfile.type"),
    "seccomp in each container": (
        {**pod(seccompProfile=None), **secured(seccompProfile={"type": "RuntimeDefault"})},
        RESTRICTED,
        "",
    ),
    **_bounded(
        "AppArmor",
        ("RuntimeDefault",),
        ("Unconfined",),
        "securityContext.appArmorProfile.type",
        lambda value: pod(appArmorProfile={"type": value}),
    ),
    "AppArmor off in a container": (
        secured(appArmorProfile={"type": "Unconfined"}),
        PRIVILEGED,
        "containers[main].securityContext.appArmorProfile.type",
    ),
    **_bounded(
        "SELinux",
        SELINUX_TYPES,
        ("spc_t",),
        "securityContext.seLinuxOptions.type",
        lambda value: pod(seLinuxOptions={"type": value}),
    ),
    **_bounded(
        "SELinux in a container",
        (),
        ("spc_t",),
        "containers[main].securityContext.seLinuxOptions.type",
        lambda value: secured(seLinuxOptions={"type": value}),
    ),
    **_bounded(
        "SELinux user",
        ("",),
        ("root",),
        "securityContext.seLinuxOptions.user",
        lambda value: pod(seLinuxOptions={"user": value}),
    ),
    **_bounded(
        "SELinux role",
        ("",),
        ("sysadm_r",),
        "securityContext.seLinuxOptions.role",
        lambda value: pod(seLinuxOptions={"role": value}),
    ),
    "SELinux level": (pod(seLinuxOptions={"level": "s0:c1,c2"}), RESTRICTED, ""),
    **_bounded(
        "sysctl",
        SYSCTLS,
        ("kernel.msgmax", "net.core.somaxconn"),
        "securityContext.sysctls[0].name",
        lambda name: pod(sysctls=[{"name": name, "value": "1"}]),
    ),
    # Volumes.
    **{
        f"a volume: {kind}": (
            volume(**{kind: source}),
            PRIVILEGED if kind == "hostPath" else RESTRICTED if kind in VOLUMES else BASELINE,
            "" if kind in VOLUMES else f"volumes[v].{kind}",
        )
        for kind, source in SOURCES.items()
    },
    "a volume that is only named": (volume(), RESTRICTED, ""),
}

#: Kubernetes 1.35 takes these at a stricter level, because of `hostUsers: false`. The operator does not: a cluster that
#: does not know that field drops it without a word, and the process is root on the node.
BY_USER_NAMESPACE: dict[str, Level] = {
    "/proc Unmasked": BASELINE,
    "root in a namespace of users": RESTRICTED,
    "perhaps root in a namespace of users": RESTRICTED,
}

ANNOTATIONS: dict[str, tuple[str, Level]] = {
    "runtime/default": ("runtime/default", RESTRICTED),
    "of the node": ("localhost/a", RESTRICTED),
    "empty": ("", RESTRICTED),
    "unconfined": ("unconfined", PRIVILEGED),
}


def annotated(value: str) -> dict[str, str]:
    return {f"{APPARMOR}main": value}
