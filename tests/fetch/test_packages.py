"""Packages from an index on the loopback, installed by the pip of this Python."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from importlib import metadata

import pytest

from .conftest import Fetch, Fetched
from .test_archive import Server
from .wheels import wheel


class Index(Server):
    """A package index, below a path."""

    def add(self, name: str, version: str, requires: tuple[str, ...] = (), path: str = "") -> None:
        file = f"{name}-{version}-py3-none-any.whl"
        page = f"{path}/simple/{name.replace('_', '-')}/"
        before = self.files.get(page, b"<!DOCTYPE html>")
        self.files[page] = before + f'<a href="{path}/files/{file}">{file}</a>'.encode()
        self.files[f"{path}/files/{file}"] = wheel(name, version, requires)


@pytest.fixture
def index() -> Iterator[Index]:
    found = Index()
    yield found
    found.http.shutdown()
    found.http.server_close()


def install(
    fetch: Fetch, index: Index, *packages: str, path: str = "", secret: dict[str, str] | None = None
) -> Fetched:
    what = {"packages": list(packages), "index": f"{index.url}{path}/simple/"}
    return fetch(what, kind="pip", secret=secret, seconds=60)


def test_what_is_missing_is_installed_with_what_it_needs(fetch: Fetch, index: Index) -> None:
    """And what the image has is not: it would take the place of the image's own."""
    index.add("upper_thing", "1.2", ("lower_thing>=1", "distributed", "msgpack"))
    for version in ("0.9", "1.0", "1.1"):
        index.add("lower_thing", version)
    found = install(fetch, index, "upper-thing", "lower-thing<1.1")
    assert found.reason == "", found.message
    names = sorted(each.name for each in found.target.glob("*.py"))
    assert names == ["lower_thing.py", "upper_thing.py"]
    assert found.text("lower_thing.py") == "VERSION = '1.0'\n"


def test_dask_itself_stays(fetch: Fetch, index: Index) -> None:
    index.add("distributed", "1.0")
    found = install(fetch, index, "distributed==1.0")
    assert found.reason == "PipFailed"
    assert f"distributed=={metadata.version('distributed')}" in found.message
    assert not list(found.target.iterdir())


def test_a_package_that_does_not_exist(fetch: Fetch, index: Index) -> None:
    found = install(fetch, index, "no-such-thing")
    assert found.reason == "PipFailed"
    assert "No matching distribution found for no-such-thing" in found.message


def test_credentials_of_the_index(fetch: Fetch, index: Index) -> None:
    index.add("private_thing", "1.0", path="/private")
    refused = install(fetch, index, "private-thing", path="/private")
    assert refused.reason == "PipFailed"
    secret = {"username": "me", "password": "hidden-word"}
    found = install(fetch, index, "private-thing", path="/private", secret=secret)
    assert found.reason == "", found.message
    assert (found.target / "private_thing.py").exists()
    assert "hidden-word" not in found.printed
    assert ("/private/simple/private-thing/", f"Basic {base64.b64encode(b'me:hidden-word').decode()}") in index.asked


@pytest.mark.parametrize("url", ["file:///wheels", "http://169.254.169.254/simple", "https://u:hidden-word@h/simple"])
def test_indexes_that_are_refused(fetch: Fetch, url: str) -> None:
    found = fetch({"packages": ["x"], "index": url}, kind="pip", seconds=20)
    assert found.reason == "SourceRefused"
    assert found.message.startswith("spec.graph.pip.indexUrl")
    assert "hidden-word" not in found.message + found.printed
