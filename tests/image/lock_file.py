"""Reads the files that image/lock writes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FOLDER = Path(__file__).resolve().parents[2] / "image"


@dataclass(frozen=True)
class Pin:
    """One requirement of a lock file, as pip reads it; `needed_by`: whose requirement it is, as its comment says."""

    requirement: Requirement
    hashes: tuple[str, ...]
    needed_by: frozenset[str]

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        [each] = self.requirement.specifier
        return each.version

    def holds_for(self, python: str) -> bool:
        environment = {"python_version": python, "python_full_version": f"{python}.1"}
        return self.requirement.marker is None or self.requirement.marker.evaluate(environment)


def read(name: str) -> list[Pin]:
    pins: list[Pin] = []
    text = (FOLDER / name).read_text().replace("\\\n", " ")
    for block in re.findall(r"^[^#\s].*\n(?:^ +#.*\n)*", text, re.MULTILINE):
        line, _, comments = block.partition("\n")
        requirement, *options = re.split(r" +(?=--)", line.strip())
        assert all(each.startswith("--hash=sha256:") for each in options), line[:100]
        needed_by = re.sub(r"#|\bvia\b", " ", comments).replace("(pyproject.toml)", "").split()
        pins.append(Pin(Requirement(requirement), tuple(options), frozenset(needed_by)))
    return pins
