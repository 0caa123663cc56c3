"""`source.archive`: a tar or zip file of a known digest, which an init container fetches in each of the job's pods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from daskjob.api.graph_spec import ArchiveSource
from daskjob.fetch.fetch_limits import VOLUME_BYTES
from daskjob.sources.code_source import VOLUME, CodeFile, Fetch, FindConfigMap, Reference


@dataclass(frozen=True)
class ArchiveCode:
    """The pods have an empty volume for the archive's files."""

    source: ArchiveSource

    def files(self) -> tuple[CodeFile, ...]:
        return ()

    def volume(self, secret: str) -> dict[str, Any]:
        return {"name": VOLUME, "emptyDir": {"sizeLimit": str(VOLUME_BYTES)}}

    def fetch(self) -> Fetch:
        source = self.source
        return Fetch(
            kind="archive",
            what={"url": source.url, "sha256": source.sha256, "sub_path": source.sub_path},
            sub_path=source.sub_path,
            secret=source.secret_ref.name if source.secret_ref is not None else "",
            secret_field="spec.graph.source.archive.secretRef.name",
        )

    def references(self) -> tuple[Reference, ...]:
        return ()

    def fetch_locally(self, find_config_map: FindConfigMap) -> dict[str, bytes]:
        # A local run fetches by `fetch`, as a pod does.
        return {}
