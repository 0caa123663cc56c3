"""Secrets and ConfigMaps whose keys are variables of a job's pods, as `kubectl set env --from` names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

#: Fields of `envFrom` by the kinds that a name begins with.
_FIELDS = {"secret": "secretRef", "configmap": "configMapRef"}


def is_env_source(value: Any) -> bool:
    """Whether it names one, such as `secret/database`."""
    kind, _, name = value.partition("/") if isinstance(value, str) else ("", "", "")
    return kind in _FIELDS and bool(name)


def with_env_sources(spec: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """A job's spec whose pod templates have them, beside what these have already."""
    if not names:
        return dict(spec)
    sources = [{_FIELDS[kind]: {"name": name}} for kind, _, name in (each.partition("/") for each in names)]
    cluster = dict(spec.get("cluster") or {})
    for part, container in (("scheduler", "scheduler"), ("workers", "worker")):
        cluster[part] = _with_template(cluster.get(part) or {}, container, sources)
    if cluster.get("workerGroups"):
        cluster["workerGroups"] = [_with_template(each, "worker", sources) for each in cluster["workerGroups"]]
    return {**spec, "cluster": cluster, "runner": _with_template(spec.get("runner") or {}, "runner", sources)}


def _with_template(fields: Mapping[str, Any], container: str, sources: Sequence[Any]) -> dict[str, Any]:
    template = fields.get("template") or {}
    pod = template.get("spec") or {}
    containers = list(pod.get("containers") or ())
    given = next((each for each in containers if each.get("name") == container), {"name": container})
    own = {**given, "envFrom": [*(given.get("envFrom") or ()), *sources]}
    others = [each for each in containers if each is not given]
    return {**fields, "template": {**template, "spec": {**pod, "containers": [own, *others]}}}
