"""Packages from an index on the loopback, installed by the pip of this Python."""

from __future__ import annotations

import base64
import hashlib
import socket
from collections.abc import Iterator
from importlib import metadata

import pytest

from .conftest import Fetch, Fetched
from .test_archive import Server
from .wheels import wheel


class Index(Server):
    """A package index, below a path."""

    def add(self, name: str, version: str, requires: tuple[str, ...] = (), path: str = "", module: str = "") -> str:
        """Returns the digest of the file."""
        file = f"{name}-{version}-py3-none-any.whl"
        page = f"{path}/simple/{name.replace('_', '-')}/"
        before = self.files.get(page, b"<!DOCTYPE html>")
        self.files[page] = before + f'<a href="{path}/files/{file}">{file}</a>'.encode()
        content = self.files[f"{path}/files/{file}"] = wheel(name, version, requires, module)
        return hashlib.sha256(content).hexdigest()


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
    assert refused.reason == "SourceForbidden"
    secret = {"username": "me", "password": "hidden-word"}
    found = install(fetch, index, "private-thing", path="/private", secret=secret)
    assert found.reason == "", found.message
    assert (found.target / "private_thing.py").exists()
    assert "hidden-word" not in found.printed
    assert ("/private/simple/private-thing/", f"Basic {base64.b64encode(b'me:hidden-word').decode()}") in index.asked


def test_hashes(fetch: Fetch, index: Index) -> None:
    """What has another one, or none, is not installed."""
    upper, lower = index.add("upper_thing", "1.2", ("lower_thing",)), index.add("lower_thing", "1.0")
    wanted = [
        f"upper-thing==1.2 --hash=sha256:{upper}",
        f"lower_thing==1.0 --hash=sha256:{'0' * 64} --hash=sha256:{lower}",
    ]
    found = install(fetch, index, *wanted)
    assert found.reason == "", found.message
    assert sorted(each.name for each in found.target.glob("*.py")) == ["lower_thing.py", "upper_thing.py"]
    for packages, words in (
        ([wanted[0], f"lower_thing==1.0 --hash=sha256:{upper}"], f"Got {lower}"),
        ([wanted[0]], "once a package has a hash, all that are installed need"),
        ([*wanted, "index_thing"], "once a package has a hash, all that are installed need"),
    ):
        index.add("index_thing", "1.5")
        found = install(fetch, index, *packages)
        assert (found.reason, words in " ".join(found.message.split())) == ("PipFailed", True), found.message
        assert not list(found.target.iterdir())


@pytest.mark.parametrize(
    ("requires", "module", "words"),
    [
        (("msgpack<0.1",), "", "those that the image has stay as they are"),
        ((), "distributed/__init__.py", "thing-1.0 has a module distributed, which would take the place"),
        ((), "msgpack.py", "thing-1.0 has a module msgpack, which would take the place"),
    ],
)
def test_nothing_takes_the_place_of_dask(
    fetch: Fetch, index: Index, requires: tuple[str, ...], module: str, words: str
) -> None:
    index.add("thing", "1.0", requires, module=module)
    found = install(fetch, index, "thing")
    assert (found.reason, words in found.message) == ("PipFailed", True), found.message


@pytest.mark.parametrize(
    ("path", "page", "reason", "words"),
    [
        ("/private", "", "SourceForbidden", "asks for credentials (401): name a Secret"),
        ("/forbidden", "", "SourceForbidden", "forbids it (403)"),
        ("/away", "", "SourceRefused", "169.254.169.254"),
        ("", '<a href="http://169.254.169.254/thing-1.0-py3-none-any.whl">x</a>', "SourceRefused", "169.254.169.254"),
        ("", '<a href="/forbidden/thing-1.0-py3-none-any.whl">x</a>', "SourceForbidden", "403"),
        ("", '<a href="/thing-1.0-py3-none-any.whl">x</a>', "PipFailed", "404"),
        ("", '<a href="/broken/thing-1.0-py3-none-any.whl">x</a>', "PipFailed", "thing"),
    ],
)
def test_indexes_that_refuse(fetch: Fetch, index: Index, path: str, page: str, reason: str, words: str) -> None:
    """Also where a page or a redirect leads, which pip follows by itself."""
    index.files["/broken/thing-1.0-py3-none-any.whl"] = b"no wheel"
    index.files["/simple/thing/"] = f"<!DOCTYPE html>{page}".encode()
    found = install(fetch, index, "thing", path=path)
    assert (found.reason, words in found.message) == (reason, True), found.message
    assert found.message.startswith("spec.graph.pip")


def test_wrong_credentials_of_the_index(fetch: Fetch, index: Index) -> None:
    found = install(fetch, index, "thing", path="/private", secret={"username": "me", "password": "wr0ng-one"})
    assert found.reason == "SourceForbidden"
    assert "look at username and password in Secret mine" in found.message
    assert "wr0ng-one" not in found.message + found.printed


def test_an_index_that_says_nothing(fetch: Fetch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        what = {"packages": ["thing"], "index": f"http://127.0.0.1:{deaf.getsockname()[1]}/simple/"}
        found = fetch(what, kind="pip", seconds=2)
    assert found.reason == "SourceTimedOut", found.message


@pytest.mark.parametrize("url", ["file:///wheels", "http://169.254.169.254/simple", "https://u:hidden-word@h/simple"])
def test_indexes_that_are_refused(fetch: Fetch, url: str) -> None:
    found = fetch({"packages": ["x"], "index": url}, kind="pip", seconds=20)
    assert found.reason == "SourceRefused"
    assert found.message.startswith("spec.graph.pip.indexUrl")
    assert "hidden-word" not in found.message + found.printed
