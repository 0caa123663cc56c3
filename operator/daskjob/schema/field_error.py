"""An error in a field of a manifest, and the paths of fields as Kubernetes writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_$][-A-Za-z0-9_$]*")
#: Characters of a value, or of a name, that a message has.
SHOWN = 60


@dataclass(frozen=True, order=True)
class FieldError:
    """`path`: the field, such as `spec.cluster.env[0].name` or `spec.graph.source.files[pkg/mod.py]`; empty: the whole
    manifest. `message`: what is wrong and what to write instead, without the path."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


def join(path: str, step: str | int) -> str:
    """`path` with one more step: an index of a list, or a key of an object."""
    if isinstance(step, int) or not _PLAIN.fullmatch(step):
        return f"{path}[{step}]"
    return f"{path}.{step}" if path else step


def written(steps: Iterable[str | int], schema: Mapping[str, Any]) -> str:
    """The steps from the top of a manifest as one path. Keys of a map of the `schema`, unlike fields, go in
    brackets."""
    path, inner = "", schema
    for step in steps:
        if isinstance(step, int):
            path, inner = join(path, step), inner.get("items", {})
        elif step not in inner.get("properties", {}) and "additionalProperties" in inner:
            path, inner = f"{path}[{step}]", inner["additionalProperties"]
        else:
            path, inner = join(path, step), inner.get("properties", {}).get(step, {})
    return path


def shown(value: object) -> str:
    """A value for a message: as JSON, cut at `SHOWN` characters. Never raises."""
    import json

    text = ""
    try:
        # Piece by piece: a value that is long or deep is written only as far as it is shown.
        for piece in json.JSONEncoder(ensure_ascii=False, default=str).iterencode(value):
            text += piece
            if len(text) > SHOWN:
                break
    except ValueError:
        # Python writes no number of many thousand digits.
        text += "…"
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def short_name(name: str) -> str:
    """A name for a message: what it has of a user's text is printable, and at most some `SHOWN` characters."""
    return ascii(name[:SHOWN])[1:-1] + "…" * (len(name) > SHOWN)
