"""Which fields of a pod a template may set: every field of these types has an entry, and what has none is refused."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from daskjob.manifests.words import RUNTIME_CLASSES, SCHEDULING, UNKNOWN_FIELDS, VOLUMES, refusal
from daskjob.schema.field_error import FieldError, join, short_name
from daskjob.schema.pod_fields import LIST, POD, pod_types


@dataclass(frozen=True)
class Rule:
    """`word`: what opens the field; `never`: why no word does. Neither: everybody may set it. `empty`: whether an empty
    value asks for something, too."""

    word: str = ""
    never: str = ""
    empty: bool = False

    def concerns(self, value: Any) -> bool:
        """Whether the value asks for what is closed."""
        return bool(self.word or self.never) and (bool(value) or self.empty)


OPEN = Rule()
#: Open here, and judged by their values elsewhere: by the pod security level, by `pod_judgement`, by `accounts`, or
#: because the operator sets them itself (`own_settings`).
JUDGED = Rule()
_WINDOWS = Rule(never="is for Windows, and Dask's pods run on Linux: remove it")


def _each(rule: Rule, *names: str) -> dict[str, Rule]:
    return dict.fromkeys(names, rule)


RULES: Mapping[str, Mapping[str, Rule]] = {
    POD: {
        # What a pod asks of the scheduler, of the network and of the kubelet for itself.
        **_each(OPEN, "affinity", "nodeSelector", "topologySpreadConstraints", "schedulingGates", "readinessGates"),
        **_each(OPEN, "dnsConfig", "dnsPolicy", "enableServiceLinks", "hostAliases", "hostname", "hostnameOverride"),
        **_each(OPEN, "setHostnameAsFQDN", "subdomain", "imagePullSecrets", "preemptionPolicy"),
        **_each(OPEN, "containers", "initContainers", "volumes", "resources", "resourceClaims"),
        **_each(JUDGED, "hostIPC", "hostNetwork", "hostPID", "hostUsers", "os", "securityContext", "priorityClassName"),
        **_each(JUDGED, "restartPolicy", "terminationGracePeriodSeconds", "tolerations"),
        **_each(Rule(SCHEDULING), "nodeName", "schedulerName", "priority", "workloadRef"),
        **_each(Rule(RUNTIME_CLASSES), "runtimeClassName", "overhead"),
        **_each(JUDGED, "automountServiceAccountToken", "serviceAccount", "serviceAccountName"),
        "activeDeadlineSeconds": Rule(
            never="would end the pod behind the operator's back: use spec.activeDeadlineSeconds or "
            "spec.attemptDeadlineSeconds of the job"
        ),
        "ephemeralContainers": Rule(never="cannot be given to a new pod: use kubectl debug on one that runs"),
        "shareProcessNamespace": Rule(never="would make the runner's supervisor killable; remove it"),
    },
    "Container": {
        **_each(OPEN, "args", "env", "envFrom", "image", "imagePullPolicy", "name", "resources", "resizePolicy"),
        **_each(OPEN, "stdin", "stdinOnce", "tty", "volumeDevices", "workingDir"),
        **_each(JUDGED, "command", "terminationMessagePath", "terminationMessagePolicy", "volumeMounts"),
        **_each(JUDGED, "lifecycle", "livenessProbe", "readinessProbe", "startupProbe", "ports", "securityContext"),
        **_each(JUDGED, "restartPolicy"),
        "restartPolicyRules": Rule(
            never="would run containers again behind the operator's back: use spec.backoffLimit of the job"
        ),
    },
    "Volume": {
        **_each(OPEN, "name", "configMap", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim"),
        **_each(OPEN, "projected", "secret"),
        "hostPath": JUDGED,
        **_each(Rule(VOLUMES), "awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "csi", "fc"),
        **_each(Rule(VOLUMES), "flexVolume", "flocker", "gcePersistentDisk", "gitRepo", "glusterfs", "iscsi", "nfs"),
        **_each(Rule(VOLUMES), "photonPersistentDisk", "portworxVolume", "quobyte", "rbd", "scaleIO", "storageos"),
        **_each(Rule(VOLUMES), "vsphereVolume"),
    },
    "VolumeProjection": {
        **_each(OPEN, "clusterTrustBundle", "configMap", "downwardAPI", "secret"),
        **_each(JUDGED, "podCertificate", "serviceAccountToken"),
    },
    "PodSecurityContext": {
        **_each(OPEN, "fsGroup", "fsGroupChangePolicy", "runAsGroup", "supplementalGroups", "supplementalGroupsPolicy"),
        **_each(JUDGED, "appArmorProfile", "runAsNonRoot", "runAsUser", "seLinuxOptions", "seccompProfile", "sysctls"),
        "seLinuxChangePolicy": OPEN,
        "windowsOptions": _WINDOWS,
    },
    "SecurityContext": {
        **_each(OPEN, "readOnlyRootFilesystem", "runAsGroup"),
        **_each(JUDGED, "allowPrivilegeEscalation", "appArmorProfile", "capabilities", "privileged", "procMount"),
        **_each(JUDGED, "runAsNonRoot", "runAsUser", "seLinuxOptions", "seccompProfile"),
        "windowsOptions": _WINDOWS,
    },
    # Anti-affinity holds against the pods of others as well: with their namespaces, it would keep these off nodes.
    "PodAffinityTerm": {
        **_each(OPEN, "labelSelector", "matchLabelKeys", "mismatchLabelKeys", "topologyKey"),
        "namespaces": Rule(SCHEDULING),
        # An empty one selects all namespaces.
        "namespaceSelector": Rule(SCHEDULING, empty=True),
    },
    "TypedObjectReference": {
        **_each(OPEN, "apiGroup", "kind", "name"),
        "namespace": Rule(never="is another namespace, and a job's references stay in its own: remove it"),
    },
}


def closed_fields(spec: Mapping[str, Any], path: str, allowed: Collection[str]) -> Iterator[FieldError]:
    """The fields of a pod's spec that no word of `allowed` opens. What is empty or false mostly asks for nothing, and
    does not count. `spec`: one in which `check_pod` finds no error; `path`: the field that has it."""
    for kind, name, value, where in fields_of(spec, POD, path):
        rule = RULES.get(kind, {}).get(name, OPEN if kind not in RULES else Rule(UNKNOWN_FIELDS))
        if not rule.concerns(value):
            continue
        if rule.never:
            yield FieldError(where, rule.never)
        elif rule.word not in allowed:
            yield FieldError(where, refusal(rule.word))


def fields_of(value: Mapping[str, Any], kind: str, path: str) -> Iterator[tuple[str, str, Any, str]]:
    """All fields that Kubernetes has, at any depth: the type that has it, its name, its value and its path."""
    known = pod_types()[kind]
    for name, each in value.items():
        if each is None or name not in known.fields:
            continue
        where, inner = join(path, name), known.fields[name]
        yield kind, name, each, where
        if inner in pod_types():
            yield from fields_of(each, inner, where)
        elif inner.removeprefix(LIST) in pod_types() and isinstance(each, list):
            key = next(iter(known.keys.get(name, ())), None)
            for index, item in enumerate(each):
                step = item[key] if key else index
                yield from fields_of(item, inner.removeprefix(LIST), f"{where}[{short_name(str(step))}]")
