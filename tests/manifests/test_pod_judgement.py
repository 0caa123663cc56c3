"""What the pods of a job may be: by field, by the installation's words, by pod security level."""

from __future__ import annotations

import json
from typing import Any

import pytest

from daskjob.errors import SpecError
from daskjob.manifests.allowed_fields import RULES
from daskjob.manifests.context import Defaults
from daskjob.manifests.pod_judgement import OPENED_BY
from daskjob.manifests.words import WORDS
from daskjob.schema.pod_fields import LIST, MAP, PLAIN, POD, pod_types
from daskjob.schema.pod_security import Level

from ..crd.pod_security_cases import CASES, SOURCES
from .builders import container, job, pod_specs, with_template

PATH = "spec.runner.template"


def refusal(template: Any, allowed: tuple[str, ...] = (), level: Level = Level.RESTRICTED) -> SpecError | None:
    """Why the template is refused for the runner; None: it is taken."""
    try:
        pod_specs(with_template("runner", template), Defaults(image="i", allowed=allowed, pod_security=level))
    except SpecError as refused:
        return refused
    return None


# Every field of Kubernetes'.

#: Types that are open with all their fields: what they ask for, they ask for the pod alone.
WHOLE = {
    *("Affinity", "NodeAffinity", "NodeSelector", "NodeSelectorTerm", "NodeSelectorRequirement", "PodAffinity"),
    *("PreferredSchedulingTerm", "PodAntiAffinity", "WeightedPodAffinityTerm", "LabelSelector"),
    *("LabelSelectorRequirement", "TopologySpreadConstraint", "Toleration", "PodSchedulingGate", "PodReadinessGate"),
    *("PodDNSConfig", "PodDNSConfigOption", "HostAlias", "LocalObjectReference", "PodOS", "PodResourceClaim"),
    *("ResourceRequirements", "ResourceClaim", "ContainerResizePolicy", "ContainerPort", "VolumeDevice", "VolumeMount"),
    *("EnvVar", "EnvVarSource", "EnvFromSource", "ConfigMapEnvSource", "SecretEnvSource", "ConfigMapKeySelector"),
    *("SecretKeySelector", "ObjectFieldSelector", "ResourceFieldSelector", "FileKeySelector", "KeyToPath"),
    *("Probe", "ExecAction", "GRPCAction", "HTTPGetAction", "HTTPHeader", "TCPSocketAction", "Lifecycle"),
    *("LifecycleHandler", "SleepAction", "AppArmorProfile", "Capabilities", "SELinuxOptions", "SeccompProfile"),
    *("Sysctl", "ConfigMapVolumeSource", "SecretVolumeSource", "EmptyDirVolumeSource", "ImageVolumeSource"),
    *("DownwardAPIVolumeSource", "DownwardAPIVolumeFile", "PersistentVolumeClaimVolumeSource", "HostPathVolumeSource"),
    *("EphemeralVolumeSource", "PersistentVolumeClaimTemplate", "ObjectMeta", "OwnerReference", "ManagedFieldsEntry"),
    *("PersistentVolumeClaimSpec", "TypedLocalObjectReference", "VolumeResourceRequirements"),
    *("ProjectedVolumeSource", "ConfigMapProjection", "SecretProjection", "DownwardAPIProjection"),
    # The last two need an account that the installation allows (`accounts`).
    *("ClusterTrustBundleProjection", "ServiceAccountTokenProjection", "PodCertificateProjection"),
}


def test_every_field_of_kubernetes_is_decided() -> None:
    for kind, rules in RULES.items():
        assert rules.keys() == pod_types()[kind].fields.keys(), kind


