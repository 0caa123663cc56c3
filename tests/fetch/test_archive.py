"""Code from archives: what comes, and what is refused of those that mean harm."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import os
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from daskjob.fetch.fetch_problem import FetchProblem
from daskjob.fetch.packed_files import Unpacking

from .conftest import Fetch

Files = dict[str, bytes]


class Server:
    """Serves bytes by their path; /private asks for a password, /forbidden refuses, /away leads to a
    cloud's metadata, /umlaut to a name beyond ASCII, and of /cut the end does not come."""

    def __init__(self) -> None:
        self.files: Files = {}
        self.asked: list[tuple[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                given = self.headers.get("Authorization", "")
                outer.asked.append((self.path, given))
                secret = base64.b64encode(b"me:hidden-word").decode()
                if self.path.startswith("/forbidden"):
                    self.send_error(403)
                elif self.path.startswith("/away"):
                    self.send_response(302)
                    self.send_header("Location", "http://169.254.169.254/latest")
                    self.end_headers()
                elif self.path.startswith("/umlaut"):
                    self.send_response(302)
                    self.send_header("Location", "/\xfc")
                    self.end_headers()
                elif self.path.startswith("/cut"):
                    self.send_response(200)
                    self.send_header("Content-Length", "1000")
                    self.end_headers()
                    self.wfile.write(b"x" * 400)
                elif self.path.startswith("/private") and given != f"Basic {secret}":
                    self.send_error(401)
                elif self.path in outer.files:
                    self.send_response(200)
                    self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "application/zip")
                    self.end_headers()
                    self.wfile.write(outer.files[self.path])
                else:
                    self.send_error(404)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def what(self, path: str, content: bytes, **more: Any) -> dict[str, Any]:
        self.files[path] = content
        return {"url": self.url + path, "sha256": hashlib.sha256(content).hexdigest(), **more}


@pytest.fixture
def web() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


def a_tar(*members: tuple[tarfile.TarInfo, bytes] | tuple[str, bytes], mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for given, content in members:
            member = tarfile.TarInfo(given) if isinstance(given, str) else given
            if member.isreg():
                member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def special(name: str, kind: bytes, link: str = "") -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member, b""


def a_zip(files: Files, **modes: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = modes.get(name.partition(".")[0], 0o100644) << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar_files(fetch: Fetch, web: Server, mode: str) -> None:
    content = a_tar(("src/job.py", b"x = 1\n"), special("src/also.py", tarfile.SYMTYPE, "job.py"), mode=mode)
    found = fetch(web.what("/code", content, sub_path="src"), kind="archive")
    assert found.reason == "", found.message
    assert (found.text("src/job.py"), found.text("src/also.py")) == ("x = 1\n", "x = 1\n")


def test_zip_files(fetch: Fetch, web: Server) -> None:
    found = fetch(
        web.what("/private/code", a_zip({"src/job.py": b"x = 1\n"})),
        kind="archive",
        secret={"username": "me", "password": "hidden-word"},
    )
    assert found.reason == "", found.message
    assert found.text("src/job.py") == "x = 1\n"
    assert "hidden-word" not in found.printed


@pytest.mark.parametrize(
    ("path", "change", "reason", "words"),
    [
        ("/code", {"sha256": "0" * 64}, "SourceRefused", "nothing of it was unpacked"),
        ("/code", {"sub_path": "job"}, "SourceNotFound", "the archive has no folder 'job'; it has: job.py"),
        ("/none", {}, "SourceNotFound", "(404)"),
        ("/private/code", {}, "SourceForbidden", "name a Secret"),
        ("/away", {}, "SourceRefused", "169.254.169.254"),
        ("/umlaut", {}, "SourceRefused", "write letters beyond ASCII as %XX"),
        ("/\xfc", {}, "SourceRefused", "write letters beyond ASCII as %XX"),
        ("/cut", {}, "SourceUnreachable", "the connection broke before the last 600 bytes had come"),
    ],
)
def test_mistakes(fetch: Fetch, web: Server, path: str, change: dict[str, Any], reason: str, words: str) -> None:
    what = web.what("/code", a_tar(("job.py", b"")))
    found = fetch({**what, "url": web.url + path, **change}, kind="archive")
    assert found.reason == reason, found.message
    assert words in found.message
    assert not found.target.exists() or reason == "SourceNotFound" or list(found.target.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    ["file:///etc/hosts", "simplecache::file:///etc/hosts", "memory://a/b", "local:///etc/hosts", "git:///etc:x@main"],
)
def test_files_of_the_machine_itself_are_refused(fetch: Fetch, url: str) -> None:
    found = fetch({"url": url, "sha256": "0" * 64}, kind="archive")
    assert (found.reason, "only http, https and stores elsewhere" in found.message) == ("SourceRefused", True)


@pytest.mark.parametrize("scheme", ["sftp", "ssh", "ftp", "smb", "webhdfs", "hdfs"])
def test_hosts_of_other_protocols_are_looked_at_too(fetch: Fetch, scheme: str) -> None:
    found = fetch({"url": f"{scheme}://169.254.169.254/x", "sha256": "0" * 64}, kind="archive")
    assert (found.reason, "169.254.169.254, an address from which" in found.message) == ("SourceRefused", True)


def test_a_store_for_which_the_image_has_no_package(fetch: Fetch) -> None:
    found = fetch({"url": "nosuchstore://bucket/x", "sha256": "0" * 64}, kind="archive")
    assert (found.reason, "install the package in the image" in found.message) == ("SourceRefused", True)


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "a name upwards": (lambda: a_tar(("../x", b"")), "leads out of its folder"),
    "a name upwards, later": (lambda: a_tar(("a/../../x", b"")), "leads out of its folder"),
    "an absolute name": (lambda: a_tar(("/tmp/x", b"")), "leads out of its folder"),
    "a name of Windows": (lambda: a_zip({"..\\x": b""}), "leads out of its folder"),
    "a zip with a name upwards": (lambda: a_zip({"../x": b""}), "leads out of its folder"),
    "a link to elsewhere": (lambda: a_tar(special("a", tarfile.SYMTYPE, "/etc")), "link that leads out"),
    "a link upwards": (lambda: a_tar(special("b/a", tarfile.SYMTYPE, "../../x")), "link that leads out"),
    "a zip with a link upwards": (lambda: a_zip({"a": b"../x"}, a=0o120777), "link that leads out"),
    "a file below a link": (
        lambda: a_tar(("d/f", b""), special("a", tarfile.SYMTYPE, "d"), ("a/x", b"")),
        "below a link",
    ),
    "a hard link to elsewhere": (lambda: a_tar(special("a", tarfile.LNKTYPE, "/etc/passwd")), "leads out of"),
    "a hard link to a link": (
        lambda: a_tar(special("s", tarfile.SYMTYPE, "t"), special("a", tarfile.LNKTYPE, "s")),
        "hard link to what is not in it",
    ),
    "a device": (lambda: a_tar(special("x", tarfile.CHRTYPE)), "neither a file, a folder nor a link"),
    "a pipe": (lambda: a_tar(special("x", tarfile.FIFOTYPE)), "neither a file, a folder nor a link"),
    "too much": (lambda: a_tar(("x", b"0" * 20_000), mode="w:gz"), "more than 10000 bytes"),
    "too much, packed well": (lambda: gzip.compress(bytes(50_000_000)), "more than 10000 bytes"),
    "a zip of too much": (lambda: a_zip({"x": b"0" * 20_000}), "more than 10000 bytes"),
    "too much together": (lambda: a_tar(*((str(each), b"0" * 900) for each in range(12))), "more than 10000 bytes"),
    "too many": (lambda: a_zip({str(each): b"" for each in range(60)}), "too many files"),
    "no archive": (lambda: b"#!/bin/sh\n" * 100, "no tar or zip file"),
    "half an archive": (lambda: a_tar(("x", os.urandom(3000)), mode="w:gz")[:2000], "no tar or zip file"),
    "a folder and a file": (lambda: a_tar(("a/b", b""), ("a", b"")), "as a folder and as a file"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives(name: str, tmp_path: Path) -> None:
    build, words = HOSTILE[name]
    packed, target = tmp_path / "packed", tmp_path / "deep" / "target"
    packed.write_bytes(build())
    target.mkdir(parents=True)
    with pytest.raises(FetchProblem, match=words) as refused:
        Unpacking("spec.graph.source.archive.url", str(target), 10_000, 50).unpack(str(packed), str(tmp_path))
    assert refused.value.reason == "SourceRefused"
    assert {each.name for each in tmp_path.iterdir()} <= {"packed", "plain.tar", "deep"}
    assert [each.name for each in (tmp_path / "deep").iterdir()] == ["target"]


def test_a_lying_zip(tmp_path: Path) -> None:
    """Its directory says that the file is small."""
    content = a_zip({"x": b"0" * 20_000}).replace((20_000).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    (tmp_path / "packed").write_bytes(content)
    (tmp_path / "target").mkdir()
    with pytest.raises(FetchProblem):
        Unpacking("f", str(tmp_path / "target"), 10_000, 50).unpack(str(tmp_path / "packed"), str(tmp_path))
    assert sum(each.stat().st_size for each in (tmp_path / "target").iterdir()) <= 10_000


def test_the_last_of_two_of_one_name_counts_and_modes_are_kept(tmp_path: Path) -> None:
    program = tarfile.TarInfo("run.sh")
    program.mode = 0o4755
    (tmp_path / "packed").write_bytes(a_tar(("a", b"1"), ("a", b"2"), (program, b"#!/bin/sh\n")))
    (tmp_path / "target").mkdir()
    Unpacking("f", str(tmp_path / "target"), 10_000, 50).unpack(str(tmp_path / "packed"), str(tmp_path))
    assert (tmp_path / "target" / "a").read_text() == "2"
    assert (tmp_path / "target" / "run.sh").stat().st_mode & 0o7777 == 0o755
