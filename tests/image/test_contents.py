"""The list of what is in an image: from archives that are made here. tests/packaging has the real one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation import make_schemabased_validator

from .archives import VENV, tar, write

PROGRAM = Path(__file__).resolve().parents[2] / "image" / "contents.py"


def call(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, PROGRAM, *arguments], input=stdin, capture_output=True)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    done = call(str(write(tmp_path_factory.mktemp("image") / "image.tar")))
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


@pytest.fixture(scope="module")
def listed(text: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    return document


def test_it_fits_the_schema(text: str) -> None:
    assert make_schemabased_validator(OutputFormat.JSON, SchemaVersion.V1_6).validate_str(text) is None


def test_packages_of_debian_of_python_and_the_interpreter(listed: dict[str, Any]) -> None:
    assert sorted(each["purl"] for each in listed["components"]) == [
        "pkg:deb/debian/libc6@2.41-12%2Bb1?arch=amd64&distro=debian-13&upstream=glibc%402.41-12",
        "pkg:deb/debian/zlib1g@1:1.3.1?arch=amd64&distro=debian-13&upstream=zlib",
        "pkg:generic/python@3.12.9",
        "pkg:pypi/aiohttp@3.14.5",
        "pkg:pypi/daskjob@0.1.0",
        "pkg:pypi/kopf@1.45.2",
        "pkg:pypi/pip@25.1.1",
        "pkg:pypi/pyyaml@6.0.4",
        "pkg:pypi/uvloop@1.0",
    ]


def test_what_a_package_needs_on_its_python(listed: dict[str, Any]) -> None:
    needs = {each["ref"]: each.get("dependsOn", []) for each in listed["dependencies"]}
    assert needs[f"pkg:pypi/kopf@1.45.2#{VENV}"] == [f"pkg:pypi/aiohttp@3.14.5#{VENV}", f"pkg:pypi/pyyaml@6.0.4#{VENV}"]
    assert needs[f"pkg:pypi/daskjob@0.1.0#{VENV}"] == []


def test_which_image_it_is(listed: dict[str, Any]) -> None:
    image = listed["metadata"]["component"]
    assert (image["name"], image["version"], image["type"]) == ("localhost/daskjob/operator", "0.1.0", "container")
    assert image["bom-ref"] == "sha256:" + "ab" * 32
    assert {"name": "image:label:org.opencontainers.image.revision", "value": "abc"} in image["properties"]


def test_the_same_image_gives_the_same_document(text: str, tmp_path: Path) -> None:
    again = call("-", stdin=write(tmp_path / "image.tar").read_bytes())
    assert again.stdout.decode() == text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"nothing", b"file could not be opened|not"),
        (tar({"a": b""}), b"no archive of an image as `docker save` writes it: .*manifest.json"),
        (tar({"manifest.json": b"[{}, {}]"}), b"has 2 images: save one"),
    ],
)
def test_what_is_no_image(content: bytes, words: bytes, tmp_path: Path) -> None:
    (tmp_path / "image.tar").write_bytes(content)
    done = call(str(tmp_path / "image.tar"))
    assert done.returncode == 1
    assert done.stdout == b""
    assert re.search(words, done.stderr)
    assert b"Traceback" not in done.stderr


def test_an_image_without_packages(tmp_path: Path) -> None:
    done = call(str(write(tmp_path / "image.tar", layers=({"bin/sh": ""},), config={})))
    assert (done.returncode, b"no packages" in done.stderr) == (1, True)
