"""Where a job's code comes from: one file a kind of source, all behind `CodeSource`.

A new kind is a field of `api.spec.Source`, the CRD's part, one file here, and one line in `source_of`.
"""

from __future__ import annotations

from daskjob.api.graph_spec import Graph
from daskjob.sources.archive_url import ArchiveCode
from daskjob.sources.code_source import CodeFile, CodeSource, Fetch, FindConfigMap, Reference, SourceError
from daskjob.sources.config_map import ConfigMapCode
from daskjob.sources.files import FilesCode
from daskjob.sources.git import GitCode
from daskjob.sources.inline import InlineCode

__all__ = ["CodeFile", "CodeSource", "Fetch", "FindConfigMap", "Reference", "SourceError", "packages_of", "source_of"]


def packages_of(graph: Graph) -> Fetch | None:
    """The packages that are installed in each pod beside the code; None: none."""
    pip = graph.pip
    if pip is None:
        return None
    secret = pip.secret_ref.name if pip.secret_ref is not None else ""
    what = {"packages": list(pip.packages), "index": pip.index_url}
    return Fetch("pip", what, secret=secret, secret_field="spec.graph.pip.secretRef.name")


def source_of(graph: Graph) -> CodeSource | None:
    """The source that a graph names; None: its code is in the image, or in a payload, which only the runner reads."""
    source = graph.source
    if source is None or source.payload is not None:
        return None
    if source.inline is not None:
        return InlineCode(graph.module, source.inline)
    if source.config_map is not None:
        return ConfigMapCode(source.config_map.name)
    if source.git is not None:
        return GitCode(source.git)
    if source.archive is not None:
        return ArchiveCode(source.archive)
    return FilesCode(source.files or {})
