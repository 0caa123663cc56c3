"""Private code over https, from a server whose certificate a self-made authority has signed."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from .conftest import Fetch
from .git_server import PASSWORD, USER, GitServer, git, new_repository, serve

MODULES = '[submodule "s"]\n\tpath = s\n\turl = {}/private/code\n'


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


def sign(authority: Path, name: str, begins: timedelta) -> None:
    """A certificate for the server's key that is valid for a day, from so long after now."""
    issuer = x509.load_pem_x509_certificate((authority / "ours.crt").read_bytes())
    keys = [
        serialization.load_pem_private_key((authority / f"{each}.key").read_bytes(), None)
        for each in ("ours", "server")
    ]
    begin = datetime.now(UTC) + begins
    builder = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(issuer.subject)
    builder = builder.public_key(keys[1].public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(begin).not_valid_after(begin + timedelta(days=1))
    host = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    signed = builder.add_extension(host, critical=True).sign(keys[0], hashes.SHA256())
    (authority / f"{name}.crt").write_bytes(signed.public_bytes(serialization.Encoding.PEM))


def serving(stack: ExitStack, authority: Path, name: str) -> GitServer:
    """With that certificate of the server's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / f"{name}.crt", authority / "server.key")
    return stack.enter_context(serve(authority / "repositories", tls=context))


@pytest.fixture(scope="module")
def https(authority: Path) -> Iterator[GitServer]:
    new_repository(authority / "repositories", "code", {"jobs/main.py": "x = 1\n"})
    with ExitStack() as stack:
        yield serving(stack, authority, "server")


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


@pytest.mark.parametrize("kind", ["git", "archive", "submodule", "own"])
@pytest.mark.parametrize(
    ("begins", "words"),
    [(-2, "certificate has expired"), (1, "certificate is not yet valid")],
    ids=["expired", "early"],
)
def test_a_certificate_at_another_time(
    fetch: Fetch, https: GitServer, authority: Path, kind: str, begins: int, words: str
) -> None:
    """`own`: a local run, in which git itself asks, with the user's own settings."""
    sign(authority, "dated", timedelta(days=begins))
    secret = {"username": USER, "password": PASSWORD, "ca.crt": (authority / "ours.crt").read_text()}
    with ExitStack() as stack:
        server = serving(stack, authority, "dated")
        what: dict[str, Any] = {"url": f"{server.url}/private/code", "revision": "main"}
        if kind == "archive":
            what = {"url": f"{server.url}/private/code.tar", "sha256": "0" * 64}
        elif kind == "own":
            what |= {"own": True}
        elif kind == "submodule":
            name = f"holds-{begins}"
            repository = new_repository(authority / "repositories", name, {".gitmodules": MODULES.format(server.url)})
            head = git(authority / "repositories" / "code", "rev-parse", "HEAD")
            git(repository, "update-index", "--add", "--cacheinfo", f"160000,{head},s")
            git(repository, "commit", "--quiet", "--message", "submodule")
            what = {"url": f"{https.url}/{name}", "revision": "main", "submodules": True}
        found = fetch(what, kind="archive" if kind == "archive" else "git", secret=secret, seconds=20)
    assert found.reason == "SourceForbidden", found.message
    if kind in ("git", "archive"):
        assert f"the certificate of 127.0.0.1 is not trusted ({words}): whoever runs the server has to" in found.message
    else:
        # git's own words have no reason.
        where = "submodule's server" if kind == "submodule" else "ca.crt in Secret mine"
        assert where in found.message
        assert "or the server's certificate is out of date, or of another host" in found.message
    assert "username and password" not in found.message
