"""`source.inline`: one module, whose name is that of the entry point's module."""

from __future__ import annotations

from dataclasses import dataclass

from daskjob.sources.carried import CarriedCode
from daskjob.sources.code_source import CodeFile


@dataclass(frozen=True)
class InlineCode(CarriedCode):
    """`text` becomes the file of `module`: a.b becomes a/b.py."""

    module: str
    text: str

    def files(self) -> tuple[CodeFile, ...]:
        return (CodeFile("0", f"{self.module.replace('.', '/')}.py", self.text),)
