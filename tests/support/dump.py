"""What happened in a namespace, for the report of a test that failed."""

from __future__ import annotations

from .kube import Kube, KubectlFailed
from .platform import SYSTEM

#: Lines kept of each log.
TAIL = 60
#: Characters kept of each line.
WIDTH = 600


def dump(kube: Kube) -> str:
    """Jobs, objects, events and logs of the namespace, and the operator's log; as far as they can be had."""
    questions = [
        ("get", "daskcronjobs,daskjobs,daskjobreports", "-o", "yaml", "--show-managed-fields=false"),
        ("get", "pods,deployments,services,configmaps,secrets,daskclusters,daskworkergroups", "-o", "wide"),
        ("get", "events", "--sort-by=.metadata.creationTimestamp"),
    ]
    parts = [_ask(kube, *question) for question in questions]
    parts += [_logs(kube, name) for name in _ask(kube, "get", "pods", "-o", "name", quiet=True).split()]
    system = kube.within(SYSTEM)
    parts += [_logs(system, name) for name in _ask(system, "get", "pods", "-o", "name", quiet=True).split()]
    return "\n".join(parts)


def _logs(kube: Kube, name: str) -> str:
    return _ask(kube, "logs", name, f"--tail={TAIL}", "--all-containers", "--ignore-errors")


def _ask(kube: Kube, *arguments: str, quiet: bool = False) -> str:
    try:
        answer = kube.kubectl(*arguments, timeout=20)
    except KubectlFailed as error:
        answer = str(error)
    answer = "\n".join(line if len(line) <= WIDTH else f"{line[:WIDTH]}…" for line in answer.splitlines())
    return answer if quiet else f"$ kubectl -n {kube.namespace} {' '.join(arguments)}\n{answer}"
