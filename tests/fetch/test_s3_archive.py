"""Archives in S3, by the driver of the image."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from ..support.object_store import S3, python_with_stores
from .conftest import Fetch
from .test_archive import a_tar

CONTENT = a_tar(("job.py", b"x = 1\n"))
PUT = """
import sys, fsspec
with fsspec.open(sys.argv[1], "wb") as file:
    file.write(sys.stdin.buffer.read())
"""


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    """With the archive as results/code.tar."""
    with S3(python_with_stores()) as server:
        environment = {**os.environ, **secret_of(server, "writer")}
        command = [python_with_stores(), "-c", PUT, "s3://results/code.tar"]
        subprocess.run(command, env=environment, input=CONTENT, check=True)
        yield server


def secret_of(server: S3, user: str, **more: str) -> dict[str, str]:
    place = {"AWS_ENDPOINT_URL": server.address, "AWS_DEFAULT_REGION": "us-east-1"}
    return {**server.users.get(user, {}), **place, **more}


@pytest.mark.parametrize(
    ("key", "user", "change", "reason", "words"),
    [
        ("code.tar", "reader", {}, "", ""),
        ("none.tar", "reader", {}, "SourceNotFound", "there is nothing"),
        ("code.tar", "reader", {"AWS_SECRET_ACCESS_KEY": "wr0ng-one"}, "SourceForbidden", "look at Secret mine"),
        ("code.tar", "nobody", {}, "SourceForbidden", "redential"),
    ],
    ids=["right", "missing", "wrong secret", "no keys"],
)
def test_archives_in_s3(
    fetch: Fetch, s3: S3, key: str, user: str, change: dict[str, str], reason: str, words: str
) -> None:
    what: dict[str, Any] = {"url": f"s3://results/{key}", "sha256": hashlib.sha256(CONTENT).hexdigest()}
    secret = secret_of(s3, user, **change)
    found = fetch(what, kind="archive", secret=secret, seconds=30, python=python_with_stores())
    assert (found.reason, words in found.message) == (reason, True), found.message
    assert not any(text in found.printed + found.message for name, text in secret.items() if "SECRET" in name)
    if not reason:
        assert found.text("job.py") == "x = 1\n"