def test_every_type_in_reach_is_decided() -> None:
    """A type of a newer Kubernetes comes with `generate_pod_fields`: decide on it, then add it here or to the rules."""
    reached, new = set(), {POD}
    while new:
        kind = new.pop()
        reached.add(kind)
        for name, inner in pod_types()[kind].fields.items():
            rule = RULES.get(kind, {}).get(name)
            inner = inner.removeprefix(LIST).removeprefix(MAP)
            closed = rule is not None and (rule.word or rule.never)
            if not closed and inner not in PLAIN and inner in pod_types():
                new |= {inner} - reached
    assert reached == WHOLE | RULES.keys()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind, rules in RULES.items()
        for name, rule in rules.items()
        if rule.never or rule.word or (kind == "Volume" and name == "hostPath")
    ],
)
def test_a_closed_field_is_refused_by_its_name(kind: str, name: str) -> None:
    """With any value that Kubernetes takes for it, and at every level but for what the level is about."""
    fields = {name: value_of(pod_types()[kind].fields[name], name)}
    spec, where = {
        POD: (fields, name),
        "Container": ({"containers": [{"name": "runner", **fields}]}, f"containers[runner].{name}"),
        "Volume": ({"volumes": [{"name": "v", **fields}]}, f"volumes[v].{name}"),
        "VolumeProjection": (
            {"volumes": [{"name": "v", "projected": {"sources": [{"configMap": {"name": "c"}}, fields]}}]},
            f"volumes[v].projected.sources[1].{name}",
        ),
        "PodSecurityContext": ({"securityContext": fields}, f"securityContext.{name}"),
        "SecurityContext": (
            {"containers": [{"name": "runner", "securityContext": fields}]},
            f"containers[runner].securityContext.{name}",
        ),
        "PodAffinityTerm": (
            {"affinity": {"podAntiAffinity": {REQUIRED: [{"topologyKey": "zone", **fields}]}}},
            f"affinity.podAntiAffinity.{REQUIRED}[0].{name}",
        ),
        "TypedObjectReference": (
            {"volumes": [claimed(dataSourceRef={"kind": "VolumeSnapshot", "name": "a", **fields})]},
            f"volumes[v].ephemeral.volumeClaimTemplate.spec.dataSourceRef.{name}",
        ),
    }[kind]
    rule = RULES[kind][name]
    for level in Level:
        refused = refusal({"spec": spec}, level=level)
        if (kind, name) == ("Volume", "hostPath") and level is Level.PRIVILEGED:
            assert refused is None
            continue
        assert refused is not None
        assert refused.path == f"{PATH}.spec.{where}"
    if rule.word:
        assert f"`{rule.word}`" in refused.message
        assert refusal({"spec": spec}, (rule.word,)) is None
        others = tuple(word for word in WORDS if word != rule.word)
        assert refusal({"spec": spec}, others) is not None, "no other word opens it"
    elif rule.never:
        assert refusal({"spec": spec}, WORDS) is not None, "no word opens it"


#: Of affinity.
REQUIRED, PREFERRED = (f"{each}DuringSchedulingIgnoredDuringExecution" for each in ("required", "preferred"))


def claimed(metadata: Any = None, **spec: Any) -> Any:
    """A volume for which Kubernetes makes a claim."""
    template = {"spec": {"accessModes": ["ReadWriteOnce"], **spec}, **({"metadata": metadata} if metadata else {})}
    return {"name": "v", "ephemeral": {"volumeClaimTemplate": template}}


def value_of(kind: str, name: str) -> Any:
    """A value of that type, which asks for something."""
    if name in SOURCES:
        return SOURCES[name]
    if kind in PLAIN:
        return {"string": "x", "integer": 1, "boolean": True}.get(kind, "1")
    if kind.startswith(MAP):
        return {"x": value_of(kind.removeprefix(MAP), "")}
    if kind.startswith(LIST):
        return [value_of(kind.removeprefix(LIST), "")]
    fields = pod_types()[kind].fields
    needed = "name" if "name" in fields else min(fields, key=lambda each: (fields[each] not in PLAIN, each))
    return {needed: value_of(fields[needed], needed)}


def test_what_is_off_asks_for_nothing() -> None:
    off = {
        "hostNetwork": False,
        "shareProcessNamespace": False,
        "nodeName": "",
        "serviceAccountName": "",
        "priority": 0,
    }
    assert refusal({"spec": off}) is None


