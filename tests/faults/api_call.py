"""What an operator asks of the API server, read from the request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
DELETE_ALL = "deletecollection"


@dataclass(frozen=True)
class ApiCall:
    """One request. `verb` as in RBAC: get, list, watch; create, update, patch, delete, deletecollection."""

    verb: str
    resource: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def writes(self) -> bool:
        return self.verb in (*VERBS.values(), DELETE_ALL)

    def __str__(self) -> str:
        what = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{self.verb} {what} {self.name}".strip()


def read(method: str, path: str, query: Mapping[str, str], content: bytes) -> ApiCall:
    """`path` without its query. What is no resource (such as /version) has its whole path for a name."""
    parts = [each for each in path.split("/") if each]
    root = 2 if parts[:1] == ["api"] else 3
    rest = parts[root:]
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces":
        namespace, rest = rest[1], rest[2:]
    if parts[:1] not in (["api"], ["apis"]) or not rest:
        return ApiCall("get", "", name=path)
    resource, name, subresource = (*rest, "", "")[:3]
    body = json.loads(content) if content else {}
    if method == "GET":
        watches = query.get("watch") in ("true", "1")
        verb = "watch" if watches else "get" if name else "list"
    else:
        verb = DELETE_ALL if method == "DELETE" and not name else VERBS[method]
        name = name or body.get("metadata", {}).get("name", "")
    return ApiCall(verb, resource, subresource, namespace, name, body)
