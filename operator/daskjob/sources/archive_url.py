"""`source.archive`: a tar or zip file of a known digest, which an init container fetches in each of the job's pods."""

from __future__ import annotations

from dataclasses import dataclass

from daskjob.api.graph_spec import ArchiveSource
from daskjob.sources.code_source import Fetch
from daskjob.sources.fetched import FetchedCode


@dataclass(frozen=True)
class ArchiveCode(FetchedCode):
    """The archive's files."""

    source: ArchiveSource

    def fetch(self) -> Fetch:
        source = self.source
        return Fetch(
            kind="archive",
            what={"url": source.url, "sha256": source.sha256, "sub_path": source.sub_path},
            sub_path=source.sub_path,
            secret=source.secret_ref.name if source.secret_ref is not None else "",
            secret_field="spec.graph.source.archive.secretRef.name",
        )
