"""The fields of a pod's spec and how Kubernetes merges them, as the API server of one release describes them.

`pod_fields.json` is written from a real API server's OpenAPI description (tests/apiserver/generate_pod_fields.py), so
no field and no merge key is listed by hand.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any

POD = "PodSpec"
QUANTITY = "quantity"
#: Types that have no fields: how JSON writes each.
PLAIN = {
    "string": ("string",),
    "integer": ("integer",),
    "boolean": ("boolean",),
    QUANTITY: ("string", "number"),
    "intOrString": ("integer", "string"),
}
LIST, MAP = "[]", "map[string]"


@dataclass(frozen=True)
class PodType:
    """An object in a pod's spec, such as `Container`.

    `fields`: the type of each, as `string`, `Container`, `[]Container` or `map[string]quantity`. `keys`: of each list
    whose items are merged, the fields that tell them apart, with their defaults (None: an item must have it).
    `retain_keys`: the lists in which an item of a patch keeps only the fields that it names. `atomic`: it is replaced
    as a whole. `unions`: by the field that says which other one is used, these others. `required`: the fields that an
    object must have. `values`: of fields that take only some texts, these.
    """

    fields: Mapping[str, str]
    keys: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    retain_keys: frozenset[str] = frozenset()
    atomic: bool = False
    unions: Mapping[str, Collection[str]] = field(default_factory=dict)
    required: Collection[str] = ()
    values: Mapping[str, Collection[str]] = field(default_factory=dict)


@cache
def pod_types() -> Mapping[str, PodType]:
    """All types by name."""
    content: Mapping[str, Any] = json.loads(files("daskjob.schema").joinpath("pod_fields.json").read_text("utf-8"))
    return {
        name: PodType(
            fields=each["fields"],
            keys=each.get("keys", {}),
            retain_keys=frozenset(each.get("retainKeys", ())),
            atomic=each.get("atomic", False),
            unions=each.get("unions", {}),
            required=each.get("required", ()),
            values=each.get("values", {}),
        )
        for name, each in content["types"].items()
    }


def misspelt(name: str, known: Collection[str]) -> str | None:
    """The field that a name surely means: it differs in case, in `-` and `_`, or by one slip of the keys (two in a long
    name). None: the name may be a field of a newer Kubernetes.

    In all of a pod's spec no two fields of one object are so near to each other, but `podAffinity` and `nodeAffinity`.
    """
    plain = _plain(name)
    for each in sorted(known):
        slips = 2 if len(each) >= 8 else 1
        if _plain(each) == plain or (len(each) > 2 and _slips(name, each, slips) <= slips):
            return each
    return None


def similar(name: str, known: Collection[str]) -> str | None:
    """The most similar field, if any is similar at all: what to suggest where a name is wrong for sure."""
    by_plain = {_plain(each): each for each in known}
    # `name` for `secretName`, `configMapName` for `name`.
    ending = [each for plain, each in by_plain.items() if _ends(plain, _plain(name)) or _ends(_plain(name), plain)]
    if len(ending) == 1 and not misspelt(name, known):
        return ending[0]
    close = get_close_matches(_plain(name), by_plain, n=1, cutoff=0.6)
    return misspelt(name, known) or (by_plain[close[0]] if close else None)


def _ends(name: str, other: str) -> bool:
    return len(other) >= 4 and name.endswith(other)


def _plain(name: str) -> str:
    return name.replace("-", "").replace("_", "").lower()


def _slips(one: str, other: str, most: int) -> int:
    """How many letters must be added, left out, replaced, or swapped with the next (optimal string alignment); more
    than `most` if it is more."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        last, before, row = before, row, [i]
        for j, wanted in enumerate(other, 1):
            slips = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and (letter, one[i - 2]) == (other[j - 2], wanted):
                slips = min(slips, last[j - 2] + 1)
            row.append(slips)
    return row[-1]
