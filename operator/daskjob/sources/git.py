"""`source.git`: one commit of a git repository, which an init container fetches in each of the job's pods."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from daskjob.api.graph_spec import GitSource
from daskjob.fetch.fetch_limits import VOLUME_BYTES
from daskjob.sources.code_source import VOLUME, CodeFile, Fetch, FindConfigMap, Reference

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


@dataclass(frozen=True)
class GitCode:
    """The pods have an empty volume for the repository's files."""

    source: GitSource

    def files(self) -> tuple[CodeFile, ...]:
        return ()

    def volume(self, secret: str) -> dict[str, Any]:
        return {"name": VOLUME, "emptyDir": {"sizeLimit": str(VOLUME_BYTES)}}

    def fetch(self) -> Fetch:
        source = self.source
        revision = source.revision
        what = {"url": source.url, "revision": revision, "sub_path": source.sub_path, "submodules": source.submodules}
        return Fetch(
            kind="git",
            what=what,
            sub_path=source.sub_path,
            secret=source.secret_ref.name if source.secret_ref is not None else "",
            secret_field="spec.graph.source.git.secretRef.name",
            commit=revision if _COMMIT.fullmatch(revision) else None,
            moves=not _COMMIT.fullmatch(revision),
        )

    def references(self) -> tuple[Reference, ...]:
        return ()

    def fetch_locally(self, find_config_map: FindConfigMap) -> dict[str, bytes]:
        # A local run fetches by `fetch`, as a pod does.
        return {}
