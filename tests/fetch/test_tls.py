"""Private code over https, from a server whose certificate a self-made authority has signed."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Fetch
from .git_server import PASSWORD, USER, GitServer, new_repository, serve


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def new_authority(folder: Path, name: str) -> str:
    """An authority's certificate, in PEM; its key is beside it."""
    request = f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name} -keyout {name}.key -out {name}.crt"
    openssl(folder, *request.split())
    return (folder / f"{name}.crt").read_text()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("authority")
    new_authority(folder, "ours")
    new_authority(folder, "another")
    openssl(
        folder,
        *["req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=server", "-keyout", "server.key", "-out", "server.csr"],
    )
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    signed = "x509 -req -in server.csr -CA ours.crt -CAkey ours.key -CAcreateserial -days 2 -extfile names"
    openssl(folder, *signed.split(), "-out", "server.crt")
    return folder


@pytest.fixture(scope="module")
def https(authority: Path) -> Iterator[GitServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.crt", authority / "server.key")
    root = authority / "repositories"
    new_repository(root, "code", {"jobs/main.py": "x = 1\n"})
    with serve(root, tls=context) as server:
        yield server


@pytest.mark.parametrize(
    ("which", "password", "reason", "words"),
    [
        ("ours.crt", PASSWORD, "", ""),
        ("", PASSWORD, "SourceForbidden", "put its authority as ca.crt into the Secret"),
        ("another.crt", PASSWORD, "SourceForbidden", "put its authority as ca.crt into the Secret"),
        ("names", PASSWORD, "SourceForbidden", "Secret mine: ca.crt is no certificate"),
        ("ours.crt", "wr0ng-one", "SourceForbidden", "look at username and password in Secret mine"),
    ],
)
def test_authorities(
    fetch: Fetch, https: GitServer, authority: Path, which: str, password: str, reason: str, words: str
) -> None:
    secret = {"username": USER, "password": password}
    if which:
        secret["ca.crt"] = (authority / which).read_text()
    found = fetch({"url": f"{https.url}/private/code", "revision": "main"}, secret=secret, seconds=20)
    assert (found.reason, words in found.message) == (reason, True), found.message
    assert password not in found.message + found.printed
    if not reason:
        assert found.text("jobs/main.py") == "x = 1\n"


def test_a_certificate_of_another_host(fetch: Fetch, https: GitServer, authority: Path) -> None:
    """No authority in the Secret would mend that."""
    secret = {"ca.crt": (authority / "ours.crt").read_text()}
    url = f"{https.url.replace('127.0.0.1', 'localhost')}/private/code.tar"
    found = fetch({"url": url, "sha256": "0" * 64}, kind="archive", secret=secret, seconds=20)
    assert (found.reason, "correct the host in the URL" in found.message) == ("SourceForbidden", True), found.message
    assert "ca.crt" not in found.message