# By what it would do.

KEY = "node-role.kubernetes.io/control-plane"
ELSEWHERE = {"topologyKey": "zone", "namespaces": ["other"]}
#: Templates, the field that is refused, and the word that opens it.
REFUSED: dict[str, tuple[Any, str, str | None]] = {
    "every taint": ({"tolerations": [{"operator": "Exists"}]}, "tolerations[0]", "scheduling"),
    "every taint of an effect": (
        {"tolerations": [{"key": "a"}, {"operator": "Exists", "effect": "NoSchedule"}]},
        "tolerations[1]",
        "scheduling",
    ),
    "nodes of the control plane": (
        {"tolerations": [{"key": KEY, "operator": "Exists"}]},
        "tolerations[0]",
        "scheduling",
    ),
    "nodes that are drained": (
        {"tolerations": [{"key": "node.kubernetes.io/unschedulable"}]},
        "tolerations[0]",
        "scheduling",
    ),
    "away from the pods of all namespaces": (
        {"affinity": {"podAntiAffinity": {REQUIRED: [{"topologyKey": "zone", "namespaceSelector": {}}]}}},
        f"affinity.podAntiAffinity.{REQUIRED}[0].namespaceSelector",
        "scheduling",
    ),
    "close to another namespace's": (
        {"affinity": {"podAffinity": {PREFERRED: [{"weight": 1, "podAffinityTerm": ELSEWHERE}]}}},
        f"affinity.podAffinity.{PREFERRED}[0].podAffinityTerm.namespaces",
        "scheduling",
    ),
    "priority of the system": ({"priorityClassName": "system-node-critical"}, "priorityClassName", "scheduling"),
    "Windows": ({"os": {"name": "windows"}}, "os.name", None),
    "users of the host": ({"hostUsers": True}, "hostUsers", "hostNamespaces"),
    "a new field": ({"brandNew": 1}, "brandNew", "unknownFields"),
    "a new field deep inside": (
        {"affinity": {"nodeAffinity": {"brandNew": 1}}},
        "affinity.nodeAffinity.brandNew",
        "unknownFields",
    ),
    "a probe from the node": (
        {"containers": [{"name": "runner", "livenessProbe": {"httpGet": {"port": 1, "host": "192.0.2.1"}}}]},
        "containers[runner].livenessProbe.httpGet.host",
        "hostNamespaces",
    ),
    "NFS": ({"volumes": [{"name": "v", "nfs": SOURCES["nfs"]}]}, "volumes[v].nfs", "volumes"),
    "a CSI driver": ({"volumes": [{"name": "v", "csi": SOURCES["csi"]}]}, "volumes[v].csi", "volumes"),
    "root": ({"securityContext": {"runAsUser": 0}}, "securityContext.runAsUser", None),
    "nothing dropped": (
        {"containers": [{"name": "runner", "securityContext": {"capabilities": {"drop": []}}}]},
        "containers[runner].securityContext.capabilities.drop",
        None,
    ),
    "nothing dropped, by null": (
        {"containers": [{"name": "runner", "securityContext": {"capabilities": {"drop": None}}}]},
        "containers[runner].securityContext.capabilities.drop",
        None,
    ),
    "no seccomp, by null": (
        {"securityContext": {"seccompProfile": None}},
        "containers[runner].securityContext.seccompProfile.type",
        None,
    ),
    "a sidecar as root": (
        {"containers": [{"name": "side", "image": "j", "securityContext": {"runAsUser": 0}}]},
        "containers[side].securityContext.runAsUser",
        None,
    ),
    "root at first": (
        {"initContainers": [{"name": "a", "image": "j", "securityContext": {"runAsNonRoot": False}}]},
        "initContainers[a].securityContext.runAsNonRoot",
        None,
    ),
}


