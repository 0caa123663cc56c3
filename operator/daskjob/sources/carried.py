"""Sources whose files stand in the manifest itself."""

from __future__ import annotations

from typing import Any

from daskjob.sources.code_source import VOLUME, CodeFile, FindConfigMap, Reference


class CarriedCode:
    """Files of the manifest, which the operator puts into the attempt's Secret. Subclasses say which."""

    def files(self) -> tuple[CodeFile, ...]:
        raise NotImplementedError

    def volume(self, secret: str) -> dict[str, Any]:
        items = [{"key": file.key, "path": file.path} for file in self.files()]
        return {"name": VOLUME, "secret": {"secretName": secret, "items": items}}

    def fetch(self) -> None:
        return None

    def references(self) -> tuple[Reference, ...]:
        return ()

    def fetch_locally(self, find_config_map: FindConfigMap) -> dict[str, bytes]:
        return {file.path: file.content.encode() for file in self.files()}
