"""`source.git`: one commit of a git repository, which an init container fetches in each of the job's pods."""

from __future__ import annotations

from dataclasses import dataclass

from daskjob.api.graph_spec import GitSource
from daskjob.fetch.git_words import is_commit
from daskjob.sources.code_source import Fetch
from daskjob.sources.fetched import FetchedCode


@dataclass(frozen=True)
class GitCode(FetchedCode):
    """The files of a repository at a commit."""

    source: GitSource

    def fetch(self) -> Fetch:
        source = self.source
        revision = source.revision
        what = {"url": source.url, "revision": revision, "sub_path": source.sub_path, "submodules": source.submodules}
        fixed = is_commit(revision)
        return Fetch(
            kind="git",
            what=what,
            sub_path=source.sub_path,
            secret=source.secret_ref.name if source.secret_ref is not None else "",
            secret_field="spec.graph.source.git.secretRef.name",
            commit=revision if fixed else None,
            moves=not fixed,
        )