@pytest.mark.parametrize(("spec", "field", "word"), REFUSED.values(), ids=REFUSED)
def test_refused_with_the_field_and_the_word(spec: Any, field: str, word: str | None) -> None:
    refused = refusal({"spec": spec})
    assert refused is not None
    assert refused.path == f"{PATH}.spec.{field}"
    assert refusal({"spec": spec}, tuple(each for each in WORDS if each != word)) is not None
    if word is not None:
        assert f"`{word}`" in refused.message
        assert refusal({"spec": spec}, (word,)) is None


def test_the_priority_of_the_job_itself() -> None:
    with pytest.raises(SpecError, match="is for Kubernetes' own pods") as refused:
        pod_specs(job(priorityClassName="system-cluster-critical"))
    assert refused.value.path == "spec.priorityClassName"
    assert pod_specs(job(priorityClassName="high"))


@pytest.mark.parametrize("key", ["nvidia.com/gpu", "node.kubernetes.io/not-ready", "spot"])
def test_taints_of_others_are_tolerated(key: str) -> None:
    assert refusal({"spec": {"tolerations": [{"key": key, "operator": "Exists"}]}}) is None


# By pod security level.


#: What the operator adds to a user's container that says nothing of it.
ADDED = ("a sidecar without a security context", "escalation at first")


@pytest.mark.parametrize(
    "name", [name for name in CASES if not name.startswith("a volume") and name not in ADDED and "Windows" not in name]
)
def test_the_level_judges_what_comes_of_a_template(name: str) -> None:
    """The installation's own context has a user, and a volume of another kind has a word of its own."""
    change, fit, field = CASES[name]
    patch = {**change, "containers": [named(each) for each in change.get("containers", ())]}
    for level in Level:
        refused = refusal({"spec": patch}, level=level)
        takes = list(Level).index(level) >= list(Level).index(fit)
        assert (refused is None) == takes, refused
        if refused is not None and level is Level.RESTRICTED:
            assert refused.path == f"{PATH}.spec.{field.replace('[main]', '[runner]')}"
            assert f'(pod security level "{level}")' in refused.message
            assert f"job.podSecurity={fit} " in refused.message


def named(container: Any) -> Any:
    return {**container, "name": container["name"].replace("main", "runner")}


def test_at_restricted_a_sidecar_has_what_it_does_not_speak_of() -> None:
    sidecar = {"name": "side", "image": "j", "securityContext": {"readOnlyRootFilesystem": True}}
    first = {"name": "first", "image": "j"}
    template = {"spec": {"containers": [sidecar], "initContainers": [first]}}
    specs = pod_specs(with_template("worker", template))
    secure = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert container(specs["worker"], "side")["securityContext"] == {"readOnlyRootFilesystem": True, **secure}
    assert specs["worker"]["initContainers"][0]["securityContext"] == secure
    lax = pod_specs(with_template("worker", template), Defaults(image="i", pod_security=Level.BASELINE))
    assert container(lax["worker"], "side")["securityContext"] == {"readOnlyRootFilesystem": True}
    assert container(lax["worker"], "worker")["securityContext"] == secure, "the operator's own has it at every level"


def test_a_privileged_sidecar_is_one_that_kubernetes_takes() -> None:
    sidecar = {"name": "side", "image": "j", "securityContext": {"privileged": True}}
    template = {"spec": {"containers": [sidecar]}}
    specs = pod_specs(with_template("worker", template), Defaults(image="i", allowed=("privileged",)))
    assert "allowPrivilegeEscalation" not in container(specs["worker"], "side")["securityContext"]


def test_a_word_opens_its_fields_at_every_level() -> None:
    assert set(OPENED_BY.values()) <= set(WORDS)
    spec = {"containers": [{"name": "runner", "securityContext": {"capabilities": {"add": ["SYS_ADMIN", "CHOWN"]}}}]}
    for level in (Level.RESTRICTED, Level.BASELINE):
        assert refusal({"spec": spec}, level=level) is not None
        assert refusal({"spec": spec}, ("privileged",), level) is None
    spec["securityContext"] = {"runAsUser": 0}  # type: ignore[assignment]
    refused = refusal({"spec": spec}, ("privileged",))
    assert refused is not None
    assert refused.path.endswith("runAsUser"), "and no other"


