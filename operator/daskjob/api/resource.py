"""A kind of object of Kubernetes, and where an API server has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True)
class Resource:
    """`plural`: its name in paths; `root`: the path of its API, if that does not follow from the version."""

    kind: str
    api_version: str
    plural: str
    root: str | None = None

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """The path of all objects, of those of a namespace, of one, or of a subresource of it. Names may have any
        characters."""
        root = self.root
        if root is None:
            root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        parts = [root]
        if namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        return "/".join([*parts, *(quote(each, safe="") for each in (name, subresource) if each)])

    def stamp(self, body: dict[str, Any]) -> dict[str, Any]:
        """The object with its kind and version, which the API server leaves out of the items of a list."""
        return {"apiVersion": self.api_version, "kind": self.kind, **body}
