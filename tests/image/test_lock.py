"""What the image installs: pinned and hashed, what pyproject.toml asks for and what that needs, nothing else."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .lock_file import FOLDER, read

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
#: What the file is for, and what it has to have.
FILES = {
    "requirements.txt": [*EXTRAS["operator"], *EXTRAS["dask-controller"]],
    "build-requirements.txt": PROJECT["build-system"]["requires"],
}
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


@pytest.mark.parametrize("name", FILES)
def test_every_line_is_a_version_with_hashes(name: str) -> None:
    """An address in it, or an option, would have pip look elsewhere than its user wants."""
    text = (FOLDER / name).read_text()
    assert "://" not in text
    assert [
        line for line in text.splitlines() if not re.match(r"[a-z0-9]|    --hash=sha256:[0-9a-f]{64}|\s*#", line)
    ] == []
    pins = read(name)
    assert len(pins) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE))
    assert [pin.name for pin in pins if not pin.hashes or pin.requirement.url] == []
    assert [pin.name for pin in pins if [each.operator for each in pin.requirement.specifier] != ["=="]] == []


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", FILES)
def test_it_has_what_pyproject_asks_for(name: str, python: str) -> None:
    pins = {pin.name: pin for pin in read(name) if pin.holds_for(python)}
    wanted = [Requirement(each) for each in FILES[name]]
    missing = [str(each) for each in wanted if canonicalize_name(each.name) not in pins]
    assert missing == [], "run make lock"
    unfit = [str(each) for each in wanted if not each.specifier.contains(pins[canonicalize_name(each.name)].version)]
    assert unfit == [], "run make lock"


@pytest.mark.parametrize("name", FILES)
def test_it_has_nothing_that_nobody_needs(name: str) -> None:
    """Each is a requirement of pyproject.toml's, or of another one in the file."""
    pins = read(name)
    ours = {canonicalize_name(Requirement(each).name) for each in FILES[name]}
    known = {pin.name for pin in pins}
    surplus = [pin.name for pin in pins if pin.name not in ours and not pin.needed_by & (known - {pin.name})]
    assert surplus == [], "run make lock"


def test_the_image_installs_nothing_else() -> None:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    calls = re.findall(r"/pip (?:--python \S+ )?install ([^&\n]*)", text)
    assert len(calls) == 3
    for call in calls:
        hashed = "--require-hashes --only-binary :all: -r /tmp/" in call
        assert hashed or call.split()[-2:] == ["--no-deps", "/tmp/wheels/*.whl"], call