@pytest.mark.parametrize(
    "spec",
    [
        {"containers": [{"name": "LONG", "image": "j", "securityContext": {"runAsUser": 0}}]},
        {"containers": [{"name": "runner", "env": [{"name": "DASKJOB_LONG"}]}]},
        {"containers": [{"name": "runner", "volumeMounts": [{"name": "v", "mountPath": "/opt/daskjob/LONG"}]}]},
        {"volumes": [{"name": "LONG", "nfs": SOURCES["nfs"]}]},
        {"tolerations": [{"key": "node.kubernetes.io/LONG"}]},
        {"priorityClassName": "system-LONG"},
    ],
    ids=str,
)
def test_long_and_odd_names_leave_room_for_the_words(spec: Any) -> None:
    refused = refusal({"spec": json.loads(json.dumps(spec).replace("LONG", "\\u001b\\u202e" + "x" * 60_000))})
    assert refused is not None
    assert len(str(refused)) < 400
    assert str(refused).isprintable()


# What was tried on a real cluster before, and got through.

TRIED: dict[str, Any] = {
    "root with the default capabilities": {
        "spec": {
            "containers": [
                {
                    "name": "runner",
                    "securityContext": {"runAsUser": 0, "runAsNonRoot": False, "capabilities": {"drop": []}},
                }
            ]
        }
    },
    "the same by null": {
        "spec": {
            "securityContext": {"runAsNonRoot": None, "runAsUser": None, "runAsGroup": None},
            "containers": [{"name": "runner", "securityContext": {"runAsUser": 0, "capabilities": {"drop": None}}}],
        }
    },
    "a node of the control plane": {"spec": {"tolerations": [{"operator": "Exists"}], "nodeSelector": {KEY: ""}}},
    "seccomp off": {"spec": {"securityContext": {"seccompProfile": {"type": "Unconfined"}}}},
    "AppArmor off": {"spec": {"securityContext": {"appArmorProfile": {"type": "Unconfined"}}}},
    "a super-privileged type": {"spec": {"securityContext": {"seLinuxOptions": {"type": "spc_t"}}}},
    "evicts others": {"spec": {"priorityClassName": "system-node-critical"}},
    "root on nodes by git": {"spec": {"volumes": [{"name": "v", "gitRepo": {"repository": "r", "directory": "d"}}]}},
    "a node by name": {"spec": {"nodeName": "node1", "nodeSelector": {"no": "such"}}},
    "another sandbox": {"spec": {"runtimeClassName": "runc"}},
    "another network": {"metadata": {"annotations": {"k8s.v1.cni.cncf.io/networks": "kube-system/host"}}},
    "answers for another's Service": {"metadata": {"labels": {"app": "postgres"}}},
    "outlives its end": {"spec": {"terminationGracePeriodSeconds": 31536000}},
}


@pytest.mark.parametrize(
    ("metadata", "key"),
    [
        ({"labels": {"daskjob.io/job": "victim"}}, "labels[daskjob.io/job]"),
        ({"labels": {"app.kubernetes.io/managed-by": "daskjob-operator"}}, "labels[app.kubernetes.io/managed-by]"),
        (
            {"annotations": {"volume.kubernetes.io/selected-node": "n"}},
            "annotations[volume.kubernetes.io/selected-node]",
        ),
        ({"labels": {"app": "postgres"}}, "labels[app]"),
    ],
)
def test_labels_and_annotations_of_a_claim_are_judged_as_the_pods(metadata: Any, key: str) -> None:
    refused = refusal({"spec": {"volumes": [claimed(metadata)]}}, WORDS)
    assert refused is not None
    assert refused.path == f"{PATH}.spec.volumes[v].ephemeral.volumeClaimTemplate.metadata.{key}"
    assert refusal({"spec": {"volumes": [claimed({"labels": {"team": "a"}})]}}) is None


@pytest.mark.parametrize("template", TRIED.values(), ids=TRIED)
def test_what_was_tried(template: Any) -> None:
    assert refusal(template) is not None
