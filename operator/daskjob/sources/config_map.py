"""`source.configMap`: a ConfigMap of the user's, each key a file."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from daskjob.api.constants import Reason
from daskjob.sources.code_source import VOLUME, CodeFile, FindConfigMap, Reference, SourceError

FIELD = "spec.graph.source.configMap.name"


@dataclass(frozen=True)
class ConfigMapCode:
    """The pods mount the ConfigMap itself."""

    name: str

    def files(self) -> tuple[CodeFile, ...]:
        return ()

    def volume(self, secret: str) -> dict[str, Any]:
        return {"name": VOLUME, "configMap": {"name": self.name}}

    def fetch(self) -> None:
        return None

    def references(self) -> tuple[Reference, ...]:
        return (Reference("ConfigMap", self.name, FIELD, Reason.CONFIG_MAP_NOT_FOUND),)

    def fetch_locally(self, find_config_map: FindConfigMap) -> dict[str, bytes]:
        found = find_config_map(self.name)
        if found is None:
            raise SourceError(
                Reason.CONFIG_MAP_NOT_FOUND,
                f"{FIELD}: there is no ConfigMap {self.name!r} in the job's file or folder; add it there as a document "
                f"(from a cluster: kubectl get configmap {self.name} -o yaml), or correct the name",
            )
        files = {path: str(content).encode() for path, content in (found.get("data") or {}).items()}
        return files | {path: base64.b64decode(content) for path, content in (found.get("binaryData") or {}).items()}
