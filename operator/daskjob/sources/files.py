"""`source.files`: several files, by their paths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daskjob.sources.carried import CarriedCode
from daskjob.sources.code_source import CodeFile


@dataclass(frozen=True)
class FilesCode(CarriedCode):
    """`content`: text by path below the code's folder."""

    content: Mapping[str, Any]

    def files(self) -> tuple[CodeFile, ...]:
        # The key of a Secret cannot hold a slash: files are numbered in the order of their paths.
        return tuple(
            CodeFile(str(index), path, text) for index, (path, text) in enumerate(sorted(self.content.items()))
        )
