"""The words of the chart's `job.allow`: each opens fields of pod templates that are closed by default."""

from __future__ import annotations

#: Network, processes, IPC, users and ports of the node, and probes of other addresses from the node's network.
HOST_NAMESPACES = "hostNamespaces"
HOST_PATH = "hostPath"
#: Privilege, escalation, added capabilities, all of /proc.
PRIVILEGED = "privileged"
#: Every kind of volume but hostPath.
VOLUMES = "volumes"
#: A node by name, the taints of Kubernetes' own, other schedulers, the priority of the system, and affinity to pods of
#: other namespaces.
SCHEDULING = "scheduling"
RUNTIME_CLASSES = "runtimeClasses"
#: Fields that came to Kubernetes after this release of the operator, which therefore cannot judge them.
UNKNOWN_FIELDS = "unknownFields"

WORDS = (
    HOST_NAMESPACES,
    HOST_PATH,
    PRIVILEGED,
    VOLUMES,
    SCHEDULING,
    RUNTIME_CLASSES,
    UNKNOWN_FIELDS,
)


def refusal(word: str) -> str:
    """The message for a field that the word would open."""
    return f"is not allowed here; remove it, or have the operator installed with `{word}` in the chart's job.allow"
