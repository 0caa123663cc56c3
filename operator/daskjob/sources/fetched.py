"""Sources whose files an init container fetches."""

from __future__ import annotations

from typing import Any

from daskjob.fetch.fetch_limits import VOLUME_BYTES
from daskjob.sources.code_source import VOLUME, CodeFile, Fetch, FindConfigMap, Reference


class FetchedCode:
    """Files from elsewhere, for which the pods have an empty volume. Subclasses say what to fetch."""

    def files(self) -> tuple[CodeFile, ...]:
        return ()

    def volume(self, secret: str) -> dict[str, Any]:
        return {"name": VOLUME, "emptyDir": {"sizeLimit": str(VOLUME_BYTES)}}

    def fetch(self) -> Fetch:
        raise NotImplementedError

    def references(self) -> tuple[Reference, ...]:
        return ()

    def fetch_locally(self, find_config_map: FindConfigMap) -> dict[str, bytes]:
        # A local run fetches by `fetch`, as a pod does.
        return {}
