"""Merges a pod's spec over another as Kubernetes merges a strategic merge patch.

Which lists are merged, by which keys, comes from Kubernetes (`schema.pod_fields`); all other lists are replaced. Three
things differ from `kubectl patch`: of fields that exclude each other, the one of the patch replaces that of the base,
as `kubectl apply` does it; tolerations are added, and one replaces the base's of the same key; and there are no
directives such as `$patch`.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from daskjob.schema.pod_fields import LIST, MAP, POD, PodType, pod_types

#: Objects of whose fields an object may have one. Kubernetes says so in words alone: a test tries each on a real API
#: server. None: of all fields.
ONE_OF: Mapping[str, Collection[str] | None] = {
    "EnvVar": ("value", "valueFrom"),
    "EnvVarSource": None,
    "Probe": ("exec", "grpc", "httpGet", "tcpSocket"),
    "LifecycleHandler": None,
}
_UNTYPED = PodType({})


def merge(base: Mapping[str, Any], patch: Mapping[str, Any], kind: str = POD) -> dict[str, Any]:
    """A copy of `base` with `patch` merged over it; null removes a field. `kind`: their type in Kubernetes."""
    known = pod_types().get(kind, _UNTYPED)
    gone = _replaced(patch, kind, known)
    merged = {key: copy.deepcopy(value) for key, value in base.items() if key not in gone}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, list):
            merged[key] = _lists(merged.get(key), value, key, known)
        elif isinstance(value, Mapping):
            inner = known.fields.get(key, "").removeprefix(MAP)
            before = merged.get(key)
            if not isinstance(before, Mapping) or pod_types().get(inner, _UNTYPED).atomic:
                before = {}
            merged[key] = merge(before, value, inner)
        else:
            merged[key] = value
    return merged


def _replaced(patch: Mapping[str, Any], kind: str, known: PodType) -> set[str]:
    """The fields that a patch of an object makes meaningless, for it has others in their place."""
    given = {key for key, value in patch.items() if value is not None}
    gone = {each for name, others in known.unions.items() if name in given for each in others}
    if kind in ONE_OF:
        either = ONE_OF[kind] or known.fields
        gone |= set(either) if given.intersection(either) else set()
    return gone - given


def _lists(base: Any, patch: list[Any], name: str, known: PodType) -> list[Any]:
    kind = known.fields.get(name, "").removeprefix(LIST)
    before = copy.deepcopy(base) if isinstance(base, list) else []
    if kind == "Toleration":
        given = {each.get("key") for each in patch if isinstance(each, Mapping)}
        # The patch's come first, as in the template that an error message is about.
        return [*_items(patch, kind), *(each for each in before if each.get("key") not in given)]
    keys = known.keys.get(name)
    if keys is None:
        return list(_items(patch, kind))
    for item in patch:
        same = next((i for i, each in enumerate(before) if _key(each, keys) == _key(item, keys)), None)
        if same is None:
            before.append(merge({}, item, kind))
            continue
        kept = before[same]
        if name in known.retain_keys and item.keys() - keys:
            kept = {key: value for key, value in kept.items() if key in item or key in keys}
        before[same] = merge(kept, item, kind)
    return before


def _items(patch: list[Any], kind: str) -> Iterator[Any]:
    for each in patch:
        yield merge({}, each, kind) if isinstance(each, Mapping) else copy.deepcopy(each)


def _key(item: Mapping[str, Any], keys: Mapping[str, str | None]) -> tuple[Any, ...]:
    return tuple(item.get(key) or default for key, default in keys.items())
