"""Stores, by a folder of this machine: trials, writes that are tried again, and messages without secrets."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from daskjob.results import opened_store
from daskjob.results.opened_store import (
    FORBIDDEN,
    NOT_FOUND,
    UNAVAILABLE,
    Store,
    StoreProblem,
    clean_url,
    open_store,
    problem_of,
    try_store,
    within,
    without_secrets,
)
from daskjob.wire.report import STORE_REASONS


class Failing(LocalFileSystem):
    """A folder to which the next writes fail."""

    cachable = False

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.errors = list(errors)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **options: Any) -> None:
        if self.errors:
            raise self.errors.pop(0)
        super().pipe_file(path, value, mode, **options)


def failing(root: Path, *errors: Exception) -> Store:
    return Store(Failing(*errors), str(root), str(root), f"file://{root}")


def test_a_trial_leaves_nothing(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}/", {}).below("a", "b")
    assert store.url == f"file://{tmp_path}/a/b"
    content = try_store(store, ".one")
    assert store.names() == [".one"]
    try_store(store, ".two", f".one:{content}")
    assert store.names() == []


@pytest.mark.parametrize("other", [".none:x", ".one:another content"])
def test_two_processes_must_have_the_same_place(tmp_path: Path, other: str) -> None:
    store = open_store(f"file://{tmp_path}", {})
    try_store(store, ".one")
    with pytest.raises(StoreProblem, match="is not the same place in all of the job's pods") as caught:
        try_store(store, ".two", other)
    assert caught.value.reason == NOT_FOUND


def test_a_write_is_tried_again_while_the_store_is_not_there(tmp_path: Path) -> None:
    store = failing(tmp_path, ConnectionError("reset"), TimeoutError())
    store.write("x", b"1", (0.0, 0.0))
    assert store.read("x") == b"1"


@pytest.mark.parametrize(
    ("error", "reason", "left"),
    [
        (ConnectionError("reset"), UNAVAILABLE, 0),
        (OSError(errno.ENOSPC, "No space left on device"), UNAVAILABLE, 0),
        (OSError(errno.EROFS, "Read-only file system"), FORBIDDEN, 2),
        (PermissionError("no"), FORBIDDEN, 2),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory"), NOT_FOUND, 2),
        (FileExistsError(errno.EEXIST, "File exists"), NOT_FOUND, 2),
    ],
)
def test_what_is_tried_again(tmp_path: Path, error: Exception, reason: str, left: int) -> None:
    store = failing(tmp_path, error, error, error)
    with pytest.raises(StoreProblem) as caught:
        store.write("x", b"1", (0.0, 0.0))
    assert caught.value.reason == reason
    assert len(store._fs.errors) == left
    assert ("has no room left" in caught.value.message) == (getattr(error, "errno", None) == errno.ENOSPC)


def test_a_folder_that_is_not_mounted_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(StoreProblem, match="does not exist") as caught:
        open_store(f"file://{tmp_path}/results", {}).below("job").write("x", b"1")
    assert (caught.value.reason, os.listdir(tmp_path)) == (NOT_FOUND, [])


def test_what_takes_too_long_is_left_alone() -> None:
    import threading

    forever = threading.Event()
    with pytest.raises(StoreProblem, match="did not answer within") as caught:
        within(0.01, "s3://bucket", forever.wait)
    forever.set()
    assert caught.value.reason == UNAVAILABLE
    with pytest.raises(ZeroDivisionError):
        within(10, "s3://bucket", lambda: 1 / 0)


class Coded(Exception):
    """As clients of HTTP raise it."""

    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(text)
        self.status = status


@pytest.mark.parametrize(
    ("status", "reason"), [(401, FORBIDDEN), (403, FORBIDDEN), (404, NOT_FOUND), (503, UNAVAILABLE)]
)
def test_codes_of_http(status: int, reason: str) -> None:
    wrapped = RuntimeError("failed")
    wrapped.__cause__ = Coded(status)
    assert problem_of(Coded(status), "gs://a/b", "write x").reason == reason
    assert problem_of(wrapped, "gs://a/b", "write x").reason == reason


@pytest.mark.parametrize(
    "text",
    [
        "https://a.blob/x?sv=1&sig=Hidden%2Bone",
        "AccountKey=Hidden==;Endpoint=x",
        "token: 'Hidden'",
        "s3://me:Hidden@host/x",
        "s3://me:with@Hidden@host/x",
        "headers {'Authorization': 'Bearer Hidden', 'Accept': 'x'}",
        "Authorization: Hidden",
        "{'token': 'Hidden', 'x-ms-sas': 'Hidden'}",
        '{"password": "Hidden"}',
        "Credential=Hidden/2026",
        "invalid header value b'Hidden\\n'",
        "value of the Secret: plain-Hidden",
    ],
)
def test_no_message_has_a_secret(tmp_path: Path, text: str) -> None:
    (tmp_path / "ODD_NAME").touch()
    environment = {
        "AWS_SECRET_ACCESS_KEY": "Hidden\n",
        "ODD_NAME": "plain-Hidden",
        "DASKJOB_STORE_SECRET": str(tmp_path),
    }
    assert "Hidden" not in without_secrets(text, environment)


def test_what_is_no_secret_stays() -> None:
    text = "The specified key does not exist: results/a.parquet (no token found)"
    assert without_secrets(text, {"HOME": "results", "KEY_ID": "abc"}) == text
    assert clean_url("abfs://me:x@a/b?sig=c") == "abfs://***@a/b"


def test_the_reasons_are_those_of_reports() -> None:
    assert opened_store.REASONS == STORE_REASONS
