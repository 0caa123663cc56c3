"""The operator's image as it is built: what is listed of it is what is pinned for it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation import make_schemabased_validator

import daskjob

from ..image.lock_file import read
from ..support.programs import ROOT, script

PLACE = re.compile(r"/opt/daskjob-venv/lib/python(3\.\d+)/site-packages")


@pytest.fixture(scope="module")
def text() -> str:
    archive = script("image", "--build-only", "operator").split()[-1]
    command = [sys.executable, ROOT / "image" / "contents.py", archive]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout


@pytest.fixture(scope="module")
def components(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text)["components"]
    return found


def test_the_list_fits_the_schema(text: str) -> None:
    assert make_schemabased_validator(OutputFormat.JSON, SchemaVersion.V1_6).validate_str(text) is None


def test_it_has_what_is_pinned_and_nothing_else_of_pythons(components: list[dict[str, Any]]) -> None:
    """Neither pip, nor what built the wheel, which could install more."""
    folders = {each["properties"][0]["value"] for each in components if each["name"] == "daskjob"}
    [folder] = folders
    match = PLACE.fullmatch(folder)
    assert match, folder
    installed = {
        each["name"]: each["version"]
        for each in components
        if {"name": "image:folder", "value": folder} in each.get("properties", ())
    }
    pinned = {pin.name: pin.version for pin in read("requirements.txt") if pin.holds_for(match[1])}
    assert {"kopf", "kubernetes", "aiohttp", "dask-kubernetes"} <= set(pinned)
    assert installed == {**pinned, "daskjob": daskjob.__version__}


def test_it_has_debians_packages(components: list[dict[str, Any]]) -> None:
    debian = {each["name"] for each in components if each["purl"].startswith("pkg:deb/debian/")}
    assert {"libc6", "zlib1g", "ca-certificates"} <= debian
